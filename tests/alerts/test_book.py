"""The alert book: what opens an alert, what joins it, what ends its window, and what a row says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from alerts_kit import DAY_US, Pack, anomaly_rule, feature, hit, hits, on_list, rule

from txmon.alerts import ALERTS, AlertBook, Suppressor
from txmon.errors import StateError
from txmon.rules.ir import Call, Column, Unit


def told(pack: Pack, rows: list[dict[str, Any]], **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Alerts and the change each hit made ('' for none)."""
    book = AlertBook(pack, **options)
    changes = book.apply(hits(rows)).to_pylist()
    kinds = {c["hit"]: c["change"] for c in changes}
    table = book.table()
    assert table.schema == ALERTS
    return table.to_pylist(), [kinds.get(i, "") for i in range(len(rows))]


def test_one_hit_above_the_line_is_an_alert() -> None:
    holders = [{"party": "p2", "role": "joint"}, {"party": "p1", "role": "owner"}]
    alerts, kinds = told(Pack((rule("a", severity="high", protect=True),)), [hit("a", 1, holders=holders)])
    (alert,) = alerts
    assert kinds == ["opened"]
    assert alert["alert_id"].startswith("al-")
    assert len(alert["alert_id"]) == 27
    assert (alert["subject_type"], alert["subject_id"]) == ("account", "ac-1")
    assert (alert["severity"], alert["score"], alert["protect"]) == ("high", 0.6, True)
    assert (alert["hit_count"], alert["rule_ids"], alert["typologies"]) == (1, ["a"], ["other"])
    assert alert["holders_first"] == [{"party": "p1", "role": "owner"}, {"party": "p2", "role": "joint"}]
    assert alert["holders_latest"] == alert["holders_first"]
    assert alert["explanation"] == "A: a on day 1"
    assert (alert["opened_event_id"], alert["opened_rule_id"], alert["revision"]) == ("e0", "a", 0)
    assert json.loads(alert["parts"]) == [
        {"part": "pattern", "name": "other", "adds": 0.6, "rules": {"a": 0.6}}
    ]


def test_signals_never_alert_alone_and_then_add_score() -> None:
    pack = Pack(
        (rule("s1", score=0.45), rule("s2", score=0.45), rule("s3", score=0.45), rule("a", score=0.5))
    )
    signals = [hit(f"s{i}", i, score=0.45) for i in (1, 2, 3)]
    assert told(pack, signals)[0] == []
    alerts, kinds = told(pack, [*signals, hit("a", 4, score=0.5)])
    assert kinds == ["", "", "", "opened"]
    assert alerts[0]["rule_ids"] == ["a", "s1", "s2", "s3"]
    assert alerts[0]["hit_count"] == 4
    assert alerts[0]["score"] == pytest.approx(1 - 0.5 * 0.55**3)
    assert alerts[0]["opened_event_id"] == "e3"
    assert alerts[0]["first_event_time"].timestamp() == 86_400


def test_a_rule_below_the_line_needs_company() -> None:
    pack = Pack((rule("low", score=0.3, signal=False), rule("s", score=0.4)))
    assert told(pack, [hit("low", 1, score=0.3)])[0] == []
    assert told(pack, [hit("low", 1, score=0.3), hit("s", 2, score=0.4)])[1] == ["", "opened"]


def test_waiting_signals_grow_old() -> None:
    pack = Pack((rule("s", score=0.4), rule("a")))
    alerts, _ = told(pack, [hit("s", 1, score=0.4), hit("a", 32)])
    assert alerts[0]["rule_ids"] == ["a"]
    alerts, _ = told(pack, [hit("s", 1, score=0.4), hit("s", 25, score=0.4), hit("a", 32)])
    assert (alerts[0]["rule_ids"], alerts[0]["hit_count"]) == (["a", "s"], 3)


def test_repeats_are_counted_new_evidence_is_a_revision_and_after_the_window_it_is_told_again() -> None:
    pack = Pack((rule("a"), rule("b", typology="mule-layering", severity="critical")))
    rows = [hit("a", 0), hit("a", 10), hit("b", 20), hit("a", 31), hit("b", 49.5), hit("a", 50)]
    alerts, kinds = told(pack, rows)
    # b joined on day 20, so that the window now ends on day 50 (half-open).
    assert kinds == ["opened", "repeat", "new_evidence", "repeat", "repeat", "opened"]
    assert [a["hit_count"] for a in alerts] == [5, 1]
    assert [a["revision"] for a in alerts] == [1, 0]
    assert [a["severity"] for a in alerts] == ["critical", "medium"]
    assert alerts[0]["explanation"] == "A: a on day 31\nB: b on day 49.5"
    assert alerts[0]["alert_id"] != alerts[1]["alert_id"]


def test_a_new_value_of_the_dedup_fields_is_new_evidence_but_does_not_keep_the_window_open() -> None:
    pack = Pack((rule("a"),))
    rows = [hit("a", d, dedup_key=k) for d, k in [(0, "x"), (5, "x"), (20, "y"), (29, "z"), (31, "z")]]
    alerts, kinds = told(pack, rows)
    assert kinds == ["opened", "repeat", "new_evidence", "new_evidence", "opened"]
    assert (alerts[0]["score"], alerts[0]["rule_ids"]) == (0.6, ["a"])
    assert alerts[0]["explanation"] == "A: a on day 29 (and 2 more of this kind)"


def test_one_account_is_one_subject_but_entities_modes_and_other_subjects_are_apart() -> None:
    pack = Pack((rule("a"), rule("b", subject="payer")))
    rows = [
        hit("a", 0), hit("b", 1, subject_type="payer"), hit("b", 1, subject_type="card"),
        hit("a", 1, mode="test"), hit("a", 1, entity="other"), hit("a", 1, "ac-2"),
    ]  # fmt: skip
    alerts, kinds = told(pack, rows)
    assert kinds == ["opened", "new_evidence", "opened", "opened", "opened", "opened"]
    assert {(a["entity"], a["mode"], a["subject_type"], a["subject_id"]) for a in alerts} == {
        ("default", "live", "account", "ac-1"), ("default", "live", "card", "ac-1"),
        ("default", "test", "account", "ac-1"), ("other", "live", "account", "ac-1"),
        ("default", "live", "account", "ac-2"),
    }  # fmt: skip


def test_shadow_rules_stay_out_and_unknown_rules_are_refused() -> None:
    book = AlertBook(Pack((rule("a", status="shadow"),)))
    assert book.apply(hits([hit("a", 1)])).num_rows == 0
    assert book.table().num_rows == 0
    with pytest.raises(StateError, match="does not have: gone"):
        book.apply(hits([hit("gone", 1)]))


def test_late_and_tick_hits_count_at_their_as_of_time() -> None:
    pack = Pack((rule("a"),))
    late = hit("a", 5, trigger="late", as_of=35 * DAY_US)
    alerts, kinds = told(pack, [hit("a", 0), late])
    assert kinds == ["opened", "opened"]
    assert alerts[1]["last_event_time"].timestamp() == 5 * 86_400
    assert alerts[1]["opened_time"].timestamp() == 35 * 86_400


def test_device_and_address_alone_stay_low() -> None:
    device_only = rule("d", subject="device", on="events", severity="high", let=())
    phones = rule("p", severity="high", let=(("n", feature(("account",), Column("device", Unit.TEXT))),))
    plain = rule("a", severity="high")
    pack = Pack((device_only, phones, plain))
    rows = [
        hit("d", 1, "dev-1", subject_type="device"),
        hit("p", 1, "ac-2"),
        hit("p", 1, "ac-3"),
        hit("a", 2, "ac-3"),
    ]
    assert [a["severity"] for a in told(pack, rows)[0]] == ["low", "low", "high"]


def test_signals_do_not_raise_severity() -> None:
    pack = Pack((rule("a", severity="low"), rule("s", score=0.4, severity="high")))
    assert told(pack, [hit("s", 1, score=0.4), hit("a", 2)])[0][0]["severity"] == "low"


def test_only_an_exact_list_match_recommends_a_hold_and_protection_beats_it() -> None:
    listed = rule("l", when=Call("and", (on_list("counterparty"), on_list("mcc")), Unit.BOOL), let=())
    negated = rule("n", when=Call("not", (on_list("counterparty"),), Unit.BOOL), let=())
    category = rule("c", when=on_list("mcc"), let=())
    behaviour = rule("b", when=on_list("counterparty"))
    pack = Pack((listed, negated, category, behaviour, rule("v", protect=True)))
    rows = [
        hit("l", 1, "ac-1"),
        hit("n", 1, "ac-2"),
        hit("c", 1, "ac-3"),
        hit("l", 1, "ac-4"),
        hit("v", 1, "ac-4"),
    ]
    rows.append(hit("b", 1, "ac-5"))
    alerts, _ = told(pack, rows)
    assert [a["recommendation"] for a in alerts] == ["hold", "review", "review", "review", "review"]
    assert [a["protect"] for a in alerts] == [False, False, False, True, False]
    assert [p["part"] for p in json.loads(alerts[0]["parts"])] == ["list_match"]


def test_parts_add_up_to_the_score() -> None:
    pack = Pack(
        (
            rule("a1", typology="mule-layering"), rule("a2", typology="mule-layering"),
            rule("b", typology="general-aml"), anomaly_rule("x", score=0.5),
            rule("l", when=on_list("account"), let=()),
        )
    )  # fmt: skip
    rows = [hit(r, 1, score=0.5 if r == "x" else 0.6) for r in ("b", "a2", "l", "x", "a1")]
    given = Suppressor("account", "ac-1", 0.1, "licensed money transmitter", 0, 90 * DAY_US)
    (alert,), _ = told(pack, rows, suppressors=[given])
    parts = json.loads(alert["parts"])
    assert [(p["part"], p["name"]) for p in parts] == [
        ("pattern", "mule-layering"), ("corroboration", "general-aml"), ("anomaly", "x"), ("list_match", "l"),
        ("suppressor", "licensed money transmitter"),
    ]  # fmt: skip
    assert parts[0]["adds"] == pytest.approx(0.84)
    assert parts[1]["adds"] == pytest.approx(0.16 * 0.3)
    assert sum(p["adds"] for p in parts) == pytest.approx(alert["score"])
    assert alert["score"] == pytest.approx(1 - 0.16 * 0.7 * 0.5 * 0.4 - 0.1, abs=1e-6)
    assert alert["typologies"] == ["mule-layering", "general-aml", "other"]


def test_a_suppressor_counts_and_expires() -> None:
    book = AlertBook(
        Pack((rule("a"),)), [Suppressor("account", "ac-1", 0.3, "known relation", 0, 10 * DAY_US)]
    )
    book.apply(hits([hit("a", 1), hit("a", 2)]))
    assert (book.table().num_rows, book.suppressed) == (0, 2)
    changes = book.apply(hits([hit("a", 10)])).to_pylist()
    assert [c["change"] for c in changes] == ["opened"]
    assert book.table()["hit_count"].to_pylist() == [3]


def test_score_is_capped() -> None:
    pack = Pack(tuple(rule(f"r{i}", typology=f"t{i}", score=0.95) for i in range(9)))
    (alert,), _ = told(pack, [hit(f"r{i}", 1, score=0.95) for i in range(9)])
    assert alert["score"] == 0.99
    assert alert["typologies"] == [f"t{i}" for i in range(9)]
