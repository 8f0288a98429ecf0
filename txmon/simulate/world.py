"""The standing population: ordinary people, and the merchants where everybody buys.

Owns who exists and what is fixed about them (homes, incomes, rents, employers, trips); never makes a
payment. Everything is a numpy column over people or over merchants.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from txmon.simulate import market
from txmon.simulate.geo import CITIES, CITY_COUNTRY, COUNTRIES, HOME_CITIES, START_US
from txmon.simulate.vocab import Vocabularies

Ints = npt.NDArray[np.int32]
CLIQUE = 4  # people pay each other only inside a circle of four: nobody ordinary has many payers
TRIPS = 2
_YEAR_US = 365 * 86_400 * 1_000_000
_BINS = tuple(str(400_000 + 1_371 * i) for i in range(1, 25))

EMPLOYEE, MINOR, STUDENT = 0, 1, 2


@dataclass(frozen=True)
class Merchants:
    """Columns over merchants; `start[c, k]` and `count[c, k]` find category c in city k in `order`."""

    merchant: Ints
    account: Ints
    bank: Ints
    city: Ints
    category: Ints
    mcc: Ints
    opens: Ints
    closes: Ints
    boarded_us: npt.NDArray[np.int64]
    payout_minor: npt.NDArray[np.int64]
    outside_worker: Ints
    order: Ints
    start: Ints
    count: Ints

    def pick(self, category: Ints, city: Ints, draw: npt.NDArray[np.float64]) -> Ints:
        """Merchants of given categories and cities; `draw` in [0, 1), small values meet the big ones."""
        place = np.where(market.LOCAL[category], city, 0)
        count = self.count[category, place]
        inside = (draw**1.5 * count).astype(np.int32)
        found: Ints = self.order[self.start[category, place] + inside]
        return found


@dataclass(frozen=True)
class People:
    """Columns over people; money in minor units, days of the month 1 to 28, -1 for none."""

    account: Ints
    savings: Ints
    city: Ints
    kind: Ints
    device: Ints
    card: Ints
    bin: Ints
    ip: Ints
    opened_us: npt.NDArray[np.int64]
    employer: Ints
    income: npt.NDArray[np.int64]
    pay_day: Ints
    landlord: Ints
    rent: npt.NDArray[np.int64]
    loan: npt.NDArray[np.int64]
    bill_day: Ints
    trip_start: Ints
    trip_nights: Ints
    trip_city: Ints
    parent: Ints


@dataclass(frozen=True)
class World:
    """The whole standing population."""

    cities: int
    people: People
    merchants: Merchants
    landlords: Ints
    landlord_city: Ints
    listed: dict[str, int]
    vasps: Ints


def build(people: int, days: int, vocabularies: Vocabularies, rng: np.random.Generator) -> World:
    """Make a world of `people` persons (rounded up to whole circles) for a span of `days`."""
    count = -(-people // CLIQUE) * CLIQUE
    cities = int(np.clip(count // 60, 1, len(HOME_CITIES)))
    for word in COUNTRIES:
        vocabularies.country.code(word)
    for city in CITIES:
        vocabularies.city.code(city.name)
    bins = np.array([vocabularies.bin.code(b) for b in _BINS], np.int32)
    merchants, listed = _merchants(count, cities, vocabularies, rng)
    landlords = vocabularies.account.block(max(cities, count // 4))
    folk = _people(count, cities, (merchants, days), vocabularies, (rng, bins))
    landlord_city = (np.arange(landlords.size) % cities).astype(np.int32)
    vasps = np.array([vocabularies.account.code(v) for v in market.VASPS], np.int32)
    folk = _with_landlords(folk, landlords, cities, rng)
    return World(cities, folk, merchants, landlords, landlord_city, listed, vasps)


def _merchant_places(people: int, cities: int) -> list[tuple[int, int]]:
    """(category, city) of every merchant; more of them where more is bought."""
    places = []
    for index, category in enumerate(market.CATEGORIES):
        buyers = people // cities if category.local else people
        wanted = max(1, round(buyers * max(category.monthly, 0.4) / 150))
        wanted = max(wanted, len(market.NAMED.get(category.key, ())))
        for city in range(cities if category.local else 1):
            places += [(index, city)] * wanted
    return places


def _merchants(
    people: int, cities: int, vocabularies: Vocabularies, rng: np.random.Generator
) -> tuple[Merchants, dict[str, int]]:
    places = _merchant_places(people, cities)
    category = np.array([p[0] for p in places], np.int32)
    slot = np.array([p[1] for p in places], np.int32)
    ordinary = category.size
    total = ordinary + len(market.LISTED)
    home = np.where(market.LOCAL[category], slot, rng.integers(0, cities, ordinary)).astype(np.int32)
    listed_city = [next(i for i, c in enumerate(CITIES) if c.country == m[2]) for m in market.LISTED]
    merchant = np.concatenate(
        [vocabularies.merchant.block(ordinary), [vocabularies.merchant.code(m[0]) for m in market.LISTED]]
    ).astype(np.int32)
    named = {m[0]: ordinary + i for i, m in enumerate(market.LISTED)}
    for key, names in market.NAMED.items():
        spots = np.flatnonzero(category == market.INDEX[key])[: len(names)]
        merchant[spots] = [vocabularies.merchant.code(n) for n in names]
        named |= dict(zip(names, spots.tolist(), strict=True))
    mcc_of = [vocabularies.word.code(c.mcc) for c in market.CATEGORIES]
    mcc = [mcc_of[c] for c in category] + [vocabularies.word.code(m[1]) for m in market.LISTED]
    opens, closes = (np.append(t[category], np.full(len(market.LISTED), e)) for t, e in
                     ((market.OPENS, 0), (market.CLOSES, 24)))  # fmt: skip
    adverts = np.full(len(market.LISTED), market.INDEX["adverts"])
    shape = (len(market.CATEGORIES), cities)
    number = np.zeros(shape, np.int32)
    np.add.at(number, (category, slot), 1)
    start = (np.cumsum(number.ravel()) - number.ravel()).reshape(shape).astype(np.int32)
    merchants = Merchants(
        merchant=merchant,
        account=vocabularies.account.block(total),
        bank=vocabularies.account.block(total),
        city=np.append(home, listed_city).astype(np.int32),
        category=np.append(category, adverts).astype(np.int32),
        mcc=np.array(mcc, np.int32),
        opens=opens.astype(np.int32),
        closes=closes.astype(np.int32),
        boarded_us=START_US - (rng.uniform(1, 7, total) * _YEAR_US).astype(np.int64),
        payout_minor=rng.integers(60_000, 180_000, total),
        outside_worker=vocabularies.account.block(total),
        order=np.lexsort((slot, category)).astype(np.int32),
        start=start,
        count=number,
    )
    return merchants, named


def _people(
    count: int,
    cities: int,
    setting: tuple[Merchants, int],
    vocabularies: Vocabularies,
    draws: tuple[np.random.Generator, Ints],
) -> People:
    merchants, days = setting
    rng, bins = draws
    circles = count // CLIQUE
    city = np.repeat(rng.integers(0, cities, circles), CLIQUE).astype(np.int32)
    # one circle is of one kind, so that no grown-up stranger pays a minor
    kind = np.repeat(rng.choice(3, circles, p=[0.84, 0.05, 0.11]), CLIQUE).astype(np.int32)
    income = np.exp(rng.normal(np.log(245_000), 0.28, count)).astype(np.int64).clip(130_000, 900_000)
    income = np.where(kind == STUDENT, income * 2 // 5, np.where(kind == MINOR, 0, income))
    saves = (rng.random(count) < 0.3) & (kind == EMPLOYEE)
    savings = np.full(count, -1, np.int32)
    savings[saves] = vocabularies.account.block(int(saves.sum()))
    loan = np.where((rng.random(count) < 0.12) & (kind == EMPLOYEE), income // rng.integers(6, 13, count), 0)
    spread = max(1, days - 12)
    nights = rng.integers(2, 8, (count, TRIPS))
    start = rng.integers(0, spread, (count, TRIPS))
    travels = (rng.random((count, TRIPS)) < min(0.8, days / 200)) & (kind == EMPLOYEE)[:, None]
    away = travels & (cities > 1)
    return People(
        account=vocabularies.account.block(count),
        savings=savings,
        city=city,
        kind=kind,
        device=vocabularies.device.block(count),
        card=vocabularies.card.block(count),
        bin=bins[rng.integers(0, bins.size, count)],
        ip=_ips(count, vocabularies),
        opened_us=START_US - (rng.uniform(0.8, 8, count) * _YEAR_US).astype(np.int64),
        employer=_employers(count, merchants, rng),
        income=income,
        pay_day=rng.integers(25, 29, count).astype(np.int32),
        landlord=np.full(count, -1, np.int32),
        rent=np.where(
            (rng.random(count) < 0.7) & (kind != MINOR), income * rng.integers(20, 34, count) // 100, 0
        ),
        loan=loan // 100 * 100,
        bill_day=rng.integers(2, 24, count).astype(np.int32),
        trip_start=np.where(away, start, -99).astype(np.int32),
        trip_nights=nights.astype(np.int32),
        trip_city=rng.integers(0, cities, (count, TRIPS)).astype(np.int32),
        parent=_parents(kind, rng),
    )


def _employers(count: int, merchants: Merchants, rng: np.random.Generator) -> Ints:
    """Spread people evenly over merchants: every one has staff, none has a crowd."""
    order = rng.permutation(merchants.order.size)
    return order[np.arange(count) % order.size].astype(np.int32)


def _parents(kind: Ints, rng: np.random.Generator) -> Ints:
    """Minors and students have a parent among the employed; the others have none."""
    grown = np.flatnonzero(kind == EMPLOYEE)
    if not grown.size:
        return np.full(kind.size, -1, np.int32)
    return np.where(kind == EMPLOYEE, -1, rng.choice(grown, kind.size)).astype(np.int32)


def _ips(count: int, vocabularies: Vocabularies) -> Ints:
    # private addresses (RFC 1918): they belong to nobody
    texts = [f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}" for i in range(256, 256 + count)]
    return np.array([vocabularies.ip.code(t) for t in texts], np.int32)


def _with_landlords(people: People, landlords: Ints, cities: int, rng: np.random.Generator) -> People:
    """Give tenants a landlord of their city; at most three or so share one."""
    tenants = np.flatnonzero(people.rent > 0)
    for city in range(cities):
        here = tenants[people.city[tenants] == city]
        owners = landlords[np.arange(landlords.size) % cities == city]
        people.landlord[rng.permutation(here)] = owners[np.arange(here.size) % owners.size]
    return people


def country_of(city: Ints) -> Ints:
    """Country codes of cities (codes of the country vocabulary follow `geo.COUNTRIES`)."""
    countries: Ints = CITY_COUNTRY[city]
    return countries
