"""Rules and hits for the tests of alerts, as short as they can be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from txmon.model.schema import TIME
from txmon.rules.ir import AnomalyRef, Call, Column, Expr, Feature, FeatureRef, Literal_, Rule, Unit, Window

DAY_US = 86_400_000_000
TRUE = Literal_(True, Unit.BOOL)
HITS = pa.schema(
    [
        ("source", pa.string()), ("event_id", pa.string()), ("leg", pa.string()), ("event_time", TIME),
        ("rule_id", pa.string()), ("rule_version", pa.int64()), ("subject_type", pa.string()),
        ("subject_id", pa.string()), ("score", pa.float64()), ("features", pa.string()),
        ("trigger", pa.string()), ("as_of", TIME), ("explanation", pa.string()), ("ingest_seq", pa.int64()),
        ("entity", pa.string()), ("mode", pa.string()), ("dedup_key", pa.string()),
        ("holders", pa.list_(pa.struct([("party", pa.string()), ("role", pa.string())]))),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Pack:
    """A plan as far as alerts look at it."""

    rules: tuple[Rule, ...]


def feature(key: tuple[str, ...], arg: Expr | None = None) -> FeatureRef:
    window = Window("_".join(key) + "_7d", "events", key, 7 * DAY_US)
    return FeatureRef(Feature("count", window, arg), Unit.COUNT)


def rule(id: str, **changes: Any) -> Rule:
    facts: dict[str, Any] = {
        "version": 1, "title": id.title(), "path": f"{id}.yaml", "on": "legs", "subject": "account",
        "status": "live", "typology": "other", "severity": "medium", "score": 0.6, "protect": False,
        "tick": False, "let": (("n", feature(("account",))),), "when": TRUE, "explain": id,
        "dedup_by": ("account",), "dedup_us": 30 * DAY_US, "params": {}, "content_hash": "",
    }  # fmt: skip
    facts |= changes
    facts.setdefault("signal", facts["score"] < 0.5)
    return Rule(id=id, **facts)


def on_list(column: str, name: str = "known") -> Call:
    return Call("in_list", (Column(column, Unit.TEXT), Literal_(name, Unit.TEXT)), Unit.BOOL)


def anomaly_rule(id: str, **changes: Any) -> Rule:
    return rule(id, let=(("strange", AnomalyRef("payer-behaviour")),), **changes)


def hit(rule_id: str, day: float, subject: str = "ac-1", **changes: Any) -> dict[str, Any]:
    return {
        "source": "s", "leg": "in", "rule_id": rule_id, "event_time": int(day * DAY_US), "rule_version": 1,
        "subject_type": "account", "subject_id": subject, "score": 0.6, "features": "{}", "trigger": "event",
        "as_of": None, "entity": "default", "mode": "live", "dedup_key": None, "holders": [],
        "explanation": f"{rule_id} on day {day:g}",
    } | changes  # fmt: skip


def hits(rows: Iterable[dict[str, Any]]) -> pa.Table:
    numbered = [{"event_id": f"e{i}", "ingest_seq": i} | row for i, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, schema=HITS)
