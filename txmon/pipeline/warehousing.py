"""Keeps the warehouse up with the journal, beside the writer; makes it anew when it is damaged.

Owns one thread. The warehouse is derived: nothing here can hold up or fail what the writer does.
"""

from __future__ import annotations

import threading
from pathlib import Path

from txmon.clock import monotonic_s
from txmon.errors import StateError, StoreCorrupt, TxmonError
from txmon.metrics import Metrics
from txmon.pipeline.writer import Log
from txmon.store import Store
from txmon.store.warehouse import Warehouse

_PAUSE_S, _CHECK_S = 1.0, 3600.0


class Warehousing:
    """See the module."""

    def __init__(self, store: Store, folder: Path, metrics: Metrics, log: Log) -> None:
        self._store, self._folder, self._metrics, self._log = store, folder, metrics, log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="txmon-warehouse", daemon=True)
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
        checked_s = monotonic_s()
        try:
            while not self._stop.is_set():
                try:
                    warehouse = self._open()
                    mark = warehouse.catch_up(self._store)
                    self._metrics.warehouse_seq.set(mark.seq)
                    if monotonic_s() - checked_s >= _CHECK_S:
                        checked_s = monotonic_s()
                        self._require_whole(warehouse)
                    self.problem = None
                except (StoreCorrupt, StateError) as error:
                    self._anew(error)
                except TxmonError as error:
                    self.problem = error.code
                    self._log.warning("warehouse.behind", exc_info=error)
                self._stop.wait(_PAUSE_S)
        finally:
            if self.warehouse is not None:
                self.warehouse.close()

    def _open(self) -> Warehouse:
        if self.warehouse is None:
            self.warehouse = Warehouse.open(self._folder)
            self._require_whole(self.warehouse)
        return self.warehouse

    @staticmethod
    def _require_whole(warehouse: Warehouse) -> None:
        damages = warehouse.check()
        if damages:
            raise StoreCorrupt(f"{len(damages)} files of the warehouse are damaged")

    def _anew(self, error: TxmonError) -> None:
        """Make a damaged warehouse anew; it is empty at first and catches up as always."""
        self.problem = error.code
        self._log.warning("warehouse.damaged", exc_info=error)
        if self.warehouse is not None:
            self.warehouse.close()
            self.warehouse = None
        self.warehouse = Warehouse.open(self._folder, anew=True)
