"""Runs the tests of rules twice, through the engine and through DuckDB, and checks that tests can fail.

A test passes when both implementations hit exactly the events it names. A rule's tests are worth
something when they break for the negated rule. Owns the comparison; reading tests is in
`txmon.rules.testing`, printing in `txmon.cli.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import pyarrow as pa

from txmon.anomaly import make_detector
from txmon.engine.engine import Engine
from txmon.errors import RuleError, RuleErrors
from txmon.model.rates import Rates
from txmon.rules.ir import Call, Plan, Rule, Unit
from txmon.rules.pack import Pack
from txmon.rules.planner import features, read_detectors, referred_rules
from txmon.rules.rulefile import SCORED
from txmon.rules.sql import rule_steps
from txmon.rules.testing import RuleTest, read_tests

TRIGGERS = ("event", "late", "tick")
_RATES = pa.schema(
    [
        ("date", pa.date32()),
        ("currency", pa.string()),
        ("base", pa.string()),
        ("rate", pa.decimal128(20, 10)),
    ]
)
Hits = Mapping[str, frozenset[str]]  # trigger -> event ids


@dataclass(frozen=True)
class Failure:
    """A test of a rule that did not pass; positions are those of the events as listed."""

    rule_id: str
    test: str
    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule_id}, {self.test}: {self.detail}"


@dataclass(frozen=True)
class RuleReport:
    """What came of one rule's tests."""

    rule_id: str
    tests: int
    failures: tuple[Failure, ...]


def run_tests(pack: Pack, rule_ids: Sequence[str] = ()) -> Iterator[RuleReport]:
    """Run the tests of the scored rules of a pack, or of those named.

    Raises:
        RuleErrors: tests that cannot be read.
    """
    errors: list[RuleError] = []
    wanted = [f for f in pack.files if f.rule.status in SCORED and (not rule_ids or f.rule.id in rule_ids)]
    tests = {f.rule.id: read_tests(f.root, pack.plan.base_currency, errors) for f in wanted}
    if errors:
        raise RuleErrors(errors)
    with duckdb.connect() as connection:
        connection.execute("set threads = 1")
        for file in wanted:
            yield _run_rule(file.rule, pack.plan, tests[file.rule.id], connection)


def plan_of(rule: Rule, plan: Plan) -> Plan:
    """Cut a plan down to a rule and the rules it refers to."""
    by_id = {each.id: each for each in plan.rules} | {rule.id: rule}
    kept: set[str] = set()
    waiting = [rule.id]
    while waiting:
        identity = waiting.pop()
        if identity not in kept:
            kept.add(identity)
            waiting.extend(referred_rules(by_id[identity]))
    levels = tuple(
        tuple(by_id[each.id] for each in level if each.id in kept)
        for level in plan.levels
        if any(each.id in kept for each in level)
    )
    used = {name for level in levels for each in level for name in read_detectors(each)}
    detectors = tuple(d for d in plan.detectors if d.id in used)
    flat = [each for level in levels for each in level]
    return replace(plan, levels=levels, detectors=detectors, features=features(flat, detectors))


def _run_rule(
    rule: Rule, plan: Plan, tests: Sequence[RuleTest], connection: duckdb.DuckDBPyConnection
) -> RuleReport:
    own = plan_of(rule, plan)
    negated = replace(rule, when=Call("not", (rule.when,), Unit.BOOL))
    opposite = plan_of(negated, plan)
    failures: list[Failure] = []
    broken = False
    for test in tests:
        hits, accepted = engine_hits(rule, own, test)
        failures += _compare(rule, test, "the engine", hits)
        if not own.detectors:  # scores of detectors exist in the engine only
            failures += _compare(rule, test, "DuckDB", sql_hits(rule, own, test, accepted, connection))
        broken = broken or bool(_compare(rule, test, "", engine_hits(negated, opposite, test)[0]))
    if tests and not broken:
        place = str(tests[0].node.location)
        failures.append(Failure(rule.id, "all", place, "every test passes for the negated rule as well"))
    return RuleReport(rule.id, len(tests), tuple(failures))


def engine_hits(rule: Rule, plan: Plan, test: RuleTest) -> tuple[Hits, pa.Table]:
    """Return the rule's hits by trigger, and the events that the engine accepted."""
    engine = Engine(plan, Rates(plan.base_currency, test.rates), make_detector)
    outcome = engine.apply(test.events)
    found: dict[str, set[str]] = {trigger: set() for trigger in TRIGGERS}
    columns = (outcome.hits.column(name).to_pylist() for name in ("rule_id", "trigger", "event_id"))
    for rule_id, trigger, event_id in zip(*columns, strict=True):
        if rule_id == rule.id:
            found[trigger].add(event_id)
    return {trigger: frozenset(ids) for trigger, ids in found.items()}, outcome.accepted


def sql_hits(
    rule: Rule, plan: Plan, test: RuleTest, accepted: pa.Table, connection: duckdb.DuckDBPyConnection
) -> Hits:
    """Return the rule's hits by trigger as DuckDB finds them."""
    rates = pa.Table.from_pylist([vars(rate) for rate in test.rates], schema=_RATES)
    connection.register("test_events", accepted)
    connection.register("test_rates", rates)
    steps = rule_steps(rule, plan, "test_events", rates="test_rates")
    for table, query in steps[:-1]:
        connection.execute(f"create or replace temp table {table} as {query}")
    rows = connection.execute(steps[-1][1])
    names = [column[0] for column in rows.description or ()]
    seq, trigger, hit = (names.index(name) for name in ("ingest_seq", "trigger", "hit"))
    ids: dict[int, str] = dict(
        zip(accepted.column("ingest_seq").to_pylist(), accepted.column("event_id").to_pylist(), strict=True)
    )
    found: dict[str, set[str]] = {each: set() for each in TRIGGERS}
    row: tuple[Any, ...]
    for row in rows.fetchall():
        if row[hit]:
            found[row[trigger]].add(ids[row[seq]])
    return {each: frozenset(members) for each, members in found.items()}


def _compare(rule: Rule, test: RuleTest, where: str, hits: Hits) -> list[Failure]:
    """Differences between what a test expects and what was found."""
    event_ids = test.events.column("event_id").to_pylist()
    positions: dict[str, int] = {}
    for event_id, listed in zip(event_ids, test.listed, strict=True):
        positions.setdefault(event_id, listed)
    failures = []
    for trigger, expected in test.hits.items():
        found = {positions[event_id] for event_id in hits[trigger]}
        if found != set(expected):
            key = "hits" if trigger == "event" else f"{trigger}_hits"
            detail = f"{where} finds {key} {sorted(found)}, the test says {sorted(expected)}"
            failures.append(Failure(rule.id, test.name, str(test.node.location), detail))
    return failures
