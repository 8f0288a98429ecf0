"""Stores batches, however long the store is away, and opens it again after a failure.

A commit that fails is tried again with the same outcome for as long as it takes; after a lost connection the
head tells whether it had succeeded. Owns the patience; what a transaction holds is `txmon.pipeline.commit`'s
part. Called in the writer's thread only.
"""

from __future__ import annotations

import threading

from txmon.clock import Sleep
from txmon.errors import CommitUnknown, Stopping, StoreCorrupt, StoreFatal, StoreUnavailable, TxmonError
from txmon.pipeline import commit
from txmon.pipeline.commit import Fault, Prepared
from txmon.pipeline.decide import Stored
from txmon.pipeline.log import Log
from txmon.pipeline.measure import Measure
from txmon.store import Store

FAILURES = (StoreUnavailable, CommitUnknown, StoreFatal)
PAUSE_MIN_S, PAUSE_MAX_S = 0.05, 2.0


class Storing:
    """See the module. `give_up`: set when the service must stop, whatever is not stored by then."""

    def __init__(self, store: Store, sleep: Sleep, measure: Measure, log: Log, point: Fault) -> None:
        self._store, self._sleep, self._measure = store, sleep, measure
        self._log, self._point = log, point
        self.give_up = threading.Event()
        self.problem: str | None = None  # what keeps it from storing, a code; None while it can

    def store(self, prepared: Prepared) -> Stored:
        """Store a batch.

        Raises:
            Stopping: the service must stop before it could be stored.
        """
        while True:
            try:
                stored = commit.write(self._store, prepared, self._point)
            except FAILURES as error:
                found = self.reopen(error, prepared)
                if found is not None:
                    return found
            else:
                self.problem = None
                return stored

    def reopen(self, failure: TxmonError, prepared: Prepared | None = None) -> Stored | None:
        """Open the store again; returns what is stored if the failed commit had succeeded.

        Raises:
            Stopping: the service must stop before the store was back.
        """
        pause = PAUSE_MIN_S
        self.problem = failure.code
        self._measure.store_failed(failure.code)
        self._log.warning("store.failed", code=failure.code)
        while True:
            if self.give_up.is_set():
                raise Stopping("the store cannot be reached and the service stops; nothing was stored")
            self._sleep(pause)
            pause = min(pause * 2, PAUSE_MAX_S)
            try:
                self._store.reopen()
            except StoreCorrupt:
                raise
            except TxmonError as error:
                self.problem = error.code
                continue
            break
        self._measure.store_recovered()
        self._log.info("store.reopened", journal_seq=self._store.marks.seq)
        self.problem = None
        if prepared is not None and prepared.attempted is not None and prepared.stored is not None:
            # without a journal row of its own the head says nothing, and storing it again does no harm
            wrote = len(prepared.applied.accepted) > 0 or len(prepared.refused.table) > 0
            if wrote and self._store.marks.head == prepared.attempted.head:
                return prepared.stored
        return None
