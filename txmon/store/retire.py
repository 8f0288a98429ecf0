"""Carries the retention classes out: what is past leaves payloads and tables; the journal goes on to verify.

    outcome = retire(store, load_classes(path).at(now_us), why, keeper)

What a preservation order holds is copied into the keeper first, and is erased only when the keeper has said
that the copies are durable; so the store is the same with and without the order. Without a keeper nothing is
erased while an order holds anything of it. A run that broke off is simply run again. Owns the order of it;
for a store that nobody writes meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from txmon.store import answers, erase, outbox
from txmon.store.casetables import TABLES, alert_work, case_alerts, case_files, cases
from txmon.store.db import Store, Tx
from txmon.store.due import Due, case_rows, find_due
from txmon.store.keeping import Keeper
from txmon.store.preserved import guard, renew_copies
from txmon.store.preservetables import preservation, preservation_access
from txmon.store.retention import Past
from txmon.store.rewrite import Changed, delete_rows
from txmon.store.schema import api_keys, audit, metadata
from txmon.store.schema import outbox as outbox_table

_OF_CASES = tuple(t for t in TABLES if t not in (cases, case_files, alert_work))
_BLOCK = 500


@dataclass
class Retired:
    """What a run did. forgotten: rows that are counted and not named; copied: items given to the keeper."""

    outcome: erase.Outcome
    forgotten: dict[str, int] = field(default_factory=dict)
    copied: int = 0


def retire(store: Store, past: Past, why: erase.Why, keeper: Keeper | None = None) -> Retired:
    """Take out what is past; see the module.

    Raises:
        InputError: not two people. StateError: an order holds some of it, and there is no keeper. What the
        keeper raises; nothing was erased then.
    """
    why.check()
    due = find_due(store, past)
    made = Retired(erase.Outcome())
    made.copied = guard(store, past.now_us, due, why, keeper)
    if keeper is not None:
        made.copied += renew_copies(store, past.now_us, keeper, why)
    search = erase.Search(
        numbers=due.events,
        documents=due.documents,
        refused_before_us=past.before("quarantine"),
        tables=_Tables(due, past, made),
    )
    made.outcome = erase.carry_out(store, search, why)
    return made


class _Tables:
    """The rows of tables that go, in the last transaction of a run."""

    def __init__(self, due: Due, past: Past, made: Retired) -> None:
        self._due, self._past, self._made = due, past, made

    def __call__(self, tx: Tx, changed: Changed) -> None:
        rows = self._due.rows
        for i in range(0, len(rows["cases"]), _BLOCK):
            ids = [key[0] for key in rows["cases"][i : i + _BLOCK]]
            for table in (*_OF_CASES, case_files):
                delete_rows(tx, table, case_rows(tx.conn, ids, table), changed)
            delete_rows(tx, cases, [[each] for each in ids], changed)
        self._joined_to_alerts(tx, [key[0] for key in rows["alerts"]], changed)
        for name in ("alerts", "hits", "quarantine", "proposals", "case_files"):
            table = metadata.tables[name]
            for i in range(0, len(rows[name]), _BLOCK):
                delete_rows(tx, table, _there(tx, table, rows[name][i : i + _BLOCK]), changed)
        self._made.forgotten = self._forget(tx)

    def _joined_to_alerts(self, tx: Tx, ids: list[str], changed: Changed) -> None:
        for i in range(0, len(ids), _BLOCK):
            for table in (alert_work, case_alerts):
                query = sa.select(table.c.alert_id).where(table.c.alert_id.in_(ids[i : i + _BLOCK]))
                delete_rows(tx, table, [[each] for each in tx.conn.execute(query).scalars()], changed)

    def _forget(self, tx: Tx) -> dict[str, int]:
        """Rows that no journal row names: records of use, whose numbers mean nothing elsewhere."""
        past = self._past
        old = sa.delete(audit).where(audit.c.at_us <= past.before("reads"))
        newest = sa.select(sa.func.max(audit.c.id)).scalar_subquery()  # numbers go on from the last one
        found = {"reads": tx.conn.execute(old.where(audit.c.id < newest)).rowcount}
        found["answers"] = answers.expire(tx, past.before("answers") + 1)
        before = past.before("outbox") + 1
        found["outbox"] = outbox.forget(tx, before, before)
        self._empty_newest(tx)
        used = sa.update(api_keys).where(
            api_keys.c.last_used_us.is_not(None),
            sa.func.coalesce(api_keys.c.revoked_us, api_keys.c.expires_us) <= past.before("keys"),
        )
        found["keys"] = tx.conn.execute(used.values(last_used_us=None)).rowcount
        over = sa.func.coalesce(preservation.c.ended_us, preservation.c.until_us) <= past.before("orders")
        ids = list(tx.conn.execute(sa.select(preservation.c.order_id).where(over)).scalars())
        for table in (preservation_access, preservation):
            tx.conn.execute(sa.delete(table).where(table.c.order_id.in_(ids)))
        found["orders"] = len(ids)
        return {name: count for name, count in found.items() if count}

    def _empty_newest(self, tx: Tx) -> None:
        """The newest message and the newest read keep their number and lose their content."""
        late = outbox_table.c.created_us <= self._past.before("outbox")
        tx.conn.execute(sa.update(outbox_table).where(late).values(body=b"{}", state="dead"))
        old = audit.c.at_us <= self._past.before("reads")
        tx.conn.execute(sa.update(audit).where(old).values(subject=None, purpose=None))


def _there(tx: Tx, table: sa.Table, keys: list[list[Any]]) -> list[list[Any]]:
    """Those keys that the table still has: an alert goes with its last hit."""
    column = next(iter(table.primary_key.columns))
    query = sa.select(column).where(column.in_([key[0] for key in keys]))
    return [[each] for each in tx.conn.execute(query).scalars()]
