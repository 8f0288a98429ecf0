"""What a compiled expression reads: one batch of events or legs with their features.

Owns the protocol that the engine implements; holds no data.
"""

from __future__ import annotations

from typing import Any, Protocol

import pyarrow as pa

from txmon.rules.ir import Feature


class Frame(Protocol):
    """One batch. Arrays have `length` rows and the physical form of their unit (`txmon.rules.ir`)."""

    @property
    def length(self) -> int:
        """Number of rows."""
        ...

    @property
    def memo(self) -> dict[Any, Any]:
        """Scratch of compiled expressions: equal sub-expressions are evaluated once per frame."""
        ...

    def column(self, name: str) -> pa.Array | pa.ChunkedArray:
        """Canonical, profile or derived column; text as a dictionary where possible."""
        ...

    def feature(self, feature: Feature) -> pa.Array:
        """Value of a window aggregate for each row."""
        ...

    def let(self, name: str) -> pa.Array:
        """Value of a let of the rule that is evaluated."""
        ...

    def anomaly(self, detector: str) -> pa.Array:
        """Calibrated score, double, null while warming."""
        ...

    def list_contains(self, name: str, values: pa.Array) -> pa.Array:
        """Whether each value is in the list on its row's UTC date; null for null."""
        ...

    def fx_minor(self, currency: str, minor: int) -> pa.Array:
        """Worth of a sum in `currency` on each row's date, in base minor units; null without a rate."""
        ...

    def attribute(self, key: str) -> pa.Array:
        """Value of a key of the attributes map; text."""
        ...
