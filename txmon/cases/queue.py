"""Alerts that wait for somebody: in an order that makes sense, without what was put off; work on many.

A snooze ends at its time, or with the next evidence. Alerts of cases that are shut to somebody are neither
listed nor counted for this one. Owns `alert_work`: whose an alert is, until when it waits, and the code of
the reason for which it was dismissed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.cases.moves import DAY_US
from txmon.cases.sight import alert_shut
from txmon.cases.words import BULK_MAX, SEVERITIES, SNOOZE_DAYS
from txmon.errors import InputError
from txmon.store import Tx, workflow
from txmon.store.accounts import person_of as stored_person
from txmon.store.casetables import alert_work
from txmon.store.decisions import decided
from txmon.store.identity import Principal
from txmon.store.schema import alerts

WAITING = ("open", "in_review")
ORDERS = ("severity", "score", "age")
_RANK = sa.case({name: i for i, name in enumerate(SEVERITIES)}, value=alerts.c.severity, else_=0)
_JOINED = alerts.outerjoin(alert_work, alert_work.c.alert_id == alerts.c.alert_id)
_WORK = (alert_work.c.assignee, alert_work.c.snoozed_until_us, alert_work.c.dismissal)
Key = tuple[int | str, ...]


@dataclass(frozen=True)
class Which:
    """Which alerts. assignee: an identity, "" for nobody's. snoozed: those that were put off instead."""

    order: str = "severity"
    severity: Sequence[str] = ()
    typology: str | None = None
    min_score: float | None = None
    opened_before_us: int | None = None
    protect: bool | None = None
    assignee: str | None = None
    snoozed: bool = False
    entity: str | None = None
    mode: str | None = None


def page(
    conn: sa.Connection, who: Principal, which: Which, now_us: int, after: Key | None, limit: int
) -> tuple[list[sa.RowMapping], Key | None]:
    """Return alerts that wait, and the key behind the last one if there are more."""
    where = [*_waiting(who), *_chosen(which), _put_off(now_us, which.snoozed)]
    columns, order = _order(which.order)
    if after is not None:
        where.append(_behind(which.order, after))
    query = sa.select(alerts, *_WORK).select_from(_JOINED).where(*where).order_by(*order).limit(limit + 1)
    rows = list(conn.execute(query).mappings())
    shown = rows[:limit]
    return shown, columns(shown[-1]) if len(rows) > limit else None


def counts(conn: sa.Connection, who: Principal, now_us: int) -> dict[str, Any]:
    """Return how many alerts wait: by severity, of whom nobody takes care, protected, put off."""
    off = _put_off(now_us, True)
    query = (
        sa.select(
            alerts.c.severity,
            sa.func.count().label("n"),
            sa.func.count().filter(alert_work.c.assignee.is_(None)).label("unassigned"),
            sa.func.count().filter(alerts.c.protect).label("protect"),
            sa.func.min(alerts.c.created_us).label("oldest"),
        )
        .select_from(_JOINED)
        .group_by(alerts.c.severity)
    )
    waiting = conn.execute(query.where(*_waiting(who), sa.not_(off))).all()
    snoozed = conn.execute(query.where(*_waiting(who), off)).all()
    return {
        "severity": {row.severity: int(row.n) for row in waiting},
        "oldest_us": {row.severity: int(row.oldest) for row in waiting},
        "unassigned": sum(int(row.unassigned) for row in waiting),
        "protect": sum(int(row.protect) for row in waiting),
        "snoozed": sum(int(row.n) for row in snoozed),
    }


def work(
    tx: Tx, who: Principal, seen: Mapping[str, int], action: str, value: Any, reason: str
) -> list[dict[str, Any]]:
    """Do one thing with many alerts; returns for each what became of it.

    Args:
        seen: alert -> the version that was read; at most `words.BULK_MAX`.
        action: ``take_up`` (and assign to oneself), ``assign`` (to a person, None: nobody) or ``snooze``
            (until microseconds UTC, None: no longer).

    Raises:
        FourEyes: a service. NotFound: no such person. InputError: too many, or a time that cannot be.
    """
    who.require_person()
    if not 0 < len(seen) <= BULK_MAX:
        raise InputError(f"name 1 to {BULK_MAX} alerts")
    now = tx.clock.now_us()
    if action == "assign" and value not in (None, who.person_id):
        stored_person(tx.conn, value)
    if action == "snooze" and value is not None and value <= now:
        raise InputError("alerts are put off until a time to come")
    query = sa.select(alerts).where(
        alerts.c.alert_id.in_(list(seen)), sa.not_(alert_shut(who, alerts.c.alert_id))
    )
    rows = {row["alert_id"]: row for row in tx.conn.execute(query).mappings()}
    results = {name: _fit(rows.get(name), who, seen[name], action, value, now) for name in seen}
    fit = [rows[name] for name, result in results.items() if result == "done"]
    if fit:
        names = [row["alert_id"] for row in fit]
        seq = decided(tx, f"alerts.{action}", who, alerts=names, value=value, reason=reason)
        values = _VALUES[action](who, value)
        for row in fit:
            more = {"snoozed_revision": row["revision"]} if action == "snooze" else {}
            note(tx, row["alert_id"], seq, **values, **more)
            if action == "take_up" and row["state"] == "open":
                workflow.set_alert_state(
                    tx, row["alert_id"], "in_review", reason=None, version=row["version"], journal_seq=seq
                )
            else:
                _touch(tx, row, seq)
    return [
        {"alert_id": name, "result": result, "version": _version(rows.get(name), result)}
        for name, result in results.items()
    ]


def note(tx: Tx, alert_id: str, seq: int, **values: Any) -> None:
    """Note something about the work on an alert."""
    values |= {"changed_us": tx.clock.now_us(), "journal_seq": seq}
    there = sa.update(alert_work).where(alert_work.c.alert_id == alert_id).values(values)
    if tx.conn.execute(there).rowcount == 0:
        tx.conn.execute(sa.insert(alert_work).values(values | {"alert_id": alert_id}))


def _fit(row: sa.RowMapping | None, who: Principal, version: int, action: str, value: Any, now: int) -> str:
    """What becomes of an alert: done, or the code of what is in the way."""
    if row is None or not who.may_touch(row["mode"], row["entity"]):
        return "not_found"
    if row["version"] != version:
        return "conflict"
    if row["state"] not in WAITING:
        return "transition"
    longest = SNOOZE_DAYS.get(row["severity"], 1) * DAY_US
    if action == "snooze" and value is not None and value > now + longest:
        return "too_long"
    return "done"


def _version(row: sa.RowMapping | None, result: str) -> int | None:
    if row is None or result == "not_found":
        return None
    return int(row["version"]) + (result == "done")


_VALUES: dict[str, Callable[[Principal, Any], dict[str, Any]]] = {
    "take_up": lambda who, _: {"assignee": who.identity},
    "assign": lambda _, value: {"assignee": None if value is None else f"person:{value}"},
    "snooze": lambda _, value: {"snoozed_until_us": value},
}
ACTIONS = tuple(_VALUES)


def _touch(tx: Tx, row: sa.RowMapping, seq: int) -> None:
    """Count a change that is not one of the alert's state."""
    tx.conn.execute(
        sa.update(alerts)
        .where(alerts.c.alert_id == row["alert_id"])
        .values(version=row["version"] + 1, changed_seq=seq, changed_us=tx.clock.now_us())
    )


def _waiting(who: Principal) -> list[sa.ColumnElement[bool]]:
    found = [alerts.c.state.in_(WAITING), ~alerts.c.historic, sa.not_(alert_shut(who, alerts.c.alert_id))]
    if who.mode is not None:
        found.append(alerts.c.mode == who.mode)
    if who.entities is not None:
        found.append(alerts.c.entity.in_(sorted(who.entities)))
    return found


def _put_off(now_us: int, put_off: bool) -> sa.ColumnElement[bool]:
    waits = sa.and_(
        sa.func.coalesce(alert_work.c.snoozed_until_us, 0) > now_us,
        sa.func.coalesce(alert_work.c.snoozed_revision, -1) == alerts.c.revision,
    )
    return waits if put_off else sa.not_(waits)


def _chosen(which: Which) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if which.severity:
        found.append(alerts.c.severity.in_(list(which.severity)))
    if which.typology is not None:
        found.append(alerts.c.typologies.contains(f'"{which.typology}"', autoescape=True))
    if which.min_score is not None:
        found.append(alerts.c.score >= which.min_score)
    if which.opened_before_us is not None:
        found.append(alerts.c.created_us < which.opened_before_us)
    if which.protect is not None:
        found.append(alerts.c.protect == which.protect)
    if which.assignee is not None:
        column = alert_work.c.assignee
        found.append(column.is_(None) if which.assignee == "" else column == which.assignee)
    for name in ("entity", "mode"):
        value = getattr(which, name)
        if value is not None:
            found.append(alerts.c[name] == value)
    return found


def _order(order: str) -> tuple[Callable[[sa.RowMapping], Key], list[Any]]:
    """The key of a row, and the order it is of. The oldest first within each."""
    last = [alerts.c.created_us, alerts.c.alert_id]
    if order == "severity":
        return (
            lambda row: (SEVERITIES.index(row["severity"]), row["created_us"], row["alert_id"]),
            [_RANK.desc(), *last],
        )
    if order == "score":
        return (
            lambda row: (repr(float(row["score"])), row["created_us"], row["alert_id"]),
            [alerts.c.score.desc(), *last],
        )
    return lambda row: (row["created_us"], row["alert_id"]), last


def _behind(order: str, after: Key) -> sa.ColumnElement[bool]:
    last = sa.tuple_(alerts.c.created_us, alerts.c.alert_id) > sa.tuple_(*map(sa.literal, after[-2:]))
    if order == "age":
        return last
    column: Any = _RANK if order == "severity" else alerts.c.score
    value = after[0] if order == "severity" else float(after[0])
    return sa.or_(column < value, sa.and_(column == value, last))


KEY_TYPES: dict[str, tuple[type, ...]] = {
    "severity": (int, int, str), "score": (str, int, str), "age": (int, str),
}  # fmt: skip
