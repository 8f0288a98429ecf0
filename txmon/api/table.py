"""Every route and who may use it: the one place where this is said.

A request passes if its key has one of the route's scopes and its owner one of the route's roles; a route
for people refuses services. What a handler checks besides (whose key, which kind of proposal, which mode and
entity) only takes away. Owns data; a route that is not here is not served.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from txmon.api.vaulttable import VAULT
from txmon.store.identity import ENROL, ROLES, SCOPES, Principal

INGEST, EXPLAIN, READ, ADMIN = "ingest", "explain", "read", "admin"
_WORKERS = frozenset(("analyst", "approver", "safeguarding"))
_READERS = _WORKERS | {"auditor"}
_ANYBODY = ROLES
_NONE: frozenset[str] = frozenset()
_DECIDERS = frozenset(("approver", "safeguarding"))


@dataclass(frozen=True)
class Entry:
    """A route.

    scopes, roles: any one of each is enough; no scopes: no key is asked for. signed: the body says by its
    signature who sent it. people: refuses services. raw: served by a handler of ours beside the framework.
    secret: its answers are never kept.
    """

    method: str
    path: str
    scopes: frozenset[str]
    roles: frozenset[str]
    summary: str
    people: bool = False
    raw: bool = False
    secret: bool = False
    signed: bool = False
    vault: bool = False  # roles of the vault, which alone knows them; unknown to everybody else

    @property
    def public(self) -> bool:
        """Whether it is served to anybody."""
        return not self.scopes and not self.signed

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"

    def admits(self, who: Principal) -> bool:
        """Whether the table lets this one pass; of the vault's routes it knows nobody."""
        if self.vault:
            return False
        if not self.scopes:
            return True
        scope = bool(self.scopes & who.scopes)
        role = not self.roles or bool(self.roles & who.roles)
        return scope and role and (who.is_person or not self.people)


def _entry(name: str, scopes: str | Iterable[str], roles: Iterable[str], summary: str, **more: bool) -> Entry:
    method, _, path = name.partition(" ")
    wanted = frozenset((scopes,) if isinstance(scopes, str) else scopes)
    return Entry(method, path, wanted, frozenset(roles), summary, **more)


def _vault(name: str, roles: Iterable[str], summary: str) -> Entry:
    return _entry(name, READ, roles, summary, people=True, vault=True)


TABLE: tuple[Entry, ...] = (
    # events
    _entry("POST /v1/events", INGEST, ("ingest",), "Score one event or a few, answer at once", raw=True),
    _entry("POST /v1/events:bulk", INGEST, ("ingest",), "Score a stream of events", raw=True),
    _entry("POST /v1/stripe", _NONE, _NONE, "Events that Stripe sends, signed", raw=True, signed=True),
    _entry("POST /v1/adyen", _NONE, _NONE, "Notifications of Adyen, signed", raw=True, signed=True),
    # alerts
    _entry("GET /v1/alerts", READ, _READERS, "List alerts"),
    _entry("GET /v1/alerts/stream", READ, _READERS, "Alerts as they open and grow", raw=True),
    _entry("GET /v1/alerts/{alert_id}", READ, _READERS, "An alert with what it rests on"),
    _entry("GET /v1/alerts/{alert_id}/usual", EXPLAIN, _READERS, "Its numbers against what is usual"),
    _entry("PATCH /v1/alerts/{alert_id}", READ, _WORKERS, "Move an alert to another state", people=True),
    _entry(
        "POST /v1/alerts/{alert_id}/evidence", EXPLAIN, ("approver", "safeguarding"),
        "The evidence bundle of an alert, as a ZIP", people=True, secret=True,
    ),
    _entry(
        "POST /v1/alerts:dismiss", READ, _WORKERS, "Propose to dismiss many alerts", people=True
    ),
    _entry("GET /v1/queue", EXPLAIN, _READERS, "Alerts that wait, the gravest first"),
    _entry("POST /v1/queue:work", EXPLAIN, _WORKERS, "Take up, assign or put off many alerts", people=True),
    _entry("GET /v1/vocabulary", READ, _READERS, "States, roles, reasons, signs and texts of case work"),
    _entry("GET /v1/colleagues", READ, _READERS | {"admin"}, "Who works here: names and roles"),
    _entry("GET /v1/support", READ, _WORKERS, "Organisations that support victims"),
    # cases
    _entry("GET /v1/cases", READ, _READERS, "List cases"),
    _entry("POST /v1/cases", READ, _WORKERS, "Open a case from alerts", people=True),
    _entry("GET /v1/cases/{case_id}", READ, _READERS, "A case"),
    _entry("PATCH /v1/cases/{case_id}", READ, _WORKERS, "Change a case, or propose to", people=True),
    _entry("GET /v1/cases/{case_id}/timeline", READ, _READERS, "What happened, in order"),
    _entry("GET /v1/cases/{case_id}/network", READ, _READERS, "Who is connected with whom"),
    _entry("POST /v1/cases/{case_id}/alerts", READ, _WORKERS, "Link alerts", people=True),
    _entry("POST /v1/cases/{case_id}/alerts:unlink", READ, _WORKERS, "Take alerts out", people=True),
    _entry("POST /v1/cases/{case_id}/merge", READ, _WORKERS, "Make one case of two", people=True),
    _entry("POST /v1/cases/{case_id}/split", READ, _WORKERS, "Make a case of some alerts", people=True),
    _entry("POST /v1/cases/{case_id}/comments", READ, _WORKERS, "Add a comment", people=True),
    _entry("POST /v1/cases/{case_id}/parties", READ, _WORKERS, "Add a party or a role", people=True),
    _entry(
        "PATCH /v1/cases/{case_id}/parties/{party_id}", READ, _WORKERS, "Change a party, or propose to",
        people=True,
    ),
    _entry(
        "POST /v1/cases/{case_id}/parties/{party_id}/contact", READ, _WORKERS,
        "Note how a party is to be reached", people=True,
    ),
    _entry("POST /v1/cases/{case_id}/checklist", READ, _WORKERS, "Note which signs were seen", people=True),
    _entry(
        "POST /v1/cases/{case_id}/actions", READ, _WORKERS, "Propose what is done with an account",
        people=True,
    ),
    _entry(
        "POST /v1/cases/{case_id}/access", READ, ("approver", "safeguarding"), "Say who may see a case",
        people=True,
    ),
    _entry(
        "POST /v1/cases/{case_id}/addresses", READ, _WORKERS, "Keep the keyed hash of an address of the web",
        people=True,
    ),
    _entry("POST /v1/cases/{case_id}/files", READ, _WORKERS, "Attach a file", people=True),
    _entry("GET /v1/cases/{case_id}/files/{file_id}", READ, _READERS, "A file that is attached"),
    _entry("GET /v1/hits", EXPLAIN, _READERS, "List hits"),
    _entry("GET /v1/entities", READ, _READERS, "Reporting entities and how many alerts they have"),
    # rules
    _entry("GET /v1/rules", EXPLAIN, _READERS, "The rules at work and how often they fired"),
    _entry("GET /v1/rules/{rule_id}", EXPLAIN, _READERS, "A rule as it was written"),
    _entry("GET /v1/rules:staged", EXPLAIN, _READERS, "What the rule files would change"),
    _entry(
        "POST /v1/rules:activate", EXPLAIN, _WORKERS, "Propose to put the rule files in force", people=True
    ),
    _entry(
        "POST /v1/rules/{rule_id}/status", EXPLAIN, _WORKERS, "Propose another status of a rule", people=True
    ),
    # quarantine
    _entry("GET /v1/quarantine", READ, _READERS, "List rows that are no events"),
    _entry("GET /v1/quarantine/{row_id}", READ, _READERS, "A row as it came"),
    _entry(
        "POST /v1/quarantine/{row_id}/resubmit", READ, _WORKERS, "Try a row again as it is", people=True
    ),
    _entry("POST /v1/quarantine/{row_id}/fix", READ, _WORKERS, "Propose a changed row", people=True),
    _entry("POST /v1/quarantine/{row_id}/drop", READ, _WORKERS, "Give a row up", people=True),
    # four eyes
    _entry("GET /v1/proposals", READ, _READERS | {"admin"}, "List what waits for a second person"),
    _entry("GET /v1/proposals/{proposal_id}", READ, _READERS | {"admin"}, "A proposal"),
    _entry(
        "POST /v1/proposals/{proposal_id}/decision", READ, ("approver", "safeguarding", "admin"),
        "Approve or reject a proposal", people=True,
    ),
    _entry(
        "POST /v1/proposals/{proposal_id}/withdrawal", READ, _WORKERS | {"admin"}, "Take a proposal back",
        people=True,
    ),
    # people and keys
    _entry("GET /v1/people", ADMIN, ("admin", "auditor"), "List people"),
    _entry("POST /v1/people", ADMIN, ("admin",), "Name a person and propose roles", people=True),
    _entry("POST /v1/people/{person_id}/grants", ADMIN, ("admin",), "Propose other roles", people=True),
    _entry("DELETE /v1/people/{person_id}", ADMIN, ("admin",), "Lock a person out", people=True),
    _entry("GET /v1/keys", SCOPES, _ANYBODY, "List keys; one's own if not an administrator"),
    _entry("POST /v1/keys", SCOPES, _ANYBODY, "Make a key", people=True, secret=True),
    _entry(
        "POST /v1/keys/{key_id}/rotation", SCOPES | {ENROL}, _NONE, "Replace a key by a new one",
        people=True, secret=True,
    ),
    _entry("DELETE /v1/keys/{key_id}", SCOPES, _ANYBODY, "End a key", people=True),
    _entry("GET /v1/links", ADMIN, ("admin", "auditor"), "List which outside accounts are whose"),
    _entry(
        "POST /v1/people/{person_id}/links", ADMIN, ("admin",), "Propose that an outside account is a person",
        people=True,
    ),
    _entry("DELETE /v1/links/{link_id}", SCOPES, _ANYBODY, "End a link", people=True),
    _entry("GET /v1/audit", READ, ("auditor",), "Who read whose data, when and what for"),
    _entry("GET /v1/audit/export", READ, ("auditor",), "The same as NDJSON, whole"),
    # keeping and giving out
    _entry("GET /v1/heads", READ, _READERS | {"admin"}, "Signed heads of the journal, the newest first"),
    _entry("GET /v1/preservation", READ, _WORKERS, "List preservation orders", people=True),
    _entry("POST /v1/preservation", READ, _DECIDERS, "Make a preservation order", people=True),
    _entry("GET /v1/preservation/{order_id}", READ, _WORKERS, "A preservation order", people=True),
    _entry("POST /v1/preservation/{order_id}/renewal", READ, _DECIDERS, "Let an order go on", people=True),
    _entry("POST /v1/preservation/{order_id}/access", READ, _DECIDERS, "Say who may know of it", people=True),
    _entry(
        "POST /v1/preservation/{order_id}/release", READ, _WORKERS, "Propose to end an order", people=True
    ),
    _entry("POST /v1/subject-exports", READ, _DECIDERS, "Propose to export a person's data", people=True),
    _entry(
        "GET /v1/subject-exports/{proposal_id}", READ, _DECIDERS, "The file of an export that was approved",
        people=True,
    ),
    # webhooks out
    _entry("GET /v1/webhooks", ADMIN, ("admin", "auditor"), "List the receivers of webhooks"),
    _entry("POST /v1/webhooks", ADMIN, ("admin",), "Add a receiver", people=True, secret=True),
    _entry("DELETE /v1/webhooks/{webhook_id}", ADMIN, ("admin",), "Remove a receiver", people=True),
    _entry("POST /v1/webhooks/{webhook_id}/enable", ADMIN, ("admin",), "Deliver again", people=True),
    _entry("POST /v1/webhooks/{webhook_id}/disable", ADMIN, ("admin",), "Stop delivering", people=True),
    _entry(
        "POST /v1/webhooks/{webhook_id}/rotation", ADMIN, ("admin",), "Make a new secret beside the old one",
        people=True, secret=True,
    ),
    _entry(
        "POST /v1/webhooks/{webhook_id}/retirement", ADMIN, ("admin",), "Sign with the newest secret only",
        people=True,
    ),
    _entry("POST /v1/webhooks/{webhook_id}/replay", ADMIN, ("admin",), "Deliver messages again", people=True),
    _entry(
        "GET /v1/webhooks/{webhook_id}/deliveries", ADMIN, ("admin", "auditor"), "What was delivered and how"
    ),
    # the vault of reports
    *(_vault(name, roles, summary) for name, roles, summary in VAULT),
    # signing in
    _entry("GET /auth/login", _NONE, _NONE, "To the issuer, to sign in"),
    _entry("GET /auth/callback", _NONE, _NONE, "Back from the issuer"),
    _entry("GET /auth/me", SCOPES, _NONE, "Who asks, and what this one may do"),
    _entry("POST /auth/logout", SCOPES, _NONE, "End the session", secret=True),
    # the console
    _entry("GET /console", _NONE, _NONE, "The web application for analysts"),
    _entry("GET /console/{file}", _NONE, _NONE, "A file of it"),
    # the service
    _entry("GET /v1/status", READ, _ANYBODY, "How far everything is"),
    _entry("GET /metrics", READ, _ANYBODY, "Metrics for Prometheus"),
    _entry("GET /livez", _NONE, _NONE, "The process answers"),
    _entry("GET /readyz", _NONE, _NONE, "Events are taken, or why not"),
    _entry("GET /openapi.json", _NONE, _NONE, "This contract"),
)  # fmt: skip
BY_NAME = {entry.name: entry for entry in TABLE}
