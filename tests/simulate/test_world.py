"""The standing population and the calendar."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from txmon.simulate import simulate
from txmon.simulate.catalogue import POPULATIONS, SCENARIOS
from txmon.simulate.geo import CITIES, HOME_CITIES, Calendar, city_in
from txmon.simulate.plan import size_for
from txmon.simulate.rows import Extras
from txmon.simulate.vocab import Vocabularies
from txmon.simulate.world import CLIQUE, MINOR, build


@pytest.mark.parametrize("day", [0, 5, 7, 120, 215, 217, 239])
@pytest.mark.parametrize("city", [0, 8, 10, city_in("XC")])
def test_midnight_is_local_also_across_clock_changes(day: int, city: int) -> None:
    moment = datetime.fromtimestamp(Calendar(240).midnight_us(day, city) / 1e6, UTC)
    local = moment.astimezone(ZoneInfo(CITIES[city].tz))
    assert local.hour in (0, 23, 1) if day in (6, 217) else local.hour == 0


def test_many_midnights_equal_single_ones() -> None:
    calendar = Calendar(60)
    cities = np.arange(len(HOME_CITIES), dtype=np.int32)
    assert calendar.midnights_us(9, cities).tolist() == [calendar.midnight_us(9, int(c)) for c in cities]


def test_everybody_has_a_circle_of_one_kind_and_minors_a_parent() -> None:
    people = build(800, 240, Vocabularies(), np.random.default_rng(1)).people
    kinds = people.kind.reshape(-1, CLIQUE)
    assert (kinds == kinds[:, :1]).all()
    assert (people.parent[people.kind == MINOR] >= 0).all()
    assert (people.landlord[people.rent > 0] >= 0).all()


def test_every_merchant_is_reachable_and_staff_is_spread() -> None:
    world = build(600, 240, Vocabularies(), np.random.default_rng(1))
    shops = world.merchants
    assert sorted(shops.order.tolist()) == list(range(shops.order.size))
    assert (shops.count[:, 0] > 0).all()
    assert np.bincount(world.people.employer).max() <= 9


def test_extras_share_equal_maps_and_keep_holders() -> None:
    extras = Extras()
    first = extras.attributes({"a": "1"})
    assert extras.attributes({"a": "1"}) == first
    second = extras.unique({"a": "1", "b": "2"})
    holder = extras.holders([("p", "owner"), ("q", "joint")])
    maps, holders = extras.arrays()
    assert maps.to_pylist()[second] == [("a", "1"), ("b", "2")]
    assert [(h["party"], h["role"]) for h in holders.to_pylist()[holder]] == [("p", "owner"), ("q", "joint")]


def test_sizes_grow_with_the_stream() -> None:
    sizes = [size_for(n) for n in (1_000, 10_000, 200_000, 1_000_000, 100_000_000)]
    assert [s.copies for s in sizes] == [1, 1, 2, 4, 40]
    assert [s.members for s in sizes] == sorted(s.members for s in sizes)
    assert sizes[2].tick_hours == 1
    assert sizes[-1].people > 400_000


def test_every_entry_takes_at_most_the_span_and_all_fit_into_ten_thousand() -> None:
    assert len(SCENARIOS) == 71
    assert max(entry.days for entry in [*SCENARIOS.values(), *POPULATIONS.values()]) <= size_for(10_000).days
    programme = simulate(10_000, 2).programme
    assert {told.name for told in programme.told if told.role == "planted"} == set(SCENARIOS)


def test_near_misses_are_a_fifth_and_every_population_appears() -> None:
    roles = simulate(200_000, 1).counts()
    assert roles["roles"]["planted"] == 142
    assert 27 <= roles["roles"]["near_miss"] <= 30
    assert set(roles["populations"]) == set(POPULATIONS)
