"""How much of what goes into a stream of N events, and the telling of all stories.

Owns the span, the numbers of copies and members, and what had to be left out of a small stream. Never
makes a background event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import sqrt

import numpy as np

from txmon.simulate import lookalikes, scenarios
from txmon.simulate.cast import Stage
from txmon.simulate.catalogue import POPULATIONS, SCENARIOS, Population, Scenario, Subject
from txmon.simulate.rows import Rows, concat, in_time_order
from txmon.simulate.story import Story

FULL_SPAN, SHORT_SPAN = 240, 60
REFERENCE = 200_000  # events at which every rule id is planted twice
STORY_EVENTS = 46  # mean of a planted scenario with its parties, for sizing only
MEMBER_EVENTS = 100  # the same for a member of a look-alike population
NEAR_MISS_EVERY = 5
_FILLED = (scenarios, lookalikes)  # importing them fills the registries


@dataclass(frozen=True)
class Size:
    """Numbers derived from the wanted count of events."""

    events: int
    days: int
    tick_hours: int
    copies: int
    members: int
    people: int


def size_for(events: int) -> Size:
    """Choose span, copies, members and people for `events` events."""
    days = FULL_SPAN if events >= 10_000 else SHORT_SPAN
    tick_hours = next((h for h in (1, 6) if days * 24 / h <= events / 20), 24)
    growth = sqrt(events / REFERENCE)
    copies = int(np.clip(round(2 * growth), 1, 40))
    members = round(min(440 * growth ** (1 if growth < 1 else 0.7), events * 0.2 / MEMBER_EVENTS, 4000))
    told = copies * len(SCENARIOS) * STORY_EVENTS * 6 // 5 + members * MEMBER_EVENTS
    rest = events - days * 24 // tick_hours - min(told, events // 2)
    return Size(events, days, tick_hours, copies, members, max(8, round(rest / (0.95 * days))))


@dataclass(frozen=True)
class Told:
    """One story in the stream."""

    scenario_id: str
    name: str
    rule_ids: tuple[str, ...]
    typology: str
    role: str
    population: str | None
    subject: Subject


@dataclass
class Programme:
    """All stories of a stream: their events, labels and subjects, and what did not fit."""

    told: list[Told] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    blocks: list[Rows] = field(default_factory=list)
    labels: list[tuple[int, int]] = field(default_factory=list)
    events: int = 0

    def rows(self) -> Rows:
        """Events of all stories in time order."""
        return in_time_order(concat(self.blocks))


def _roster(size: Size, seed: int) -> Iterator[tuple[Scenario | Population, str]]:
    """What to tell, the most needed first."""
    rules, crowds = list(SCENARIOS.values()), list(POPULATIONS.values())
    # the longest story last, so that a small stream loses one scenario rather than ten
    rules.sort(key=lambda r: (r.name == "chargeback-excess", r.name))
    for copy in range(size.copies):
        yield from ((rule, "planted") for rule in rules)
        for index, rule in enumerate(rules):
            if (index + copy + seed) % NEAR_MISS_EVERY == 0:
                yield rule, "near_miss"
        if copy == 0:
            yield from ((crowd, "look_alike") for crowd in crowds[: size.members])
    shares = np.array([crowd.share for crowd in crowds])
    wanted = np.floor(shares / shares.sum() * size.members).astype(int)
    for number in range(1, int(wanted.max(initial=0))):
        yield from (
            (crowd, "look_alike") for crowd, most in zip(crowds, wanted, strict=True) if number < most
        )


def tell_all(stage: Stage, size: Size, seed: int, budget: int) -> Programme:
    """Tell every story that fits into `budget` events and into the span."""
    programme = Programme()
    for index, (what, role) in enumerate(_roster(size, seed)):
        spare = size.days - what.days
        if spare < 0:
            programme.left_out.append(f"{what.name} ({role})")
            continue
        rng = np.random.default_rng([seed, 2, index])
        story = Story(stage, rng, int(rng.integers(0, spare + 1)), len(programme.told), role == "near_miss")
        away = dict(stage.away)
        subject = what.tell(story)
        if programme.events + len(stage.events) > budget:
            stage.events.clear()
            stage.labels.clear()
            stage.away = away
            programme.left_out.append(f"{what.name} ({role})")
            continue
        _accept(programme, stage, (what, role, subject))
    return programme


def _accept(programme: Programme, stage: Stage, story: tuple[Scenario | Population, str, Subject]) -> None:
    what, role, subject = story
    programme.events += len(stage.events)
    programme.blocks.append(as_rows(stage.events))
    programme.labels += stage.labels
    stage.events.clear()
    stage.labels.clear()
    planted = isinstance(what, Scenario)
    programme.told.append(
        Told(
            scenario_id=f"s{len(programme.told) + 1:05d}",
            name=what.name,
            rule_ids=what.rule_ids if isinstance(what, Scenario) else (),
            typology=what.typology,
            role=role,
            population=None if planted else what.name,
            subject=subject,
        )
    )


def as_rows(events: list[dict[str, int]]) -> Rows:
    """Columns of events told one by one."""
    names = list(dict.fromkeys(name for event in events for name in event))
    return {name: np.array([event.get(name, -1) for event in events], np.int64) for name in names}
