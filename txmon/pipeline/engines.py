"""Where engines come from: in this process, or each in one of its own.

Owns how a scorer is made that stands where the journal ends, or that is to be warmed for an activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from txmon.pipeline.config import Config
from txmon.pipeline.far import Far
from txmon.pipeline.history import epochs
from txmon.pipeline.nursery import Nursery
from txmon.pipeline.recover import Stand, fresh_scorer, stand
from txmon.pipeline.scoring import Near, Scoring
from txmon.pipeline.snapshots import Snapshots
from txmon.store import Store


class Engines(Protocol):
    """See the module."""

    def stand(self) -> tuple[Scoring, Stand]:
        """Return a scorer that stands where the journal ends.

        Raises:
            StateError, StoreError, EngineLost.
        """

    def fresh(self, config: Config) -> Scoring:
        """Return a scorer of a config that knows nothing yet but the rules that alerts may rest on."""

    def close(self) -> None:
        """Let go of everything."""


class NearEngines:
    """Engines in this process."""

    def __init__(self, store: Store, snapshots: Snapshots, current: Callable[[], Config]) -> None:
        self._store, self._snapshots, self._current = store, snapshots, current

    def stand(self) -> tuple[Scoring, Stand]:
        """Return a scorer that stands where the journal ends."""
        scorer, found = stand(self._store, self._snapshots, (self._current(),))
        return Near(scorer, self._store), found

    def fresh(self, config: Config) -> Scoring:
        """Return a scorer that knows nothing yet."""
        found = epochs(self._store, (self._current(),))
        return Near(fresh_scorer(found, config), self._store)

    def close(self) -> None:
        """Nothing: they go with this process."""


class FarEngines:
    """Engines in processes of their own."""

    def __init__(self, nursery: Nursery, wake: Callable[[], None]) -> None:
        self._nursery, self._wake = nursery, wake

    def stand(self) -> tuple[Scoring, Stand]:
        """Return a scorer that stands where the journal ends."""
        far = Far(self._nursery, self._wake)
        try:
            return far, far.stand()
        except BaseException:
            far.close()
            raise

    def fresh(self, config: Config) -> Scoring:
        """Return a scorer that knows nothing yet."""
        far = Far(self._nursery, self._wake)
        try:
            far.fresh(config.document)
        except BaseException:
            far.close()
            raise
        return far

    def close(self) -> None:
        """Let the nursery and its engines end."""
        self._nursery.close()
