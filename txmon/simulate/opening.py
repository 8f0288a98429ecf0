"""Profile events of the standing population: accounts opened and merchants boarded, years ago.

Owns what the profiles of ordinary accounts and merchants say; scenario parties bring their own.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from txmon.simulate.emit import Counter
from txmon.simulate.geo import CITIES, CITY_ZONE, START_US, ZONES
from txmon.simulate.rows import Column, Extras, Rows, concat
from txmon.simulate.vocab import Vocabularies, numbered
from txmon.simulate.world import EMPLOYEE, MINOR, STUDENT, World, country_of

_DAY_US = 86_400_000_000
_ACTIVITY = {EMPLOYEE: "employee", MINOR: "pupil", STUDENT: "student"}


def party_names(count: int, prefix: str = "per_") -> list[str]:
    """Return ids of `count` parties, by index."""
    names: list[str] = numbered(prefix, 1, count).to_pylist()
    return names


class Opening:
    """Makes the opening events of a world."""

    def __init__(self, world: World, vocabularies: Vocabularies, extras: Extras, counter: Counter) -> None:
        self._world = world
        self._word = vocabularies.word.code
        self._extras = extras
        self._counter = counter
        self._account_names = vocabularies.account.names()
        self.parties = party_names(world.people.account.size)
        self._zones = np.array([self._word(z) for z in ZONES], np.int32)

    def employee_maps(self) -> Column:
        """Attribute map {employee: party} of every person, as indexes into the extras."""
        return np.array([self._extras.unique({"employee": p}) for p in self.parties], np.int32)

    def rows(self) -> Rows:
        """All opening events, in no order."""
        return concat([self._people(), self._savings(), self._landlords(), *self._merchants(), self._vasps()])

    def _accounts(
        self, account: Column, city: Column, opened: Column, extra: Column, holders: Column
    ) -> Rows:
        size = account.size
        return {
            "time": opened,
            "number": self._counter.take(size),
            "source": np.full(size, self._word("sim"), np.int32),
            "kind": np.full(size, self._word("account.opened"), np.int32),
            "tz": self._zones[CITY_ZONE[city]],
            "account": account,
            "extra": extra,
            "holders": holders,
        }

    def profile(self, city: int, kind: str, activity: str, **flags: str) -> int:
        """Attribute map of an account's profile."""
        place = CITIES[city]
        values = {"home_country": place.country, "home_city": place.name, "type": kind, "activity": activity}
        return self._extras.attributes({**values, **flags})

    def _people(self) -> Rows:
        people, names = self._world.people, self.parties
        extra, holders = [], []
        for index in range(people.account.size):
            kind = int(people.kind[index])
            flags = {"minor": "true"} if kind == MINOR else {"young": "true"} if kind == STUDENT else {}
            extra.append(self.profile(int(people.city[index]), "personal", _ACTIVITY[kind], **flags))
            who = [(names[index], "owner")]
            if kind == MINOR and people.parent[index] >= 0:
                who.append((names[people.parent[index]], "attorney"))
            elif kind == EMPLOYEE and index % 11 == 0:
                who.append((f"{names[index]}_b", "joint"))
            holders.append(self._extras.holders(who))
        return self._accounts(
            people.account,
            people.city,
            people.opened_us,
            np.array(extra, np.int32),
            np.array(holders, np.int32),
        )

    def _savings(self) -> Rows:
        people = self._world.people
        who = np.flatnonzero(people.savings >= 0)
        extra = [self.profile(int(people.city[i]), "personal", _ACTIVITY[int(people.kind[i])]) for i in who]
        holders = [self._extras.holders([(self.parties[i], "owner")]) for i in who]
        opened = people.opened_us[who] + 30 * _DAY_US
        return self._accounts(
            people.savings[who],
            people.city[who],
            opened,
            np.array(extra, np.int32),
            np.array(holders, np.int32),
        )

    def _firms(
        self, account: Column, city: Column, prefix: str, activity: str, kind: str = "business"
    ) -> Rows:
        owners = party_names(account.size, prefix)
        extra = [self.profile(int(c), kind, activity) for c in city]
        holders = [self._extras.holders([(o, "owner")]) for o in owners]
        opened = START_US - (400 + np.arange(account.size, dtype=np.int64) % 1500) * _DAY_US
        return self._accounts(account, city, opened, np.array(extra, np.int32), np.array(holders, np.int32))

    def _landlords(self) -> Rows:
        return self._firms(self._world.landlords, self._world.landlord_city, "own_", "landlord")

    def _vasps(self) -> Rows:
        city = np.zeros(self._world.vasps.size, np.int32)
        return self._firms(self._world.vasps, city, "vas_", "crypto_exchange", "platform")

    def _merchants(self) -> list[Rows]:
        shops = self._world.merchants
        size = shops.merchant.size
        settlement = self._account_names.take(pa.array(shops.account)).to_pylist()
        extra = [
            self._extras.unique(
                {"opens_hour": str(opens), "closes_hour": str(closes), "settlement_account": account}
            )
            for opens, closes, account in zip(
                shops.opens.tolist(), shops.closes.tolist(), settlement, strict=True
            )
        ]
        boarded: Rows = {
            "time": shops.boarded_us,
            "number": self._counter.take(size),
            "source": np.full(size, self._word("sim"), np.int32),
            "kind": np.full(size, self._word("merchant.onboarded"), np.int32),
            "tz": self._zones[CITY_ZONE[shops.city]],
            "merchant": shops.merchant,
            "merchant_country": country_of(shops.city),
            "mcc": shops.mcc,
            "city": shops.city,
            "extra": np.array(extra, np.int32),
        }
        # settlement and bank account of one merchant have the same owner: pay-outs are own transfers
        accounts = [self._firms(a, shops.city, "mow_", "merchant") for a in (shops.account, shops.bank)]
        return [*accounts, boarded]
