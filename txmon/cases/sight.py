"""Who may know of a case: mode and entity, access lists, and nobody of a case that is about this very person.

A case that is not this one's to see does not exist for this one: it is not found, not counted, and its
alerts are not listed. A restricted case is seen by those on its list alone. Who is named as a party is shut
out whatever else is granted. What is past its retention (`Principal.past`) is shut to everybody. Owns these
conditions; grants are made in `txmon.cases.moves`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from txmon.cases.words import CHILD
from txmon.errors import NotFound
from txmon.store.casetables import case_access, case_alerts, case_parties, cases
from txmon.store.identity import Principal
from txmon.store.schema import alert_hits, alerts, hits

_ALERT, _HIT = alerts.alias(), hits.alias()


def may_see(who: Principal) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on `cases` that leave what this one may see."""
    found: list[sa.ColumnElement[bool]] = [sa.not_(_closed_to(who))]
    if who.mode is not None:
        found.append(cases.c.mode == who.mode)
    if who.entities is not None:
        found.append(cases.c.entity.in_(sorted(who.entities)))
    return found


def _closed_to(who: Principal) -> sa.ColumnElement[bool]:
    """The condition on `cases` under which a case is shut to this one."""
    over = sa.false() if who.past is None else who.past.case()
    return sa.or_(_kept_from(who), over)


def _kept_from(who: Principal) -> sa.ColumnElement[bool]:
    """The condition on `cases` under which a case is not this one's to know."""
    restricted = cases.c.restriction.is_not(None)
    if who.person_id is None:  # a service is on no list and is nobody's party
        return restricted
    listed = sa.exists().where(
        case_access.c.case_id == cases.c.case_id, case_access.c.person_id == who.person_id
    )
    party = sa.exists().where(
        case_parties.c.case_id == cases.c.case_id,
        case_parties.c.user_id == who.person_id,
        case_parties.c.state == "current",
    )
    return sa.or_(sa.and_(restricted, sa.not_(listed)), party)


def alert_shut(who: Principal, alert_id: sa.Column[str]) -> sa.ColumnElement[bool]:
    """The condition under which an alert is past, or of a case that is shut to this one."""
    shut = sa.exists(
        sa.select(sa.literal(1))
        .select_from(case_alerts.join(cases, cases.c.case_id == case_alerts.c.case_id))
        .where(case_alerts.c.alert_id == alert_id, _kept_from(who))
    )
    if who.past is None:
        return shut
    if alert_id.table is alerts:  # the row itself is at hand, and no past case has an alert that is not
        return sa.or_(who.past.alert(), shut)
    return sa.or_(shut, sa.exists().where(_ALERT.c.alert_id == alert_id, who.past.alert(_ALERT)))


def hit_shut(who: Principal, hit_id: sa.Column[int]) -> sa.ColumnElement[bool]:
    """The condition under which a hit is past, or of an alert of a case that is shut to this one."""
    joined = alert_hits.join(case_alerts, case_alerts.c.alert_id == alert_hits.c.alert_id)
    shut = sa.exists(
        sa.select(sa.literal(1))
        .select_from(joined.join(cases, cases.c.case_id == case_alerts.c.case_id))
        .where(alert_hits.c.hit_id == hit_id, _kept_from(who))
    )
    if who.past is None:
        return shut
    if hit_id.table is hits:
        return sa.or_(who.past.hit(), shut)
    return sa.or_(shut, sa.exists().where(_HIT.c.hit_id == hit_id, who.past.hit(_HIT)))


def about_children(conn: sa.Connection, alert_ids: Collection[str]) -> frozenset[str]:
    """Return which of these alerts belong to a case about the sexual exploitation of children."""
    if not alert_ids:
        return frozenset()
    query = (
        sa.select(case_alerts.c.alert_id)
        .join(cases, cases.c.case_id == case_alerts.c.case_id)
        .where(case_alerts.c.alert_id.in_(list(alert_ids)), cases.c.restriction == CHILD)
    )
    return frozenset(conn.execute(query).scalars())


def hits_about_children(conn: sa.Connection, hit_ids: Collection[int]) -> frozenset[int]:
    """Return which of these hits are of an alert of such a case."""
    if not hit_ids:
        return frozenset()
    query = (
        sa.select(alert_hits.c.hit_id)
        .join(case_alerts, case_alerts.c.alert_id == alert_hits.c.alert_id)
        .join(cases, cases.c.case_id == case_alerts.c.case_id)
        .where(alert_hits.c.hit_id.in_(list(hit_ids)), cases.c.restriction == CHILD)
    )
    return frozenset(conn.execute(query).scalars())


def shut_alerts(conn: sa.Connection, who: Principal, alert_ids: Collection[str]) -> frozenset[str]:
    """Return which of these alerts are past, or of a case that is shut to this one."""
    query = sa.select(alerts.c.alert_id).where(
        alerts.c.alert_id.in_(list(alert_ids)), alert_shut(who, alerts.c.alert_id)
    )
    return frozenset(conn.execute(query).scalars())


def shut_names(conn: sa.Connection, who: Principal, names: Collection[str]) -> frozenset[str]:
    """Return which of these ids of cases and alerts are not this one's to know."""
    query = sa.select(cases.c.case_id).where(cases.c.case_id.in_(list(names)), _closed_to(who))
    return shut_alerts(conn, who, names) | frozenset(conn.execute(query).scalars())


def case_row(conn: sa.Connection, who: Principal, case_id: str) -> sa.RowMapping:
    """Return a case.

    Raises:
        NotFound: there is none, or none that this one may know of.
    """
    query = sa.select(cases).where(cases.c.case_id == case_id, *may_see(who))
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound("there is no such case")
    return row


def sees(conn: sa.Connection, who: Principal, case_id: Any) -> bool:
    """Whether there is a case that this one may see."""
    query = sa.select(sa.literal(1)).where(cases.c.case_id == str(case_id), *may_see(who))
    return conn.execute(query).first() is not None
