"""What the store knows of one person, for that person to read: events, with everybody else redacted.

    found = find_subject(store, "acct-1", past)          own identifiers, and events in order of arrival
    found = find_subject(..., include={"alerts"})        what a second person agreed to tell besides

An event is told if it names the person, or an account that the person holds or held, and is within the
retention of plain events: so nothing that is kept for an alert or a case alone shows, and what is told is the
same with and without them. Alerts, hits, cases, scores, tips and refused rows are left out; nothing here
knows of reports. Identifiers of others become ``other-1``, ``other-2`` ..., the same within one export. Owns
the search and the redaction; the file is `txmon.store.subjectzip`'s part.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.errors import InputError
from txmon.store import journal
from txmon.store.casetables import case_parties, cases
from txmon.store.db import Store
from txmon.store.eventrows import plain
from txmon.store.holds import naming
from txmon.store.retention import Past
from txmon.store.schema import alerts, hits

INCLUDED = ("alerts", "cases", "tips")  # what is told only if a second person agrees to it by name
_IDENTIFIERS = ("payer", "payee", "account", "party", "merchant", "sub_merchant", "terminal")
# of whoever acts: the one who pays, or gets money back
_ACTING = (
    "card", "card_bin", "card_last4", "card_country", "card_prepaid", "device", "ip", "ip_country", "city",
    "lat", "lon", "tz",
)  # fmt: skip
_TEXTS = ("memo", "descriptor", "attributes")
_SIDES = {"payer_country": "payer", "payee_country": "payee"}
_BACK = frozenset(("refund", "chargeback", "reversal", "payout"))
_OTHERS_KINDS = frozenset(("tick", "tip.received"))
_SUBJECT_MAX = 200


@dataclass
class Subject:
    """What is told. own: identifiers that are the person's. more: what was included, by name."""

    party: str
    own: frozenset[str]
    events: list[dict[str, Any]] = field(default_factory=list)
    more: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


def find_subject(store: Store, party: str, past: Past, include: Collection[str] = ()) -> Subject:
    """Return what is told of a person.

    Args:
        party: a party, an account or a card, as the events name it.
        past: the horizon of now.
        include: of INCLUDED.

    Raises:
        InputError: an empty name, or an unknown word in `include`.
    """
    if not party.strip() or len(party) > _SUBJECT_MAX:
        raise InputError(f"name the person by 1 to {_SUBJECT_MAX} characters, as the events do")
    unknown = sorted(set(include) - set(INCLUDED))
    if unknown:
        raise InputError(f"{unknown[0]!r} cannot be included; one of {', '.join(INCLUDED)}")
    own = _own(store, party)
    found = Subject(party, own)
    redaction = Redaction(own)
    names = pa.array(sorted(own), pa.string())
    for entry in journal.read(store, kinds=[journal.EVENTS]):
        chosen = naming(entry.table, names, frozenset())
        if not chosen.any():
            continue
        times = pc.cast(entry.table["event_time"], pa.int64()).to_numpy()
        chosen &= times > past.before("events")
        for row in entry.table.filter(pa.array(chosen)).to_pylist():
            if row["kind"] == "tip.received" and "tips" in include:
                found.more.setdefault("tips", []).append(redaction.event(plain(row)))
            elif row["kind"] not in _OTHERS_KINDS:
                found.events.append(redaction.event(plain(row)))
    _include(store, found, past, include)
    return found


def _own(store: Store, party: str) -> frozenset[str]:
    """The person, and the accounts that name this person as a holder."""
    own = {party}
    names = pa.array([party], pa.string())
    for entry in journal.read(store, kinds=[journal.EVENTS]):
        if "holders" not in entry.table.column_names or "account" not in entry.table.column_names:
            continue
        chosen = naming(entry.table, names, frozenset())
        for place in np.flatnonzero(chosen).tolist():
            holders = entry.table["holders"][place].as_py() or ()
            account = entry.table["account"][place].as_py()
            if account and any(holder["party"] == party for holder in holders):
                own.add(account)
    return frozenset(own)


class Redaction:
    """Takes everybody else out of events; the same other has the same number throughout."""

    def __init__(self, own: Collection[str]) -> None:
        self._own = frozenset(own)
        self._others: dict[str, str] = {}

    def event(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return an event as the person may see it."""
        found = dict(event)
        pays = self._is_own(event, "payer", "account", "party", "merchant")
        back = event.get("kind") in _BACK
        acts = (self._is_own(event, "payee") if back else pays) or self._is_own(event, "card", "device")
        for name in (*_ACTING, *_TEXTS):
            if not (acts if name in _ACTING else pays) and name in found and found[name] not in self._own:
                del found[name]
        for name, side in _SIDES.items():
            if not self._is_own(event, side):
                found.pop(name, None)
        named = {str(event[name]) for name in _IDENTIFIERS if event.get(name)} - self._own
        named |= {str(holder["party"]) for holder in event.get("holders") or ()} - self._own
        for name in _IDENTIFIERS:
            if found.get(name) and found[name] not in self._own:
                found[name] = self._other(found[name])
        if found.get("holders"):
            found["holders"] = [self._holder(holder) for holder in found["holders"]]
        for name in _TEXTS:
            if found.get(name):
                found[name] = self._text(found[name], named)
        return found

    def _is_own(self, event: Mapping[str, Any], *names: str) -> bool:
        return any(event.get(name) in self._own for name in names)

    def _other(self, value: str) -> str:
        return self._others.setdefault(value, f"other-{len(self._others) + 1}")

    def _holder(self, holder: Mapping[str, Any]) -> dict[str, Any]:
        party = holder["party"]
        if party in self._own:
            return dict(holder)
        return {"party": self._other(party), "role": holder.get("role")}

    def _text(self, value: Any, named: Collection[str]) -> Any:
        """A text, or a map of them, in which others of the event are named by their numbers."""
        if isinstance(value, Mapping):
            return {key: self._text(each, named) for key, each in value.items()}
        if not isinstance(value, str):
            return value
        for name in sorted(named, key=len, reverse=True):
            value = value.replace(name, self._other(name))
        return value


def _include(store: Store, found: Subject, past: Past, include: Collection[str]) -> None:
    own = sorted(found.own)
    with store.read() as conn:
        if "alerts" in include:
            query = sa.select(alerts).where(alerts.c.subject_id.in_(own), sa.not_(past.alert()))
            found.more["alerts"] = [_alert(row) for row in conn.execute(query).mappings()]
            of_hits = sa.select(hits).where(hits.c.subject_id.in_(own), sa.not_(past.hit()))
            found.more["hits"] = [_hit(row) for row in conn.execute(of_hits).mappings()]
        if "cases" in include:
            joined = cases.join(case_parties, case_parties.c.case_id == cases.c.case_id)
            columns = (
                cases.c.case_id, cases.c.state, cases.c.created_us, case_parties.c.role, case_parties.c.ref,
            )  # fmt: skip
            of_cases = sa.select(*columns).select_from(joined).where(
                case_parties.c.ref.in_(own), case_parties.c.state == "current",
                cases.c.restriction.is_(None), sa.not_(past.case()),
            )  # fmt: skip
            found.more["cases"] = [dict(row) for row in conn.execute(of_cases).mappings()]


def _alert(row: sa.RowMapping) -> dict[str, Any]:
    names = ("alert_id", "subject_id", "severity", "score", "state", "first_event_time", "last_event_time")
    return {name: row[name] for name in names} | {"typologies": json.loads(row["typologies"])}


def _hit(row: sa.RowMapping) -> dict[str, Any]:
    names = ("source", "event_id", "rule_id", "rule_version", "subject_id", "score", "event_time")
    return {name: row[name] for name in names}
