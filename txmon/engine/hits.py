"""Hits: which rows a rule hit, told as rows of `hits.parquet`.

Owns the schema and the making of hit rows; decides nothing about grouping (that is `txmon.alerts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.engine.frames import Frame, RuleFrame, TakenFrame
from txmon.engine.shared import Shared
from txmon.engine.state import I64
from txmon.model.schema import TIME
from txmon.rules.arrow import Mask, compile_mask, conjuncts
from txmon.rules.explain import Explain, compile_explain, features_json
from txmon.rules.ir import (
    AnomalyRef,
    Expr,
    Feature,
    LetRef,
    Rule,
    Unit,
    expression_features,
    rule_features,
    walk,
)
from txmon.rules.vec import take, to_arrow

_S = pa.string()
HOLDERS = pa.list_(pa.struct([("party", _S), ("role", _S)]))
# The columns of hits.parquet, in order.
HIT_COLUMNS: pa.Schema = pa.schema(
    [
        ("source", _S),
        ("event_id", _S),
        ("leg", _S),
        ("event_time", TIME),
        ("rule_id", _S),
        ("rule_version", pa.int64()),
        ("subject_type", _S),
        ("subject_id", _S),
        ("score", pa.float64()),
        ("features", _S),
        ("trigger", _S),
        ("as_of", TIME),
        ("explanation", _S),
    ]
)
# What the alert book needs besides; not written to hits.parquet.
INTERNAL_COLUMNS: pa.Schema = pa.schema(
    [("ingest_seq", pa.int64()), ("entity", _S), ("mode", _S), ("holders", HOLDERS), ("dedup_key", _S)]
)
HITS: pa.Schema = pa.schema([*HIT_COLUMNS, *INTERNAL_COLUMNS])
NO_HITS = HITS.empty_table()


@dataclass(frozen=True)
class CompiledRule:
    """A rule with its explanation template compiled."""

    rule: Rule
    explain: Explain
    features: tuple[Feature, ...]
    guard: Mask  # conditions of `when` on the event alone: they must hold whatever the time
    rest: Mask | None  # its other conditions
    features_asked: tuple[Feature, ...]  # features behind the lets that `when` reads
    detectors: tuple[str, ...]
    longest_us: int
    let: Mapping[str, Expr]


@dataclass(frozen=True)
class Found:
    """Rows of one rule that hit, in a table of rows already cut down to them."""

    compiled: CompiledRule
    frame: Frame  # the rows that hit
    lets: Mapping[str, pa.Array]
    seq: I64  # order of arrival of what led to the hit
    trigger: str
    as_of: I64 | None


def compile_rules(shared: Shared) -> dict[str, CompiledRule]:
    """Compile every rule's explanation."""
    plan = shared.plan
    units = {d.name: d.unit for d in plan.derived}
    return {
        r.id: _compiled(r, compile_explain(r, plan.money_scale, plan.base_currency, units=units))
        for r in plan.rules
    }


def _compiled(rule: Rule, explain: Explain) -> CompiledRule:
    guard = guard_of(rule)
    rest = [condition for condition in conjuncts(rule.when) if _lets_read(condition)]
    asked = _lets_read(rule.when)
    return CompiledRule(
        rule,
        explain,
        tuple(rule_features(rule)),
        compile_mask(*guard),
        compile_mask(*rest) if rest else None,
        tuple(f for name, expr in rule.let if name in asked for f in expression_features(expr)),
        detectors_read(rule),
        rule.longest_us(),
        dict(rule.let),
    )


def guard_of(rule: Rule) -> tuple[Expr, ...]:
    """Conditions of a rule on the event alone."""
    return tuple(condition for condition in conjuncts(rule.when) if not _lets_read(condition))


def _lets_read(expr: Expr) -> set[str]:
    return {node.name for node in walk(expr) if isinstance(node, LetRef)}


def detectors_read(rule: Rule) -> tuple[str, ...]:
    """Ids of the detectors a rule reads, in order, each once."""
    nodes = [n for e in [e for _, e in rule.let] + [rule.when] for n in walk(e)]
    return tuple(dict.fromkeys(n.detector for n in nodes if isinstance(n, AnomalyRef)))


def matches(
    compiled: CompiledRule, frame: Frame, guarded: np.ndarray | None = None
) -> tuple[np.ndarray, RuleFrame]:
    """Return which rows of a frame the rule hits: `when` is true and the subject is known.

    What holds for the event alone (`guarded`, if that is known already) is looked at first, and of the lets
    only those that it takes to decide are evaluated: they are in the frame that is returned, too.
    """
    with_lets = RuleFrame(frame, compiled.let)
    rows = compiled.guard(frame) if guarded is None else guarded
    if compiled.rest is not None and rows.any():
        rows = rows & compiled.rest(with_lets)
    if rows.any():
        rows = rows & frame.vec(compiled.rule.subject, Unit.TEXT).ok
    return rows, with_lets


def lets_of(compiled: CompiledRule, hit: Frame, rows: I64, evaluated: RuleFrame) -> dict[str, pa.Array]:
    """Every let of rows that hit, in the frame `hit`: taken where it is known, else evaluated now."""
    found = {}
    for name, expr in compiled.let.items():
        known = evaluated.lets.get(name)
        vec = hit.shared.vec(expr, hit) if known is None else take(known, rows)
        found[name] = to_arrow(vec, expr.unit, hit.length)
    return found


def hit_rows(found: Found, events: Frame, seq_rows: I64, holders: pa.Array, notes: Sequence[str]) -> pa.Table:
    """Turn what a rule found into rows of HITS.

    `seq_rows` are the rows' events in the batch frame `events`; `holders` as of each event; `notes` are
    appended to the explanations (reasons of anomaly scores), empty for none.
    """
    rule, frame = found.compiled.rule, found.frame
    n = frame.length
    values = {
        name: frame.column(name)
        for name in found.compiled.explain.columns
        if name not in found.lets and name != "subject"
    }
    subject = _text(frame.column(rule.subject))
    explanation = found.compiled.explain({**values, **found.lets, "subject": subject}, n)
    if any(notes):
        explanation = pa.array([f"{e.as_py()}{note}" for e, note in zip(explanation, notes, strict=True)], _S)
    units = {name: (expr.unit, found.lets[name]) for name, expr in rule.let}
    event = TakenFrame(events, seq_rows)
    columns = {
        "source": _text(event.column("source")),
        "event_id": _text(event.column("event_id")),
        "leg": _text(frame.column("direction"))
        if rule.on == "legs" and found.trigger != "tick"
        else pa.nulls(n, _S),
        "event_time": event.column("event_time").cast(TIME),
        "rule_id": _same(rule.id, n),
        "rule_version": pa.repeat(pa.scalar(rule.version, pa.int64()), n),
        "subject_type": _same(rule.subject, n),
        "subject_id": subject,
        "score": pa.repeat(pa.scalar(float(rule.score), pa.float64()), n),
        "features": features_json(units, frame.shared.plan.money_scale, n),
        "trigger": _same(found.trigger, n),
        "as_of": pa.nulls(n, TIME) if found.as_of is None else pa.array(found.as_of).cast(TIME),
        "explanation": explanation,
        "ingest_seq": pa.array(found.seq),
        "entity": _text(event.column("entity")),
        "mode": _text(event.column("mode")),
        "holders": holders,
        "dedup_key": _dedup_key(found, n),
    }
    return pa.table([columns[f.name] for f in HITS], schema=HITS)


def _dedup_key(found: Found, n: int) -> pa.Array:
    """Values of the rule's dedup fields beyond its subject; null where it has none."""
    rule = found.compiled.rule
    fields = [name for name in rule.dedup_by if name != rule.subject]
    if not fields or found.trigger == "tick":
        return pa.nulls(n, _S)
    texts = [pc.fill_null(found.frame.column(name).cast(_S), "") for name in fields]
    return pc.binary_join_element_wise(*texts, "|")


def in_order(parts: Sequence[pa.Table]) -> pa.Table:
    """Join hit rows: order of arrival, out leg before in leg, then rule id, then event before late."""
    if not parts:
        return NO_HITS
    table = pa.concat_tables(parts)
    leg = np.array([{"out": 0, "in": 1}.get(v, 0) for v in table.column("leg").to_pylist()], np.int64)
    trigger = np.array(
        [{"event": 0, "late": 1, "tick": 2}[v] for v in table.column("trigger").to_pylist()], np.int64
    )
    rule = np.array(table.column("rule_id").to_pylist(), dtype=np.str_)
    order = np.lexsort((trigger, rule, leg, table.column("ingest_seq").to_numpy()))
    return table.take(pa.array(order))


def _text(values: pa.Array) -> pa.Array:
    return values.cast(_S) if not pa.types.is_string(values.type) else values


def _same(text: str, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, _S), n)
