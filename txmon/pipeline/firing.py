"""Keeps each rule's fire rate beside its baseline, over batches and restarts.

    firing = Firing(store, folder / "firerates.json", metrics, rule_ids)
    firing.note(seq, accepted, hits)     the writer, for each stored batch
    firing.round()                       housekeeping; once a minute it sets the gauges and saves

The counts are saved with the journal row they reach to. What the journal has behind it, four weeks at most,
is counted in the first round, so a start never waits for it and a lost or damaged file costs time and
nothing else. Owns that file.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.alerts.firerates import HOUR_US, FireRates, by_hour
from txmon.errors import StateError
from txmon.metrics import Metrics
from txmon.store import Store, journal
from txmon.store.schema import hits as hits_table
from txmon.store.schema import journal as journal_table

EVERY_US = 60_000_000
_BACK_US = 29 * 24 * HOUR_US


class Firing:
    """See the module. `note` and `round` may be called from different threads."""

    def __init__(
        self, store: Store, path: Path, metrics: Metrics, rules: Callable[[], Iterable[str]]
    ) -> None:
        """Take what was saved.

        Args:
            rules: ids of the rules at work, asked for at each round.
        """
        self._store, self._path, self._metrics, self._rules = store, path, metrics, rules
        self._turn = threading.Lock()
        self.rates, self._seq, self._done_us = FireRates(), 0, 0
        self._load()
        self._missing: tuple[int, int] | None = (
            self._seq + 1,
            store.marks.seq,
        )  # rows that are not counted yet
        self._seq = store.marks.seq

    def note(self, seq: int, accepted: pa.Table, hits: pa.Table) -> None:
        """Count a batch that was stored as journal row `seq`."""
        if not len(accepted):
            return
        found: dict[str, Counter[int]] = {}
        if len(hits):
            hours = np.floor_divide(_times(hits), HOUR_US).tolist()
            for rule, hour in zip(hits.column("rule_id").to_pylist(), hours, strict=True):
                found.setdefault(rule, Counter())[hour] += 1
        events = by_hour(_times(accepted))
        with self._turn:
            self.rates.add(events, found)
            self._seq = max(self._seq, seq)

    def round(self) -> None:
        """Set the gauges and save, if a minute has passed."""
        now = self._store.clock.now_us()
        if now - self._done_us < EVERY_US:
            return
        self._done_us = now
        self._catch_up()
        with self._turn:
            found = self.rates.all(self._rules())
        for rule, value in found.items():
            self._metrics.rule_fire_psi.labels(rule).set(value)
        self.save()

    def save(self) -> None:
        """Write the counts, whole or not at all; nothing while rows before them are not counted.

        Raises:
            StateError: the file cannot be written.
        """
        if self._missing is not None:
            return
        with self._turn:
            text = json.dumps({"seq": self._seq, "rates": self.rates.state()})
        fresh = self._path.with_suffix(".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with open(os.open(fresh, flags, 0o600), "w", encoding="ascii") as file:
                file.write(text)
            fresh.replace(self._path)
        except OSError as error:
            raise StateError(f"{self._path}: cannot be written: {error.strerror}; make room") from error

    def _load(self) -> None:
        """Take what was saved; what cannot be read, or is of another journal, is counted anew."""
        try:
            kept = json.loads(self._path.read_text(encoding="ascii"))
            seq = int(kept["seq"])
            if 0 <= seq <= self._store.marks.seq:
                self.rates.restore(kept["rates"])
                self._seq = seq
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            self.rates, self._seq = FireRates(), 0

    def _catch_up(self) -> None:
        if self._missing is None:
            return
        first, last = self._missing
        if first == 1:
            first = self._recent()
        counts: Counter[int] = Counter()
        for entry in journal.read(self._store, first, last, kinds=[journal.EVENTS]):
            if len(entry.table):
                counts.update(by_hour(_times(entry.table)))
        hour = (hits_table.c.event_time // HOUR_US).label("hour")
        query = (
            sa.select(hits_table.c.rule_id, hour, sa.func.count())
            .where(hits_table.c.journal_seq >= first, hits_table.c.journal_seq <= last)
            .group_by(hits_table.c.rule_id, "hour")
        )
        found: dict[str, dict[int, int]] = {}
        with self._store.read() as conn:
            for rule, at, count in conn.execute(query):
                found.setdefault(rule, {})[int(at)] = int(count)
        with self._turn:
            self.rates.add(counts, found)
        self._missing = None

    def _recent(self) -> int:
        """The first journal row that came within what a baseline holds, counted from the newest one."""
        newest = sa.select(sa.func.max(journal_table.c.received_at)).scalar_subquery()
        query = sa.select(sa.func.min(journal_table.c.seq)).where(
            journal_table.c.received_at > newest - _BACK_US
        )
        with self._store.read() as conn:
            return int(conn.execute(query).scalar() or 1)


def _times(table: pa.Table) -> np.ndarray:
    times: np.ndarray = pc.cast(table.column("event_time"), pa.int64()).to_numpy()
    return times
