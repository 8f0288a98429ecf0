"""Clocks of a report: from the recorded determination to the filing, and from a filing to what goes on.

Never started by an alert. Owns the counting, from heads and the days of a jurisdiction and a time that is
handed in; remembers nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from txmon.reports.model import Kind
from txmon.vault.head import Head
from txmon.vault.jurisdictions import Jurisdictions
from txmon.vault.states import ACKNOWLEDGED, DRAFT, PENDING, REJECTED, RELEASED

DAY_US = 86_400_000_000
SOON_DAYS = 7
OPEN, RUNNING, DUE, OVERDUE = "open", "running", "due", "overdue"
CONTINUING, CORRECTION = Kind.CONTINUING.value, Kind.CORRECTION.value
_UNFILED = (DRAFT, PENDING, REJECTED)
_ORDER = {OVERDUE: 0, DUE: 1, RUNNING: 2, OPEN: 3}


@dataclass(frozen=True)
class Clock:
    """A clock at a moment. due_us: None: as soon as practicable; the age says how long that is by now."""

    clock: str  # file | review | continue
    state: str
    since_us: int
    due_us: int | None
    now_us: int

    @property
    def age_days(self) -> int:
        """Return the whole days since it started."""
        return (self.now_us - self.since_us) // DAY_US

    @property
    def left_days(self) -> int | None:
        """Return the whole days that are left, below 0 once it is overdue."""
        return None if self.due_us is None else (self.due_us - self.now_us) // DAY_US


def clocks_of(head: Head, rules: Jurisdictions, now_us: int) -> list[Clock]:
    """Return the clocks of a report that run."""
    return list(_clocks(head, rules, now_us))


def _clocks(head: Head, rules: Jurisdictions, now_us: int) -> Iterator[Clock]:
    place = rules.of(head.jurisdiction)
    if head.state in _UNFILED:
        if head.kind == CONTINUING:
            filed_us = None if head.prior is None else head.prior["filed_us"]
            yield _clock("continue", filed_us or head.created_us, place.continue_days, now_us)
        elif head.kind == CORRECTION:  # no law gives days for one: the sooner the better
            yield _clock("file", head.created_us, None, now_us)
        elif head.known_us is not None:
            yield _clock("file", head.known_us, place.days_to_file(head.known_subject), now_us)
    ended = head.continued_us is not None or head.reviewed_us is not None or head.kind == CORRECTION
    if head.state in (RELEASED, ACKNOWLEDGED) and head.released_us is not None and not ended:
        for name, days in (("review", place.review_days), ("continue", place.continue_days)):
            if days is not None:
                yield _clock(name, head.released_us, days, now_us)


def _clock(name: str, since_us: int, days: int | None, now_us: int) -> Clock:
    if days is None:
        return Clock(name, OPEN, since_us, None, now_us)
    due_us = since_us + days * DAY_US
    soon = DUE if due_us - now_us <= SOON_DAYS * DAY_US else RUNNING
    state = OVERDUE if now_us > due_us else soon
    return Clock(name, state, since_us, due_us, now_us)


def urgency(clock: Clock) -> tuple[int, int]:
    """Return what sorts clocks, the most urgent first."""
    return _ORDER[clock.state], clock.since_us if clock.due_us is None else clock.due_us
