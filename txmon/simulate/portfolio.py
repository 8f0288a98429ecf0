"""A simulated portfolio: the stream of events in time order and the table of labels.

`simulate` is the door: it builds the population, tells the stories and returns a `Portfolio`, which
streams exactly the wanted number of events in bounded memory. Same seed, same bytes.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from txmon.errors import ConfigError
from txmon.simulate.background import Background
from txmon.simulate.cast import Stage
from txmon.simulate.emit import Counter, Emitter
from txmon.simulate.geo import DAY_US, HOUR_US, START_US, Calendar
from txmon.simulate.opening import Opening
from txmon.simulate.plan import Programme, Size, Told, size_for, tell_all
from txmon.simulate.regular import Household
from txmon.simulate.rows import Assembler, Column, Extras, Rows, concat, cut, in_time_order, size
from txmon.simulate.vocab import Vocabularies, event_ids
from txmon.simulate.world import World, build

SMALLEST, LARGEST = 1_000, 100_000_000
FLUSH_ROWS = 65_536
MOST_ROWS = 131_072
# local midnight comes up to this long before UTC midnight: events of a day may lie in the day before
EARLY_US = 4 * HOUR_US
_WEEK = (0.92, 0.92, 0.95, 1.0, 1.12, 1.16, 0.93)

LABELS: pa.Schema = pa.schema(
    [
        pa.field("event_id", pa.string()),
        pa.field("scenario_id", pa.string()),
        pa.field("typology", pa.string()),
        pa.field("rule_ids", pa.list_(pa.string())),
        pa.field("role", pa.string()),
        pa.field("population", pa.string()),
        pa.field("subject_type", pa.string()),
        pa.field("subject_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class Portfolio:
    """Everything decided about a stream; events are made while they are read."""

    seed: int
    size: Size
    world: World
    programme: Programme
    vocabularies: Vocabularies
    extras: Extras
    opening: Rows
    employee_maps: Column
    first_number: int
    salt: int

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Record batches of the native schema, in time order; each call starts anew."""
        assembler = Assembler(self.vocabularies, self.extras, self.salt)
        for rows in self._ordered():
            for start in range(0, size(rows), MOST_ROWS):
                yield assembler.batch(cut(rows, start, start + MOST_ROWS))

    def _ordered(self) -> Iterator[Rows]:
        """Blocks in time order: what can no longer be overtaken leaves the buffer."""
        waiting, count = [self.opening], size(self.opening)
        told = self.programme.rows()
        shown = 0
        for day, rows in enumerate(self._days()):
            waiting.append(rows)
            count += size(rows)
            last = day + 1 == self.size.days
            limit = START_US + (day + 1) * DAY_US - EARLY_US
            upto = size(told) if last else int(np.searchsorted(told["time"], limit))
            waiting.append(cut(told, shown, upto))
            count += upto - shown
            shown = upto
            if count < FLUSH_ROWS and not last:
                continue
            merged = in_time_order(concat(waiting))
            ready = size(merged) if last else int(np.searchsorted(merged["time"], limit))
            yield cut(merged, 0, ready)
            waiting, count = [cut(merged, ready, size(merged))], size(merged) - ready

    def _days(self) -> Iterator[Rows]:
        """Background and ticks of every day; the last day makes the total exact."""
        calendar = Calendar(self.size.days)
        emitter = Emitter(self.world, self.vocabularies, Counter(self.first_number))
        household = Household(emitter, calendar, self.employee_maps)
        background = Background(emitter, calendar, household, self.seed)
        ticks = self.size.days * 24 // self.size.tick_hours
        left = self.size.events - size(self.opening) - self.programme.events - ticks
        due = 0
        for day in range(self.size.days):
            dated = background.dated(day)
            due += size(dated)
            left -= size(dated)
            ahead = self.size.days - day - 1
            if ahead:
                share = (left - due / (day + 1) * ahead) / (ahead + 1)
                everyday = background.everyday(day, max(0, round(share * _WEEK[day % 7])))
            else:
                everyday = cut(background.everyday(day, max(0, left)), 0, max(0, left))
                dated = cut(dated, 0, size(dated) + min(0, left))
            left -= size(everyday)
            hours = np.arange(0, 24, self.size.tick_hours, dtype=np.int64) * HOUR_US
            yield concat([dated, everyday, emitter.ticks(START_US + day * DAY_US + hours)])

    def labels(self) -> pa.Table:
        """A row for each event and scenario, scenario by scenario."""
        numbers = np.array([n for n, _ in self.programme.labels], np.int64)
        index = pa.array([s for _, s in self.programme.labels], pa.int64())
        told = self.programme.told
        subjects = [self.subject_name(t) for t in told]
        columns = {
            "event_id": event_ids(numbers, self.salt),
            "scenario_id": _spread([t.scenario_id for t in told], index),
            "typology": _spread([t.typology for t in told], index),
            "rule_ids": pa.array([list(t.rule_ids) for t in told], pa.list_(pa.string())).take(index),
            "role": _spread([t.role for t in told], index),
            "population": _spread([t.population for t in told], index),
            "subject_type": _spread([t.subject.kind for t in told], index),
            "subject_id": _spread(subjects, index),
        }
        return pa.table(columns, schema=LABELS)

    def subject_name(self, told: Told) -> str:
        """Id of a story's subject."""
        return self.vocabularies.of(told.subject.kind).name(told.subject.code)

    def counts(self) -> dict[str, dict[str, int]]:
        """Stories by role and by typology."""
        told = self.programme.told
        return {
            "roles": dict(Tally(t.role for t in told)),
            "planted": dict(Tally(t.typology for t in told if t.role == "planted")),
            "populations": dict(Tally(t.population for t in told if t.population)),
        }


def _spread(values: list[str] | list[str | None], index: pa.Array) -> pa.Array:
    return pa.array(values, pa.string()).take(index)


def simulate(events: int, seed: int) -> Portfolio:
    """Decide a portfolio of exactly `events` events.

    Raises:
        ConfigError: `events` is outside 10^3 to 10^8, or `seed` is negative.
    """
    if not SMALLEST <= events <= LARGEST:
        raise ConfigError(
            f"events: {events} is outside {SMALLEST} to {LARGEST}; choose a number in that range"
        )
    if seed < 0:
        raise ConfigError(f"seed: {seed} is negative; choose zero or more")
    sizes = size_for(events)
    vocabularies, extras, counter = Vocabularies(), Extras(), Counter()
    world = build(sizes.people, sizes.days, vocabularies, np.random.default_rng([seed, 1]))
    opening = Opening(world, vocabularies, extras, counter)
    maps, opened = opening.employee_maps(), opening.rows()
    stage = Stage(world, vocabularies, extras, counter, Calendar(sizes.days))
    programme = tell_all(stage, sizes, seed, _budget(sizes, world, size(opened)))
    salt = int(np.random.SeedSequence([seed, 3]).generate_state(1, np.uint32)[0])
    return Portfolio(
        seed=seed,
        size=sizes,
        world=world,
        programme=programme,
        vocabularies=vocabularies,
        extras=extras,
        opening=opened,
        employee_maps=maps,
        first_number=counter.next,
        salt=salt,
    )


def _budget(sizes: Size, world: World, opened: int) -> int:
    """Events that stories may use: what ticks, openings and dated payments leave, with a reserve."""
    months = sizes.days / 30 + 1
    dated = months * (8.5 * world.people.account.size + 2 * world.merchants.merchant.size)
    ticks = sizes.days * 24 // sizes.tick_hours
    return int(sizes.events * 0.93 - opened - ticks - dated)
