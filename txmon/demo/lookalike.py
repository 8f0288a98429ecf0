"""A lawful look-alike of the story, and why the rules left it alone.

The rule that the story rests on is measured on every look-alike account, with its conditions taken
away, so that the numbers are those the engine would have seen. The one that comes nearest is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from txmon.alerts.group import subject_class
from txmon.demo.movements import Movement, flows, movements
from txmon.demo.story import Story, profile_of
from txmon.rules.ir import Literal_, Plan, Rule, Unit, rule_features
from txmon.rules.measures import Measure, measures

# Scores events with a plan and returns the hits; the demo's runner brings it.
Probe = Callable[[Plan, Any], Any]
_LIST = re.compile(r"in list\('([a-z0-9_]+)'\)")
_ORGANISATIONS = ("business", "charity", "platform", "employer")


@dataclass(frozen=True)
class LookAlike:
    """One member of a lawful population: what looked the same, and what told it apart."""

    subject_id: str
    population: str
    rule: Rule
    profile: Mapping[str, str]
    payers: int
    received_minor: int
    handed_on: float | None  # share of the receipts that went to the largest private receiver
    measures: tuple[Measure, ...]
    reasons: tuple[str, ...]


def handed_on(moved: list[Movement] | tuple[Movement, ...]) -> float | None:
    """Return the share of what came in that went to the one account which got most; None without income."""
    received = sum(m.amount_minor for m in moved if m.incoming)
    out = flows(m for m in moved if not m.incoming and not m.merchant)
    return None if received == 0 else (out[0].total_minor if out else 0) / received


def nearest_look_alike(
    story: Story, events: Any, labels: Any, alerts: Any, plan: Plan, probe: Probe
) -> LookAlike | None:
    """Return the look-alike without an alert that comes nearest to the story's rule; None without one."""
    rule = _rule_to_compare(story)
    alerted = set(zip(alerts["subject_type"].to_pylist(), alerts["subject_id"].to_pylist(), strict=True))
    members = {
        row["subject_id"]: row["population"]
        for row in labels.to_pylist()
        if row["role"] == "look_alike"
        and subject_class(row["subject_type"]) == subject_class(rule.subject)
        and (subject_class(row["subject_type"]), row["subject_id"]) not in alerted
    }
    best: tuple[int, float, str] | None = None
    nearest: tuple[Measure, ...] = ()
    for row in _measured(rule, events, members, plan, probe):
        found = tuple(measures(rule, row["features"], plan.base_currency))
        reached = sum(m.met is True for m in found)
        rank = (-reached, -_leading(found), row["subject_id"])
        if best is None or rank < best:
            best, nearest = rank, found
    return None if best is None else _told(best[2], members[best[2]], rule, nearest, events, plan)


def _rule_to_compare(story: Story) -> Rule:
    """The rule with the most comparable numbers that measures events and not other rules' hits."""
    own = [t for t in story.told if not any(f.hits_rule for f in rule_features(t.rule))] or story.told
    inflow = [t for t in own if t.rule.id == "service-price-inflows"]
    return (inflow or sorted(own, key=lambda t: (t.rule.signal, -len(t.measures), t.rule.id)))[0].rule


def _measured(
    rule: Rule, events: Any, members: Mapping[str, str], plan: Plan, probe: Probe
) -> list[dict[str, Any]]:
    """Every evaluation of the rule on the members' events, hit or not."""
    who = pa.array(sorted(members), pa.string())
    about = [
        pc.is_in(events[c].cast(pa.string()), value_set=who)
        for c in ("payer", "payee", "account", "merchant")
    ]
    mask = about[0]
    for other in about[1:]:
        mask = pc.or_(mask, other)
    open_rule = replace(rule, when=Literal_(True, Unit.BOOL), status="live")
    bare = replace(plan, levels=((open_rule,),), features=tuple(rule_features(rule)), detectors=())
    rows: list[dict[str, Any]] = (
        probe(bare, events.filter(mask)).select(["subject_id", "features"]).to_pylist()
    )
    return [row for row in rows if row["subject_id"] in members]


def _leading(found: tuple[Measure, ...]) -> float:
    """The first number, as a tie-break: the busier look-alike is the more telling one."""
    text = found[0].value.split()[-1].replace(",", "") if found else "0"
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else 0.0


def _told(
    subject: str, population: str, rule: Rule, nearest: tuple[Measure, ...], events: Any, plan: Plan
) -> LookAlike:
    kind = subject_class(rule.subject)
    moved = movements(events, kind, subject)
    profile = profile_of(events, kind, subject)
    return LookAlike(
        subject_id=subject,
        population=population,
        rule=rule,
        profile=profile,
        payers=len({m.counterparty for m in moved if m.incoming}),
        received_minor=sum(m.amount_minor for m in moved if m.incoming),
        handed_on=handed_on(moved),
        measures=nearest,
        reasons=tuple(_reasons(rule, nearest, profile, plan)),
    )


def _reasons(rule: Rule, nearest: tuple[Measure, ...], profile: Mapping[str, str], plan: Plan) -> list[str]:
    found = [f"{m.name}: {m.value}, the line is {m.line}" for m in nearest if m.met is False]
    for name in _LIST.findall(str(rule.document.get("when", ""))):
        entries = {entry.value for entry in plan.lists[name].entries}
        found += [
            f"its declared {key} is '{value}', which the rule leaves out (list {name})"
            for key, value in sorted(profile.items())
            if value in entries
        ]
    if profile.get("type") in _ORGANISATIONS:
        found.append(f"it is the account of a {profile['type']}, not of a private person")
    return found or ["the rule's conditions on the kind of payment were never met together"]
