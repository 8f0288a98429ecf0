"""What happens on fixed days of the month: wages, rents, bills, savings, support, pay-outs.

Owns the household calendar of the standing population; never makes everyday purchases.
"""

from __future__ import annotations

import numpy as np

from txmon.simulate import market
from txmon.simulate.emit import Emitter, Longs
from txmon.simulate.geo import HOUR_US, Calendar
from txmon.simulate.rows import Column, Rows
from txmon.simulate.world import MINOR, STUDENT

_BILLS = (("utility", 78), ("telecom", 31), ("insurance", 46), ("streaming", 12))
_GOLDEN = 0.6180339887


class Household:
    """Makes the dated payments of one day."""

    def __init__(self, emitter: Emitter, calendar: Calendar, employee_maps: Column) -> None:
        self._emit = emitter
        self._calendar = calendar
        self._employee = employee_maps
        world = emitter.world
        self._who = np.arange(world.people.account.size, dtype=np.int32)
        self._taste = (
            self._who.astype(np.float64) * _GOLDEN
        ) % 1.0  # a stable draw a person: the same utility every month
        staffed = np.zeros(world.merchants.merchant.size, bool)
        staffed[world.people.employer[world.people.income > 0]] = True
        self._staffless = np.flatnonzero(~staffed).astype(np.int32)

    def day(self, day: int, rng: np.random.Generator) -> list[Rows]:
        """All dated payments of one day, in no order."""
        date = self._calendar.day_of_month[day]
        rows = [self._wages(day, date, rng), self._rents(day, date, rng), *self._bills(day, date, rng)]
        rows += [self._loans(day, date, rng), self._savings(day, date, rng), *self._support(day, date, rng)]
        rows.append(self._devices(day, date, rng))
        if date == 27:
            rows.append(self._outside_wages(day, rng))
        if date == 5:
            rows.append(self._payouts(day, rng))
        return rows

    def _at(self, day: int, cities: Column, hours: tuple[float, float], rng: np.random.Generator) -> Longs:
        drawn = rng.uniform(hours[0], hours[1], cities.size) * HOUR_US
        return self._calendar.midnights_us(day, cities) + drawn.astype(np.int64)

    def _wages(self, day: int, date: int, rng: np.random.Generator) -> Rows:
        people, shops = self._emit.world.people, self._emit.world.merchants
        who = self._who[(people.pay_day == date) & (people.income > 0)]
        boss = people.employer[who]
        rows = self._emit.transfer(
            (shops.account[boss], people.account[who]),
            (shops.city[boss], people.city[who]),
            self._at(day, people.city[who], (4, 9), rng),
            people.income[who],
            purpose="SALA",
        )
        return rows | {"extra": self._employee[who]}

    def _outside_wages(self, day: int, rng: np.random.Generator) -> Rows:
        shops = self._emit.world.merchants
        boss = self._staffless
        return self._emit.transfer(
            (shops.account[boss], shops.outside_worker[boss]),
            (shops.city[boss], shops.city[boss]),
            self._at(day, shops.city[boss], (6, 11), rng),
            180_000 + (boss.astype(np.int64) * 977) % 60_000,
            purpose="SALA",
        )

    def _rents(self, day: int, date: int, rng: np.random.Generator) -> Rows:
        people = self._emit.world.people
        who = self._who[(self._who % 3 + 1 == date) & (people.landlord >= 0)]
        return self._emit.transfer(
            (people.account[who], people.landlord[who]),
            (people.city[who], people.city[who]),
            self._at(day, people.city[who], (6, 12), rng),
            people.rent[who] // 500 * 500,
            purpose="RENT",
        )

    def _bills(self, day: int, date: int, rng: np.random.Generator) -> list[Rows]:
        people = self._emit.world.people
        rows = []
        for index, (key, euros) in enumerate(_BILLS):
            due = (people.bill_day + 6 * index) % 28 + 1 == date
            who = self._who[due & (people.kind != MINOR) & ((key != "streaming") | (self._taste < 0.6))]
            usual = euros * (60 + 80 * self._taste[who])
            amount = (usual * rng.uniform(0.95, 1.05, who.size)).astype(np.int64)
            rows.append(self._bill(who, key, self._at(day, people.city[who], (3, 9), rng), amount))
        return rows

    def _bill(self, who: Column, key: str, time: Longs, amount: Longs, **fixed: str) -> Rows:
        category = np.full(who.size, market.INDEX[key], np.int32)
        city = self._emit.world.people.city[who]
        merchant = self._emit.world.merchants.pick(category, city, self._taste[who])
        return self._emit.purchase(who, merchant, time, amount, channel="recurring", rail="sepa", **fixed)

    def _loans(self, day: int, date: int, rng: np.random.Generator) -> Rows:
        people = self._emit.world.people
        who = self._who[(people.bill_day == date) & (people.loan > 0)]
        time = self._at(day, people.city[who], (3, 9), rng)
        return self._bill(who, "lender", time, people.loan[who], purpose="LOAN")

    def _savings(self, day: int, date: int, rng: np.random.Generator) -> Rows:
        people = self._emit.world.people
        who = self._who[(people.savings >= 0) & (people.pay_day % 28 + 1 == date)]
        return self._emit.transfer(
            (people.account[who], people.savings[who]),
            (people.city[who], people.city[who]),
            self._at(day, people.city[who], (7, 20), rng),
            people.income[who] // 1000 * 100,
            channel="app",
        )

    def _support(self, day: int, date: int, rng: np.random.Generator) -> list[Rows]:
        people = self._emit.world.people
        rows = []
        for kind, low, high, when in ((MINOR, 20, 50, 2), (STUDENT, 180, 420, 12)):
            who = self._who[(people.kind == kind) & (people.parent >= 0)] if date == when else self._who[:0]
            parent = people.parent[who]
            ends = (people.account[parent], people.account[who])
            cities = (people.city[parent], people.city[who])
            amount = (low + ((high - low) * self._taste[who]).astype(np.int64)) * 100
            time = self._at(day, people.city[parent], (8, 20), rng)
            rows.append(self._emit.transfer(ends, cities, time, amount, purpose="SUPP", channel="app"))
        return rows

    def _devices(self, day: int, date: int, rng: np.random.Generator) -> Rows:
        people = self._emit.world.people
        who = self._who[self._who % 28 + 1 == date]
        return self._emit.device_seen(who, self._at(day, people.city[who], (8, 21), rng))

    def _payouts(self, day: int, rng: np.random.Generator) -> Rows:
        shops = self._emit.world.merchants
        which = np.arange(shops.merchant.size, dtype=np.int32)
        rows = self._emit.transfer(
            (shops.account, shops.bank),
            (shops.city, shops.city),
            self._at(day, shops.city, (1, 5), rng),
            (shops.payout_minor * rng.uniform(0.8, 1.2, which.size)).astype(np.int64),
            kind="payout",
        )
        return rows | {
            "merchant": shops.merchant,
            "merchant_country": rows["payer_country"],
            "mcc": shops.mcc,
        }
