"""The OpenAPI document: what the framework knows of its routes, with ours, the table and the answers added.

Owns the joining; `api/openapi.json` is what it returns, and a test compares them.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import txmon
from txmon.api.callers import SESSION
from txmon.api.caseschemas import CASE_ANSWERS, CASE_SCHEMAS
from txmon.api.problems import CODES
from txmon.api.schemas import ANSWERS, SCHEMAS, TEXT, many, ref
from txmon.api.table import TABLE, Entry
from txmon.api.vaultschemas import VAULT_ANSWERS, VAULT_PERSONAL, VAULT_SCHEMAS, VAULT_TAGGED

_JSON, _PROBLEM = "application/json", "application/problem+json"
_ABOUT = """Events in, decisions out; alerts, rules and people around them.

Errors are RFC 9457 problem details whose `code` never changes its meaning. Send the key as
`Authorization: Bearer txm_...`, or in its place a token of the issuer that is set. A repeated
`Idempotency-Key` gets the same answer; without one an event is known by its (source, event_id) and counts
once. Personal data is shown to requests that say why, in `X-Purpose`, and each such read is recorded."""
_FEED = {
    "name": "feed", "in": "query", "required": False, "description": "how rows are read",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"},
}  # fmt: skip
_SIGNED = {
    "name": "Stripe-Signature", "in": "header", "required": True,
    "schema": {"type": "string", "maxLength": 4096},
}  # fmt: skip
_KEY = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}  # fmt: skip
_PURPOSE = {
    "name": "X-Purpose", "in": "header", "required": False,
    "description": "why personal data is read; without it, it is left out",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[!-~]([ -~]*[!-~])?$"},
}  # fmt: skip
_SINCE = {
    "name": "Last-Event-ID", "in": "header", "required": False, "description": "go on behind this message",
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}  # fmt: skip
_MATCH = {
    "name": "If-None-Match", "in": "header", "required": False, "description": "ETags that the caller has",
    "schema": {"type": "string", "maxLength": 400, "pattern": r'^(W/)?"[!#-~]*"$'},
}  # fmt: skip
_TAGGED = (
    "GET /v1/alerts", "GET /v1/hits", "GET /v1/rules", "GET /v1/quarantine", "GET /v1/proposals",
    "GET /v1/queue", "GET /v1/cases", "GET /v1/cases/{case_id}",
)  # fmt: skip
_PERSONAL = (
    "GET /v1/alerts", "GET /v1/alerts/{alert_id}", "GET /v1/alerts/{alert_id}/usual",
    "GET /v1/alerts/stream", "GET /v1/hits", "POST /v1/alerts/{alert_id}/evidence",
    "GET /v1/quarantine/{row_id}", "GET /v1/proposals", "GET /v1/proposals/{proposal_id}", "GET /v1/audit",
    "GET /v1/queue",
    "GET /v1/cases", "GET /v1/cases/{case_id}", "GET /v1/cases/{case_id}/timeline",
    "GET /v1/cases/{case_id}/network", "GET /v1/cases/{case_id}/files/{file_id}",
    "GET /v1/audit/export", "GET /v1/preservation/{order_id}", "GET /v1/subject-exports/{proposal_id}",
)  # fmt: skip
_BODIES: dict[str, dict[str, Any]] = {
    "POST /v1/events": {
        _JSON: {"schema": {"anyOf": [ref("Event"), many(ref("Event")) | {"maxItems": 1000}]}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "one JSON object a line"}},
        "application/xml": {"schema": {"type": "string", "description": "for feeds that read XML"}},
    },
    "POST /v1/stripe": {_JSON: {"schema": {"type": "object", "description": "an event of Stripe"}}},
    "POST /v1/adyen": {_JSON: {"schema": {"type": "object", "description": "a notification of Adyen"}}},
    "POST /v1/events:bulk": {
        "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
        "application/x-ndjson": {"schema": {"type": "string", "description": "one JSON object a line"}},
    },
}  # fmt: skip
_SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "bearerFormat": "txm_... or a JWT of the issuer that is set"},
    "session": {
        "type": "apiKey", "in": "cookie", "name": SESSION,
        "description": "given by /auth/login; what changes something repeats X-CSRF-Token of /auth/me",
    },
}  # fmt: skip
_ALWAYS_NEW = ("GET /v1/status", "GET /auth/me")
_FILES = {
    "GET /v1/audit/export": "application/x-ndjson",
    "GET /v1/subject-exports/{proposal_id}": "application/zip",
}
_BROWSER = ("GET /auth/login", "GET /auth/callback")
_CONSOLE = {
    "GET /console": ("text/html",),
    "GET /console/{file}": ("text/javascript", "text/css", "image/svg+xml", "text/html"),
}
_USUAL = (400, 401, 408, 403, 404, 413, 415, 422, 429, 500, 503)


def contract(app: FastAPI) -> dict[str, Any]:
    """Return the document."""
    found = get_openapi(title="txmon", version=txmon.__version__, description=_ABOUT, routes=app.routes)
    components = found.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= SCHEMAS | CASE_SCHEMAS | VAULT_SCHEMAS
    components["securitySchemes"] = _SCHEMES
    components["responses"] = {
        "Problem": {"description": "A problem", "content": {_PROBLEM: {"schema": ref("Problem")}}}
    }
    found["x-problem-codes"] = {code: {"status": s, "title": t} for code, (s, t) in sorted(CODES.items())}
    paths: dict[str, Any] = {}
    for entry in TABLE:
        made = found["paths"].get(entry.path, {}).get(entry.method.lower(), {})
        paths.setdefault(entry.path, {})[entry.method.lower()] = _operation(entry, made)
    found["paths"] = paths
    return found


def _operation(entry: Entry, made: dict[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": entry.summary,
        "operationId": _identifier(entry),
        "tags": [_tag(entry.path)],
        "description": _who(entry),
        "security": [] if not entry.scopes else [{"key": []}, {"session": []}],
    }
    if entry.scopes:  # for a form that offers only what its user may do
        operation["x-access"] = {
            "scopes": sorted(entry.scopes), "roles": sorted(entry.roles), "people": entry.people,
        }  # fmt: skip
    parameters = list(made.get("parameters", []))
    name = entry.name
    if name in _BODIES:
        parameters.append(_SIGNED if entry.signed else _FEED)
        operation["requestBody"] = {"required": True, "content": _BODIES[name]}
    elif "requestBody" in made:
        operation["requestBody"] = made["requestBody"]
    extra = (
        (_KEY, entry.method == "POST" and not entry.signed),
        (_PURPOSE, name in _PERSONAL + VAULT_PERSONAL),
        (_MATCH, name in _TAGGED + VAULT_TAGGED),
    )
    parameters += [parameter for parameter, there in extra if there]
    if name == "GET /v1/alerts/stream":
        parameters.append(_SINCE)
    if parameters:
        operation["parameters"] = parameters
    operation["responses"] = _responses(entry)
    return operation


def _responses(entry: Entry) -> dict[str, Any]:
    name = entry.name
    found: dict[str, Any] = {}
    for status, schema in (ANSWERS | CASE_ANSWERS | VAULT_ANSWERS).get(name, {}).items():
        found[str(status)] = {"description": entry.summary, "content": {_JSON: {"schema": schema}}}
    if name == "GET /v1/alerts/stream":
        found["200"] = {
            "description": "Server-sent events",
            "content": {"text/event-stream": {"schema": TEXT}},
        }
    if name == "POST /v1/alerts/{alert_id}/evidence":
        binary = {"type": "string", "format": "binary"}
        found["200"] = {"description": "The bundle", "content": {"application/zip": {"schema": binary}}}
    if name == "GET /metrics":
        text = {"schema": TEXT}
        kinds = ("text/plain", "application/openmetrics-text")
        found["200"] = {"description": "Metrics", "content": dict.fromkeys(kinds, text)}
    if name in _FILES:
        kind = {"schema": {"type": "string", "format": "binary"}}
        found["200"] = {"description": entry.summary, "content": {_FILES[name]: kind}}
    if name in _CONSOLE:
        found["200"] = {
            "description": entry.summary,
            "content": {kind: {"schema": TEXT} for kind in _CONSOLE[name]},
        }
        found["304"] = {"description": "The caller has it already"}
    elif name in _BROWSER:
        found["303"] = {"description": "The browser goes on there"}
    elif entry.method == "GET" and not entry.public and not entry.raw and name not in (*_ALWAYS_NEW, *_FILES):
        found["304"] = {"description": "The caller has it already"}
    problems: tuple[int, ...] = _USUAL if not entry.public or name in _BROWSER else (500,)
    if name in _CONSOLE:
        problems = (404, 422, 500)
    more = {"PATCH": (409, 412, 428), "PUT": (409, 412, 428), "POST": (409, 412), "DELETE": (409, 412)}.get(
        entry.method, ()
    )
    versioned = any(f"{{{each}}}" in entry.path for each in ("case_id", "report_id", "order_id"))
    if versioned and entry.method == "POST":  # names the version that was read
        more = (*more, 428)
    for status in (*problems, *more):
        found.setdefault(str(status), {"$ref": "#/components/responses/Problem"})
    return dict(sorted(found.items()))


def _who(entry: Entry) -> str:
    if entry.public:
        return "Public."
    if entry.signed:
        return "No key; the body is signed."
    scopes = " or ".join(f"`{scope}`" for scope in sorted(entry.scopes))
    roles = " or ".join(f"`{role}`" for role in sorted(entry.roles)) or "any"
    if entry.vault:
        return f"Scope {scopes}; of the vault, role {roles}; people only. Unknown (404) to everybody else."
    return f"Scope {scopes}; role {roles}{'; people only' if entry.people else ''}."


def _identifier(entry: Entry) -> str:
    words = entry.path.replace(":", "_").replace("{", "").replace("}", "").replace(".", "_").split("/")
    return "_".join([entry.method.lower(), *[word for word in words if word and word != "v1"]])


def _tag(path: str) -> str:
    first = path.removeprefix("/v1/").strip("/").partition("/")[0].partition(":")[0]
    return first if path.startswith("/v1/") else "service"
