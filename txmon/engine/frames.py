"""Frames: the columns that expressions read, made when first asked for.

`EventFrame` is a batch of events, `LegFrame` its legs, `TakenFrame` some rows of either with features of
their own (a second evaluation), `RuleFrame` any of them with a rule's lets. Owns laziness and the
physical forms of `txmon.rules.ir`; computes nothing itself.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from txmon.rules.ir import Feature, On

_DAY_US = 86_400_000_000


class Frame:
    """Base of all frames: memory of columns, features and anomaly scores."""

    on: On

    def __init__(self, shared: Shared, length: int) -> None:
        self.shared = shared
        self.length = length
        self.memo: dict[Any, Any] = {}
        self.features: dict[Feature, pa.Array] = {}
        self.anomalies: dict[str, pa.Array] = {}
        self._columns: dict[str, pa.Array] = {}
        self._days: I64 | None = None

    def column(self, name: str) -> pa.Array:
        """A column of the event or leg by its name in rule text."""
        found = self._columns.get(name)
        if found is None:
            derived = self.shared.derived.get(name)
            expr = None if derived is None else getattr(derived, self.on)
            found = self.base_column(name) if expr is None else self.shared.evaluate(expr, self)
            self._columns[name] = found
        return found

    def base_column(self, name: str) -> pa.Array:
        """A column that is not derived."""
        raise KeyError(name)

    def feature(self, feature: Feature) -> pa.Array:
        """Values of a window aggregate."""
        return self.features[feature]

    def let(self, name: str) -> pa.Array:
        """Values of a let; only `RuleFrame` has any."""
        raise KeyError(name)

    def anomaly(self, detector: str) -> pa.Array:
        """Calibrated scores of a detector."""
        return self.anomalies[detector]

    def attribute(self, key: str) -> pa.Array:
        """Values of one key of the attributes."""
        return self.column(f"attribute:{key}")

    def days(self) -> I64:
        """UTC date of each row, in days since the epoch."""
        if self._days is None:
            self._days = np.floor_divide(self.column("event_time").to_numpy(), _DAY_US)
        return self._days

    def list_contains(self, name: str, values: pa.Array) -> pa.Array:
        """Whether each value is in a list on the row's date."""
        return self.shared.lists[name].contains(values, self.days())

    def fx_minor(self, currency: str, minor: int) -> pa.Array:
        """What a sum in a currency is worth at each row's date, in base minor units."""
        return self.shared.rates.fx_minor(currency, minor, self.days().astype(np.int32))


class EventFrame(Frame):
    """A batch of accepted events."""

    on: On = "events"

    def __init__(self, shared: Shared, events: pa.Table) -> None:
        super().__init__(shared, len(events))
        self.events = events
        self._profiles: dict[str, tuple[ProfileBook, I64, str]] = {}

    def set_profiles(self, role: str, book: ProfileBook, looked_up: I64 | None) -> None:
        """Give the looked-up profile of a role (rows, fields); None where nothing is known."""
        for field in book.fields:
            name = event_column(role, field)
            if looked_up is None:
                kind = {"text": pa.string(), "bool": pa.bool_()}.get(field.type, pa.int64())
                self._columns[name] = _nulls(self.length, kind)
            else:
                self._profiles[name] = (book, looked_up, field.name)

    def set_own_transfer(self, values: pa.Array) -> None:
        """Give the flag that payer and payee share a holder."""
        self._columns["own_transfer"] = values

    def base_column(self, name: str) -> pa.Array:
        if name in self._profiles:
            book, looked_up, field = self._profiles[name]
            return book.field_array(looked_up, field)
        if name == "amount":
            return one_chunk(self.events.column("amount_base_minor"))
        if name == "amount_original":
            return self._original()
        if name.startswith("attribute:"):
            return self._attribute(name.removeprefix("attribute:"))
        values = one_chunk(self.events.column(name))
        if pa.types.is_timestamp(values.type):
            return values.cast(pa.int64())
        if pa.types.is_date32(values.type):
            return values.cast(pa.int32())
        if pa.types.is_string(values.type):
            return values.dictionary_encode()
        return values

    def _attribute(self, key: str) -> pa.Array:
        attributes = one_chunk(self.events.column("attributes"))
        if attributes.null_count == len(attributes):
            return _nulls(self.length, pa.string())
        return pc.map_lookup(attributes, key, "last").dictionary_encode()

    def _original(self) -> pa.Array:
        minor = one_chunk(self.events.column("amount_minor"))
        currency = self.column("currency")
        powers = [10.0 ** EXPONENTS.get(c.as_py() or "", 2) for c in currency.dictionary]
        divisor = np.array([*powers, 1.0])[
            currency.indices.fill_null(len(powers)).to_numpy(zero_copy_only=False)
        ]
        values = minor.fill_null(0).to_numpy(zero_copy_only=False) / divisor
        return pa.array(values, mask=minor.is_null().to_numpy(zero_copy_only=False))


class TakenFrame(Frame):
    """Rows of another frame, by row number."""

    def __init__(self, parent: Frame, rows: I64) -> None:
        super().__init__(parent.shared, len(rows))
        self.on = parent.on
        self.parent = parent
        self.rows = rows
        self._take = pa.array(rows)

    def column(self, name: str) -> pa.Array:
        found = self._columns.get(name)
        if found is None:
            found = self._columns[name] = self.parent.column(name).take(self._take)
        return found

    def anomaly(self, detector: str) -> pa.Array:
        return self.parent.anomaly(detector).take(self._take)


class LegFrame(Frame):
    """The two sides of every value-moving event: `out` on the payer's account, `in` on the payee's."""

    on: On = "legs"

    def __init__(self, events: EventFrame, event: I64, incoming: np.ndarray) -> None:
        super().__init__(events.shared, len(event))
        self.parent = events
        self.event = event
        self.incoming = incoming
        self._take = pa.array(event)

    def base_column(self, name: str) -> pa.Array:
        if name == "direction":
            return pa.DictionaryArray.from_arrays(
                pa.array(self.incoming.astype(np.int32)), pa.array(["out", "in"])
            )
        for role, pair in (("account", ("payer", "payee")), ("counterparty", ("payee", "payer"))):
            if name == role:
                return self._choose(*pair)
            if name.startswith(f"{role}_"):
                rest = name.removeprefix(role)
                return self._choose(pair[0] + rest, pair[1] + rest)
        return self.parent.column(name).take(self._take)

    def feature(self, feature: Feature) -> pa.Array:
        """Windows over events serve legs, too: a leg has its event's value."""
        if feature.window.on == "events":
            return self.parent.feature(feature).take(self._take)
        return super().feature(feature)

    def _choose(self, outgoing: str, incoming: str) -> pa.Array:
        """Values of one column on out legs and of another on in legs."""
        a, b = self.parent.column(outgoing), self.parent.column(incoming)
        if pa.types.is_dictionary(a.type) or pa.types.is_dictionary(b.type):
            a, b = _encoded(a), _encoded(b)
            both = pa.concat_arrays([a.dictionary.cast(pa.string()), b.dictionary.cast(pa.string())])
            codes_a = a.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)[self.event]
            codes_b = b.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)[self.event]
            codes_b = np.where(codes_b >= 0, codes_b + len(a.dictionary), -1)
            codes = np.where(self.incoming, codes_b, codes_a)
            indices = pa.array(codes.astype(np.int32), mask=codes < 0)
            return pa.DictionaryArray.from_arrays(indices, both)
        taken_a, taken_b = a.take(self._take), b.take(self._take)
        return pc.if_else(pa.array(self.incoming), taken_b, taken_a)


class RuleFrame(Frame):
    """A frame with the lets of one rule; everything else is the frame's own."""

    def __init__(self, frame: Frame, lets: Mapping[str, pa.Array]) -> None:
        super().__init__(frame.shared, frame.length)
        self.on = frame.on
        self.memo = frame.memo  # compiled expressions keep nothing there that depends on a let
        self._frame = frame
        self._lets = lets

    def column(self, name: str) -> pa.Array:
        return self._frame.column(name)

    def feature(self, feature: Feature) -> pa.Array:
        return self._frame.feature(feature)

    def anomaly(self, detector: str) -> pa.Array:
        return self._frame.anomaly(detector)

    def let(self, name: str) -> pa.Array:
        return self._lets[name]

    def days(self) -> I64:
        return self._frame.days()


def _encoded(values: pa.Array) -> pa.Array:
    return values if pa.types.is_dictionary(values.type) else values.cast(pa.string()).dictionary_encode()


def _nulls(n: int, kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.DictionaryArray.from_arrays(pa.nulls(n, pa.int32()), pa.array([], pa.string()))
    return pa.nulls(n, kind)
