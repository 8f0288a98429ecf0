"""Who is connected with whom in a case, as data for a picture: nodes, and edges with sums and ids of events.

Money is an edge from payer to payee, one for each currency; a card, a device or an address that an account
used is an edge without money. Roles of parties are shown at their nodes. Owns the counting; draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from txmon.cases.rows import parties_of
from txmon.cases.timeline import events_in
from txmon.cases.words import VICTIMS
from txmon.clock import rfc3339
from txmon.store import Store
from txmon.store.eventrows import events_of
from txmon.store.identity import Principal

EVENTS_MAX = 500  # newest ones that are drawn
EVENTS_SHOWN = 20  # ids of an edge
_USED = ("card", "device", "ip")  # of the payer; weak evidence, so never money


def of_case(store: Store, who: Principal, case_id: str) -> dict[str, Any]:
    """Return nodes and edges of the newest events of a case; `left_out` says which ones are not in them."""
    events = events_in(who, case_id)
    newest = sa.select(events).order_by(events.c.newest.desc())
    with store.read() as conn:
        rows = list(conn.execute(newest.limit(EVENTS_MAX)).mappings())
        older = newest.offset(EVENTS_MAX).subquery()
        moments = (sa.func.count(), sa.func.min(older.c.at_us), sa.func.max(older.c.at_us))
        count, first, last = conn.execute(sa.select(*moments).select_from(older)).one()
        parties = parties_of(conn, case_id)
    left_out = None
    if count:
        left_out = {"events": count, "first": rfc3339(first), "last": rfc3339(last)}
    found = drawn(events_of(store, rows, EVENTS_MAX), parties)
    return found | {"truncated": count > 0, "left_out": left_out}


def drawn(events: Iterable[dict[str, Any]], parties: Sequence[sa.RowMapping]) -> dict[str, Any]:
    """Return nodes and edges of events, with the roles of parties."""
    nodes: dict[tuple[str, str], dict[str, Any]] = {}
    edges: dict[tuple[str, ...], dict[str, Any]] = {}
    for event in events:
        payer = _node(nodes, "account", event.get("payer"), event.get("payer_country"))
        payee = _node(nodes, "account", event.get("payee"), event.get("payee_country"))
        if payee is None:
            payee = _node(nodes, "merchant", event.get("merchant"), event.get("merchant_country"))
        if payer and payee:
            _edge(edges, ("money", payer, payee, event.get("currency") or ""), event)
        for kind in _USED:
            used = _node(nodes, kind, event.get(kind), None)
            if payer and used:
                _edge(edges, ("used", payer, used, ""), event)
    for party in parties:
        key = next((each for each in nodes if each[1] == party["ref"]), (party["kind"], party["ref"]))
        _node(nodes, key[0], key[1], None)
        shown = {"role": party["role"], "confidence": party["confidence"], "author": party["author"]}
        nodes[key]["roles"].append(shown)
    for node in nodes.values():
        node["protect"] = any(each["role"] in VICTIMS for each in node["roles"])
    return {"nodes": list(nodes.values()), "edges": list(edges.values())}


def _node(
    nodes: dict[tuple[str, str], dict[str, Any]], kind: str, ref: str | None, country: str | None
) -> str | None:
    if not ref:
        return None
    made = {"id": f"{kind}:{ref}", "kind": kind, "ref": ref, "countries": [], "roles": [], "protect": False}
    node = nodes.setdefault((kind, ref), made)
    if country and country not in node["countries"]:
        node["countries"].append(country)
    return str(node["id"])


def _edge(edges: dict[tuple[str, ...], dict[str, Any]], key: tuple[str, ...], event: dict[str, Any]) -> None:
    kind, source, target, currency = key
    made: dict[str, Any] = {"kind": kind, "from": source, "to": target, "currency": currency or None}
    made |= {
        "count": 0,
        "amount_minor": 0 if kind == "money" else None,
        "first": None,
        "last": None,
        "events": [],
    }
    edge = edges.setdefault(key, made)
    edge["count"] += 1
    if kind == "money":
        edge["amount_minor"] += event.get("amount_minor") or 0
    moment = event["event_time"]
    edge["first"] = min(edge["first"] or moment, moment)
    edge["last"] = max(edge["last"] or moment, moment)
    if len(edge["events"]) < EVENTS_SHOWN:
        edge["events"].append({"source": event.get("source"), "event_id": event.get("event_id")})
