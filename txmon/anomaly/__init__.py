"""Online anomaly detection: models that learn per segment and give calibrated scores with reasons.

    make_detector(Detector) -> Model
    Model.score(segment, values) -> Scores(value, state, raw, reasons)
    Model.explain(scores, row) -> tuple[Reason, ...]
    Model.snapshot() / Model.restore(arrays)
    to_matrix(columns) -> the `values` of a batch from Arrow columns

Owns models and calibration. Never evaluates expressions (the engine does), never alerts.
"""

from txmon.anomaly.batch import REFUSED, SCORED, STATE_NAMES, WARMING
from txmon.anomaly.model import Model, Reason, Scores, make_detector
from txmon.anomaly.scale import to_matrix
from txmon.anomaly.settings import Settings, read_settings

__all__ = [
    "REFUSED",
    "SCORED",
    "STATE_NAMES",
    "WARMING",
    "Model",
    "Reason",
    "Scores",
    "Settings",
    "make_detector",
    "read_settings",
    "to_matrix",
]
