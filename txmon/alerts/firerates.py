"""Whether a rule fires as it used to: the population stability index of its hourly fire rate.

For each hour of event time: events, and each rule's hits; their quotient is the hour's fire rate. The last
`window_hours` are compared with the `baseline_days` before them. The terciles of the baseline's rates cut the
rates into at most three bands; the index is

    sum over the bands of (now - then) * ln(now / then)

with the share of hours in the band. (The index of plain fired/did-not-fire would be next to nothing for a
rule that fires on one event in ten thousand, whatever it does.) Half an hour is added to every band, so
that an empty one has a logarithm. Chance alone gives 0.1 on average and in one day of a hundred 0.4; a rate
that doubles or halves gives about 1.
Hours are event time, so the result depends on the events alone, not on when or in what batches they came.
Owns the counts; reads no clock and no store.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

HOUR_US = 3_600_000_000
BANDS = 3

Hours = Mapping[int, int]  # hour since 1970 -> count


def by_hour(times_us: npt.NDArray[np.int64]) -> dict[int, int]:
    """Count times of events, microseconds UTC, by hour."""
    hours, counts = np.unique(np.floor_divide(times_us, HOUR_US), return_counts=True)
    return dict(zip(hours.tolist(), counts.tolist(), strict=True))


class FireRates:
    """Counts of events and hits by hour, over the window and its baseline."""

    def __init__(
        self, *, window_hours: int = 24, baseline_days: int = 28, baseline_min_hours: int = 72
    ) -> None:
        self._window, self._kept = window_hours, window_hours + 24 * baseline_days
        self._least = baseline_min_hours
        self._events: Counter[int] = Counter()
        self._hits: dict[str, Counter[int]] = {}
        self._newest: int | None = None

    def add(self, events: Hours, hits: Mapping[str, Hours]) -> None:
        """Count a batch: its events, and each rule's hits by the hour of their event."""
        if not events:
            return
        newest = max(events) if self._newest is None else max(self._newest, *events)
        self._add(self._events, events, newest)
        for rule, hours in hits.items():
            self._add(self._hits.setdefault(rule, Counter()), hours, newest)
        if newest != self._newest:
            self._newest = newest
            for counts in (self._events, *self._hits.values()):
                for hour in [h for h in counts if h <= newest - self._kept]:
                    del counts[hour]

    def _add(self, counts: Counter[int], hours: Hours, newest: int) -> None:
        for hour, count in hours.items():
            if hour > newest - self._kept:
                counts[hour] += count

    def psi(self, rule: str) -> float | None:
        """Return a rule's index; None while the baseline has too few hours, or the window no event."""
        if self._newest is None:
            return None
        edge = self._newest - self._window
        then = [h for h in self._events if h <= edge]
        now = [h for h in self._events if h > edge]
        if len(then) < self._least or not now:
            return None
        hits = self._hits.get(rule, Counter())
        baseline = sorted(hits[h] / self._events[h] for h in then)
        edges = terciles(baseline)
        return index(shares(baseline, edges), shares([hits[h] / self._events[h] for h in now], edges))

    def all(self, rules: Iterable[str]) -> dict[str, float]:
        """Return the index of each of these rules that has one."""
        found = {rule: self.psi(rule) for rule in rules}
        return {rule: value for rule, value in found.items() if value is not None}

    def state(self) -> dict[str, Any]:
        """Return the counts as plain values, to be kept with a snapshot."""
        hits = {rule: sorted(hours.items()) for rule, hours in sorted(self._hits.items()) if hours}
        return {"events": sorted(self._events.items()), "hits": hits}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take counts from what `state` returned, also after it went through JSON."""
        self._newest, self._events, self._hits = None, Counter(), {}
        self.add(dict(state["events"]), {rule: dict(hours) for rule, hours in state["hits"].items()})


def terciles(rates: Sequence[float]) -> list[float]:
    """Return the distinct terciles of sorted rates: the least rate with so many rates up to it."""
    return sorted({rates[math.ceil(len(rates) * k / BANDS) - 1] for k in range(1, BANDS)})


def shares(rates: Sequence[float], edges: Sequence[float]) -> list[float]:
    """Return the share of the rates in each band, smoothed; a band's upper edge belongs to it."""
    counts = [0] * (len(edges) + 1)
    for rate in rates:
        counts[bisect_left(edges, rate)] += 1
    return [(count + 0.5) / (len(rates) + 0.5 * len(counts)) for count in counts]


def index(then: Sequence[float], now: Sequence[float]) -> float:
    """Return the population stability index of two lists of shares."""
    return math.fsum((n - t) * math.log(n / t) for t, n in zip(then, now, strict=True))
