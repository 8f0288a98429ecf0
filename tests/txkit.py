"""Helpers that tests of several packages share: canonical events from a few words, packs, runs in cuts.

Everything is made here from plain values; nothing is read from the network, a clock or the environment.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from txmon.engine.engine import Limits
from txmon.model.rates import Rates
from txmon.model.schema import CANONICAL
from txmon.pipeline.scorer import Scorer
from txmon.rules.arrow import compile_vec
from txmon.rules.frame import Frame
from txmon.rules.ir import Expr, Plan
from txmon.rules.pack import load_pack
from txmon.rules.vec import to_arrow

SHARED = Path(__file__).parents[2] / "shared"
START = datetime(2026, 1, 5, 12, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
MINUTE, HOUR, DAY = 60_000_000, 3_600_000_000, 86_400_000_000
_NULLABLE = pa.schema([f.with_nullable(True) for f in CANONICAL])


def at(days: float = 0.0, hours: float = 0.0, minutes: float = 0.0) -> int:
    """Microseconds UTC of a moment relative to START."""
    return START_US + round(days * DAY + hours * HOUR + minutes * MINUTE)


def compile_expr(expr: Expr) -> Callable[[Frame], pa.Array]:
    """A function from a frame to an Arrow array in the physical form of an expression's unit."""
    evaluate = compile_vec(expr)

    def run(frame: Frame) -> pa.Array:
        with np.errstate(all="ignore"):
            return to_arrow(evaluate(frame), expr.unit, frame.length)

    return run


class Row(dict[str, Any]):
    """A canonical event as a dict that prints only what is set: failing examples stay readable."""

    def __repr__(self) -> str:
        shown = {k: v for k, v in self.items() if v is not None and v != _USUAL.get(k)}
        return f"<{' '.join(f'{k}={v}' for k, v in shown.items())}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """What hypothesis asks for."""
        printer.text(repr(self))

    def __or__(self, other: Mapping[str, Any]) -> Row:
        return Row({**self, **other})


_USUAL: dict[str, Any] = {
    "source": "test",
    "time_resolution": "us",
    "kind": "payment",
    "mode": "live",
    "entity": "default",
    "currency": "EUR",
    "base_currency": "EUR",
    "unconverted": False,
    "auth_is_final": False,
}


def event(event_id: str, time: int, **columns: Any) -> Row:
    """A canonical event of EUR 1.00, approved or whatever `columns` say.

    `amount` is in minor units of EUR; `amount=None` is an event without money.
    """
    amount = columns.pop("amount", 100)
    money = {
        "amount_minor": amount,
        "amount_base_minor": amount,
        "currency": None if amount is None else "EUR",
    }
    row = Row(dict.fromkeys(CANONICAL.names)) | _USUAL | {"event_id": event_id, "event_time": time} | money
    return row | columns


def tick(event_id: str, time: int, **columns: Any) -> Row:
    """A journaled mark of time."""
    return event(event_id, time, kind="tick", amount=None, **columns)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Canonical events from rows of `event`."""
    return pa.Table.from_pylist(list(rows), schema=_NULLABLE)


def write_pack(folder: Path, *rules: Mapping[str, Any], **files: Any) -> Path:
    """Write rule files (and ``derived=...``, ``list_<name>=...``, ``detector_<id>=...``) below a folder."""
    pack = folder / "pack"
    for name in ("pack", "lists", "detectors"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for rule in rules:
        text = yaml.safe_dump({"version": 1, "title": str(rule["id"])} | dict(rule), sort_keys=False)
        (pack / f"{rule['id']}.yaml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        kind, _, rest = name.partition("_")
        path = folder / "derived.yaml" if kind == "derived" else folder / f"{kind}s" / f"{rest}.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder


class ShortPlan(Plan):
    """A plan that prints its rules' ids only."""

    def __repr__(self) -> str:
        return f"<plan {' '.join(r.id for r in self.rules)}>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


def plan_of(folder: Path, *rules: Mapping[str, Any], entity_tz: str | None = None, **files: Any) -> Plan:
    """Write a pack and load it."""
    plan = load_pack([write_pack(folder, *rules, **files)], entity_tz=entity_tz)
    return ShortPlan(**{f.name: getattr(plan, f.name) for f in fields(Plan)})


def run(
    plan: Plan,
    events: pa.Table,
    cuts: Sequence[int] = (),
    *,
    limits: Limits | None = None,
    rates: Rates | None = None,
) -> tuple[Scorer, pa.Table]:
    """Score events cut into batches at these rows; returns the scorer and all hits."""
    scorer = Scorer(plan, rates, limits)
    return scorer, feed(scorer, events, cuts)


def feed(scorer: Scorer, events: pa.Table, cuts: Sequence[int] = ()) -> pa.Table:
    """Give a scorer events cut into batches at these rows; returns the hits."""
    edges = [0, *sorted(set(cuts)), len(events)]
    parts = [scorer.apply(events.slice(a, b - a)).hits for a, b in itertools.pairwise(edges)]
    return pa.concat_tables(parts)


def hits_of(hits: pa.Table, rule: str | None = None, trigger: str | None = None) -> list[dict[str, Any]]:
    """Hits as rows, with `features` read as exact numbers."""
    rows = []
    for row in hits.to_pylist():
        if (rule in (None, row["rule_id"])) and (trigger in (None, row["trigger"])):
            rows.append(row | {"features": json.loads(row["features"], parse_float=Decimal)})
    return rows


def ids(hits: pa.Table, rule: str | None = None, trigger: str | None = None) -> list[str]:
    """Ids of the events that hit, in order."""
    return [row["event_id"] for row in hits_of(hits, rule, trigger)]


def moment(time_us: int) -> datetime:
    """A time in microseconds UTC as hits tables show it."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
