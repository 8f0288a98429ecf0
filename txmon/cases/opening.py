"""Cases out of alerts: opened, with alerts linked and unlinked; two made one, one made two.

An alert is in one case at most. Linking takes it up and escalates it; unlinking puts it back into review, so
that nothing is lost between two desks. Every subject and holder of a linked alert becomes a party of the
case, as a possible victim where the rule says so. Owns the links; whoever may see an alert may link it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.cases.parties import of_alerts
from txmon.cases.rows import Wanted, let_in, listed, logged, parties_of, put, refuse_addresses, taken, told
from txmon.cases.sight import alert_shut
from txmon.cases.words import LINK_MAX, SEVERITIES
from txmon.errors import InputError, NotFound, StoreConflict, WrongState
from txmon.store import Tx, workflow
from txmon.store.casetables import case_access, case_alerts, case_parties, cases
from txmon.store.decisions import decided
from txmon.store.identity import Principal, new_id
from txmon.store.schema import alerts
from txmon.store.texts import as_json, clean


@dataclass(frozen=True)
class Opening:
    """What a new case is to be called, and who alone may see it. restriction: see `words`; None: none."""

    title: str
    reason: str
    restriction: str | None = None


def open_case(tx: Tx, who: Principal, seen: Mapping[str, int], opening: Opening) -> str:
    """Open a case from alerts; returns its id.

    Args:
        seen: alert -> the version that was read.

    Raises:
        FourEyes: a service. NotFound, StoreConflict: an alert is not there or has changed. WrongState: it is
            in a case already. InputError: none, too many, or of two entities or modes.
    """
    who.require_person()
    rows = _alerts(tx, who, seen)
    case_id = new_id("cas", tx.random_bytes)
    facts = {"alerts": sorted(seen), "title": opening.title, "reason": opening.reason}
    seq = told(tx, who, "case.opened", case_id, restriction=opening.restriction, **facts)
    _insert(tx, who, case_id, seq, rows, opening, {})
    if opening.restriction is not None and who.person_id is not None:
        let_in(tx, case_id, (who.person_id,), who, seq)
    _take_in(tx, who, case_id, rows, seq)
    return case_id


def link(tx: Tx, who: Principal, wanted: Wanted, seen: Mapping[str, int], reason: str) -> int:
    """Link further alerts; returns the version of the case.

    Raises:
        As `open_case`; an alert of another entity or mode than the case's is not found.
    """
    row = taken(tx, who, wanted)
    rows = _alerts(tx, who, seen)
    if {(each["entity"], each["mode"]) for each in rows} != {(row["entity"], row["mode"])}:
        raise InputError("name alerts of the entity and mode of the case")
    seq = told(tx, who, "case.linked", wanted.case_id, alerts=sorted(seen), reason=reason)
    _take_in(tx, who, wanted.case_id, rows, seq)
    return put(tx, row, seq, **_summary(rows, row))


def unlink(tx: Tx, who: Principal, wanted: Wanted, alert_ids: Collection[str], reason: str) -> int:
    """Take alerts out; they are in review again. Parties and protection stay. Returns the case's version.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState. InputError: all of them; close the case instead.
    """
    row = taken(tx, who, wanted)
    here = _linked(tx, wanted.case_id)
    if not alert_ids or not set(alert_ids) <= here:
        raise NotFound("the case has no such alert")
    if set(alert_ids) == here:
        raise InputError("a case keeps one alert at least; decide and close it instead")
    seq = told(tx, who, "case.unlinked", wanted.case_id, alerts=sorted(alert_ids), reason=reason)
    tx.conn.execute(sa.delete(case_alerts).where(case_alerts.c.alert_id.in_(list(alert_ids))))
    query = sa.select(alerts).where(alerts.c.alert_id.in_(list(alert_ids)), alerts.c.state == "escalated")
    for each in tx.conn.execute(query).mappings().all():
        _move(tx, each, "in_review", None, seq)
    return put(tx, row, seq)


def merge(tx: Tx, who: Principal, wanted: Wanted, into: Wanted, reason: str) -> int:
    """Make one case of two: `wanted` is closed and its alerts and parties go `into` the other.

    What restricted one of them restricts the result, and only who is on both lists stays on it: nobody sees
    more by it. Returns the version of the case that goes on.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState. InputError: of two entities or modes, or of itself.
    """
    if wanted.case_id == into.case_id:
        raise InputError("a case is not merged with itself; name another")
    gone, kept = taken(tx, who, wanted), taken(tx, who, into)
    if (gone["entity"], gone["mode"]) != (kept["entity"], kept["mode"]):
        raise InputError("cases of two entities or modes are not merged")
    if not {gone["restriction"], kept["restriction"]} <= {None, gone["restriction"] or kept["restriction"]}:
        raise InputError("cases restricted for two reasons are not merged; lift one restriction first")
    facts = {"into": into.case_id, "merged": wanted.case_id, "reason": reason}
    refuse_addresses(kept["restriction"] or gone["restriction"], facts)
    seq = decided(tx, "case.merged", who, case=wanted.case_id, **facts)
    logged(tx, who, "case.merged", (wanted.case_id, into.case_id), seq, facts)
    for table in (case_alerts, case_parties):
        moved = sa.update(table).where(table.c.case_id == wanted.case_id)
        tx.conn.execute(moved.values(case_id=into.case_id))
    _merge_lists(tx, who, gone, kept, seq)
    put(tx, gone, seq, state="closed", state_reason=reason, merged_into=into.case_id)
    values = {"severity": max(gone["severity"], kept["severity"], key=SEVERITIES.index)}
    values["typologies"] = as_json(_union(listed(kept["typologies"]), listed(gone["typologies"])))
    values["protect"] = gone["protect"] or kept["protect"]
    values["restriction"] = kept["restriction"] or gone["restriction"]
    known = [(r["facts_known_us"], r["facts_known_by"]) for r in (gone, kept) if r["facts_known_us"]]
    if known:  # the earlier determination counts
        values["facts_known_us"], values["facts_known_by"] = min(known)
    return put(tx, kept, seq, **values)


def split(tx: Tx, who: Principal, wanted: Wanted, alert_ids: Collection[str], opening: Opening) -> str:
    """Make a case of its own of some of the alerts; returns its id.

    Parties go with it as far as the alerts name them, and so do protection, restriction and access list.

    Raises:
        FourEyes, NotFound, StoreConflict, WrongState. InputError: all of the alerts.
    """
    row = taken(tx, who, wanted)
    here = _linked(tx, wanted.case_id)
    if not alert_ids or not set(alert_ids) <= here:
        raise NotFound("the case has no such alert")
    if set(alert_ids) == here:
        raise InputError("a case keeps one alert at least; name fewer")
    query = sa.select(alerts).where(alerts.c.alert_id.in_(list(alert_ids)))
    rows = tx.conn.execute(query).mappings().all()
    case_id = new_id("cas", tx.random_bytes)
    facts = {"new": case_id, "alerts": sorted(alert_ids), "title": opening.title, "reason": opening.reason}
    refuse_addresses(row["restriction"], facts)
    seq = decided(tx, "case.split", who, case=wanted.case_id, **facts)
    logged(tx, who, "case.split", (wanted.case_id, case_id), seq, facts)
    more = {"split_from": wanted.case_id, "assignee": row["assignee"], "lead": row["lead"]}
    more |= {"facts_known_us": row["facts_known_us"], "facts_known_by": row["facts_known_by"]}
    restricted = Opening(opening.title, opening.reason, row["restriction"])
    _insert(tx, who, case_id, seq, rows, restricted, more | {"protect": row["protect"]})
    tx.conn.execute(
        sa.update(case_alerts)
        .where(case_alerts.c.alert_id.in_(list(alert_ids)))
        .values(case_id=case_id, added_us=tx.clock.now_us(), added_by=who.identity, journal_seq=seq)
    )
    _copy_parties(tx, wanted.case_id, case_id, rows, seq)
    let_in(tx, case_id, _access(tx, wanted.case_id), who, seq)
    put(tx, row, seq)
    return case_id


def _insert(
    tx: Tx, who: Principal, case_id: str, seq: int, rows: Sequence[Any], opening: Opening,
    more: dict[str, Any],
) -> None:  # fmt: skip
    now = tx.clock.now_us()
    values: dict[str, Any] = {
        "case_id": case_id,
        "title": clean(opening.title),
        "restriction": opening.restriction,
    }
    values |= {"entity": rows[0]["entity"], "mode": rows[0]["mode"], "state": "open", "version": 1}
    values |= _summary(rows, None)
    values |= {"created_us": now, "created_by": who.identity, "changed_us": now}
    tx.conn.execute(sa.insert(cases).values(values | {"journal_seq": seq, "changed_seq": seq} | more))


def _summary(rows: Sequence[Any], case: Any) -> dict[str, Any]:
    """What alerts say of their case: the gravest severity, every typology, whether it protects."""
    severities = [each["severity"] for each in rows]
    typologies: list[str] = [] if case is None else listed(case["typologies"])
    if case is not None:
        severities.append(case["severity"])
    for each in rows:
        typologies = _union(typologies, listed(each["typologies"]))
    protect = any(each["protect"] for each in rows) or (case is not None and case["protect"])
    return {
        "severity": max(severities, key=SEVERITIES.index),
        "typologies": as_json(typologies),
        "protect": bool(protect),
    }


def _union(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*one, *other]))


def _alerts(tx: Tx, who: Principal, seen: Mapping[str, int]) -> list[sa.RowMapping]:
    """The alerts that are to be linked, as they were read, and in no case yet."""
    if not 0 < len(seen) <= LINK_MAX:
        raise InputError(f"name 1 to {LINK_MAX} alerts")
    query = sa.select(alerts).where(
        alerts.c.alert_id.in_(list(seen)), sa.not_(alert_shut(who, alerts.c.alert_id))
    )
    rows = [r for r in tx.conn.execute(query).mappings() if who.may_touch(r["mode"], r["entity"])]
    if len(rows) < len(seen):
        raise NotFound("there is no such alert")
    if any(row["version"] != seen[row["alert_id"]] for row in rows):
        raise StoreConflict("an alert is not in the version named any more; read it again")
    if len({(row["entity"], row["mode"]) for row in rows}) > 1:
        raise InputError("name alerts of one entity and one mode")
    there = sa.select(case_alerts.c.alert_id).where(case_alerts.c.alert_id.in_(list(seen)))
    if tx.conn.execute(there).first() is not None:
        raise WrongState("an alert is in a case already; merge the cases, or unlink it there")
    if any(row["state"] == "dismissed" for row in rows):
        raise WrongState("a dismissed alert is not linked; new evidence opens it again")
    return rows


def _take_in(tx: Tx, who: Principal, case_id: str, rows: Sequence[sa.RowMapping], seq: int) -> None:
    added = {"case_id": case_id, "added_us": tx.clock.now_us(), "added_by": who.identity, "journal_seq": seq}
    tx.conn.execute(sa.insert(case_alerts), [{"alert_id": each["alert_id"]} | added for each in rows])
    for each in rows:
        if each["state"] != "escalated":
            _move(tx, each, "escalated", None, seq)
    of_alerts(tx, who, case_id, rows, seq)


def _move(tx: Tx, row: sa.RowMapping, state: str, reason: str | None, seq: int) -> None:
    workflow.set_alert_state(
        tx, row["alert_id"], state, reason=reason, version=row["version"], journal_seq=seq
    )


def _linked(tx: Tx, case_id: str) -> set[str]:
    query = sa.select(case_alerts.c.alert_id).where(case_alerts.c.case_id == case_id)
    return set(tx.conn.execute(query).scalars())


def _access(tx: Tx, case_id: str) -> set[str]:
    query = sa.select(case_access.c.person_id).where(case_access.c.case_id == case_id)
    return set(tx.conn.execute(query).scalars())


def _merge_lists(tx: Tx, who: Principal, gone: sa.RowMapping, kept: sa.RowMapping, seq: int) -> None:
    """Leave on the list of the case that goes on whom both cases were open to."""
    old, new = _access(tx, gone["case_id"]), _access(tx, kept["case_id"])
    if gone["restriction"] is None:
        return
    if kept["restriction"] is None:
        let_in(tx, kept["case_id"], old, who, seq)
        new = new | old
    dropped = sorted(new - old)
    if dropped:
        where = (case_access.c.case_id == kept["case_id"], case_access.c.person_id.in_(dropped))
        tx.conn.execute(sa.delete(case_access).where(*where))


def _copy_parties(tx: Tx, old: str, new: str, rows: Sequence[Any], seq: int) -> None:
    named = {row["subject_id"] for row in rows}
    for row in rows:
        for column in ("holders_first", "holders_latest"):
            named |= {each.get("party") for each in listed(row[column]) if isinstance(each, dict)}
    # a party that is a person of ours is shut out of both
    copied = [each for each in parties_of(tx.conn, old) if each["ref"] in named or each["user_id"]]
    if copied:
        fresh = [
            dict(each) | {"party_id": new_id("pty", tx.random_bytes), "case_id": new, "journal_seq": seq}
            for each in copied
        ]
        tx.conn.execute(sa.insert(case_parties), fresh)
