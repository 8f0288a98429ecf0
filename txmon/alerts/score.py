"""The alert score: every part of it, so that the parts add up to the whole.

    pattern       within a typology: noisy-or of its rules' scores, each rule once, at most TYPOLOGY_CAP;
                  the strongest typology is the base
    corroboration every further typology closes CORROBORATION times its own value of what is left to 1
    anomaly       the strongest anomaly rule, at most ANOMALY_CAP
    list_match    the strongest rule that demands an exact match
    suppressor    recorded reasons, subtracted

Noisy-or means ``1 - (1 - a)(1 - b)``: independent evidence adds up and never reaches certainty; the total
is capped at SCORE_CAP. All arithmetic runs in the order of rule ids and names, so that neither the order
of hits nor the size of batches can change a bit of the result. Never decides what becomes an alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from txmon.alerts.facts import Family, RuleFacts, Suppressor

TYPOLOGY_CAP = 0.95
CORROBORATION = 0.5
ANOMALY_CAP = 0.8
SCORE_CAP = 0.99
_DIGITS = 6
# Families of which only the strongest rule counts: family, its part, its cap.
_SINGLE: tuple[tuple[Family, str, float], ...] = (
    ("anomaly", "anomaly", ANOMALY_CAP),
    ("list", "list_match", 1.0),
)


@dataclass(frozen=True)
class Part:
    """One step of the score: what (`part`), by whom (`name`), how much it added (`adds`, may be < 0).

    `rules` are the rule scores that went in, by rule id.
    """

    part: str
    name: str
    adds: float
    rules: Mapping[str, float]


@dataclass(frozen=True)
class Score:
    """A score in 0..1 with its parts and the typologies, strongest first."""

    value: float
    parts: tuple[Part, ...]
    typologies: tuple[str, ...]

    @property
    def unsuppressed(self) -> float:
        """The score before suppressors."""
        return round(sum(part.adds for part in self.parts if part.part != "suppressor"), _DIGITS)


def score_of(
    scores: Mapping[int, float], facts: Sequence[RuleFacts], suppressors: Iterable[Suppressor]
) -> Score:
    """Return the score of an alert from its rules' scores (by index into `facts`)."""
    indexes = sorted(scores)
    patterns: dict[str, dict[str, float]] = {}
    for i in indexes:
        if facts[i].family == "pattern":
            patterns.setdefault(facts[i].typology, {})[facts[i].id] = scores[i]
    ranked = sorted(((_noisy_or(rules.values()), name) for name, rules in patterns.items()), key=_strongest)
    total = 0.0
    parts: list[Part] = []

    def add(part: str, name: str, value: float, rules: Mapping[str, float]) -> None:
        nonlocal total
        reached = min(round(1.0 - (1.0 - total) * (1.0 - value), _DIGITS), SCORE_CAP)
        parts.append(Part(part, name, round(reached - total, _DIGITS), rules))
        total = reached

    for place, (strength, name) in enumerate(ranked):
        if place == 0:
            add("pattern", name, min(strength, TYPOLOGY_CAP), patterns[name])
        else:
            add("corroboration", name, CORROBORATION * min(strength, TYPOLOGY_CAP), patterns[name])
    for family, part, cap in _SINGLE:
        for strongest in _strongest_rule(indexes, scores, facts, family):
            add(
                part,
                facts[strongest].id,
                min(scores[strongest], cap),
                {facts[strongest].id: scores[strongest]},
            )
    for suppressor in sorted(suppressors, key=lambda s: (s.reason, s.minus)):
        reached = max(round(total - suppressor.minus, _DIGITS), 0.0)
        parts.append(Part("suppressor", suppressor.reason, round(reached - total, _DIGITS), {}))
        total = reached
    others = sorted({facts[i].typology for i in indexes} - patterns.keys())
    return Score(total, tuple(parts), (*(name for _, name in ranked), *others))


def _noisy_or(values: Iterable[float]) -> float:
    left = 1.0
    for value in values:
        left *= 1.0 - value
    return 1.0 - left


def _strongest(item: tuple[float, str]) -> tuple[float, str]:
    return (-item[0], item[1])


def _strongest_rule(
    indexes: Sequence[int], scores: Mapping[int, float], facts: Sequence[RuleFacts], family: Family
) -> list[int]:
    """The strongest rule of a family, the first by id among equals; empty without one."""
    return sorted((i for i in indexes if facts[i].family == family), key=lambda i: (-scores[i], i))[:1]
