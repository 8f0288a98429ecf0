"""The teller of scenarios: one story makes its parties and their events in local time.

Owns the small vocabulary in which scenario modules are written; amounts are minor units of EUR, days
count from the story's first day. Never decides what a pattern is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from txmon.simulate.cast import Firm, Person, Stage, holder_list, profile_map
from txmon.simulate.geo import CITIES, CITY_COUNTRY, HIGH_RISK, HOUR_US, city_in
from txmon.simulate.market import CATEGORIES, INDEX, LOCAL
from txmon.simulate.rows import TEXT

Hours = tuple[float, float]


def later(time: int, *, days: float = 0.0, hours: float = 0.0, minutes: float = 0.0) -> int:
    """A moment after another, UTC microseconds."""
    return time + int((days * 24 + hours + minutes / 60) * HOUR_US)


DAYTIME: Hours = (9.0, 20.5)
_WEB = ("ecom", "app", "web")


class Story:
    """Tells one scenario; `near` asks for a pattern just below the usual line."""

    def __init__(self, stage: Stage, rng: np.random.Generator, day: int, scenario: int, near: bool) -> None:
        self.stage = stage
        self.rng = rng
        self.day0 = day
        self.near = near
        self.city = int(rng.integers(0, stage.world.cities))
        self._scenario = scenario

    # draws
    def between(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.rng.random() * (high - low + 1))

    def count(self, planted: tuple[int, int], below: tuple[int, int]) -> int:
        """How often: from `planted`, or from `below` in a near-miss."""
        return self.between(*(below if self.near else planted))

    def euros(self, low: float, high: float, step: float = 0.01) -> int:
        """An amount in minor units between two euro amounts, a multiple of `step` euros."""
        cents = round(step * 100)
        return self.between(-(-round(low * 100) // cents), round(high * 100) // cents) * cents

    def chance(self, share: float) -> bool:
        """True in a share of cases."""
        return bool(self.rng.random() < share)

    def days(self, count: int, first: int, last: int) -> list[int]:
        """`count` different days (as far as there are so many), sorted."""
        span = np.arange(first, last + 1)
        return sorted(int(d) for d in self.rng.choice(span, min(count, span.size), replace=False))

    def at(self, day: int, hours: Hours = DAYTIME, city: int | None = None) -> int:
        """A moment (UTC microseconds) between two local hours of a day of the story."""
        midnight = self.stage.calendar.midnight_us(self.day0 + day, self.city if city is None else city)
        low, high = hours
        return midnight + int((low + (high - low) * self.rng.random()) * HOUR_US)

    def month_days(self, date: int, last: int) -> list[int]:
        """Days of the story, up to `last`, that are the given day of a month."""
        dates = self.stage.calendar.day_of_month
        return [d for d in range(last + 1) if self.day0 + d < len(dates) - 1 and dates[self.day0 + d] == date]

    # parties
    def other_cities(self, count: int) -> list[int]:
        """Cities other than the story's own; real ones beyond the simulated world where it is small."""
        cities = [i for i in range(24) if i != self.city]
        return [int(c) for c in self.rng.choice(cities, count, replace=False)]

    def abroad(self) -> int:
        """A city in another country, not on the high-risk list."""
        away = [
            i
            for i, c in enumerate(CITIES)
            if c.country not in HIGH_RISK and CITY_COUNTRY[i] != CITY_COUNTRY[self.city]
        ]
        return int(self.rng.choice(away))

    def high_risk(self) -> int:
        """A city in one of the invented high-risk jurisdictions."""
        return city_in(str(self.rng.choice(HIGH_RISK)))

    def outsider(self, city: int | None = None) -> Person:
        """An account at another institution: no profile is known."""
        words = self.stage.vocabularies
        means = self.stage.means(self.city if city is None else city, self.rng)
        return Person(account=words.account.new(), party=self.stage.party(), **means)

    def person(
        self,
        activity: str = "employee",
        *,
        city: int | None = None,
        kind: str = "personal",
        age: int | None = None,
        holders: Sequence[tuple[str, str]] = (),
        **flags: str,
    ) -> Person:
        """A new account with its opening event, `age` days before the story (default: years)."""
        someone = self.outsider(city)
        opened = self.at(-(self.between(400, 2600) + self.day0 if age is None else age), (8, 9), someone.city)
        values = {"type": kind, "activity": activity, **flags}
        self.add(
            opened,
            "account.opened",
            account=someone.account,
            tz=self.word(CITIES[someone.city].tz),
            extra=profile_map(self.stage, someone.city, values),
            holders=holder_list(self.stage, someone.party, holders),
            label=0,
        )
        return someone

    def firm(
        self,
        mcc: str,
        *,
        city: int | None = None,
        hours: tuple[int, int] = (0, 24),
        age: int | None = None,
        activity: str = "merchant",
        licence: str | None = None,
    ) -> Firm:
        """A new merchant with its settlement account, boarded `age` days before the story."""
        age = self.between(400, 2600) + self.day0 if age is None else age
        account = self.person(activity, city=city, kind="business", age=age)
        firm = Firm(self.stage.vocabularies.merchant.new(), account.account, account.city, self.word(mcc))
        values = {"opens_hour": str(hours[0]), "closes_hour": str(hours[1])}
        values |= {} if licence is None else {"licence": licence}
        values["settlement_account"] = self.name_of("account", firm.account)
        self.profile_change(firm, self.at(-age, (9, 10), firm.city), "merchant.onboarded", values)
        return firm

    def profile_change(
        self, firm: Firm, time: int, kind: str, values: Mapping[str, str], label: int = 0, **words: str
    ) -> None:
        """A merchant's profile event."""
        self.add(
            time,
            kind,
            merchant=firm.merchant,
            merchant_country=firm.country,
            mcc=firm.mcc,
            city=firm.city,
            tz=self.word(CITIES[firm.city].tz),
            extra=self.stage.extras.attributes(values) if values else -1,
            label=label,
            **self._words(words),
        )

    def shop(self, key: str, city: int | None = None) -> Firm:
        """An ordinary merchant, see `market.CATEGORIES`; made on demand where nobody ordinary lives."""
        place = self.city if city is None else city
        if place < self.stage.world.cities or not LOCAL[INDEX[key]]:
            return self.stage.shop(key, place, self.rng)
        known = self.stage.away.get((key, place))
        if known is None:
            category = CATEGORIES[INDEX[key]]
            known = self.firm(category.mcc, city=place, hours=(category.opens, category.closes))
            self.stage.away[key, place] = known
        return known

    def listed(self, name: str) -> Firm:
        """A merchant of fixed name, see `market.LISTED`."""
        return self.stage.listed(name)

    def name_of(self, domain: str, code: int) -> str:
        """Spell an account, merchant or card."""
        return self.stage.vocabularies.of(domain).name(code)

    # events
    def word(self, text: str) -> int:
        """Code of a word."""
        return self.stage.vocabularies.word.code(text)

    def _words(self, words: Mapping[str, str]) -> dict[str, int]:
        return {name: self.stage.vocabularies.of(TEXT[name]).code(text) for name, text in words.items()}

    def add(self, time: int, kind: str, *, label: int = 1, **columns: int) -> int:
        """Append an event of raw codes and return its number."""
        number = self.stage.number()
        event = {
            "time": time,
            "number": number,
            "kind": self.word(kind),
            "source": self.word("sim"),
            **columns,
        }
        self.stage.events.append(event)
        if label:
            self.stage.labels.append((number, self._scenario))
        return number

    def _ends(self, payer: Person | Firm | None, payee: Person | Firm | None) -> dict[str, int]:
        ends: dict[str, int] = {}
        for name, end in (("payer", payer), ("payee", payee)):
            if end is not None:
                ends |= {name: end.account, f"{name}_country": end.country}
        return ends

    def _money(self, amount: int, attributes: Mapping[str, str] | None) -> dict[str, int]:
        extra = self.stage.extras.attributes(attributes) if attributes else -1
        return {"amount": amount, "currency": self.word("EUR"), "extra": extra}

    @staticmethod
    def _shop_columns(firm: Firm) -> dict[str, int]:
        return {
            "merchant": firm.merchant,
            "merchant_country": firm.country,
            "mcc": firm.mcc,
            "city": firm.city,
        }

    @staticmethod
    def _device(person: Person) -> dict[str, int]:
        return {"device": person.device, "ip": person.ip, "ip_country": person.country}

    @staticmethod
    def _card(person: Person) -> dict[str, int]:
        return {"card": person.card, "card_bin": person.bin, "card_country": person.country}

    def pay(
        self,
        ends: tuple[Person, Firm],
        time: int,
        amount: int,
        *,
        attributes: Mapping[str, str] | None = None,
        related: int = -1,
        label: int = 1,
        **words: str,
    ) -> int:
        """A card payment (or, by `kind`, an authorisation, capture, ...) of a person at a merchant."""
        person, firm = ends
        words = {"kind": "payment", "channel": "pos", "rail": "card", "status": "approved", **words}
        columns = self._ends(person, firm) | self._money(amount, attributes) | self._shop_columns(firm)
        columns |= self._card(person) if words["rail"] == "card" else {}
        columns |= self._device(person) if words["channel"] in _WEB else {}
        return self.add(
            time, words.pop("kind"), related=related, label=label, **(columns | self._words(words))
        )

    def give_back(
        self,
        ends: tuple[Firm, Person],
        time: int,
        amount: int,
        *,
        related: int = -1,
        attributes: Mapping[str, str] | None = None,
        **words: str,
    ) -> int:
        """A refund, chargeback or reversal: merchant to person."""
        firm, person = ends
        words = {"kind": "refund", "channel": "ecom", "rail": "card", "status": "approved", **words}
        columns = self._ends(firm, person) | self._money(amount, attributes) | self._shop_columns(firm)
        return self.add(
            time, words.pop("kind"), related=related, **(columns | self._card(person) | self._words(words))
        )

    def send(
        self,
        ends: tuple[Person | Firm, Person | Firm],
        time: int,
        amount: int,
        *,
        attributes: Mapping[str, str] | None = None,
        label: int = 1,
        **words: str,
    ) -> int:
        """Account to account; app transfers show the payer's device."""
        words = {"kind": "transfer", "rail": "p2p", "status": "settled", **words}
        columns = self._ends(*ends) | self._money(amount, attributes)
        if words["rail"] in ("p2p", "mobile_money", "crypto") or words.get("channel") in _WEB:
            words = {"channel": "app", **words}
        if words.get("channel") in _WEB and isinstance(ends[0], Person):
            columns |= self._device(ends[0])
        return self.add(time, words.pop("kind"), label=label, **(columns | self._words(words)))

    def cash(
        self, person: Person, time: int, amount: int, *, out: bool, city: int | None = None, **words: str
    ) -> int:
        """Cash drawn from a machine, or paid in at a branch."""
        place = person.city if city is None else city
        given = {"channel": "atm", "mcc": "6011"} if out else {"channel": "branch"}
        columns = self._ends(person if out else None, None if out else person) | self._money(amount, None)
        columns |= self._card(person) if out else {}
        columns |= {"city": place, "place": place}
        texts = self._words({"rail": "cash", "status": "approved", **given, **words})
        return self.add(time, "cash_out" if out else "cash_in", **(columns | texts))

    def load(self, funder: Person, wallet: Person, time: int, amount: int) -> int:
        """Money loaded onto a prepaid card."""
        columns = self._ends(funder, wallet) | self._money(amount, None) | self._card(wallet) | {"prepaid": 1}
        words = {"rail": "prepaid", "channel": "web", "status": "approved"}
        return self.add(time, "load", **(columns | self._device(funder) | self._words(words)))

    def device_seen(self, person: Person, time: int) -> int:
        """A device logs in to an account."""
        return self.add(time, "device.seen", account=person.account, **self._device(person))
