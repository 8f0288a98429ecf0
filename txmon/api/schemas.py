"""JSON Schemas of what the API takes and gives, for the contract.

The event is made from the one canonical schema; the answers are written here, and a test holds the running
service to them. Owns schemas; checks nothing itself.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from txmon.model.schema import FIELDS, KINDS, MODES, STATUSES
from txmon.pipeline.work import REASON_CODES

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
FLAG: Schema = {"type": "boolean"}
ANYTHING: Schema = {}
TIME: Schema = {"type": "string", "format": "date-time"}
_MADE_HERE = ("ingest_seq", "amount_base_minor", "base_currency", "rate_date", "unconverted", "auth_is_final")


def maybe(schema: Schema) -> Schema:
    """A value or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": schema}


def one_of(*values: str) -> Schema:
    """One of some words."""
    return {"type": "string", "enum": list(values)}


def thing(optional: Schema | None = None, **required: Schema) -> Schema:
    """An object with these members."""
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def paged(item: Schema, **more: Schema) -> Schema:
    """A page of a list."""
    return thing(items=many(item), next_cursor=maybe(TEXT), **more)


def ref(name: str) -> Schema:
    """A named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _event_value(field_type: pa.DataType) -> Schema:
    if pa.types.is_int64(field_type):
        return WHOLE
    if pa.types.is_boolean(field_type):
        return FLAG
    if pa.types.is_float64(field_type):
        return NUMBER
    if pa.types.is_timestamp(field_type):
        return TIME
    if pa.types.is_list(field_type):
        holder = {"party": TEXT, "role": TEXT, "valid_from": TIME, "valid_to": TIME}
        return many({"type": "object", "properties": {k: maybe(v) for k, v in holder.items()}})
    if pa.types.is_map(field_type):
        return {"type": "object", "additionalProperties": maybe(TEXT)}
    return TEXT


def event() -> Schema:
    """Return an event of the native feed."""
    words = {"kind": KINDS, "status": STATUSES, "mode": MODES}
    properties: dict[str, Schema] = {}
    for field in FIELDS:
        if field.name in _MADE_HERE:
            continue
        value = one_of(*words[field.name]) if field.name in words else _event_value(field.type)
        properties[field.name] = maybe(value) | {"description": field.doc}
    properties["event_id"] = TEXT | {"description": properties["event_id"]["description"]}
    properties["event_time"] = TIME | {"description": "when it happened, RFC 3339"}
    properties["amount"] = {
        "anyOf": [NUMBER, TEXT, {"type": "null"}],
        "description": "decimal, major units of `currency`; or give amount_minor",
    }
    return {
        "type": "object",
        "properties": properties,
        "required": ["event_id", "event_time"],
        "description": "An event of the native feed; other feeds take their source's own form",
        "examples": [
            {"event_id": "p-1", "event_time": "2026-01-05T12:00:00Z", "amount": "25.00", "currency": "EUR",
             "payer": "acct-1", "payee": "acct-2"}
        ],
    }  # fmt: skip


_HIT_ANSWER = thing(
    rule_id=TEXT, rule_version=WHOLE, typology=TEXT, severity=TEXT, score=NUMBER, explanation=TEXT,
    alert_id=maybe(TEXT),
)  # fmt: skip
_DECISION = thing(
    {
        "hits": many(_HIT_ANSWER),
        "alerts": many(TEXT),
        "reason": maybe(TEXT) | {"description": "why it is in quarantine"},
        "quarantine_id": maybe(WHOLE),
        "duty": TEXT | {"description": "of a row with bytes of a picture or film: what is to be done"},
        "index": WHOLE | {"description": "of the row in the request"},
        "code": WHOLE | {"description": "403 where the key may not send this event"},
    },
    status=one_of("accepted", "duplicate", "quarantined"),
    decision_id=maybe(TEXT) | {"description": "the same however often the event is sent"},
    recommendation=one_of("allow", "review", "hold"),
    reason_code=one_of(*REASON_CODES),
    late=FLAG,
    warming=FLAG,
    duplicate=FLAG,
)
_RESULTS = thing(results=many(_DECISION))
_SUMS = thing(
    {"hits": WHOLE, "alerts": WHOLE}, rows=WHOLE, accepted=WHOLE, duplicates=WHOLE, quarantined=WHOLE,
    last_seq=WHOLE,
)  # fmt: skip
_HIT = thing(
    {"subject_id": TEXT, "explanation": TEXT, "features": ANYTHING, "change": TEXT},
    hit_id=WHOLE, source=TEXT, event_id=TEXT, rule_id=TEXT, rule_version=WHOLE, subject_type=TEXT,
    score=NUMBER, trigger=TEXT, entity=TEXT, mode=TEXT, leg=maybe(TEXT), event_time=TIME, as_of=maybe(TIME),
)  # fmt: skip
_ALERT = thing(
    {
        "subject_type": TEXT, "severity": TEXT, "score": NUMBER, "protect": FLAG, "hit_count": WHOLE,
        "typologies": many(TEXT), "rule_ids": many(TEXT), "first_event_time": TIME, "last_event_time": TIME,
        "personal": FLAG, "subject_id": TEXT, "explanation": TEXT, "state_reason": maybe(TEXT),
        "parts": ANYTHING, "holders_first": ANYTHING, "holders_latest": ANYTHING, "hits": many(_HIT),
        "events": many({"type": "object"}),
    },
    alert_id=TEXT, entity=TEXT, mode=TEXT, recommendation=TEXT, opened_time=TIME, opened_source=TEXT,
    opened_event_id=TEXT, revision=WHOLE, state=TEXT, historic=FLAG, version=WHOLE, created=TIME,
    changed=TIME,
)  # fmt: skip
_LINE = thing(
    rule_id=TEXT, name=TEXT, value=TEXT, line=TEXT, origin=TEXT,
    met=maybe(FLAG) | {"description": "whether the line was reached; null: cannot be compared"},
)  # fmt: skip
_NUMBER = thing(
    name=TEXT, unit=one_of("count", "money"), value=WHOLE,
    low=maybe(WHOLE) | {"description": "null: too few weeks"}, middle=maybe(WHOLE), high=maybe(WHOLE),
)  # fmt: skip
_RULE = thing(
    {"rule": {"type": "object"}, "days": WHOLE},
    rule_id=TEXT, version=WHOLE, title=TEXT, status=TEXT, typology=TEXT, severity=TEXT, subject=TEXT,
    score=NUMBER, protect=FLAG, signal=FLAG, fired=WHOLE,
)  # fmt: skip
_CHANGE = thing(rule_id=TEXT, **{"from": ANYTHING, "to": ANYTHING})
_ROW = thing(
    {"event_id": maybe(TEXT), "value": maybe(TEXT), "message": TEXT, "raw": TEXT},
    id=WHOLE, feed=TEXT, line=maybe(WHOLE), field=maybe(TEXT), reason=TEXT, state=TEXT, tries=WHOLE,
    resubmitted_as=maybe(TEXT), received=TIME,
)  # fmt: skip
_PROPOSAL = thing(
    {"outcome": {"type": "object"}},
    proposal_id=TEXT, kind=TEXT, state=TEXT, version=WHOLE, author=TEXT, editors=many(TEXT), created=TIME,
    decided=maybe(TIME), decided_by=maybe(TEXT), reason=maybe(TEXT), body=maybe({"type": "object"}),
)  # fmt: skip
_PERSON = thing(
    person_id=TEXT, name=TEXT, roles=many(TEXT), entities=maybe(many(TEXT)), state=TEXT, created=TIME,
    created_by=TEXT,
)  # fmt: skip
_KEY = thing(
    key_id=TEXT, prefix=TEXT, person_id=maybe(TEXT), name=TEXT, roles=maybe(many(TEXT)), scopes=many(TEXT),
    mode=maybe(TEXT), entities=maybe(many(TEXT)), state=TEXT, created=TIME, expires=maybe(TIME),
    last_used=maybe(TIME), revoked=maybe(TIME), replaced_by=maybe(TEXT),
)  # fmt: skip
_READ = thing(
    {"subject": maybe(TEXT), "purpose": maybe(TEXT)},
    id=WHOLE, at=TIME, identity=TEXT, key_id=maybe(TEXT), action=TEXT,
)  # fmt: skip
_HEAD = thing(version=WHOLE, seq=WHOLE, head=TEXT, events=WHOLE, time=TIME, key=TEXT, signature=TEXT)
_ORDER = thing(
    {
        "people": many(TEXT), "personal": FLAG, "authority": TEXT, "reference": TEXT, "reason": TEXT,
        "subjects": many(TEXT), "cases": many(TEXT), "events": many(thing(source=TEXT, event_id=TEXT)),
        "since": maybe(TIME), "until": maybe(TIME),
    },
    order_id=TEXT, in_force=FLAG, author=TEXT, created=TIME, ends=TIME, ended=maybe(TIME), version=WHOLE,
)  # fmt: skip
_ORDER_CHANGED = thing(order_id=TEXT, version=WHOLE)
_ORDER_PROPOSED = thing(order_id=TEXT, version=WHOLE, proposal_id=TEXT)
_WEBHOOK_FIELDS: dict[str, Schema] = {
    "webhook_id": TEXT, "url": TEXT, "scope": one_of("neutral", "full"), "mode": maybe(TEXT),
    "entities": maybe(many(TEXT)), "state": one_of("active", "disabled"), "failures": WHOLE,
    "secrets": WHOLE | {"description": "2 until the old one is retired"}, "created": TIME, "created_by": TEXT,
}  # fmt: skip
_DELIVERY = thing(
    message=WHOLE | {"description": "its number, for a replay"}, at=TIME, id=WHOLE, attempt=WHOLE,
    outcome=TEXT, status=maybe(WHOLE), duration_ms=WHOLE, error=maybe(TEXT),
)  # fmt: skip
_LINK = thing(
    link_id=TEXT, person_id=TEXT, issuer=TEXT, subject=TEXT, state=one_of("pending", "active", "revoked"),
    created=TIME, created_by=TEXT, revoked=maybe(TIME),
)  # fmt: skip
_ME = thing(
    identity=TEXT, person_id=maybe(TEXT), key_id=maybe(TEXT), name=TEXT, kind=one_of("person", "service"),
    roles=many(TEXT), scopes=many(TEXT), mode=maybe(TEXT), entities=maybe(many(TEXT)),
    session=maybe(thing(ends=TIME, csrf_token=TEXT | {"description": "for X-CSRF-Token"})),
)  # fmt: skip
_PROBLEM = thing(
    {
        "reason": TEXT, "issuer": TEXT, "subject": TEXT, "faults": many({"type": "object"}),
        "stored": ref("Sums"), "quarantine_id": maybe(WHOLE),
    },
    type=TEXT, title=TEXT, status=WHOLE, detail=TEXT, code=TEXT, instance=TEXT,
)  # fmt: skip
_PROPOSED = thing(proposal_id=TEXT)
_STATE = thing(state=TEXT)
_HOOK_STATE = thing(webhook_id=TEXT, state=TEXT)

SCHEMAS: dict[str, Schema] = {
    "Event": event(), "Decision": _DECISION, "Results": _RESULTS, "Sums": _SUMS, "Hit": _HIT, "Alert": _ALERT,
    "Rule": _RULE, "QuarantineRow": _ROW, "Proposal": _PROPOSAL, "Person": _PERSON, "Key": _KEY,
    "Read": _READ, "Link": _LINK, "Webhook": thing(**_WEBHOOK_FIELDS), "Delivery": _DELIVERY,
    "SignedHead": _HEAD, "Order": _ORDER,
    "Problem": _PROBLEM,
}  # fmt: skip
_RESULT = {"type": "string", "enum": ["proposed", "not_found", "conflict", "transition"]}
_MADE = thing(key_id=TEXT, token=TEXT | {"description": "shown this once"}, proposal_id=maybe(TEXT))
# route -> status -> schema of its answers that are no errors
ANSWERS: dict[str, dict[int, Schema]] = {
    "POST /v1/events": {200: {"anyOf": [ref("Decision"), ref("Results")]}},
    "POST /v1/events:bulk": {200: ref("Sums")},
    "POST /v1/stripe": {200: thing(received=FLAG, quarantined=WHOLE)},
    "POST /v1/adyen": {200: thing(received=FLAG, quarantined=WHOLE, notificationResponse=TEXT)},
    "GET /v1/alerts": {200: paged(ref("Alert"))},
    "GET /v1/alerts/{alert_id}": {200: ref("Alert")},
    "GET /v1/alerts/{alert_id}/usual": {
        200: thing(
            alert_id=TEXT,
            until=TIME,
            currency=TEXT,
            lines=many(_LINE),
            numbers=many(_NUMBER),
            weeks=many({"type": "object"}),
            history=FLAG | {"description": "whether a warehouse is kept"},
        )
    },
    "PATCH /v1/alerts/{alert_id}": {
        200: thing(alert_id=TEXT, state=TEXT, version=WHOLE),
        202: thing(proposal_id=TEXT, alert_id=TEXT, state=TEXT),
    },
    "POST /v1/alerts:dismiss": {
        202: thing(
            proposal_id=TEXT,
            results=many(thing(alert_id=TEXT, result=_RESULT, state=maybe(TEXT), version=maybe(WHOLE))),
        )
    },
    "GET /v1/hits": {200: paged(ref("Hit"))},
    "GET /v1/entities": {200: paged(thing(entity=TEXT, alerts={"type": "object"}))},
    "GET /v1/rules": {200: paged(ref("Rule"), days=WHOLE, config=TEXT, pack_hash=TEXT)},
    "GET /v1/rules/{rule_id}": {200: ref("Rule")},
    "GET /v1/rules:staged": {200: thing(in_force=TEXT, staged=maybe(TEXT), changes=many(_CHANGE))},
    "POST /v1/rules/{rule_id}/status": {202: thing(proposal_id=TEXT, changes=many(_CHANGE))},
    "POST /v1/rules:activate": {202: thing(proposal_id=TEXT, changes=many(_CHANGE))},
    "GET /v1/quarantine": {200: paged(ref("QuarantineRow"))},
    "GET /v1/quarantine/{row_id}": {200: ref("QuarantineRow")},
    "POST /v1/quarantine/{row_id}/resubmit": {200: _STATE},
    "POST /v1/quarantine/{row_id}/fix": {202: _PROPOSED},
    "POST /v1/quarantine/{row_id}/drop": {200: _STATE},
    "GET /v1/proposals": {200: paged(ref("Proposal"))},
    "GET /v1/proposals/{proposal_id}": {200: ref("Proposal")},
    "POST /v1/proposals/{proposal_id}/decision": {200: ref("Proposal")},
    "POST /v1/proposals/{proposal_id}/withdrawal": {200: ref("Proposal")},
    "GET /v1/people": {200: paged(ref("Person"))},
    "POST /v1/people": {202: thing(person_id=TEXT, proposal_id=TEXT)},
    "POST /v1/people/{person_id}/grants": {202: thing(person_id=TEXT, proposal_id=TEXT)},
    "DELETE /v1/people/{person_id}": {200: thing(person_id=TEXT, state=TEXT)},
    "GET /v1/keys": {200: paged(ref("Key"))},
    "POST /v1/keys": {201: _MADE},
    "POST /v1/keys/{key_id}/rotation": {201: _MADE},
    "DELETE /v1/keys/{key_id}": {200: thing(key_id=TEXT, state=TEXT)},
    "GET /v1/links": {200: paged(ref("Link"))},
    "POST /v1/people/{person_id}/links": {202: thing(link_id=TEXT, person_id=TEXT, proposal_id=TEXT)},
    "DELETE /v1/links/{link_id}": {200: thing(link_id=TEXT, state=TEXT)},
    "GET /auth/me": {200: _ME},
    "POST /auth/logout": {200: thing(signed_out=FLAG, issuer_logout=maybe(TEXT))},
    "GET /v1/audit": {200: paged(ref("Read"))},
    "GET /v1/heads": {200: paged(ref("SignedHead"))},
    "GET /v1/preservation": {200: paged(ref("Order"))},
    "POST /v1/preservation": {201: _ORDER_CHANGED},
    "GET /v1/preservation/{order_id}": {200: ref("Order")},
    "POST /v1/preservation/{order_id}/renewal": {200: _ORDER_CHANGED},
    "POST /v1/preservation/{order_id}/access": {200: _ORDER_CHANGED},
    "POST /v1/preservation/{order_id}/release": {202: _ORDER_PROPOSED},
    "POST /v1/subject-exports": {202: thing(proposal_id=TEXT, include=many(TEXT))},
    "GET /v1/webhooks": {200: paged(ref("Webhook"))},
    "POST /v1/webhooks": {201: thing(**_WEBHOOK_FIELDS, secret=TEXT | {"description": "shown this once"})},
    "DELETE /v1/webhooks/{webhook_id}": {200: _HOOK_STATE},
    "POST /v1/webhooks/{webhook_id}/enable": {200: _HOOK_STATE},
    "POST /v1/webhooks/{webhook_id}/disable": {200: _HOOK_STATE},
    "POST /v1/webhooks/{webhook_id}/rotation": {
        201: thing(webhook_id=TEXT, secret=TEXT | {"description": "shown this once"})
    },
    "POST /v1/webhooks/{webhook_id}/retirement": {200: thing(webhook_id=TEXT, secrets=WHOLE)},
    "POST /v1/webhooks/{webhook_id}/replay": {202: thing(webhook_id=TEXT, messages=WHOLE)},
    "GET /v1/webhooks/{webhook_id}/deliveries": {200: paged(ref("Delivery"))},
    "GET /v1/status": {200: {"type": "object"}},
    "GET /livez": {200: thing(alive=FLAG)},
    "GET /readyz": {
        200: thing(ready=FLAG, reasons=many(TEXT)),
        503: thing(ready=FLAG, reasons=many(TEXT)),
    },
    "GET /openapi.json": {200: {"type": "object"}},
}
