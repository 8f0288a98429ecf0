"""What preservation orders hold, and its way into a keeper before it is erased.

    scope = scope_of(store, now_us)               all that orders in force hold of the journal
    Preserved(store, now_us, why).copy(due, scope, keeper)

An order holds events that name its subjects, that it names, and that alerts of its cases rest on, within its
time range; and the rows of alerts, hits, cases, files, refused rows and decisions about them. Only what is
about to go is copied. Copies are kept until the order ends and a month more, so that a renewal finds them.
Owns the search and the copying; erases nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.errors import StateError
from txmon.store import journal
from txmon.store.casetables import TABLES, alert_work, case_alerts, case_files
from txmon.store.db import Store
from txmon.store.due import Due
from txmon.store.erase import Why
from txmon.store.holds import naming
from txmon.store.keeping import ORDER, Item, Keeper, document_item, event_items, identity_of, row_item
from txmon.store.mentions import Mentions
from txmon.store.preserve import Order, in_force
from txmon.store.preservetables import preservation
from txmon.store.retention import DAY_US
from txmon.store.schema import alert_hits, alerts, hits, quarantine
from txmon.store.schema import journal as journal_table

GRACE_US = 30 * DAY_US
_AT_ONCE = 1000
_OF_CASES = tuple(t for t in TABLES if t is not alert_work)


@dataclass
class Scope:
    """What orders in force hold. by_order: order id -> `ingest_seq` of its events."""

    orders: list[Order] = field(default_factory=list)
    by_order: dict[str, set[int]] = field(default_factory=dict)

    @property
    def events(self) -> set[int]:
        """The events that any order holds."""
        return set().union(*self.by_order.values())


def guard(store: Store, now_us: int, due: Due, why: Why, keeper: Keeper | None) -> int:
    """Copy what orders hold of what is about to go; returns how many copies.

    Raises:
        StateError: an order holds some of it, and there is no keeper. What the keeper raises.
    """
    scope = scope_of(store, now_us)
    copies = Preserved(store, now_us, why)
    if keeper is not None:
        return copies.copy(due, scope, keeper)
    if copies.holds(due, scope):
        raise StateError(
            "a preservation order holds some of what would go, and there is no vault to copy it into; make "
            "one with `txmon vault init`, then run this again. Nothing was erased"
        )
    return 0


def scope_of(store: Store, now_us: int) -> Scope:
    """Return what the orders in force hold of the events."""
    with store.read() as conn:
        orders = in_force(conn, now_us)
        of_cases = {order.order_id: _events_of_cases(conn, order.cases) for order in orders}
    scope = Scope(orders, {order.order_id: set() for order in orders})
    if not orders:
        return scope
    for entry in journal.read(store, kinds=[journal.EVENTS]):
        times = pc.cast(entry.table["event_time"], pa.int64()).to_numpy()
        numbers = entry.first_event_seq + entry.rows
        for order in orders:
            found = naming(entry.table, pa.array(order.subjects, pa.string()), frozenset(order.events))
            found |= np.isin(numbers, sorted(of_cases[order.order_id]))
            if order.from_us is not None:
                found &= times >= order.from_us
            if order.to_us is not None:
                found &= times < order.to_us
            scope.by_order[order.order_id] |= set(numbers[found].tolist())
    return scope


def _events_of_cases(conn: sa.Connection, case_ids: Collection[str]) -> set[int]:
    joined = hits.join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
    joined = joined.join(case_alerts, case_alerts.c.alert_id == alert_hits.c.alert_id)
    query = sa.select(hits.c.ingest_seq).select_from(joined).where(case_alerts.c.case_id.in_(list(case_ids)))
    return set(conn.execute(query.distinct()).scalars())


class Preserved:
    """Copies what is due and held; see the module."""

    def __init__(self, store: Store, now_us: int, why: Why) -> None:
        self._store, self._now, self._why = store, now_us, why

    def holds(self, due: Due, scope: Scope) -> bool:
        """Return whether an order holds anything of what is due."""
        return any(
            True for order in scope.orders for _ in self._items(order, due, scope.by_order[order.order_id])
        )

    def copy(self, due: Due, scope: Scope, keeper: Keeper) -> int:
        """Give the keeper all that is due and held, and not kept yet; returns how many copies.

        Raises:
            What the keeper raises; then nothing may be erased.
        """
        count = 0
        for order in scope.orders:
            known = {identity_of(item) for item in keeper.kept(order.order_id)}
            waiting: list[Item] = []
            copied = 0
            for item in self._items(order, due, scope.by_order[order.order_id]):
                if identity_of(item) in known:
                    continue
                waiting.append(item)
                if len(waiting) == _AT_ONCE:
                    copied += self._keep(keeper, order, waiting)
                    waiting = []
            copied += self._keep(keeper, order, waiting)
            if copied:
                _note_copies(self._store, order, order.until_us + GRACE_US)
            count += copied
        return count

    def _keep(self, keeper: Keeper, order: Order, items: Sequence[Item]) -> int:
        if items:
            until = order.until_us + GRACE_US
            keeper.keep(ORDER, order.order_id, items, until, self._why.reason, self._why.author)
        return len(items)

    def _items(self, order: Order, due: Due, held: Collection[int]) -> Iterable[Item]:
        going = np.intersect1d(due.events, np.array(sorted(held), np.int64))
        yield from self._events(going)
        mentions = Mentions(order.subjects) if order.subjects else None
        with self._store.read() as conn:
            yield from _alerts(conn, order, due, going)
            yield from _cases(conn, order, due)
            yield from _refused(conn, due, mentions)
        yield from self._documents(order, due, mentions)

    def _events(self, numbers: Any) -> Iterable[Item]:
        if not len(numbers):
            return
        for row in journal.raw_rows(self._store, kinds=[journal.EVENTS]):
            low = row.first_event_seq
            first, last = np.searchsorted(numbers, [low, low + row.event_count])
            if first == last:
                continue
            entry = journal.entry_of(self._store, row)
            chosen = np.flatnonzero(np.isin(low + entry.rows, numbers[first:last]))
            yield from event_items(self._store, entry, row, chosen.tolist())

    def _documents(self, order: Order, due: Due, mentions: Mentions | None) -> Iterable[Item]:
        """Decisions that are going and name a case or a subject of the order."""
        for seq in sorted(due.documents):
            with self._store.read() as conn:
                row = conn.execute(sa.select(journal_table).where(journal_table.c.seq == seq)).one()
            content = journal.entry_of(self._store, row).document
            text = content.decode("utf-8", "replace")
            named = any(f'"{each}"' in text for each in order.cases)
            if named or (mentions is not None and mentions.texts(pa.array([text]))[0]):
                yield document_item(row, content)


def _alerts(conn: sa.Connection, order: Order, due: Due, numbers: Any) -> Iterable[Item]:
    going = {key[0] for key in due.rows["alerts"]}
    links = sa.select(case_alerts.c.alert_id).where(case_alerts.c.case_id.in_(order.cases))
    about = sa.or_(alerts.c.subject_id.in_(order.subjects), alerts.c.alert_id.in_(links))
    for row in conn.execute(sa.select(alerts).where(about)).mappings():
        if row["alert_id"] in going:
            yield row_item(alerts, row)
    held, gone = set(numbers.tolist()), {key[0] for key in due.rows["hits"]}
    query = sa.select(hits).where(hits.c.hit_id.in_(sorted(gone)))
    for row in conn.execute(query if len(gone) < _AT_ONCE else sa.select(hits)).mappings():
        if row["hit_id"] in gone and (row["ingest_seq"] in held or row["subject_id"] in order.subjects):
            yield row_item(hits, row)


def _cases(conn: sa.Connection, order: Order, due: Due) -> Iterable[Item]:
    going = {key[0] for key in due.rows["cases"]} & set(order.cases)
    for table in _OF_CASES:
        for row in conn.execute(sa.select(table).where(table.c.case_id.in_(sorted(going)))).mappings():
            yield row_item(table, row)
    files = [key[0] for key in due.rows["case_files"]]
    query = sa.select(case_files).where(case_files.c.file_id.in_(files))
    query = query.where(case_files.c.case_id.in_(set(order.cases) - going))
    for row in conn.execute(query).mappings():
        yield row_item(case_files, row)


def _refused(conn: sa.Connection, due: Due, mentions: Mentions | None) -> Iterable[Item]:
    if mentions is None:
        return
    for i in range(0, len(due.rows["quarantine"]), _AT_ONCE):
        ids = [key[0] for key in due.rows["quarantine"][i : i + _AT_ONCE]]
        for row in conn.execute(sa.select(quarantine).where(quarantine.c.id.in_(ids))).mappings():
            if mentions.texts(pa.array([row["raw"]]))[0]:
                yield row_item(quarantine, row)


def renew_copies(store: Store, now_us: int, keeper: Keeper, why: Why) -> int:
    """Keep the copies of orders that were renewed as long as the order now runs; returns how many."""
    count = 0
    with store.read() as conn:
        orders = [o for o in in_force(conn, now_us) if o.copied_until_us is not None]
    for order in orders:
        until = order.until_us + GRACE_US
        if order.copied_until_us is None or order.copied_until_us >= until:
            continue
        items = {identity_of(item): item for item in keeper.kept(order.order_id)}
        if items:
            keeper.keep(ORDER, order.order_id, list(items.values()), until, why.reason, why.author)
            _note_copies(store, order, until)
            count += len(items)
    return count


def _note_copies(store: Store, order: Order, until_us: int) -> None:
    with store.write() as tx:
        where = preservation.c.order_id == order.order_id
        tx.conn.execute(sa.update(preservation).where(where).values(copied_until_us=until_us))
