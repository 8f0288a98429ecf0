"""What is due: everything that is past its retention at a moment, found in the tables and in the journal.

    found = find_due(store, past)
    found.events, found.documents, found.rows["alerts"], ...

An event goes when its class is past and nothing that is not past needs it: no hit of an alert that is kept,
and no event of a kept alert's or case's people within the reach of the longest window before it. What
accounts, merchants and parties are (profile events) goes when none of their events is kept. A decision goes
when everything it names is gone. Hits of an event that stays stay with it, hidden. Knows no hold, so what is
found is the same with and without one. Owns the search; changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.store import journal
from txmon.store.casetables import case_alerts, case_files, case_parties, cases
from txmon.store.db import Store
from txmon.store.holds import SUBJECTS, naming
from txmon.store.retention import AGED, DAY_US, Past
from txmon.store.schema import alert_hits, alerts, hits, proposals, quarantine

REACH_DAYS = 1100  # the longest window that a rule may have
_PROFILES = pa.array([
    "account.opened", "account.updated", "account.closed", "merchant.onboarded", "merchant.updated",
    "merchant.scanned", "merchant.terminated", "party.updated",
])  # fmt: skip
_OWNERS = ("account", "merchant", "party")
_NAMES = ("payer", "payee", *_OWNERS)
_NO_EVENTS = np.zeros(0, np.int64)


@dataclass
class Due:
    """What is due. events: `ingest_seq`, sorted; documents: journal rows; rows: table -> primary keys."""

    events: npt.NDArray[np.int64] = field(default_factory=lambda: _NO_EVENTS)
    documents: frozenset[int] = frozenset()
    rows: dict[str, list[list[Any]]] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How much of each there is, without what is none."""
        found = {"events": len(self.events), "documents": len(self.documents)}
        found |= {name: len(keys) for name, keys in self.rows.items()}
        return {name: count for name, count in found.items() if count}


def find_due(store: Store, past: Past) -> Due:
    """Return what is due at a moment. Reads the journal; for a store that nobody writes meanwhile."""
    with store.read() as conn:
        rows = _tables(conn, past)
        floors = _floors(conn, past)
        fed = sa.select(hits.c.ingest_seq).where(
            hits.c.event_time <= past.before("events"), sa.not_(past.hit())
        )
        needed = frozenset(conn.execute(fed.distinct()).scalars())
    walk = _Walk(past.before("events"), floors, needed)
    for entry in journal.read(store, kinds=[journal.EVENTS]):
        walk.look(entry)
    events = walk.due(store)
    with store.read() as conn:
        _keep_with_events(conn, rows, walk.evidence())
        rows["proposals"] = _proposals(conn, rows) + _aged(conn, past)
        gone = _gone(conn, rows)
    return Due(events, _documents(store, gone), rows)


def is_past(store: Store, alert_id: str, past: Past) -> bool:
    """Return whether an alert is past its retention."""
    query = sa.select(alerts.c.alert_id).where(alerts.c.alert_id == alert_id, past.alert())
    with store.read() as conn:
        return conn.execute(query).first() is not None


def waiting(conn: sa.Connection, past: Past) -> dict[str, int]:
    """Return how many rows of tables are past and still there; events of the journal are not looked at."""
    tables: tuple[tuple[str, sa.Table, sa.ColumnElement[bool]], ...] = (
        ("alerts", alerts, past.alert()),
        ("cases", cases, past.case()),
        ("hits", hits, past.hit()),
        ("attachments", case_files, past.file()),
        ("quarantine", quarantine, quarantine.c.received_us <= past.before("quarantine")),
    )
    return {
        name: int(conn.execute(sa.select(sa.func.count()).select_from(table).where(over)).scalar_one())
        for name, table, over in tables
    }


def _tables(conn: sa.Connection, past: Past) -> dict[str, list[list[Any]]]:
    """Primary keys of rows that are due, by table."""

    def keys(*columns: Any, where: sa.ColumnElement[bool]) -> list[list[Any]]:
        return [list(row) for row in conn.execute(sa.select(*columns).where(where).order_by(*columns))]

    found = {
        "alerts": keys(alerts.c.alert_id, where=past.alert()),
        "cases": keys(cases.c.case_id, where=past.case()),
        "hits": keys(hits.c.hit_id, where=past.hit()),
        "case_files": keys(case_files.c.file_id, where=past.file()),
        "quarantine": keys(quarantine.c.id, where=quarantine.c.received_us <= past.before("quarantine")),
    }
    return found


def _aged(conn: sa.Connection, past: Past) -> list[list[Any]]:
    since = sa.func.coalesce(proposals.c.decided_us, proposals.c.created_us)
    query = sa.select(proposals.c.id).where(proposals.c.kind.in_(sorted(AGED)), since <= past.before("reads"))
    return [[each] for each in conn.execute(query).scalars()]


def _keep_with_events(
    conn: sa.Connection, rows: dict[str, list[list[Any]]], evidence: npt.NDArray[np.int64]
) -> None:
    """Leave the hits of events that stay as evidence, their alerts and cases: a replay derives them again.

    They are past all the same, so they are hidden; they go when the events do.
    """
    if not len(evidence):
        return
    there = set(evidence.tolist())
    of_hits = conn.execute(sa.select(hits.c.hit_id, hits.c.ingest_seq))
    staying = {key[0] for key in rows["hits"]} & {hit for hit, number in of_hits if number in there}
    if not staying:
        return
    rows["hits"] = [key for key in rows["hits"] if key[0] not in staying]
    feeding = conn.execute(sa.select(alert_hits.c.alert_id, alert_hits.c.hit_id))
    fed = {alert for alert, hit in feeding if hit in staying}
    rows["alerts"] = [key for key in rows["alerts"] if key[0] not in fed]
    linked = sa.select(case_alerts.c.case_id, case_alerts.c.alert_id)
    held = {case for case, alert in conn.execute(linked) if alert in fed}
    rows["cases"] = [key for key in rows["cases"] if key[0] not in held]


def _floors(conn: sa.Connection, past: Past) -> dict[str, int]:
    """For each name that a kept alert or case is about: from which time on its events are kept."""
    kept = sa.not_(past.alert())
    own = sa.select(alerts.c.subject_id, sa.func.min(alerts.c.first_event_time)).where(kept)
    joined = case_parties.join(cases, cases.c.case_id == case_parties.c.case_id)
    joined = joined.join(case_alerts, case_alerts.c.case_id == cases.c.case_id)
    joined = joined.join(alerts, alerts.c.alert_id == case_alerts.c.alert_id)
    parties = sa.select(case_parties.c.ref, sa.func.min(alerts.c.first_event_time)).select_from(joined)
    parties = parties.where(sa.not_(past.case()), case_parties.c.state == "current")
    found: dict[str, int] = {}
    for query, column in ((own, alerts.c.subject_id), (parties, case_parties.c.ref)):
        for name, first in conn.execute(query.group_by(column)):
            floor = int(first) - REACH_DAYS * DAY_US
            found[name] = min(found.get(name, floor), floor)
    return found


class _Walk:
    """Goes through the events once: which are due, and whose profiles may go with them."""

    def __init__(self, before_us: int, floors: Mapping[str, int], needed: Collection[int]) -> None:
        self._before, self._floors, self._needed = before_us, floors, np.array(sorted(needed), np.int64)
        self._names = pa.array(sorted(floors), pa.string())
        self._due: list[npt.NDArray[np.int64]] = []
        self._found = _NO_EVENTS
        self._profiles: list[tuple[int, npt.NDArray[np.int64]]] = []  # journal row, numbers
        self._living: set[str] = set()
        self._old: list[npt.NDArray[np.int64]] = []  # past by their time, and there

    def look(self, entry: journal.Entry) -> None:
        """Take in one journal row of events."""
        table, numbers = entry.table, entry.first_event_seq + entry.rows
        times = pc.cast(table["event_time"], pa.int64()).to_numpy()
        kept = times > self._before
        if not kept.all():
            kept |= np.isin(numbers, self._needed) | self._named(table, times)
        self._old.append(numbers[times <= self._before])
        profile = pc.is_in(table["kind"].cast(pa.string()), value_set=_PROFILES).to_numpy()
        self._due.append(numbers[~kept & ~profile])
        if (~kept & profile).any():
            self._profiles.append((entry.seq, numbers[~kept & profile]))
        self._note_living(table.filter(pa.array(kept)))

    def _named(self, table: pa.Table, times: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        found = naming(table, self._names, frozenset())
        places = np.flatnonzero(found)
        if not len(places):
            return found
        for place, row in zip(places.tolist(), table.take(pa.array(places)).to_pylist(), strict=True):
            named = {row.get(name) for name in SUBJECTS}
            named |= {holder["party"] for holder in row.get("holders") or ()}
            floor = min(self._floors[name] for name in named if name in self._floors)
            found[place] = times[place] >= floor
        return found

    def _note_living(self, table: pa.Table) -> None:
        for name in _NAMES:
            if name in table.column_names and table.column(name).null_count < len(table):
                self._living |= set(pc.unique(table.column(name).cast(pa.string())).to_pylist())

    def evidence(self) -> npt.NDArray[np.int64]:
        """Return the numbers of the events that are past by their time and stay; call it behind `due`."""
        old = np.concatenate(self._old) if self._old else _NO_EVENTS
        return np.setdiff1d(old, self._found)

    def due(self, store: Store) -> npt.NDArray[np.int64]:
        """Return the numbers of the events that are due, sorted."""
        found = list(self._due)
        for seq, numbers in self._profiles:
            for entry in journal.read(store, seq, seq):
                chosen = np.isin(entry.first_event_seq + entry.rows, numbers)
                rows = entry.table.filter(pa.array(chosen)).to_pylist()
                over = [
                    not any(row.get(name) in self._living for name in _OWNERS if row.get(name))
                    for row in rows
                ]
                found.append(numbers[np.array(over, np.bool_)])
        self._found = np.sort(np.concatenate(found)) if found else _NO_EVENTS
        return self._found


@dataclass(frozen=True)
class _Gone:
    """Ids of what is due or was taken out before, as decisions name it."""

    alerts: frozenset[str]  # those that are there and stay
    cases: frozenset[str]
    rows: frozenset[int]
    proposals: frozenset[str]  # those that go

    def all_of(self, document: Mapping[str, Any]) -> bool:
        """Whether a decision names something of these kinds, and all of it is gone."""
        body = document.get("body") if isinstance(document.get("body"), dict) else {}
        named = [*_refs(document), *_refs(body or {})]
        if document.get("proposal") in self.proposals:
            return True
        return bool(named) and all(self._is_gone(kind, value) for kind, value in named)

    def _is_gone(self, kind: str, value: Any) -> bool:
        kept: Mapping[str, Collection[Any]] = {"alert": self.alerts, "case": self.cases, "row": self.rows}
        return value not in kept[kind]


def _refs(document: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """What a decision, or the body of a proposal, is about."""
    for key, kind in (
        ("alert", "alert"),
        ("alert_id", "alert"),
        ("case", "case"),
        ("case_id", "case"),
        ("row", "row"),
    ):
        if isinstance(document.get(key), (str, int)):
            yield kind, document[key]
    listed = document.get("alerts")
    for each in listed if isinstance(listed, list) else ():
        yield "alert", each.get("alert_id") if isinstance(each, dict) else each


def _gone(conn: sa.Connection, rows: Mapping[str, list[list[Any]]]) -> _Gone:
    def kept(column: Any, name: str) -> frozenset[Any]:
        return frozenset(conn.execute(sa.select(column)).scalars()) - {key[0] for key in rows[name]}

    return _Gone(
        kept(alerts.c.alert_id, "alerts"),
        kept(cases.c.case_id, "cases"),
        kept(quarantine.c.id, "quarantine"),
        frozenset(key[0] for key in rows.get("proposals", ())),
    )


def _proposals(conn: sa.Connection, rows: Mapping[str, list[list[Any]]]) -> list[list[Any]]:
    gone = _gone(conn, rows)
    found = []
    for row in conn.execute(sa.select(proposals.c.id, proposals.c.body)):
        try:
            body = json.loads(row.body)
        except ValueError:  # an erasure put a mark in its place
            continue
        if gone.all_of({"body": body}):
            found.append([row.id])
    return found


def _documents(store: Store, gone: _Gone) -> frozenset[int]:
    """Journal rows of decisions that are about nothing but what is gone."""
    found = set()
    for entry in journal.read(store, kinds=["decision"]):
        if not entry.document:
            continue
        try:
            document = json.loads(entry.document)
        except ValueError:
            continue
        if isinstance(document, dict) and gone.all_of(document):
            found.add(entry.seq)
    return frozenset(found)


def case_rows(conn: sa.Connection, case_ids: Collection[str], table: sa.Table) -> list[list[Any]]:
    """Return the primary keys of the rows that a table has of these cases."""
    columns = list(table.primary_key.columns)
    query = sa.select(*columns).where(table.c.case_id.in_(list(case_ids)))
    return [list(row) for row in conn.execute(query)]
