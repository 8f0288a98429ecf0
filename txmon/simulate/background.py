"""The everyday stream of the standing population, day by day.

Owns purchases, authorisations with captures, declines, refunds, chargebacks, voids, cash and payments
among friends, and keeps what happens on later days until its day comes. Knows nothing of scenarios.
"""

from __future__ import annotations

import numpy as np

from txmon.simulate import market
from txmon.simulate.emit import Emitter, Longs
from txmon.simulate.geo import DAY_US, HOUR_US, START_US, Calendar
from txmon.simulate.regular import Household
from txmon.simulate.rows import Column, Rows, concat, size, take
from txmon.simulate.world import CLIQUE, MINOR, TRIPS

P2P_SHARE, CASH_SHARE = 0.05, 0.04
DECLINED, REFUNDED, DISPUTED, VOIDED, UPDATED = 0.012, 0.012, 0.0008, 0.002, 0.0008
_MEMOS = ("dinner", "thanks", "tickets", "groceries", "birthday", "train", "concert", "lunch")
_WEIGHTS = np.cumsum(market.MONTHLY / market.MONTHLY.sum())
_CHANNELS = tuple(dict.fromkeys(c.channel for c in market.CATEGORIES if c.monthly))
_CHANNEL = np.array([c.channel for c in market.CATEGORIES])
_ONLINE = market.INDEX["online"]
Hour = Column | float


class Background:
    """Makes the ordinary events of each day."""

    def __init__(self, emitter: Emitter, calendar: Calendar, household: Household, seed: int) -> None:
        self._emit = emitter
        self._calendar = calendar
        self._household = household
        self._seed = seed
        self._later: dict[int, list[Rows]] = {}
        self._memos = emitter.words(*_MEMOS)

    def dated(self, day: int) -> Rows:
        """Payments whose day was fixed before: household calendar, trips, and follow-ups of earlier days."""
        rng = np.random.default_rng([self._seed, 11, day])
        rows = [*self._household.day(day, rng), *self._trips(day, rng), self._updates(day, rng)]
        return concat([*rows, *self._later.pop(day, [])])

    def everyday(self, day: int, count: int) -> Rows:
        """`count` events of ordinary spending on one day, then the follow-ups of the same day.

        Follow-ups of later days are kept until then.
        """
        rng = np.random.default_rng([self._seed, 12, day])
        friends = self._friends(day, int(rng.binomial(count, P2P_SHARE)), rng)
        cash = self._cash(day, int(rng.binomial(count - size(friends), CASH_SHARE)), rng)
        shopping = self._shopping(day, count - size(friends) - size(cash), rng)
        return concat([friends, cash, *shopping, *self._later.pop(day, [])])

    def _keep(self, rows: Rows) -> None:
        """File events under the day on which they happen; what lies beyond the span never happens."""
        day = (rows["time"] - START_US) // DAY_US
        for number in np.unique(day):
            if number < self._calendar.days:
                self._later.setdefault(int(number), []).append(take(rows, day == number))

    def _where(self, day: int, person: Column) -> Column:
        """City in which a person is today."""
        people = self._emit.world.people
        city = people.city[person]
        for trip in range(TRIPS):
            first = people.trip_start[person, trip]
            away = (first <= day) & (day < first + people.trip_nights[person, trip])
            city = np.where(away, people.trip_city[person, trip], city)
        return city

    def _at(self, day: int, cities: Column, hours: tuple[Hour, Hour], rng: np.random.Generator) -> Longs:
        opens, closes = hours
        hour = opens + (closes - opens) * rng.random(cities.size)
        return self._calendar.midnights_us(day, cities) + (hour * HOUR_US).astype(np.int64)

    def _shopping(self, day: int, count: int, rng: np.random.Generator) -> list[Rows]:
        world = self._emit.world
        person = rng.integers(0, world.people.account.size, count, dtype=np.int32)
        category = np.searchsorted(_WEIGHTS, rng.random(count), side="right").astype(np.int32)
        category[(world.people.kind[person] == MINOR) & market.ADULTS[category]] = market.INDEX["games"]
        merchant = world.merchants.pick(category, self._where(day, person), rng.random(count))
        drawn = np.exp(market.MEDIAN_LOG[category] + market.SPREAD[category] * rng.standard_normal(count))
        amount = np.clip(drawn, 60, market.CAP[category]).astype(np.int64)
        # inside the declared hours, with a margin on both sides
        opens = np.maximum(world.merchants.opens[merchant], 7) + 0.1
        closes = np.minimum(world.merchants.closes[merchant], 22.5) - 0.3
        time = self._at(day, world.merchants.city[merchant], (opens, closes), rng)
        declined = rng.random(count) < DECLINED
        blocks = []
        for channel in _CHANNELS:
            mask = _CHANNEL[category] == channel
            rows = self._emit.purchase(
                person[mask], merchant[mask], time[mask], amount[mask], channel=channel
            )
            kind, approved, no = self._emit.words("authorization", "approved", "declined")
            refused, held = declined[mask], market.HELD[category[mask]]
            rows["kind"] = np.where(refused | held, kind, rows["kind"])
            rows["status"] = np.where(refused, no, approved).astype(np.int32)
            self._follow_up(rows, category[mask], held & ~refused, ~refused, rng)
            blocks.append(rows)
        return blocks

    def _follow_up(
        self, rows: Rows, category: Column, held: Column, good: Column, rng: np.random.Generator
    ) -> None:
        """Captures of what is held, and the few refunds, disputes and voids of what was bought."""
        online = held & (category == _ONLINE)
        taken = take(rows, held)
        days = np.where(category[held] == market.INDEX["fuel"], 0, rng.integers(1, 3, size(taken)))
        captures = self._emit.follow(
            taken, days * DAY_US + rng.integers(5, 50, size(taken)) * 60_000_000, kind="capture"
        )
        self._keep(captures)
        for share, first, last, kind in ((REFUNDED, 5, 14, "refund"), (DISPUTED, 15, 45, "chargeback")):
            sold = take(
                captures, online[held] & (rng.random(size(captures)) < share) & (captures["amount"] < 9000)
            )
            self._keep(
                self._emit.follow(sold, rng.integers(first, last, size(sold)) * DAY_US, back=True, kind=kind)
            )
        voidable = good & ~held & (rows["channel"] == self._emit.words("pos")) & (rows["amount"] < 6000)
        sold = take(rows, voidable & (rng.random(size(rows)) < VOIDED))
        delay = rng.integers(2, 15, size(sold)) * 60_000_000
        self._keep(self._emit.follow(sold, delay, back=True, kind="reversal"))

    def _trips(self, day: int, rng: np.random.Generator) -> list[Rows]:
        """Flights booked three weeks ahead; hotels held at arrival and taken at departure."""
        people = self._emit.world.people
        rows = []
        for trip in range(TRIPS):
            booking = np.flatnonzero(people.trip_start[:, trip] == day + 21).astype(np.int32)
            rows.append(self._booking(day, booking, rng))
            arriving = np.flatnonzero(people.trip_start[:, trip] == day).astype(np.int32)
            rows.append(
                self._stay(
                    day, arriving, people.trip_city[arriving, trip], people.trip_nights[arriving, trip], rng
                )
            )
        return rows

    def _booking(self, day: int, person: Column, rng: np.random.Generator) -> Rows:
        city = self._emit.world.people.city[person]
        airline = np.full(person.size, market.INDEX["airline"], np.int32)
        merchant = self._emit.world.merchants.pick(airline, city, rng.random(person.size))
        amount = np.exp(rng.normal(9.6, 0.4, person.size)).clip(4000, 60000).astype(np.int64)
        return self._emit.purchase(
            person, merchant, self._at(day, city, (9, 21), rng), amount, channel="ecom"
        )

    def _stay(self, day: int, person: Column, city: Column, nights: Column, rng: np.random.Generator) -> Rows:
        lodging = np.full(person.size, market.INDEX["lodging"], np.int32)
        merchant = self._emit.world.merchants.pick(lodging, city, rng.random(person.size))
        amount = (rng.uniform(6000, 14000, person.size) * nights).astype(np.int64)
        time = self._at(day, city, (14, 20), rng)
        rows = self._emit.purchase(person, merchant, time, amount, channel="pos", kind="authorization")
        self._keep(self._emit.follow(rows, nights.astype(np.int64) * DAY_US - 5 * HOUR_US, kind="capture"))
        return rows

    def _updates(self, day: int, rng: np.random.Generator) -> Rows:
        which = np.flatnonzero(rng.random(self._emit.world.merchants.merchant.size) < UPDATED).astype(
            np.int32
        )
        return self._emit.merchant_updated(
            which, START_US + day * DAY_US + rng.integers(0, DAY_US, which.size)
        )

    def _friends(self, day: int, count: int, rng: np.random.Generator) -> Rows:
        people = self._emit.world.people
        person = rng.integers(0, people.account.size, count, dtype=np.int32)
        friend = person // CLIQUE * CLIQUE + (person % CLIQUE + rng.integers(1, CLIQUE, count)) % CLIQUE
        euros = np.exp(rng.normal(2.8, 0.7, count)).clip(3, 65)
        amount = np.where(rng.random(count) < 0.4, np.ceil(euros / 5) * 500, euros * 100).astype(np.int64)
        # among pupils shares of a snack, never rounded sums
        amount = np.where(people.kind[person] == MINOR, amount // 100 * 50 + 37, amount)
        time = self._at(day, people.city[person], (8, 21.8), rng)
        ends, cities = (
            (people.account[person], people.account[friend]),
            (people.city[person], people.city[friend]),
        )
        rows = self._emit.transfer(ends, cities, time, amount, rail="p2p", channel="app")
        rows["memo"] = self._memos[rng.integers(0, self._memos.size, count)]
        return self._emit.with_device(rows, person)

    def _cash(self, day: int, count: int, rng: np.random.Generator) -> Rows:
        person = rng.integers(0, self._emit.world.people.account.size, count, dtype=np.int32)
        city = self._where(day, person)
        amount = rng.choice(np.array([2000, 3000, 5000, 10000, 15000], np.int64), count)
        return self._emit.cash(person, city, self._at(day, city, (8, 21.5), rng), amount)
