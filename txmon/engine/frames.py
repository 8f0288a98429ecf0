"""Frames: the columns that expressions read, made when first asked for.

`EventFrame` is a batch of events, `LegFrame` its legs, `TakenFrame` some rows of either, `AgainFrame` some
rows with features of their own (a second evaluation), `RuleFrame` any of them with a rule's lets. Owns
laziness and the forms of a column: a vector for expressions, an Arrow array for texts of hits and for
codes. Each form is made from the other, once, and only if asked for; computes nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.engine.content import one_chunk
from txmon.engine.profiles import ProfileBook
from txmon.engine.shared import Shared
from txmon.engine.state import I64
from txmon.model.currencies import EXPONENTS
from txmon.model.profile import event_column
from txmon.rules.columns import columns
from txmon.rules.ir import Expr, Feature, On, Unit
from txmon.rules.vec import (
    Vec,
    WordList,
    choose,
    each_word,
    finite,
    from_arrow,
    full,
    literal,
    plain,
    take,
    to_arrow,
)

_DAY_US = 86_400_000_000
_ATTRIBUTE = "attribute:"


class Frame:
    """Base of all frames: memory of columns, features and anomaly scores."""

    on: On

    def __init__(self, shared: Shared, length: int) -> None:
        self.shared = shared
        self.book = shared.book
        self.length = length
        self.memo: dict[Any, Any] = {}
        self.anomalies: dict[str, Vec] = {}
        self._columns: dict[str, pa.Array] = {}
        self._vecs: dict[str, Vec] = {}
        self._features: dict[Feature, Vec] = {}
        self._readers: list[Callable[[Feature], Vec | None]] = []
        self._time: I64 | None = None
        self._days: I64 | None = None

    def column(self, name: str) -> pa.Array:
        """A column of the event or leg by its name in rule text, as an Arrow array."""
        found = self._columns.get(name)
        if found is None:
            if self.stored(name):
                found = self.base_column(name)
            else:
                unit = self._unit(name)
                found = to_arrow(self.vec(name, unit), unit, self.length)
            self._columns[name] = found
        return found

    def vec(self, name: str, unit: Unit) -> Vec:
        """A column of the event or leg by its name in rule text."""
        found = self._vecs.get(name)
        if found is None:
            expr = self._derived(name)
            if expr is not None:
                found = self.shared.vec(expr, self)
            elif self.stored(name):
                found = from_arrow(self.column(name), unit)
            else:
                found = full(self.base_vec(name, unit), self.length, unit)
            self._vecs[name] = found
        return found

    def stored(self, name: str) -> bool:
        """Tell whether a column comes as an Arrow array; the others are made as vectors."""
        return name in self._columns

    def base_column(self, name: str) -> pa.Array:
        """A stored column."""
        raise KeyError(name)

    def base_vec(self, name: str, unit: Unit) -> Vec:
        """A column that is neither stored nor derived."""
        raise KeyError(f"{name} ({unit})")

    def _derived(self, name: str) -> Expr | None:
        derived = self.shared.derived.get(name)
        return None if derived is None else getattr(derived, self.on)

    def _unit(self, name: str) -> Unit:
        derived = self.shared.derived.get(name)
        return columns(self.on)[name] if derived is None else derived.unit

    def count(self, reader: Callable[[Feature], Vec | None]) -> None:
        """Add a source of features, asked when one is first read; it gives None for what it does not have."""
        self._readers.append(reader)

    def feature(self, feature: Feature) -> Vec:
        """Values of a window aggregate."""
        found = self._features.get(feature)
        if found is None:
            found = self._features[feature] = self.base_feature(feature)
        return found

    def base_feature(self, feature: Feature) -> Vec:
        """Values of a window aggregate, read for the first time."""
        for reader in self._readers:
            found = reader(feature)
            if found is not None:
                return found
        raise KeyError(feature)

    def let(self, name: str) -> Vec:
        """Values of a let; only `RuleFrame` has any."""
        raise KeyError(name)

    def anomaly(self, detector: str) -> Vec:
        """Calibrated scores of a detector."""
        return self.anomalies[detector]

    def attribute(self, key: str) -> Vec:
        """Values of one key of the attributes."""
        return self.vec(_ATTRIBUTE + key, Unit.TEXT)

    def time(self) -> I64:
        """Event time of each row in microseconds. Kernels take it, so it is an array of its own."""
        if self._time is None:
            self._time = np.array(self.vec("event_time", Unit.TIME).data)
        return self._time

    def days(self) -> I64:
        """UTC date of each row, in days since the epoch."""
        if self._days is None:
            self._days = np.floor_divide(self.time(), _DAY_US)
        return self._days

    def list_contains(self, name: str, values: Vec) -> Vec:
        """Whether each value is in a list on the row's date."""
        return self.shared.lists[name].contains(values, self.days())

    def fx_minor(self, currency: str, minor: int) -> Vec:
        """What a sum in a currency is worth at each row's date, in base minor units."""
        return self.shared.fx_minor(currency, minor, self.days())


class EventFrame(Frame):
    """A batch of accepted events."""

    on: On = "events"

    def __init__(self, shared: Shared, events: pa.Table) -> None:
        super().__init__(shared, len(events))
        self.events = events
        self._names = frozenset(events.column_names)
        self._profiles: dict[str, tuple[ProfileBook, I64 | None, str]] = {}

    def set_profiles(self, role: str, book: ProfileBook, looked_up: I64 | None) -> None:
        """Give the looked-up profile of a role (rows, fields); None where nothing is known."""
        for field in book.fields:
            self._profiles[event_column(role, field)] = (book, looked_up, field.name)

    def set_own_transfer(self, values: Vec) -> None:
        """Give the flag that payer and payee share a holder."""
        self._vecs["own_transfer"] = values

    def stored(self, name: str) -> bool:
        return name in self._names or name == "amount" or name.startswith(_ATTRIBUTE)

    def base_column(self, name: str) -> pa.Array:
        if name.startswith(_ATTRIBUTE):
            return self._attribute(name.removeprefix(_ATTRIBUTE))
        values = one_chunk(self.events.column("amount_base_minor" if name == "amount" else name))
        if pa.types.is_timestamp(values.type):
            return values.cast(pa.int64())
        if pa.types.is_date32(values.type):
            return values.cast(pa.int32())
        if pa.types.is_string(values.type):
            return values.dictionary_encode()
        return values

    def base_vec(self, name: str, unit: Unit) -> Vec:
        if name == "amount_original":
            return self._original()
        book, looked_up, field = self._profiles[name]
        return literal(None, unit) if looked_up is None else book.field_vec(looked_up, field)

    def _attribute(self, key: str) -> pa.Array:
        attributes = one_chunk(self.events.column("attributes"))
        if attributes.null_count == len(attributes):
            return pa.DictionaryArray.from_arrays(
                pa.nulls(self.length, pa.int32()), pa.array([], pa.string())
            )
        return pc.map_lookup(attributes, key, "last").dictionary_encode()

    def _original(self) -> Vec:
        minor, ok = plain(one_chunk(self.events.column("amount_minor")))
        currency = self.vec("currency", Unit.TEXT)
        powers = each_word(currency, lambda code: 10.0 ** EXPONENTS.get(code, 2), np.float64)
        return finite(minor / np.where(currency.ok, powers, 1.0), ok)


class TakenFrame(Frame):
    """Rows of another frame, by row number."""

    def __init__(self, parent: Frame, rows: I64) -> None:
        super().__init__(parent.shared, len(rows))
        self.on = parent.on
        self.parent = parent
        self.rows = rows
        self._take = pa.array(rows)

    def stored(self, name: str) -> bool:
        return self.parent.stored(name)

    def base_column(self, name: str) -> pa.Array:
        return self.parent.column(name).take(self._take)

    def vec(self, name: str, unit: Unit) -> Vec:
        found = self._vecs.get(name)
        if found is None:
            found = self._vecs[name] = take(self.parent.vec(name, unit), self.rows)
        return found

    def base_feature(self, feature: Feature) -> Vec:
        return take(self.parent.feature(feature), self.rows)

    def anomaly(self, detector: str) -> Vec:
        return take(self.parent.anomaly(detector), self.rows)


class AgainFrame(TakenFrame):
    """Rows of another frame at other times: their features are their own."""

    def base_feature(self, feature: Feature) -> Vec:
        return Frame.base_feature(self, feature)


class LegFrame(Frame):
    """The two sides of every value-moving event: `out` on the payer's account, `in` on the payee's."""

    on: On = "legs"

    def __init__(self, events: EventFrame, event: I64, incoming: np.ndarray) -> None:
        super().__init__(events.shared, len(event))
        self.parent = events
        self.event = event
        self.incoming = incoming
        self._take = pa.array(event)

    def stored(self, name: str) -> bool:
        return self.of_event(name) and self.parent.stored(name)

    def of_event(self, name: str) -> bool:
        """Tell whether a column is the event's, the same on both legs."""
        return self.shared.of_event(name)

    def base_column(self, name: str) -> pa.Array:
        return self.parent.column(name).take(self._take)

    def vec(self, name: str, unit: Unit) -> Vec:
        found = self._vecs.get(name)
        if found is None and self.of_event(name):
            # through the event's vector: an Arrow array of the legs is needed only for hits
            found = self._vecs[name] = take(self.parent.vec(name, unit), self.event)
        return super().vec(name, unit) if found is None else found

    def base_vec(self, name: str, unit: Unit) -> Vec:
        if name == "direction":
            return Vec(self.incoming.astype(np.int32), True, WordList(["out", "in"]))
        role, _, rest = name.partition("_")
        out, incoming = ("payer", "payee") if role == "account" else ("payee", "payer")
        end = f"_{rest}" if rest else ""
        other, own = (take(self.parent.vec(side + end, unit), self.event) for side in (out, incoming))
        return choose([(self.incoming, own)], other, unit)

    def base_feature(self, feature: Feature) -> Vec:
        """Windows over events serve legs, too: a leg has its event's value."""
        if feature.window.on == "events":
            return take(self.parent.feature(feature), self.event)
        return super().base_feature(feature)


class RuleFrame(Frame):
    """A frame with the lets of one rule, each evaluated when first read; else the frame's own."""

    def __init__(self, frame: Frame, lets: Mapping[str, Expr]) -> None:
        self.on = frame.on
        self.shared = frame.shared
        self.book = frame.book
        self.length = frame.length
        self.memo = frame.memo  # compiled expressions keep nothing there that depends on a let
        self.lets: dict[str, Vec] = {}  # those read so far
        self._frame = frame
        self._exprs = lets

    def column(self, name: str) -> pa.Array:
        return self._frame.column(name)

    def vec(self, name: str, unit: Unit) -> Vec:
        return self._frame.vec(name, unit)

    def feature(self, feature: Feature) -> Vec:
        return self._frame.feature(feature)

    def anomaly(self, detector: str) -> Vec:
        return self._frame.anomaly(detector)

    def let(self, name: str) -> Vec:
        found = self.lets.get(name)
        if found is None:
            found = self.lets[name] = self.shared.vec(self._exprs[name], self._frame)
        return found

    def time(self) -> I64:
        return self._frame.time()

    def days(self) -> I64:
        return self._frame.days()
