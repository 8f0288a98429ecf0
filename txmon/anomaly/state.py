"""State of a detector as plain numbers, and back.

Owns the format: a mapping of names to numeric arrays, the slots in use only, plus 'meta' (JSON text as
bytes: format, settings fingerprint, river version, checksum). What can be counted anew is not saved.
Never a pickle. A state is taken over completely or refused; nothing is converted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import river

from txmon.anomaly import calibrate, usual
from txmon.anomaly.calibrate import Calibration
from txmon.anomaly.gaussian import Moments
from txmon.anomaly.segments import Slots, assign
from txmon.anomaly.settings import Settings
from txmon.anomaly.trees import Forest
from txmon.anomaly.usual import Usual
from txmon.errors import StateError

FORMAT = 1
META = "meta"
Arrays = Mapping[str, npt.NDArray[Any]]
Learner = Forest | Moments
_FIXED = ("tree_feature", "tree_threshold")  # made from the seed; compared, not taken over


def _per_slot(cal: Calibration, ranges: Usual, learner: Learner) -> dict[str, npt.NDArray[Any]]:
    """Return the live arrays whose first axis is the slot, by their name in the format."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "calibration_ring": cal.ring,
        "calibration_seen": cal.seen,
        "calibration_log_level": cal.log_level,
        "usual_ring": ranges.ring,
        "usual_seen": ranges.seen,
    }
    if isinstance(learner, Forest):
        arrays |= {
            "tree_mass": learner.mass,
            "tree_learned": learner.learned,
            "tree_windows": learner.windows,
        }
    else:
        arrays |= {
            "moment_n": learner.n,
            "moment_mean": learner.mean,
            "moment_squares": learner.squares,
            "moment_ring": learner.ring,
            "moment_learned": learner.learned,
        }
    return arrays


def _fixed(learner: Learner) -> dict[str, npt.NDArray[Any]]:
    if isinstance(learner, Forest):
        return dict(zip(_FIXED, (learner.feature, learner.threshold), strict=True))
    return {}


def _checksum(arrays: Arrays) -> str:
    """Return a hash over names, types, shapes and bytes of all arrays but 'meta'."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        if name != META:
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def dump_state(
    settings: Settings, slots: Slots, cal: Calibration, ranges: Usual, learner: Learner
) -> dict[str, npt.NDArray[Any]]:
    """Return copies of everything a later `load_state` needs."""
    used = int(slots.used[0])
    arrays = {name: array[:used].copy() for name, array in _per_slot(cal, ranges, learner).items()}
    arrays["segment_code"] = slots.code[:used].copy()
    arrays |= {name: array.copy() for name, array in _fixed(learner).items()}
    meta = {
        "format": FORMAT,
        "detector": settings.detector,
        "version": settings.version,
        "settings": settings.fingerprint(),
        "river": river.__version__,
        "checksum": _checksum(arrays),
    }
    arrays[META] = np.frombuffer(json.dumps(meta, sort_keys=True).encode(), np.uint8).copy()
    return arrays


def _read_meta(arrays: Arrays) -> dict[str, Any]:
    """Return the JSON object in 'meta'; StateError where there is none."""
    try:
        meta = json.loads(np.asarray(arrays[META], np.uint8).tobytes())
    except (KeyError, TypeError, ValueError) as error:
        raise StateError("detector state has no readable 'meta'; rebuild it by replay") from error
    if not isinstance(meta, dict):
        raise StateError("detector state has a 'meta' that is no object; rebuild it by replay")
    return meta


def _check_meta(meta: Mapping[str, Any], arrays: Arrays, settings: Settings) -> None:
    """Refuse another format, other settings, or damaged arrays."""
    name = settings.detector
    if meta.get("format") != FORMAT:
        raise StateError(
            f"detector {name!r}: state format {meta.get('format')!r}, this version reads {FORMAT}; "
            "rebuild it by replay"
        )
    if meta.get("settings") != settings.fingerprint():
        raise StateError(
            f"detector {name!r} version {settings.version}: the state was made by "
            f"{meta.get('detector')!r} version {meta.get('version')!r} with other settings; "
            "restore with the detector file it was made with, or rebuild it by replay"
        )
    if meta.get("checksum") != _checksum(arrays):
        raise StateError(f"detector {name!r}: the state is damaged (checksum differs); use another snapshot")


def _check_shapes(arrays: Arrays, live: Arrays, fixed: Arrays, used: int, detector: str) -> None:
    """Refuse arrays that are missing, extra, of another type or shape, and trees of another structure."""
    expected = {META, "segment_code", *live, *fixed}
    if set(arrays) != expected or not 1 <= used <= len(live["calibration_seen"]):
        raise StateError(f"detector {detector!r}: the state does not hold the arrays of format {FORMAT}")
    for name, array in live.items():
        given = arrays[name]
        if given.dtype != array.dtype or given.shape != (used, *array.shape[1:]):
            raise StateError(f"detector {detector!r}: {name} is {given.dtype}{given.shape} in the state")
    if int(arrays["usual_ring"].max(initial=0)) >= usual.BINS:
        raise StateError(f"detector {detector!r}: usual_ring holds a bin out of range")
    for name, array in fixed.items():
        if not np.array_equal(arrays[name], array):
            raise StateError(
                f"detector {detector!r}: river {river.__version__} builds other trees than the state has; "
                "install the river version named in its meta, or rebuild it by replay"
            )


def load_state(
    arrays: Arrays,
    settings: Settings,
    slots: Slots,
    cal: Calibration,
    ranges: Usual,
    learner: Learner,
) -> None:
    """Fill empty state from `arrays`; StateError, and nothing to be used, where they do not fit."""
    _check_meta(_read_meta(arrays), arrays, settings)
    live, fixed = _per_slot(cal, ranges, learner), _fixed(learner)
    codes = np.asarray(arrays.get("segment_code", np.empty(0)), np.int32)
    _check_shapes(arrays, live, fixed, len(codes), settings.detector)
    assign(slots, codes[1:], np.empty(len(codes) - 1, np.int32))
    if int(slots.used[0]) != len(codes):
        raise StateError(f"detector {settings.detector!r}: segment codes of the state repeat or are negative")
    for name, array in live.items():
        array[: len(codes)] = arrays[name]
    calibrate.rebuild_counts(cal)
    usual.rebuild_counts(ranges)
