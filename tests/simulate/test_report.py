"""Judging hits and alerts against labels."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from txmon.simulate import LABELS, judge, table

_LABEL = {"typology": "mule-layering", "population": None, "subject_type": "account"}


def _labels(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([{**_LABEL, **row} for row in rows], schema=LABELS)


def _hits(*rows: tuple[str, str, str, str]) -> pa.Table:
    names = ("event_id", "rule_id", "subject_type", "subject_id")
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=schema)


def _alerts(*rows: tuple[str, list[str]]) -> pa.Table:
    schema = pa.schema([("subject_id", pa.string()), ("rule_ids", pa.list_(pa.string()))])
    return pa.Table.from_pylist([{"subject_id": s, "rule_ids": r} for s, r in rows], schema=schema)


PLANTED = {
    "event_id": "e1",
    "scenario_id": "s1",
    "rule_ids": ["fan-in"],
    "role": "planted",
    "subject_id": "a",
}


def test_found_by_a_hit_of_its_rule_about_its_subject() -> None:
    judged = judge(_labels(PLANTED), _hits(("e1", "fan-in", "payee", "a")), _alerts())
    assert judged.totals().found == 1
    assert not judged.missed


def test_found_by_a_hit_on_the_card_of_its_event() -> None:
    assert judge(_labels(PLANTED), _hits(("e1", "fan-in", "card", "c")), _alerts()).totals().found == 1


def test_missed_by_other_rule_other_event_and_other_account() -> None:
    hits = _hits(
        ("e1", "fan-out", "account", "a"), ("e2", "fan-in", "account", "a"), ("e1", "fan-in", "account", "b")
    )
    judged = judge(_labels(PLANTED), hits, _alerts())
    assert judged.totals().found == 0
    assert [(m.scenario_id, m.rule_ids, m.subject_id) for m in judged.missed] == [("s1", ("fan-in",), "a")]


def test_near_misses_and_members_alerted() -> None:
    near = {**PLANTED, "scenario_id": "s2", "role": "near_miss", "subject_id": "n"}
    alike = {
        **PLANTED,
        "scenario_id": "s3",
        "role": "look_alike",
        "subject_id": "m",
        "rule_ids": [],
        "population": "carers",
    }
    calm = {**alike, "scenario_id": "s4", "subject_id": "q"}
    other = {**near, "scenario_id": "s5", "subject_id": "o"}
    alerts = _alerts(("n", ["fan-in"]), ("m", ["multi-rent"]), ("o", ["multi-rent"]))
    judged = judge(_labels(near, alike, calm, other), _hits(), alerts)
    total = judged.totals()
    assert (total.near_misses, total.near_misses_alerted) == (2, 1)
    assert (total.look_alikes, total.look_alikes_alerted) == (2, 1)
    assert judged.alerted_members == (("carers", "m"),)


def test_the_table_is_aligned() -> None:
    judged = judge(_labels(PLANTED), _hits(), _alerts())
    lines = table([*judged.lines, judged.totals()])
    assert lines[1].split() == ["mule-layering", "1", "0", "0", "of", "0", "0", "of", "0"]
    assert lines[2].startswith("all")
