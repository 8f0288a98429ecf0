"""Keeps the warehouse up with the journal, beside the writer; makes it anew when it is damaged.

What cannot be mended now (no room, another process, a query in the way of an erasure, a damaged journal) is
tried again, each time after a longer pause. Owns one thread. The warehouse is derived: nothing here can hold
up or fail what the writer does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from txmon.clock import monotonic_s
from txmon.errors import StateError, TxmonError, WarehouseDamaged
from txmon.metrics import Metrics
from txmon.pipeline.commit import Fault, no_fault
from txmon.pipeline.log import Log
from txmon.store import Store
from txmon.store.warehouse import Warehouse

_PAUSE_S, _LONGEST_PAUSE_S, _CHECK_S = 1.0, 60.0, 3600.0
_PATIENCE_S, _LOOK_S = 10.0, 0.2  # how long it gives way to scoring, and how often it looks


def never() -> bool:
    """Nothing is in the way."""
    return False


class Warehousing:
    """See the module."""

    def __init__(
        self,
        store: Store,
        folder: Path,
        metrics: Metrics,
        log: Log,
        point: Fault = no_fault,
        busy: Callable[[], bool] = never,
    ) -> None:
        """Prepare the keeper of a store's warehouse.

        Args:
            busy: whether events are being scored; it then gives way for some seconds.
        """
        self._busy = busy
        self._store, self._folder, self._metrics, self._log, self._point = store, folder, metrics, log, point
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="txmon-warehouse", daemon=True)
        self._checked_s = -_CHECK_S
        self._failures = 0  # in a row
        self._damaged = False
        self.warehouse: Warehouse | None = None
        self.problem: str | None = None  # a code; None while it keeps up

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Stop after the step that is under way; what is missing is caught up at the next start."""
        self._stop.set()
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._give_way()
            self._guarded(self._keep_up)
            self._stop.wait(min(_PAUSE_S * 2**self._failures, _LONGEST_PAUSE_S))
        self._guarded(self._close)

    def _give_way(self) -> None:
        end = monotonic_s() + _PATIENCE_S
        while self._busy() and monotonic_s() < end and not self._stop.is_set():
            self._stop.wait(_LOOK_S)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do something; what goes wrong is noted, and a damaged warehouse is made anew in the next round."""
        try:
            work()
        except (WarehouseDamaged, StateError) as error:
            # of the warehouse alone: a damaged journal (StoreCorrupt) could not fill a new one
            self._note("warehouse.damaged", error)
            self._damaged = True
        except TxmonError as error:
            self._note("warehouse.behind", error)
        else:
            self._failures = 0

    def _note(self, what: str, error: TxmonError) -> None:
        self.problem = error.code
        self._failures += 1
        self._log.warning(what, exc_info=error)

    def _keep_up(self) -> None:
        if self._damaged and self.warehouse is not None:
            self.warehouse.abandon()
            self.warehouse = None
        if self.warehouse is None:
            # an empty one catches up as always
            self.warehouse = Warehouse.open(self._folder, anew=self._damaged)
            self._damaged = False
        if monotonic_s() - self._checked_s >= _CHECK_S:
            damages = self.warehouse.check()
            if damages:
                raise WarehouseDamaged(f"{len(damages)} files of the warehouse are damaged")
            self._checked_s = monotonic_s()
        self.warehouse.catch_up(self._store, enough=self._stop.is_set, applied=self._applied)
        self._applied()
        self.problem = None

    def _applied(self) -> None:
        if self.warehouse is not None:
            self._metrics.warehouse_seq.set(self.warehouse.mark.seq)
        self._point("warehouse_applied")

    def _close(self) -> None:
        if self.warehouse is not None:
            self.warehouse.close()
