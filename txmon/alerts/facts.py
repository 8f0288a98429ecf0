"""What the alert book needs to know of a rule, taken from the plan once.

Owns the sorting of rules into families (pattern, anomaly, list match) and the test for weak evidence.
Never evaluates a rule.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from txmon.rules.ir import AnomalyRef, Call, Column, Expr, Feature, Rule, rule_features, walk

ALERT_LINE = 0.5
SEVERITIES: tuple[str, ...] = ("low", "medium", "high", "critical")
Family = Literal["pattern", "anomaly", "list"]

# A proxy, a shared address or a stolen device says little about a person.
_WEAK_COLUMNS = frozenset({"device", "ip", "ip_country"})
# A list of these names one party or instrument; lists of codes, countries and words are categories.
_IDENTITY_COLUMNS = frozenset(
    {"payer", "payee", "account", "counterparty", "merchant", "sub_merchant", "card", "party"}
)


@dataclass(frozen=True)
class RuleFacts:
    """One rule as alerts see it. `index` is its place among the plan's rules sorted by id."""

    index: int
    id: str
    title: str
    typology: str
    severity: int  # place in SEVERITIES
    protect: bool
    signal: bool
    shadow: bool
    weak: bool
    family: Family
    dedup_us: int


@dataclass(frozen=True)
class Suppressor:
    """A recorded reason to lower a subject's score: a known relation, a licence, a stable history.

    It counts for hits with ``valid_from_us <= time < valid_to_us`` and is shown among the score's parts.
    """

    subject_type: str
    subject_id: str
    minus: float
    reason: str
    valid_from_us: int
    valid_to_us: int


def rule_facts(rules: Iterable[Rule]) -> list[RuleFacts]:
    """Return the facts of `rules`, sorted by rule id so that their order never depends on the plan's."""
    return [
        RuleFacts(
            index=index,
            id=rule.id,
            title=rule.title,
            typology=rule.typology,
            severity=SEVERITIES.index(rule.severity),
            protect=rule.protect,
            signal=rule.signal,
            shadow=rule.status != "live",
            weak=_is_weak(rule),
            family=_family(rule),
            dedup_us=rule.dedup_us,
        )
        for index, rule in enumerate(sorted(rules, key=lambda r: r.id))
    ]


def _family(rule: Rule) -> Family:
    expressions = [rule.when, *(expr for _, expr in rule.let)]
    if any(isinstance(node, AnomalyRef) for expr in expressions for node in walk(expr)):
        return "anomaly"
    # A rule that measures behaviour too uses its list to say what kind of business it looks at.
    return "list" if not rule_features(rule) and _demands_list_match(rule.when) else "pattern"


def _demands_list_match(when: Expr) -> bool:
    """True where the rule cannot hit unless an identity is on a list (reached through `and` only)."""
    if not isinstance(when, Call):
        return False
    if when.op == "and":
        return any(_demands_list_match(arg) for arg in when.args)
    first = when.args[0] if when.args else None
    return when.op == "in_list" and isinstance(first, Column) and first.name in _IDENTITY_COLUMNS


def _is_weak(rule: Rule) -> bool:
    """True where all that a rule measures is a device or an address."""
    features = rule_features(rule)
    return rule.subject in _WEAK_COLUMNS or (bool(features) and all(_reads_weak(f) for f in features))


def _reads_weak(feature: Feature) -> bool:
    columns = {node.name for node in walk(feature.arg) if isinstance(node, Column)} if feature.arg else set()
    return not _WEAK_COLUMNS.isdisjoint({*feature.window.key, *columns})
