"""The parties of scenarios: accounts with holders, merchants, cards and devices made for one story.

Owns how such a party is created and its opening event; never moves money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from txmon.simulate.emit import Counter
from txmon.simulate.geo import CITIES, CITY_COUNTRY, Calendar
from txmon.simulate.market import INDEX, LOCAL
from txmon.simulate.rows import Extras
from txmon.simulate.vocab import Vocabularies
from txmon.simulate.world import World


@dataclass(frozen=True, slots=True)
class Person:
    """An account and the means of its holder; every field but `party` is a code."""

    account: int
    party: str
    city: int
    card: int
    bin: int
    device: int
    ip: int

    @property
    def country(self) -> int:
        """Country code of the account."""
        return int(CITY_COUNTRY[self.city])

    def using(self, **means: int) -> Person:
        """The same account with another card, device or address."""
        return replace(self, **means)  # type: ignore[arg-type]  # every replaceable field here is an int


@dataclass(frozen=True, slots=True)
class Firm:
    """A merchant and its settlement account, as codes."""

    merchant: int
    account: int
    city: int
    mcc: int

    @property
    def country(self) -> int:
        """Country code of the merchant."""
        return int(CITY_COUNTRY[self.city])


@dataclass
class Stage:
    """What all stories share: the world, the vocabularies, the calendar, and the events told so far."""

    world: World
    vocabularies: Vocabularies
    extras: Extras
    counter: Counter
    calendar: Calendar
    events: list[dict[str, int]] = field(default_factory=list)
    labels: list[tuple[int, int]] = field(default_factory=list)
    away: dict[tuple[str, int], Firm] = field(default_factory=dict)
    _parties: int = 0
    _firms: dict[int, Firm] = field(default_factory=dict)

    def party(self) -> str:
        """A new party id."""
        self._parties += 1
        return f"pty_{self._parties:06d}"

    def number(self) -> int:
        """A new event number."""
        return int(self.counter.take(1)[0])

    def means(self, city: int, rng: np.random.Generator) -> dict[str, int]:
        """A new card, device and address."""
        words = self.vocabularies
        serial = self.counter.next + len(self.events)
        return {
            "city": city,
            "card": words.card.new(),
            "bin": int(rng.random() * 24),
            "device": words.device.new(),
            "ip": words.ip.code(f"172.{16 + (serial >> 16 & 15)}.{serial >> 8 & 255}.{serial & 255}"),
        }

    def shop(self, key: str, city: int, rng: np.random.Generator) -> Firm:
        """An ordinary merchant of a category, in a city of the world where the category is local."""
        shops, index = self.world.merchants, INDEX[key]
        place = city if LOCAL[index] else 0
        inside = int(rng.random() * int(shops.count[index, place]))
        return self._firm(int(shops.order[shops.start[index, place] + inside]))

    def listed(self, name: str) -> Firm:
        """A merchant of fixed name, see `market.LISTED` and `market.NAMED`."""
        return self._firm(self.world.listed[name])

    def exchange(self, rng: np.random.Generator) -> Person:
        """The account of a crypto exchange."""
        return Person(int(rng.choice(self.world.vasps)), "exchange", 0, -1, -1, -1, -1)

    def _firm(self, index: int) -> Firm:
        known = self._firms.get(index)
        if known is None:
            shops = self.world.merchants
            known = Firm(*(int(c[index]) for c in (shops.merchant, shops.account, shops.city, shops.mcc)))
            self._firms[index] = known
        return known


def profile_map(stage: Stage, city: int, values: dict[str, str]) -> int:
    """Attribute map of an account's profile."""
    place = CITIES[city]
    return stage.extras.attributes({"home_country": place.country, "home_city": place.name, **values})


def holder_list(stage: Stage, party: str, others: Sequence[tuple[str, str]]) -> int:
    """Holder list of an account: its owner and whoever else."""
    return stage.extras.holders([(party, "owner"), *others])
