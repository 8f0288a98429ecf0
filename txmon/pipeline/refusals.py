"""Why the engine does not take an event that could be read: a verdict's reason, field and remedy.

Owns the texts; the verdicts are given by `txmon.engine.dedup` and `txmon.pipeline.applier`.
"""

from __future__ import annotations

from collections.abc import Mapping

from txmon.engine import dedup
from txmon.pipeline.work import Refusal

POISON = 255  # a verdict beside those of `txmon.engine.dedup`
REFUSALS: Mapping[int, Refusal] = {
    dedup.CONFLICT: Refusal(
        "conflict",
        "event_id",
        "this source and id were accepted before with other content; send a correction under a new id",
    ),
    dedup.TOO_LATE: Refusal(
        "too_late",
        "event_time",
        "older than the longest window plus the accepted lateness; load history in order of time",
    ),
    POISON: Refusal(
        "engine_error", "event_id", "the engine failed on this event alone; report it and re-submit it later"
    ),
}
