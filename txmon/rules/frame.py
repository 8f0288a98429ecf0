"""What a compiled expression reads: one batch of events or legs with their features.

Owns the protocol that the engine implements; holds no data.
"""

from __future__ import annotations

from typing import Any, Protocol

from txmon.rules.ir import Feature, Unit
from txmon.rules.vec import Vec
from txmon.rules.words import WordBook


class Frame(Protocol):
    """One batch. A vector has `length` rows in the physical form of its unit, and is never written to."""

    @property
    def length(self) -> int:
        """Number of rows."""
        ...

    @property
    def memo(self) -> dict[Any, Any]:
        """Scratch of compiled expressions: equal sub-expressions are evaluated once per frame."""
        ...

    @property
    def book(self) -> WordBook | None:
        """Values of expressions by word; None if they are to be evaluated row by row."""
        ...

    def vec(self, name: str, unit: Unit) -> Vec:
        """Canonical, profile or derived column."""
        ...

    def feature(self, feature: Feature) -> Vec:
        """Value of a window aggregate for each row."""
        ...

    def let(self, name: str) -> Vec:
        """Value of a let of the rule that is evaluated."""
        ...

    def anomaly(self, detector: str) -> Vec:
        """Calibrated score, double, null while warming."""
        ...

    def list_contains(self, name: str, values: Vec) -> Vec:
        """Whether each value is in the list on its row's UTC date; null for null."""
        ...

    def fx_minor(self, currency: str, minor: int) -> Vec:
        """Worth of a sum in `currency` on each row's date, in base minor units; null without a rate."""
        ...

    def attribute(self, key: str) -> Vec:
        """Value of a key of the attributes map; text."""
        ...
