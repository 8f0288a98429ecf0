"""Rules to a plan: levels of hits(), features that are computed once, everything in a fixed order.

Owns the order and the cycle check; reads no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from txmon.errors import RuleError, SourceLocation
from txmon.rules.ir import AnomalyRef, Detector, Feature, Rule, expression_features, rule_features, walk


def referred_rules(rule: Rule) -> frozenset[str]:
    """Ids that a rule refers to by hits()."""
    return frozenset(f.hits_rule for f in rule_features(rule) if f.hits_rule is not None)


def levels(rules: Sequence[Rule], errors: list[RuleError]) -> tuple[tuple[Rule, ...], ...]:
    """Group rules so that each refers only to rules of lower levels; a cycle is an error."""
    by_id = {rule.id: rule for rule in rules}
    graph = {rule.id: referred_rules(rule) & set(by_id) for rule in rules}
    sorter = TopologicalSorter(graph)
    try:
        sorter.prepare()
    except CycleError as error:
        # graphlib lists a cycle against the direction of the references, first node repeated
        cycle = list(reversed(error.args[1]))
        for identity in sorted(set(cycle)):
            detail = f"rule '{identity}' refers to itself by hits(): {' -> '.join(cycle)}"
            errors.append(RuleError(detail, SourceLocation(by_id[identity].path)))
        return ()
    found: list[tuple[Rule, ...]] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found.append(tuple(by_id[identity] for identity in ready))
        sorter.done(*ready)
    return tuple(found)


def read_detectors(rule: Rule) -> frozenset[str]:
    """Ids of the detectors whose scores a rule reads."""
    exprs = (rule.when, *(expr for _, expr in rule.let))
    return frozenset(node.detector for expr in exprs for node in walk(expr) if isinstance(node, AnomalyRef))


def features(rules: Sequence[Rule], detectors: Iterable[Detector]) -> tuple[Feature, ...]:
    """Every feature once, in order of first use by level and id, then by the detectors that rules read."""
    found: dict[Feature, None] = {}
    for rule in rules:
        found.update(dict.fromkeys(rule_features(rule)))
    read = {identity for rule in rules for identity in read_detectors(rule)}
    for detector in detectors:
        for _, expr in detector.inputs if detector.id in read else ():
            found.update(dict.fromkeys(expression_features(expr)))
    return tuple(found)
