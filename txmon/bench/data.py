"""Payments of the measured kind, made in batches of any size: few keys are busy, most are quiet.

Owns the distributions. Times rise strictly, so that "the current event is inside its window" means the
same to every engine; late streams are made from these afterwards. Never writes a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from txmon.bench.spec import DAY_US
from txmon.model.schema import TIME

I64 = npt.NDArray[np.int64]
START_US = 1_767_571_200_000_000  # 2026-01-05T00:00:00Z
_CITIES, _COUNTRIES = 250, 50
_AWAY = 0.1  # share of payments made away from the payer's own place
_DAY_SWING = 0.6  # how much busier the busiest hour is than the mean


@dataclass(frozen=True)
class Shape:
    """Size of a stream: `events` over `days`, among so many payers, payees and merchants."""

    events: int
    days: int = 30
    payers: int = 18_000
    payees: int = 9_000
    merchants: int = 2_400
    seed: int = 11

    @classmethod
    def scaled(cls, events: int, days: int = 30, seed: int = 11) -> Shape:
        """A shape whose keys grow with the number of events."""
        share = max(events, 1) / 200_000
        payers, payees, merchants = (
            max(20, round(n * share)) for n in (cls.payers, cls.payees, cls.merchants)
        )
        return cls(events, days, payers, payees, merchants, seed)


class _Popular:
    """Draws from ids of uneven popularity (a power law of `exponent`)."""

    def __init__(self, rng: np.random.Generator, size: int, exponent: float) -> None:
        weight = np.cumsum(np.arange(1, size + 1, dtype=np.float64) ** -exponent)
        self._until = weight / weight[-1]
        self._ids = rng.permutation(size)

    def draw(self, rng: np.random.Generator, n: int) -> I64:
        rank = np.searchsorted(self._until, rng.random(n), side="right")
        return self._ids[np.minimum(rank, len(self._ids) - 1)].astype(np.int64)


class Stream:
    """A stream of a shape; batches are made on demand, once, in order."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        rng = self._rng = np.random.default_rng(shape.seed)
        self._payer = _Popular(rng, shape.payers, 0.85)
        self._payee = _Popular(rng, shape.payees, 0.75)
        self._merchant = _Popular(rng, shape.merchants, 0.95)
        self._country = _Popular(rng, _COUNTRIES, 1.1)
        self._home_country = self._country.draw(rng, shape.payers)
        self._home_city = rng.integers(0, _CITIES, shape.payers)

    def batches(self, rows: int) -> Iterator[pa.Table]:
        """Yield the events, `rows` at a time, with native columns; text is dictionary-encoded."""
        for start in range(0, self.shape.events, rows):
            yield self._batch(start, min(start + rows, self.shape.events))

    def _batch(self, start: int, stop: int) -> pa.Table:
        rng, n = self._rng, stop - start
        payer = self._payer.draw(rng, n)
        away = rng.random(n) < _AWAY
        city = np.where(away, rng.integers(0, _CITIES, n), self._home_city[payer])
        country = np.where(away, rng.integers(0, _COUNTRIES, n), self._home_country[payer])
        amount = np.maximum(1, rng.lognormal(np.log(2_800), 1.2, n)).astype(np.int64)
        return pa.table(
            {
                "event_id": _text("e", np.arange(start, stop)),
                "event_time": pa.array(self._times(start, stop)).cast(TIME),
                "amount_minor": amount,
                "currency": _same("EUR", n),
                "payer": _ids("a", payer),
                "payee": _ids("b", self._payee.draw(rng, n)),
                "merchant": _ids("m", self._merchant.draw(rng, n)),
                "payer_country": _ids("c", country),
                "city": _ids("t", city),
            }
        )

    def _times(self, start: int, stop: int) -> I64:
        """Rising times: one event a slot, somewhere inside it, slots denser by day than by night."""
        step = self.shape.days * DAY_US // self.shape.events
        at = np.arange(start, stop) * step + self._rng.integers(0, max(1, step // 2), stop - start)
        phase = (at % DAY_US) * (2 * np.pi / DAY_US)
        warped: I64 = START_US + at + (_DAY_SWING * DAY_US / (2 * np.pi) * np.sin(phase)).astype(np.int64)
        return warped


def _text(prefix: str, numbers: I64) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def _ids(prefix: str, numbers: I64) -> pa.Array:
    used, index = np.unique(numbers, return_inverse=True)
    return pa.DictionaryArray.from_arrays(pa.array(index.astype(np.int32)), _text(prefix, used))


def _same(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([text]))


def make_late(events: pa.Table, seed: int = 5, share: float = 0.05, up_to_us: int = DAY_US) -> pa.Table:
    """Move the times of a share of events back by up to `up_to_us`; the order of arrival stays."""
    rng = np.random.default_rng(seed)
    late = rng.random(len(events)) < share
    back = np.where(late, rng.integers(1, up_to_us + 1, len(events)), 0)
    at = events.schema.get_field_index("event_time")
    time = events.column("event_time").cast(TIME).cast(pa.int64()).to_numpy() - back
    return events.set_column(at, "event_time", pa.array(time).cast(TIME))
