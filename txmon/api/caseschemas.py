"""JSON Schemas of the answers of case work, for the contract.

Owns schemas, as `txmon.api.schemas` does for the rest; a test holds the running service to them.
"""

from __future__ import annotations

from txmon.api.schemas import ANYTHING, FLAG, TEXT, TIME, WHOLE, Schema, many, maybe, paged, ref, thing

_COUNTS = {"type": "object", "additionalProperties": WHOLE}
_CASE_FIELDS: dict[str, Schema] = {
    "case_id": TEXT, "entity": TEXT, "mode": TEXT, "state": TEXT, "severity": TEXT, "protect": FLAG,
    "restriction": maybe(TEXT), "assignee": maybe(TEXT), "lead": maybe(TEXT), "facts_known_by": maybe(TEXT),
    "merged_into": maybe(TEXT), "split_from": maybe(TEXT), "version": WHOLE, "created_by": TEXT,
    "typologies": many(TEXT), "created": TIME, "changed": TIME, "snoozed_until": maybe(TIME),
    "facts_known_at": maybe(TIME), "due": thing(look=maybe(TIME), decide=maybe(TIME)), "personal": FLAG,
}  # fmt: skip
_NAMED: dict[str, Schema] = {"title": TEXT, "state_reason": maybe(TEXT)}
_PARTY = thing(
    {"ref": TEXT, "name": maybe(TEXT), "basis": TEXT, "user_id": maybe(TEXT)},
    party_id=TEXT, kind=TEXT, role=TEXT, confidence=TEXT, author=TEXT, created=TIME,
    contact=many(TEXT) | {"description": "channels that are safe for somebody who may be a victim"},
)  # fmt: skip
_FILE = thing({"name": TEXT}, file_id=TEXT, kind=TEXT, size=WHOLE, author=TEXT, sha256=TEXT, added=TIME)
_CHECK = thing({"witness": maybe(TEXT), "note": maybe(TEXT)}, sign=TEXT, answer=TEXT, author=TEXT, at=TIME)
_ENTRY = thing(
    what={"type": "string", "enum": ["event", "alert", "decision"]}, at=TIME, zone=maybe(TEXT),
    local=maybe(TEXT),
)  # fmt: skip
_NODE = thing(
    id=TEXT, kind=TEXT, ref=TEXT, countries=many(TEXT), roles=many({"type": "object"}), protect=FLAG
)
_EDGE = thing(
    kind={"type": "string", "enum": ["money", "used"]}, to=TEXT, currency=maybe(TEXT), count=WHOLE,
    amount_minor=maybe(WHOLE), first=TEXT, last=TEXT, events=many({"type": "object"}), **{"from": TEXT},
)  # fmt: skip
_SUPPORT = thing(
    name=TEXT, countries=many(TEXT), kinds=many(TEXT), languages=many(TEXT), phone=maybe(TEXT),
    web=maybe(TEXT), email=maybe(TEXT), hours=maybe(TEXT), serves=maybe(TEXT), verified=TEXT,
    note=maybe(TEXT),
)  # fmt: skip
_DONE: Schema = thing(case_id=TEXT, version=WHOLE)
_PROPOSED: Schema = thing(case_id=TEXT, version=WHOLE, proposal_id=TEXT)
_RESULT = {"type": "string", "enum": ["done", "not_found", "conflict", "transition", "too_long"]}
_QUEUE_COUNTS = thing(
    severity=_COUNTS, oldest={"type": "object", "additionalProperties": TIME}, unassigned=WHOLE,
    protect=WHOLE, snoozed=WHOLE,
)  # fmt: skip

CASE_SCHEMAS: dict[str, Schema] = {
    "Case": thing(
        _NAMED
        | {
            "alerts": many(TEXT), "parties": many(ref("Party")), "checklist": many(_CHECK),
            "files": many(_FILE), "access": many(thing(person_id=TEXT, granted_by=TEXT)),
        },
        **_CASE_FIELDS,
    ),
    "Party": _PARTY,
}  # fmt: skip
_LEFT = maybe(thing(events=WHOLE, first=TIME, last=TIME))
CASE_ANSWERS: dict[str, dict[int, Schema]] = {
    "GET /v1/queue": {200: paged(ref("Alert"), counts=_QUEUE_COUNTS)},
    "POST /v1/queue:work": {
        200: thing(results=many(thing(alert_id=TEXT, result=_RESULT, version=maybe(WHOLE))))
    },
    "GET /v1/vocabulary": {200: {"type": "object"}},
    "GET /v1/colleagues": {200: paged(thing(person_id=TEXT, name=TEXT, roles=many(TEXT), state=TEXT))},
    "GET /v1/support": {200: paged(_SUPPORT)},
    "GET /v1/cases": {200: paged(ref("Case"))},
    "POST /v1/cases": {201: _DONE},
    "GET /v1/cases/{case_id}": {200: ref("Case")},
    "PATCH /v1/cases/{case_id}": {200: _DONE, 202: _PROPOSED},
    "GET /v1/cases/{case_id}/timeline": {200: paged(_ENTRY, span=maybe(thing(first=TIME, last=TIME)))},
    "GET /v1/cases/{case_id}/network": {
        200: thing(nodes=many(_NODE), edges=many(_EDGE), truncated=FLAG, left_out=_LEFT)
    },
    "POST /v1/cases/{case_id}/alerts": {200: _DONE},
    "POST /v1/cases/{case_id}/alerts:unlink": {200: _DONE},
    "POST /v1/cases/{case_id}/merge": {200: _DONE},
    "POST /v1/cases/{case_id}/split": {201: _DONE},
    "POST /v1/cases/{case_id}/comments": {201: thing(case_id=TEXT, journal_seq=WHOLE)},
    "POST /v1/cases/{case_id}/parties": {200: thing(case_id=TEXT, party_id=TEXT, version=WHOLE)},
    "PATCH /v1/cases/{case_id}/parties/{party_id}": {200: _DONE, 202: _PROPOSED},
    "POST /v1/cases/{case_id}/parties/{party_id}/contact": {
        200: thing(case_id=TEXT, version=WHOLE, text=TEXT)
    },
    "POST /v1/cases/{case_id}/checklist": {200: _DONE},
    "POST /v1/cases/{case_id}/actions": {202: _PROPOSED},
    "POST /v1/cases/{case_id}/access": {200: _DONE},
    "POST /v1/cases/{case_id}/addresses": {200: thing(case_id=TEXT, address=TEXT, version=WHOLE)},
    "POST /v1/cases/{case_id}/files": {200: thing(case_id=TEXT, file_id=TEXT, version=WHOLE)},
    "GET /v1/cases/{case_id}/files/{file_id}": {
        200: thing(file_id=TEXT, name=TEXT, kind=TEXT, size=WHOLE, sha256=TEXT, content=ANYTHING)
    },
}
