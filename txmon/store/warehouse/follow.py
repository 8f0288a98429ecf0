"""Keeps the warehouse up with the journal while a service runs: one thread, beside the one that writes.

A damaged warehouse, or one of another journal or layout, is made anew by itself, since it is derived; what
cannot be mended now (no room, another process, a query in the way of an erasure) is tried again. Owns the
thread; neither the store nor the journal waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from txmon.errors import StateError, StoreUnavailable, TxmonError, WarehouseDamaged
from txmon.store.db import Store
from txmon.store.warehouse.catalog import Mark
from txmon.store.warehouse.main import Warehouse

_LONGEST_PAUSE_S = 60.0
Point = Callable[[str], None]
Tell = Callable[[str, TxmonError | None], None]


def nothing(_: str) -> None:
    """No crash point."""


def unheard(_what: str, _error: TxmonError | None) -> None:
    """Nobody listens."""


class Follower:
    """See the module."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        *,
        pause_s: float = 1.0,
        point: Point = nothing,
        tell: Tell = unheard,
    ) -> None:
        """Follow a store.

        Args:
            folder: the warehouse's own.
            pause_s: seconds between two looks at the journal.
            point: called with `warehouse_applied` after each step, for crash drills.
            tell: called with `warehouse.failed` or `warehouse.rebuilding` and the reason.
        """
        self._store, self._folder, self._pause_s = store, folder, pause_s
        self._point, self._tell = point, tell
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="txmon-warehouse", daemon=True)
        self._warehouse: Warehouse | None = None
        self.failure: str | None = None  # why it does not get on, None while it does
        self.rebuilds = 0
        self._failures = 0  # in a row

    def start(self) -> None:
        """Start the thread; opening the warehouse is part of its work."""
        self._thread.start()

    def stop(self, wait_s: float = 5.0) -> bool:
        """Stop after the step that is under way; says whether it was closed in order."""
        self._stop.set()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    @property
    def mark(self) -> Mark:
        """How far the warehouse is."""
        found = self._warehouse
        return found.mark if found is not None else Mark()

    @property
    def size_bytes(self) -> int:
        """Bytes of the warehouse on disk; 0 while it is not open."""
        found = self._warehouse
        return found.size_bytes if found is not None else 0

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Give a cursor as `Warehouse.read`.

        Raises:
            StoreUnavailable: it is not open now.
        """
        found = self._warehouse
        if found is None:
            raise StoreUnavailable(
                f"the warehouse is not open ({self.failure or 'starting'}); ask again later"
            )
        with found.read() as cursor:
            yield cursor

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (WarehouseDamaged, StateError) as error:
                self._note("warehouse.rebuilding", error)
                self._rebuild()
            except TxmonError as error:
                self._note("warehouse.failed", error)
            self._failures += 1
            self._stop.wait(min(self._pause_s * 2**self._failures, _LONGEST_PAUSE_S))
        self._close()

    def _follow(self) -> None:
        if self._warehouse is None:
            self._warehouse = Warehouse.open(self._folder)
        while not self._stop.is_set():
            self._warehouse.catch_up(self._store, enough=self._stop.is_set, applied=self._applied)
            self.failure, self._failures = None, 0
            self._stop.wait(self._pause_s)

    def _applied(self) -> None:
        self._point("warehouse_applied")

    def _rebuild(self) -> None:
        """Begin again with an empty one; the next round fills it."""
        try:
            self._let_go()
            self._warehouse = Warehouse.open(self._folder, anew=True)
            self.rebuilds += 1
        except TxmonError as error:
            self._note("warehouse.failed", error)

    def _note(self, what: str, error: TxmonError) -> None:
        self.failure = error.code
        self._tell(what, error)

    def _let_go(self) -> None:
        found, self._warehouse = self._warehouse, None
        if found is not None:
            found.abandon()

    def _close(self) -> None:
        found, self._warehouse = self._warehouse, None
        if found is not None:
            try:
                found.close()
            except TxmonError as error:
                self._note("warehouse.failed", error)
