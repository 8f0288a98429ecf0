"""The words of case work: states, roles, reasons, channels, clocks.

Owns names and what they mean in plain words; a name never changes its meaning. No row is read here.
"""

from __future__ import annotations

from typing import Any

from txmon.model.currencies import EXPONENTS

SEVERITIES = ("low", "medium", "high", "critical")
STATES = ("open", "investigating", "decided", "closed")
# from -> to; the same whether anything was reported or not
NEXT: dict[str, tuple[str, ...]] = {
    "open": ("investigating",),
    "investigating": ("decided",),
    "decided": ("investigating", "closed"),
    "closed": ("investigating",),
}
WORKED_ON = ("open", "investigating")
CHILD = "child_exploitation"
RESTRICTIONS = {
    CHILD: "sexual exploitation of children",
    "own_staff": "somebody who works here may be involved",
    "police_hold": "the police asked for silence",
}
ROLES = {
    "suspect": "believed to exploit others",
    "recruiter": "brings people in by promises or pressure",
    "middleman": "passes money or people on",
    "facilitator": "helps knowingly or not: lets rooms, books travel, lends an account",
    "site_operator": "runs a site where people are offered or shown",
    "employer": "has people work for it",
    "service_provider": "is paid for a lawful service",
    "client": "pays for what is offered",
    "deceived_client": "paid and was deceived",
    "holder": "holds an account that is involved; nothing more is known",
    "victim": "is known to be a victim",
    "possible_victim": "may be a victim",
    "image_victim": "is shown in images",
    "unknown": "part not known yet",
}
VICTIMS = frozenset(("victim", "possible_victim", "image_victim"))
PARTY_KINDS = ("person", "account", "merchant", "card", "device", "other")
CONFIDENCES = ("low", "medium", "high")
CHANNELS = ("letter", "e-mail", "sms", "phone", "app", "branch")
ANSWERS = ("seen", "not_seen", "unknown")
DISMISSALS = {
    "known_relation": "payer and payee are known to have a lawful relation",
    "lawful_business": "the pattern is that of a lawful business, checked",
    "stable_history": "the subject has done so for long, without a complaint",
    "data_error": "the data were wrong or doubled",
    "rule_too_wide": "the rule matches what it was not meant for",
    "duplicate": "the same facts are in another alert or case",
    "insufficient": "looked into, and nothing supports the suspicion",
    "other": "see the text",
}
ACTIONS = {
    "limit": "limit what the account may do",
    "hold": "hold a payment or the account",
    "release": "end a hold or a limit",
    "close": "close the account",
}
# hours from the opening of a case to the first look and to the decision, by severity
CLOCK_HOURS = {"critical": (4, 72), "high": (24, 240), "medium": (72, 480), "low": (168, 720)}
SNOOZE_DAYS = {"critical": 1, "high": 7, "medium": 30, "low": 30}  # longest
BULK_MAX, LINK_MAX = 200, 100  # alerts of one request; of one request about a case


def vocabulary() -> dict[str, Any]:
    """Return all of it, for a form to be made of."""
    return {
        "severities": SEVERITIES, "states": {name: list(NEXT[name]) for name in STATES},
        "restrictions": RESTRICTIONS, "roles": ROLES, "victim_roles": sorted(VICTIMS),
        "party_kinds": PARTY_KINDS, "confidences": CONFIDENCES, "channels": CHANNELS,
        "dismissals": DISMISSALS, "actions": ACTIONS, "answers": ANSWERS,
        "clock_hours": {name: {"look": a, "decide": b} for name, (a, b) in CLOCK_HOURS.items()},
        "snooze_days": SNOOZE_DAYS, "currencies": EXPONENTS, "limits": {"bulk": BULK_MAX, "link": LINK_MAX},
    }  # fmt: skip
