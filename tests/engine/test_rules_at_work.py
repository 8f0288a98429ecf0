"""Rules in the engine: absence, rules that count hits of rules, status, lists by date, rates, anomaly scores."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from txkit import DAY, HOUR, START_US, event, hits_of, ids, moment, plan_of, run, table, tick

from txmon.engine.engine import Limits
from txmon.model.rates import Rate, Rates
from txmon.pipeline.scorer import Scorer
from txmon.rules.ir import Plan

MIDNIGHT = START_US + 12 * HOUR  # START is noon
ABSENT: dict[str, Any] = {
    "id": "absent",
    "subject": "card",
    "tick": True,
    "let": {"n": "count(*) over card_9d", "fresh": "count(*) over card_2d", "since": "event_time - last(event_time) over card_9d"},
    "when": "n >= 2 and fresh = 0",
    "explain": "{n} payments of {subject}, then silence for {since}",
}  # fmt: skip


@pytest.fixture(scope="module")
def absent(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("pack"), ABSENT)


def pays(name: str, time: int, card: str | None = "c", **columns: Any) -> dict[str, Any]:
    return event(name, time, card=card, **columns)


def ticks_of(hits: Any) -> list[tuple[str, str, Any]]:
    return [(h["event_id"], h["subject_id"], h["as_of"]) for h in hits_of(hits, trigger="tick")]


def test_absence_fires_once_per_last_event_at_the_first_tick_of_a_day(absent: Plan) -> None:
    rows = [pays("1", START_US), pays("2", START_US + HOUR)]
    rows += [tick(f"t{h}", MIDNIGHT + h * HOUR) for h in range(0, 5 * 24, 6)]
    hits = run(absent, table(rows))[1]
    # silent for two days at noon + 1 h of the 7th; the next day starts on the 8th
    assert ticks_of(hits) == [("2", "c", moment(MIDNIGHT + 2 * DAY))]
    (hit,) = hits_of(hits)
    assert (hit["event_time"], hit["leg"]) == (moment(START_US + HOUR), None)
    assert hit["features"] == {"n": 2, "fresh": 0, "since": 2 * 86_400 - 13 * 3_600 + 24 * 3_600}
    assert hit["explanation"].startswith("2 payments of c, then silence for 2 d 11 h")


def test_a_new_event_makes_absence_possible_again(absent: Plan) -> None:
    rows = [pays("1", START_US), pays("2", START_US + HOUR), *(tick(f"t{d}", MIDNIGHT + d * DAY) for d in range(4)),
            pays("3", MIDNIGHT + 3 * DAY + 1), *(tick(f"u{d}", MIDNIGHT + d * DAY) for d in range(4, 8))]  # fmt: skip
    assert [i for i, _, _ in ticks_of(run(absent, table(rows))[1])] == ["2", "3"]


def test_only_a_tick_that_starts_a_new_day_counts(absent: Plan) -> None:
    rows = [
        pays("1", START_US),
        pays("2", START_US),
        tick("t0", MIDNIGHT + DAY),
        tick("t1", MIDNIGHT + DAY + 13 * HOUR),
    ]
    assert ticks_of(run(absent, table(rows))[1]) == []
    rows.append(tick("t2", MIDNIGHT + 2 * DAY - 1))
    assert ticks_of(run(absent, table(rows))[1]) == []
    rows.append(tick("t3", MIDNIGHT + 2 * DAY + 5))
    rows.append(tick("t4", MIDNIGHT + 2 * DAY + 4))  # arrives after a tick of the same day
    assert [a for _, _, a in ticks_of(run(absent, table(rows))[1])] == [moment(MIDNIGHT + 2 * DAY + 5)]


def test_absence_does_not_depend_on_how_ticks_are_batched(absent: Plan) -> None:
    rows: list[dict[str, Any]] = []
    for d in range(6):
        rows += [pays(f"a{d}", START_US + d * DAY * (d % 3), "c"), pays(f"b{d}", START_US + d * HOUR, "k")]
        rows += [tick(f"t{d}", MIDNIGHT + d * DAY), tick(f"u{d}", MIDNIGHT + d * DAY + HOUR)]
    whole = run(absent, table(rows))[1]
    assert len(ticks_of(whole)) >= 2
    for size in (1, 2, 3, 5, 23):
        assert run(absent, table(rows), range(size, len(rows), size))[1].equals(whole)


def test_absence_is_kept_apart_by_entity_and_mode(absent: Plan) -> None:
    rows = [pays(f"{m}{i}", START_US, "c", mode=m) for m in ("live", "test") for i in range(2)]
    rows += [pays("x", MIDNIGHT + DAY, "c", mode="test"), tick("t", MIDNIGHT + 2 * DAY)]
    assert [i for i, _, _ in ticks_of(run(absent, table(rows))[1])] == ["live1"]


def test_of_several_last_events_at_one_time_the_last_arrival_is_named(absent: Plan) -> None:
    rows = [
        pays("b", START_US),
        pays("a", START_US),
        pays("late", START_US - HOUR),
        tick("t", MIDNIGHT + 2 * DAY),
    ]
    assert [i for i, _, _ in ticks_of(run(absent, table(rows))[1])] == ["a"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("ckt"), st.integers(-10, 60)), max_size=30))
def test_absence_equals_its_definition(absent: Plan, drawn: list[tuple[str, int]]) -> None:
    rows, time = [], START_US
    for i, (what, hours) in enumerate(drawn):
        time += hours * HOUR
        rows.append(tick(f"e{i}", time) if what == "t" else pays(f"e{i}", time, what))
    expected, day, fired = [], None, set()
    for i, (what, _) in enumerate(drawn):
        now = rows[i]["event_time"]
        if what != "t" or (day is not None and now // DAY <= day):
            continue
        day = now // DAY
        for card in "ck":
            seen = [(r["event_time"], j) for j, r in enumerate(rows[:i]) if r["card"] == card]
            if not seen or not now - 9 * DAY < max(seen)[0] <= now or (card, max(seen)) in fired:
                continue
            count = [sum(1 for t, _ in seen if now - d * DAY < t <= now) for d in (9, 2)]
            if count[0] >= 2 and count[1] == 0:
                fired.add((card, max(seen)))
                expected.append((f"e{max(seen)[1]}", card, moment(now)))
    limits = Limits(max_lateness_days=1000)
    assert sorted(ticks_of(run(absent, table(rows), limits=limits)[1])) == sorted(expected)


# -- rules about rules, status ---------------------------------------------------------------------------


def test_hits_across_levels_and_tables(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        {"id": "big", "subject": "payer", "when": "amount >= 5"},
        {"id": "into", "subject": "account", "when": "direction = 'in' and amount >= 3"},
        {"id": "two-big", "subject": "payer", "let": {"n": "hits('big') over payer_1d"}, "when": "n >= 2"},
        {"id": "deep", "subject": "merchant", "let": {"n": "hits('two-big') over merchant_9d"}, "when": "n >= 2"},
        # a rule on legs speaks for its event, and the other way round
        {"id": "seen", "subject": "payee", "let": {"n": "hits('into') over payee_1d"}, "when": "n >= 2"},
        {"id": "spent", "subject": "account", "let": {"n": "hits('big') over account_1d", "m": "hits('big') over account_1d_prior"}, "when": "n >= 1"},
    )  # fmt: skip
    assert [len(level) for level in plan.levels] == [2, 3, 1]
    rows = [
        event(f"e{i}", START_US + i * HOUR, payer="p", payee="q", merchant="m", amount=a)
        for i, a in enumerate((500, 300, 700, 900))
    ]
    hits = run(plan, table(rows))[1]
    assert run(plan, table(rows), [1, 2, 3])[1].equals(hits)
    assert ids(hits, "big") == ["e0", "e2", "e3"]
    assert ids(hits, "two-big") == ["e2", "e3"]
    assert ids(hits, "deep") == ["e3"]
    assert ids(hits, "into") == ["e0", "e1", "e2", "e3"]
    assert ids(hits, "seen") == ["e1", "e2", "e3"]
    spent = [
        (h["event_id"], h["leg"], h["features"]["n"], h["features"]["m"]) for h in hits_of(hits, "spent")
    ]
    assert spent[:2] == [("e0", "out", 1, 0), ("e0", "in", 1, 0)]
    assert spent[-1] == ("e3", "in", 3, 2)


def test_hits_come_in_order_of_arrival_then_leg_then_rule(tmp_path: Path) -> None:
    subjects = {"b": "account", "a": "account", "c": "payer"}
    plan = plan_of(tmp_path, *({"id": i, "subject": s, "when": "true"} for i, s in subjects.items()))
    rows = [event("x", START_US + 1, payer="p", payee="q"), event("w", START_US, payer="p", payee="q")]
    hits = hits_of(run(plan, table(rows))[1], trigger="event")
    assert [(h["event_id"], h["leg"], h["rule_id"]) for h in hits] == [
        (e, leg, rule) for e in "xw" for leg, rule in (("out", "a"), ("out", "b"), (None, "c"), ("in", "a"), ("in", "b"))
    ]  # fmt: skip


def test_only_live_and_shadow_rules_are_scored_and_shadow_never_alerts(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        *(
            {"id": s, "subject": "payer", "status": s, "when": "amount > 0", "score": 0.9}
            for s in ("draft", "shadow", "live", "retired")
        ),
    )
    scorer, hits = run(plan, table([event("1", START_US, payer="p")]))
    assert [h["rule_id"] for h in hits_of(hits)] == ["live", "shadow"]
    (alert,) = scorer.alerts.table().to_pylist()
    assert alert["rule_ids"] == ["live"]


def test_a_rule_whose_subject_is_null_is_not_evaluated(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"id": "r", "subject": "device", "when": "true"})
    assert ids(run(plan, table([event("1", START_US), event("2", START_US, device="d")]))[1]) == ["2"]
    assert ids(run(plan, table([event("1", START_US)]))[1]) == []


def test_null_and_false_are_no_hit(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"id": "r", "subject": "payer", "when": "amount > 5 and city = 'x'"})
    rows = [event("1", START_US, payer="p", amount=None), event("2", START_US, payer="p", amount=600),
            event("3", START_US, payer="p", amount=600, city="x"), event("4", START_US, payer="p", amount=1, city="x")]  # fmt: skip
    assert ids(run(plan, table(rows))[1]) == ["3"]


# -- lists, rates, anomaly scores ------------------------------------------------------------------------


def test_lists_are_asked_by_the_event_s_utc_date(tmp_path: Path) -> None:
    entries: list[Any] = [
        {"value": "Ulm", "from": "2026-01-06", "to": "2026-01-07"},
        {"value": "Ulm", "from": "2026-01-09", "to": "2026-01-09"},
        "Bonn",
    ]
    source = {"name": "towns", "version": 1, "doc": "d", "provenance": "p", "entries": entries}
    plan = plan_of(
        tmp_path,
        {"id": "r", "subject": "payer", "when": "city in list('towns')"},
        {"id": "n", "subject": "payer", "when": "city not in list('towns')"},
        {
            "id": "c",
            "subject": "payer",
            "let": {"n": "count(*) filter (where city in list('towns')) over payer_9d"},
            "when": "n = 3",
        },
        list_towns=source,
    )
    six = START_US + 12 * HOUR
    times = {
        "1": six - 1,
        "2": six,
        "3": six + 2 * DAY - 1,
        "4": six + 2 * DAY,
        "5": six + 3 * DAY,
        "6": six + 4 * DAY,
    }
    rows = [event(i, t, payer="p", city="Ulm") for i, t in times.items()]
    rows += [event("7", six + 4 * DAY, payer="p", city="Bonn"), event("8", six + 4 * DAY, payer="p")]
    hits = run(plan, table(rows))[1]
    assert ids(hits, "r", "event") == ["2", "3", "5", "7"]
    assert ids(hits, "n", "event") == ["1", "4", "6"]
    assert ids(hits, "c", "event") == ["5", "6"]


def test_money_parameters_in_another_currency_use_the_day_s_rate(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        {"id": "r", "subject": "payer", "params": {"line": {"value": 100, "currency": "USD"}}, "when": "amount >= :line"},
    )  # fmt: skip
    rates = Rates(
        "EUR",
        [
            Rate(dt.date(2026, 1, 5), "USD", "EUR", Decimal("0.9")),
            Rate(dt.date(2026, 1, 6), "USD", "EUR", Decimal("0.5")),
        ],
    )

    def usd(name: str, time: int, minor: int, base: int) -> dict[str, Any]:
        return event(name, time, payer="p", amount=minor, currency="USD", amount_base_minor=base)

    rows = [
        event("eur below", START_US, payer="p", amount=8999),
        event("eur at", START_US, payer="p", amount=9000),
        event("next day", START_US + DAY, payer="p", amount=5000),
        usd("usd at", START_US, 10_000, 8999),  # compared in its own currency, whatever the base amount
        usd("usd below", START_US, 9_999, 9000),
        event("no rate", START_US + 60 * DAY, payer="p", amount=10**9),
    ]
    assert ids(run(plan, table(rows), rates=rates)[1]) == ["eur at", "next day", "usd at"]
    assert ids(run(plan, table(rows))[1]) == ["usd at"], "without rates only the own currency compares"


DETECTOR: dict[str, Any] = {
    "id": "amounts", "version": 1, "title": "t", "description": "d", "subject": "payer", "model": "gaussian",
    "segment": "channel", "where": "channel <> 'skip'", "seed": 1, "window_size": 0, "grace_period": 10, "warm_up": 100,
    "budget": 0.05, "max_segments": 4,
    "inputs": {"size": {"value": "amount", "scale": {"kind": "log", "unit": 1, "max": 1000000}, "missing": "refuse"}},
}  # fmt: skip
ROUND_SUMS = DETECTOR | {
    "id": "rounds",
    "inputs": {
        "round": {
            "value": "is_round",
            "scale": {"kind": "linear", "min": 0, "max": 1},
            "missing": {"impute": 0},
        }
    },
}


def test_anomaly_scores_are_null_while_warming_and_finite_after(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path,
        {
            "id": "all",
            "subject": "payer",
            "let": {"a": "anomaly('amounts')", "n": "count(*) over payer_1d"},
            "when": "true",
        },
        {"id": "odd", "subject": "payer", "when": "anomaly('amounts') >= 0.95", "explain": "odd amount"},
        {"id": "smooth", "subject": "payer", "let": {"r": "anomaly('rounds')"}, "when": "r >= 0"},
        detector_amounts=DETECTOR,
        detector_rounds=ROUND_SUMS,
    )
    rows = [
        event(f"e{i}", START_US + i, payer="p", channel="pos", amount=1000 + 7 * (i * i % 31))
        for i in range(300)
    ]
    rows.append(event("huge", START_US + 400, payer="p", channel="pos", amount=10**14))
    rows.append(event("late", START_US + 350, payer="p", channel="pos", amount=10**14))
    rows += [event("null", START_US + 401, payer="p", channel="pos", amount=None), event("nowhere", START_US + 401, payer="p"),
             event("skip", START_US + 401, payer="p", channel="skip"), event("cold", START_US + 401, payer="p", channel="new")]  # fmt: skip
    hits = run(plan, table(rows))[1]
    assert run(plan, table(rows), [1, 150, 299])[1].equals(hits)
    scores = {h["event_id"]: h["features"]["a"] for h in hits_of(hits, "all", "event")}
    assert all(scores[f"e{i}"] is None for i in range(100))
    assert all(scores[f"e{i}"] is not None and 0 <= scores[f"e{i}"] <= 1 for i in range(120, 300))
    assert scores["huge"] >= Decimal("0.99")
    assert [scores[i] for i in ("null", "nowhere", "skip", "cold")] == [None] * 4
    odd = {h["event_id"]: h["explanation"] for h in hits_of(hits, "odd", "event")}
    assert "huge" in odd
    assert "late" in odd
    assert odd["huge"].startswith("odd amount; most unusual: size")
    assert len(ids(hits, "smooth", "event")) > 100


def test_without_models_scores_are_not_made(tmp_path: Path) -> None:
    """An engine alone can be built for plans without anomaly rules; the scorer always hands models in."""
    plan = plan_of(tmp_path, {"id": "r", "subject": "payer", "when": "true"}, detector_amounts=DETECTOR)
    assert Scorer(plan).engine.detection.detectors == ()


def test_unused_detectors_do_not_stretch_what_is_remembered(tmp_path: Path) -> None:
    """Packs inherit detectors; a long window in one that no rule asks must not change what is too late."""
    plan = plan_of(
        tmp_path, {"id": "r", "subject": "payer", "let": {"n": "count(*) over payer_1d"}, "when": "n >= 1"}
    )
    rows = [event("1", START_US, payer="p"), event("2", START_US - 31 * DAY, payer="p")]
    assert Scorer(plan).apply(table(rows)).verdict.tolist() == [0, 3]
