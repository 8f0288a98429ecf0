"""verify.sql: stock DuckDB derives the hits of a bundle again and says PASS, or what differs.

The script reads the files beside it and nothing else. It compares every file with the manifest, itself
included; opens the proofs, follows them to their roots and these to the head; runs each rule over the
events and compares every number of every hit. The last statement prints the verdict, then a row for each
difference. Owns the text; runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from txmon.evidence import scripttext as fixed
from txmon.evidence.canonicalsql import CANONICAL_TEXT
from txmon.rules.ir import Plan, Rule, Unit
from txmon.rules.sql import rule_steps
from txmon.rules.sqltext import name, select, text

# a rule on doubles may differ in its last bits where DuckDB multiplies and adds in one step
_CLOSE = "1e-12"
SIGNED = ("manifest.json", "manifest.sig")  # not named by the manifest itself


@dataclass(frozen=True)
class Section:
    """One rule as it was under one config; `number` is that of its part of the script."""

    number: int
    rule: Rule
    plan: Plan
    config: int  # its row of the journal


@dataclass(frozen=True)
class Expected:
    """What the bundle must hold for the script to pass."""

    hits: int
    events: int
    proofs: int
    first_seq: int  # first row of chain.parquet
    previous: str  # head before it
    head_seq: int
    head: str
    notes: Sequence[str]  # told with the verdict


def script(sections: Sequence[Section], expected: Expected) -> str:
    """Return verify.sql."""
    notes = "".join(
        f"\n  union all select 1, 'note', null, {text(note)}, null, null" for note in expected.notes
    )
    facts = {
        "hits": expected.hits, "events": expected.events, "proofs": expected.proofs,
        "first_seq": expected.first_seq,
        "previous": expected.previous, "head_seq": expected.head_seq, "head": expected.head,
        "canonical": CANONICAL_TEXT,
    }  # fmt: skip
    found = [fixed.HEADER, fixed.TABLES, fixed.FILES, fixed.COUNTS.substitute(facts)]
    found.append(fixed.PROOFS.substitute(facts))
    for section in sections:
        found += section_statements(section)
    return "\n".join([*found, fixed.VERDICT.substitute(notes=notes)])


def section_statements(section: Section) -> list[str]:
    """Derive one rule over table `events` and put differences to table `hits` into table `findings`."""
    rule, scale = section.rule, section.plan.money_scale
    rates = f"({select('*', 'rates', f'config = {section.config}')})"
    steps = rule_steps(rule, section.plan, rates=rates, scores="scores")
    statements = [f"\n-- rule {rule.id}, version {rule.version}"]
    statements += [f"create or replace temp table {table} as\n  {query};" for table, query in steps[:-1]]
    statements.append(f"create or replace temp table derived as\n  {steps[-1][1]};")
    joined = (
        f"({select('*', 'hits', f'section = {section.number}')}) h left join derived d on"
        " d.ingest_seq = h.ingest_seq and d.trigger = h.trigger and d.leg is not distinct from h.leg"
        " and d.subject_id = h.subject_id and d.as_of is not distinct from epoch_us(h.as_of)"
    )
    item = "h.rule_id || ' on event ' || h.ingest_seq"
    got = "case when d.ingest_seq is null then 'not evaluated' else 'no hit' end"
    statements.append(_finding("'hit'", item, "'a hit'", got, joined, "d.hit is not true"))
    for let, expr in rule.let:
        said, found = f"h.features[{text(let)}]", f"d.{name(let)}"
        differs = f"d.ingest_seq is not null and ({_same(said, found, expr.unit, scale)}) is not true"
        shown = _shown(found, expr.unit, scale)
        statements.append(
            _finding("'number'", f"{item} || ': ' || {text(let)}", said, shown, joined, differs)
        )
    return statements


def _finding(part: str, item: str, expected: str, found: str, source: str, where: str) -> str:
    return f"insert into findings {select(', '.join([part, item, expected, found]), source, where)};"


def _same(said: str, found: str, unit: Unit, scale: int) -> str:
    """Whether the text of a feature and a value in its physical form say the same."""
    match unit:
        case Unit.MONEY:
            minor = f"(try_cast({said} as decimal(38, {scale})) * {10**scale})::hugeint"
            return f"{minor} is not distinct from {found}::hugeint"
        case Unit.COUNT:
            return f"try_cast({said} as bigint) is not distinct from {found}"
        case Unit.NUMBER | Unit.MONEY_F:
            finite = f"case when isfinite({found}) then {found} end"
            return (
                f"({said} is null and ({finite}) is null) or abs(try_cast({said} as double) - {found})"
                f" <= greatest(abs({found}), 1) * {_CLOSE}"
            )
        case Unit.BOOL:
            return f"({said} = 'true') is not distinct from {found}"
        case Unit.SPAN:
            return f"(try_cast({said} as decimal(38, 6)) * 1000000)::bigint is not distinct from {found}"
        case Unit.TIME:
            return f"epoch_us(try_cast({said} as timestamptz)) is not distinct from {found}"
        case Unit.DATE:
            return f"(try_cast({said} as date) - date '1970-01-01') is not distinct from {found}"
    return f"{said} is not distinct from {found}"


def _shown(found: str, unit: Unit, scale: int) -> str:
    """A value as a reader of features knows it."""
    match unit:
        case Unit.MONEY:
            return f"({found}::decimal(38, {scale}) / {10**scale})::decimal(38, {scale})::varchar"
        case Unit.SPAN:
            return f"({found}::double / 1000000)::varchar"
        case Unit.TIME:
            return f"make_timestamptz({found})::varchar"
        case Unit.DATE:
            return f"(date '1970-01-01' + {found})::varchar"
    return f"{found}::varchar"
