"""Blocks of simulated events as numpy columns, and their way into Arrow.

Owns the columns that the simulation fills and the record batch made of them (names and types of the
`native` feed); never invents an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from txmon.model.schema import FIELD_BY_NAME, HOLDER
from txmon.simulate.geo import CITY_LAT, CITY_LON
from txmon.simulate.vocab import Vocabularies, event_ids

Column = npt.NDArray[Any]
Rows = dict[str, Column]

# native column -> domain of its codes
TEXT: dict[str, str] = {
    "source": "word",
    "tz": "word",
    "kind": "word",
    "status": "word",
    "currency": "word",
    "payer": "account",
    "payer_country": "country",
    "payee": "account",
    "payee_country": "country",
    "account": "account",
    "merchant": "merchant",
    "merchant_country": "country",
    "mcc": "word",
    "descriptor": "word",
    "sub_merchant": "merchant",
    "card": "card",
    "card_bin": "bin",
    "card_country": "country",
    "device": "device",
    "ip": "ip",
    "ip_country": "country",
    "city": "city",
    "channel": "word",
    "rail": "word",
    "purpose": "word",
    "memo": "word",
}
# related: number of the event referred to; amount: minor units; extra/holders: index into Extras; -1 is null
NUMBERS: tuple[str, ...] = ("number", "related", "amount", "prepaid", "place", "extra", "holders")
_ALL = ("time", *NUMBERS, *TEXT)
_TYPES = {
    name: np.dtype(np.int64 if name in ("time", "number", "related", "amount") else np.int32) for name in _ALL
}

ORDER: tuple[str, ...] = (
    "event_id",
    "source",
    "event_time",
    "tz",
    "kind",
    "status",
    "amount_minor",
    "currency",
    "payer",
    "payer_country",
    "payee",
    "payee_country",
    "account",
    "merchant",
    "merchant_country",
    "mcc",
    "descriptor",
    "sub_merchant",
    "card",
    "card_bin",
    "card_country",
    "card_prepaid",
    "device",
    "ip",
    "ip_country",
    "city",
    "lat",
    "lon",
    "channel",
    "rail",
    "purpose",
    "memo",
    "related_event_id",
    "holders",
    "attributes",
)


def _field(name: str) -> pa.Field:
    kind = pa.dictionary(pa.int32(), pa.string()) if name in TEXT else FIELD_BY_NAME[name].type
    return pa.field(name, kind)


NATIVE: pa.Schema = pa.schema([_field(name) for name in ORDER])


def size(rows: Rows) -> int:
    """Number of events in a block."""
    return int(rows["time"].size)


def concat(blocks: Iterable[Rows]) -> Rows:
    """Join blocks; a column that a block lacks is null there."""
    parts = [b for b in blocks if size(b)]
    names = [n for n in _ALL if n == "time" or any(n in b for b in parts)]
    return {n: np.concatenate([_column(b, n) for b in parts] or [np.empty(0, _TYPES[n])]) for n in names}


def _column(rows: Rows, name: str) -> Column:
    found = rows.get(name)
    if found is None:
        return np.full(size(rows), -1, _TYPES[name])
    return found.astype(_TYPES[name], copy=False)


def take(rows: Rows, index: Column) -> Rows:
    """Rows at `index` (positions or a mask)."""
    return {name: column[index] for name, column in rows.items()}


def cut(rows: Rows, start: int, stop: int) -> Rows:
    """Rows from `start` up to `stop`, without copying."""
    return {name: column[start:stop] for name, column in rows.items()}


def in_time_order(rows: Rows) -> Rows:
    """Sort by time; events of one instant keep their order."""
    return take(rows, np.argsort(rows["time"], kind="stable"))


class Extras:
    """Attribute maps and holder lists, each stored once and flat; events refer to them by index."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, str], ...], int] = {}
        self._keys: list[str] = []
        self._items: list[str] = []
        self._map_ends: list[int] = [0]
        self._parties: list[str] = []
        self._roles: list[str] = []
        self._holder_ends: list[int] = [0]

    def attributes(self, values: Mapping[str, str]) -> int:
        """Return the index of an attribute map; equal maps share one."""
        key = tuple(values.items())
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self.unique(values)
        return known

    def unique(self, values: Mapping[str, str]) -> int:
        """Return the index of an attribute map that is not looked up again."""
        self._keys += values.keys()
        self._items += values.values()
        self._map_ends.append(len(self._keys))
        return len(self._map_ends) - 2

    def holders(self, people: Iterable[tuple[str, str]]) -> int:
        """Return the index of a list of (party, role), valid without limit."""
        for party, role in people:
            self._parties.append(party)
            self._roles.append(role)
        self._holder_ends.append(len(self._parties))
        return len(self._holder_ends) - 2

    def arrays(self) -> tuple[pa.Array, pa.Array]:
        """Return all attribute maps and all holder lists as Arrow arrays."""
        map_ends, holder_ends = (pa.array(e, pa.int32()) for e in (self._map_ends, self._holder_ends))
        words = (pa.array(w, pa.string()) for w in (self._keys, self._items))
        maps = pa.MapArray.from_arrays(map_ends, *words)
        always = pa.nulls(len(self._parties), HOLDER.field("valid_from").type)
        columns = [pa.array(self._parties, pa.string()), pa.array(self._roles, pa.string()), always, always]
        people = pa.StructArray.from_arrays(columns, fields=list(HOLDER))
        return maps, pa.ListArray.from_arrays(holder_ends, people)


class Assembler:
    """Turns blocks of rows into record batches of the native schema."""

    def __init__(self, vocabularies: Vocabularies, extras: Extras, salt: int) -> None:
        self._salt = salt
        self._vocabularies = vocabularies
        self._maps, self._holders = extras.arrays()

    def batch(self, rows: Rows) -> pa.RecordBatch:
        """Return one record batch; rows must be in time order already."""
        count = size(rows)
        columns: dict[str, pa.Array] = {
            "event_id": event_ids(rows["number"], self._salt),
            "event_time": pa.array(rows["time"], pa.timestamp("us", tz="UTC")),
            "amount_minor": _numbers(rows, "amount", pa.int64()),
            "related_event_id": _related(rows, self._salt),
            "attributes": self._maps.take(_numbers(rows, "extra", pa.int32())),
            "holders": self._holders.take(_numbers(rows, "holders", pa.int32())),
            "card_prepaid": _numbers(rows, "prepaid", pa.int32()).cast(pa.bool_()),
            "lat": _degrees(rows, CITY_LAT),
            "lon": _degrees(rows, CITY_LON),
        }
        for name, domain in TEXT.items():
            codes = rows.get(name)
            columns[name] = (
                pa.nulls(count, NATIVE.field(name).type)
                if codes is None
                else _text(codes, self._vocabularies.of(domain).names())
            )
        return pa.RecordBatch.from_arrays([columns[n] for n in ORDER], schema=NATIVE)


def _numbers(rows: Rows, name: str, kind: pa.DataType) -> pa.Array:
    values = _column(rows, name)
    return pa.array(values, kind, mask=values < 0)


def _related(rows: Rows, salt: int) -> pa.Array:
    related = _column(rows, "related")
    there = related >= 0
    if not there.any():
        return pa.nulls(related.size, pa.string())
    ids = event_ids(related[there], salt)
    position = np.cumsum(there) - 1
    return ids.take(pa.array(position, pa.int64(), mask=~there))


def _degrees(rows: Rows, table: npt.NDArray[np.float64]) -> pa.Array:
    place = _column(rows, "place")
    return pa.array(table[np.maximum(place, 0)], mask=place < 0)


def _text(codes: Column, names: pa.StringArray) -> pa.DictionaryArray:
    """Dictionary-encode with only the names in use, so that a batch never carries a whole vocabulary."""
    null = codes < 0
    used = np.zeros(len(names) + 1, bool)
    used[codes] = True  # code -1 marks the spare last slot
    used[-1] = False
    packed = (np.cumsum(used) - 1).astype(np.int32)[codes]
    words = names.take(pa.array(np.flatnonzero(used)))
    return pa.DictionaryArray.from_arrays(pa.array(packed, pa.int32(), mask=null), words)
