"""Fire rates: worked by hand, by another program, and the properties that a reader relies on."""

from __future__ import annotations

import json
import math
import random
from decimal import Decimal, getcontext

import numpy as np
import pandas as pd
import pytest

from txmon.alerts.firerates import HOUR_US, FireRates, by_hour, index, shares, terciles

DAYS = 28
START = 490_000  # hours since 1970


def stream(rate_then: float, rate_now: float, seed: int = 1, days: int = DAYS, volume: int = 400) -> tuple[dict[int, int], dict[int, int]]:  # fmt: skip
    """Events and hits of a rule by hour: `days` of baseline, then a day."""
    draw = np.random.default_rng(seed)
    events, hits = {}, {}
    for i in range(24 * (days + 1)):
        rate = rate_then if i < 24 * days else rate_now
        events[START + i] = int(volume * (1 + 0.8 * math.sin(i / 24 * 2 * math.pi)))
        hits[START + i] = int(draw.binomial(events[START + i], rate))
    return events, hits


def psi_of(events: dict[int, int], hits: dict[int, int], **more: int) -> float | None:
    rates = FireRates(**more)
    rates.add(events, {"r": hits})
    return rates.psi("r")


def other_program(events: dict[int, int], hits: dict[int, int], window: int, days: int) -> float:
    """The same figure by pandas, fractions of hours and decimal logarithms."""
    getcontext().prec = 40
    frame = pd.DataFrame({"events": pd.Series(events), "hits": pd.Series(hits)}).fillna(0)
    newest = frame.index.max()
    frame = frame[frame.index > newest - window - 24 * days]
    rate = frame.hits / frame.events
    then, now = rate[rate.index <= newest - window], rate[rate.index > newest - window]
    edges = sorted(set(np.quantile(then, [1 / 3, 2 / 3], method="inverted_cdf")))
    bins = pd.IntervalIndex.from_breaks([-math.inf, *edges, math.inf])

    def parts(rates: pd.Series[float]) -> list[Decimal]:
        counts = pd.cut(rates, bins).value_counts(sort=False)
        return [(int(c) + Decimal("0.5")) / (len(rates) + Decimal(len(counts)) / 2) for c in counts]

    return float(sum((n - t) * (n / t).ln() for t, n in zip(parts(then), parts(now), strict=True)))


def test_worked_by_hand() -> None:
    # 6 hours of baseline with rates 0, 0, 0.1, 0.2, 0.3, 0.3: terciles 0 and 0.2
    events = dict.fromkeys(range(1, 9), 10)
    hits = {3: 1, 4: 2, 5: 3, 6: 3, 7: 3, 8: 9}  # the last two hours: 0.3 and 0.9, both above 0.2
    assert terciles([0.0, 0.0, 0.1, 0.2, 0.3, 0.3]) == [0.0, 0.2]
    then = [2.5 / 7.5] * 3
    now = [0.5 / 3.5, 0.5 / 3.5, 2.5 / 3.5]
    assert shares([0.3, 0.9], [0.0, 0.2]) == pytest.approx(now)
    by_hand = 2 * (1 / 7 - 1 / 3) * math.log(3 / 7) + (5 / 7 - 1 / 3) * math.log(15 / 7)
    assert index(then, now) == pytest.approx(by_hand) == pytest.approx(0.6131192)
    assert psi_of(events, hits, window_hours=2, baseline_days=1, baseline_min_hours=6) == pytest.approx(
        by_hand
    )


@pytest.mark.parametrize("seed", range(12))
def test_another_program_finds_the_same(seed: int) -> None:
    draw = random.Random(seed)
    events = {START + i: draw.choice([1, 5, 40, 300]) for i in range(1200) if draw.random() < 0.9}
    rate = draw.choice([0.0, 0.001, 0.05, 0.4])
    hits = {h: sum(draw.random() < rate for _ in range(n)) for h, n in events.items()}
    window, days = draw.choice([1, 6, 24, 48]), draw.choice([7, 28])
    found = psi_of(events, hits, window_hours=window, baseline_days=days)
    assert found == pytest.approx(other_program(events, hits, window, days), abs=1e-12)


@pytest.mark.parametrize("rate", [0.0, 0.0005, 0.01, 0.3])
def test_a_steady_rule_is_stable_and_a_changed_one_is_not(rate: float) -> None:
    steady = [psi_of(*stream(rate, rate, seed)) or 0.0 for seed in range(20)]
    assert sum(steady) / len(steady) < 0.12
    if rate:
        for changed in (rate * 3, 0.0) if rate >= 0.01 else (rate * 10,):
            assert min(psi_of(*stream(rate, changed, seed)) or 0.0 for seed in range(20)) > 0.25
    else:
        assert (psi_of(*stream(0.0, 0.001)) or 0.0) > 0.25


def test_batches_and_their_order_change_nothing() -> None:
    events, hits = stream(0.01, 0.02, days=40)
    whole = FireRates()
    whole.add(events, {"r": hits, "never": {}})
    for seed in range(5):
        draw = random.Random(seed)
        hours = sorted(events, key=lambda h: h + draw.uniform(-48, 48))
        rates = FireRates()
        for i in range(0, len(hours), 7):
            part = hours[i : i + 7]
            for _ in range(2):  # an hour comes in two halves
                rates.add({h: events[h] for h in part}, {"r": {h: hits[h] for h in part}})
        doubled = FireRates()
        doubled.add({h: 2 * n for h, n in events.items()}, {"r": {h: 2 * n for h, n in hits.items()}})
        assert rates.psi("r") == doubled.psi("r") == whole.psi("r")
        assert rates.state() == doubled.state()


def test_state_goes_through_json() -> None:
    rates = FireRates()
    rates.add(*(lambda e, h: (e, {"r": h}))(*stream(0.01, 0.02)))
    again = FireRates()
    again.restore(json.loads(json.dumps(rates.state())))
    assert again.psi("r") == rates.psi("r")
    assert again.state() == rates.state()
    assert FireRates().state() == {"events": [], "hits": {}}


def test_counts_do_not_grow_with_time() -> None:
    rates = FireRates(window_hours=24, baseline_days=7)
    for hour in range(5000):
        rates.add({hour: 3}, {"r": {hour: 1}, "old": {5: 1}})
    state = rates.state()
    assert len(state["events"]) == len(state["hits"]["r"]) == 24 * 8
    assert "old" not in state["hits"]


def test_no_figure_without_a_baseline_or_a_window() -> None:
    rates = FireRates()
    assert rates.psi("r") is None
    rates.add({}, {})
    assert rates.all(["r"]) == {}
    for hour in range(95):
        rates.add({hour: 10}, {})
    assert rates.psi("r") is None  # 71 hours before the last day
    rates.add({95: 10}, {})
    assert rates.all(["r", "s"]) == {"r": pytest.approx(0, abs=0.02), "s": pytest.approx(0, abs=0.02)}


def test_times_are_counted_by_hour_before_1970_too() -> None:
    times = np.array([0, HOUR_US - 1, HOUR_US, -1, -HOUR_US, 5 * HOUR_US], np.int64)
    assert by_hour(times) == {0: 2, 1: 1, -1: 2, 5: 1}
    assert by_hour(np.array([], np.int64)) == {}
