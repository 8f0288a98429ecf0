"""Builders of background events: blocks of purchases, transfers, cash and profile marks.

Owns event numbers of the whole simulation and the columns that each kind of event carries; never decides
who pays whom.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from txmon.simulate.rows import Column, Rows
from txmon.simulate.vocab import Vocabularies
from txmon.simulate.world import World, country_of

Longs = npt.NDArray[np.int64]


_KEPT: tuple[str, ...] = (
    "amount",
    "currency",
    "merchant",
    "merchant_country",
    "mcc",
    "city",
    "rail",
    "channel",
    "card",
    "card_bin",
    "card_country",
)


class Counter:
    """Hands out event numbers, each once."""

    def __init__(self, first: int = 0) -> None:
        self.next = first

    def take(self, count: int) -> Longs:
        """Return `count` fresh numbers."""
        first = self.next
        self.next += count
        return np.arange(first, self.next, dtype=np.int64)


class Emitter:
    """Makes blocks of rows about the standing population."""

    def __init__(self, world: World, vocabularies: Vocabularies, counter: Counter) -> None:
        self.world = world
        self._word = vocabularies.word.code
        self._counter = counter

    def words(self, *texts: str) -> npt.NDArray[np.int32]:
        """Codes of words."""
        return np.array([self._word(t) for t in texts], np.int32)

    def _block(self, time: Longs, **fixed: str) -> Rows:
        rows: Rows = {"time": time, "number": self._counter.take(time.size)}
        for name, text in {"source": "sim", **fixed}.items():
            rows[name] = np.full(time.size, self._word(text), np.int32)
        return rows

    def purchase(self, person: Column, merchant: Column, time: Longs, amount: Longs, **fixed: str) -> Rows:
        """Card payments of people at merchants; `fixed` holds kind, channel, status, rail and the like."""
        people, shops = self.world.people, self.world.merchants
        rows = self._block(
            time, **{"kind": "payment", "status": "approved", "rail": "card", **fixed}, currency="EUR"
        )
        rows |= {
            "amount": amount,
            "payer": people.account[person],
            "payer_country": country_of(people.city[person]),
            "payee": shops.account[merchant],
            "payee_country": country_of(shops.city[merchant]),
            "merchant": shops.merchant[merchant],
            "merchant_country": country_of(shops.city[merchant]),
            "mcc": shops.mcc[merchant],
            "city": shops.city[merchant],
        }
        if fixed.get("rail", "card") == "card":
            rows |= {
                "card": people.card[person],
                "card_bin": people.bin[person],
                "card_country": country_of(people.city[person]),
            }
        if fixed.get("channel") in ("ecom", "app"):
            rows |= {
                "device": people.device[person],
                "ip": people.ip[person],
                "ip_country": country_of(people.city[person]),
            }
        return rows

    def follow(self, of: Rows, delay_us: Longs, *, back: bool = False, **fixed: str) -> Rows:
        """Events that refer to `of` (captures; refunds and chargebacks go `back` to the payer)."""
        rows = self._block(of["time"] + delay_us, status="approved", **fixed)
        rows |= {name: of[name] for name in _KEPT if name in of}
        ends = ("payee", "payer") if back else ("payer", "payee")
        for name, origin in zip(("payer", "payee"), ends, strict=True):
            rows[name] = of[origin]
            rows[f"{name}_country"] = of[f"{origin}_country"]
        rows["related"] = of["number"]
        return rows

    def transfer(
        self,
        ends: tuple[Column, Column],
        cities: tuple[Column, Column],
        time: Longs,
        amount: Longs,
        **fixed: str,
    ) -> Rows:
        """Account to account: `ends` and `cities` of payer and payee."""
        given = {"kind": "transfer", "status": "settled", "rail": "sepa", **fixed}
        rows = self._block(time, **given, currency="EUR")
        return rows | {
            "amount": amount,
            "payer": ends[0],
            "payer_country": country_of(cities[0]),
            "payee": ends[1],
            "payee_country": country_of(cities[1]),
        }

    def with_device(self, rows: Rows, person: Column) -> Rows:
        """Say that the person's own device gave the order."""
        people = self.world.people
        return rows | {
            "device": people.device[person],
            "ip": people.ip[person],
            "ip_country": country_of(people.city[person]),
        }

    def cash(self, person: Column, city: Column, time: Longs, amount: Longs) -> Rows:
        """Cash out of a machine."""
        people = self.world.people
        rows = self._block(
            time, kind="cash_out", status="approved", rail="cash", channel="atm", mcc="6011", currency="EUR"
        )
        return rows | {
            "amount": amount,
            "payer": people.account[person],
            "payer_country": country_of(people.city[person]),
            "card": people.card[person],
            "card_bin": people.bin[person],
            "card_country": country_of(people.city[person]),
            "city": city,
            "place": city,
        }

    def device_seen(self, person: Column, time: Longs) -> Rows:
        """A person's device shows up."""
        people = self.world.people
        rows = self._block(time, kind="device.seen") | {"account": people.account[person]}
        return self.with_device(rows, person)

    def merchant_updated(self, merchant: Column, time: Longs) -> Rows:
        """A merchant changes its statement text."""
        shops = self.world.merchants
        rows = self._block(time, kind="merchant.updated", descriptor="SHOP AND SERVICE")
        return rows | {
            "merchant": shops.merchant[merchant],
            "merchant_country": country_of(shops.city[merchant]),
        }

    def ticks(self, time: Longs) -> Rows:
        """Marks of time, carrying no party."""
        return self._block(time, kind="tick", source="clock")
