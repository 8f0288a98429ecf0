"""What the routes of the vault share: the rooms behind them, purposes, versions, and how things are shown.

Owns the shapes of answers; a test holds them to `txmon.api.vaultschemas`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Response

from txmon.api.cases import version_of
from txmon.api.context import Exchange, Parts
from txmon.api.pages import plain
from txmon.api.personal import purpose_of, require_purpose
from txmon.api.vaultdoor import unknown_path
from txmon.clock import rfc3339
from txmon.reports import modeljson
from txmon.reports.model import Report
from txmon.vault.caller import Caller
from txmon.vault.clocks import Clock, clocks_of
from txmon.vault.copies import Kept
from txmon.vault.db import Row
from txmon.vault.grants import Grant
from txmon.vault.head import Head
from txmon.vault.office import Doing
from txmon.vault.rooms import Rooms
from txmon.vault.states import actions_of

_PLAIN = (
    "report_id", "version", "state", "case_id", "mode", "entity", "kind", "jurisdiction", "mark",
    "drafted_by", "signed_by", "submitted_by", "released_by", "authority_id",
)  # fmt: skip
_LISTS = ("formats", "editors", "next")
_TIMES = ("created", "changed", "signed", "submitted", "released")


def rooms_of(parts: Parts) -> Rooms:
    """Return the vault.

    Raises:
        Problem: not_found: there is none.
    """
    if parts.rooms is None:
        raise unknown_path()
    return parts.rooms


def looking(exchange: Exchange) -> Caller:
    """Return who looks, with the purpose that every look names.

    Raises:
        Problem: purpose_required.
    """
    return exchange.vault.for_purpose(require_purpose(exchange, "what the vault holds"))


def doing(exchange: Exchange) -> Caller:
    """Return who does something, with a purpose if one is named."""
    return exchange.vault.for_purpose(purpose_of(exchange))


def deed(report_id: str, if_match: str | None, action: str, reason: str | None = None) -> Doing:
    """Return what is done with a report, in the version that was read.

    Raises:
        Problem: precondition_required, conflict.
    """
    return Doing(report_id, version_of(if_match, "report"), action, reason or "")


def model_of(given: Mapping[str, Any]) -> Report:
    """Return the report of a body.

    Raises:
        ReportModelError: it is not of the model.
    """
    return modeljson.loads(json.dumps(given))


def done(head: Head, status: int = 200) -> Response:
    """Return the answer to a change."""
    found = {"report_id": head.report_id, "version": head.version, "state": head.state}
    return plain(found, status, {"etag": f'"v{head.version}"'})


def head_shown(rooms: Rooms, caller: Caller, head: Head) -> dict[str, Any]:
    """Return what is known of a report, and what this one may do with it."""
    found: dict[str, Any] = {name: getattr(head, name) for name in _PLAIN}
    found |= {name: list(getattr(head, name)) for name in _LISTS}
    found |= {name: _time(getattr(head, f"{name}_us")) for name in _TIMES}
    found["returned"] = None if head.returned is None else _timed(head.returned, "at")
    found["no_file"] = None if head.no_file is None else _timed(head.no_file, "proposed", "decided")
    prior = head.prior
    found["prior"] = prior and {name: prior[name] for name in ("report_id", "authority_id", "kind")}
    found["acknowledgements"] = [_timed(each, "at") for each in head.acknowledgements]
    found["sent"] = [dict(each) for each in head.sent]
    names = ("format", "filename", "sha256", "size")
    found["files"] = [{name: each[name] for name in names} for each in head.files]
    clocks = clocks_of(head, rooms.rules, rooms.vault.clock.now_us())
    return found | {
        "clocks": [clock_shown(clock) for clock in clocks],
        "actions": actions_of(head.standing, caller.actor),
    }


def clock_shown(clock: Clock) -> dict[str, Any]:
    """Return a clock as plain values."""
    return {
        "clock": clock.clock, "state": clock.state, "since": rfc3339(clock.since_us),
        "due": _time(clock.due_us), "age_days": clock.age_days, "left_days": clock.left_days,
    }  # fmt: skip


def grant_shown(grant: Grant) -> dict[str, Any]:
    """Return a grant as plain values."""
    names = ("grant_id", "person_id", "role", "state", "reason", "proposed_by", "decided_by")
    found: dict[str, Any] = {name: getattr(grant, name) for name in names}
    found |= {"proposed": rfc3339(grant.proposed_us), "decided": _time(grant.decided_us)}
    found |= {"from": _time(grant.from_us), "until": _time(grant.until_us)}
    return found | {"reports": None if grant.reports is None else list(grant.reports)}


def row_shown(row: Row) -> dict[str, Any]:
    """Return a row of the log as plain values."""
    entry = row.entry
    return {
        "seq": row.seq, "at": rfc3339(entry["at"]), "by": entry["by"], "key_id": entry.get("key"),
        "action": entry["action"], "report_id": entry.get("report") or row.owner or None,
        "reason": entry.get("reason") or None, "purpose": entry.get("purpose"),
        "facts": entry.get("facts", {}),
    }  # fmt: skip


def copy_shown(copy: Kept) -> dict[str, Any]:
    """Return a copy as plain values, without its bytes."""
    return {
        "copy_id": copy.copy_id, "kind": copy.item["what"], "name": copy.name, "sha256": copy.sha256,
        "size": len(copy.content), "kept": rfc3339(copy.kept_us),
        "keep_until": rfc3339(copy.keep_until_us),
    }  # fmt: skip


def _timed(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    times = {f"{name}_us": name for name in names}
    return {times.get(name, name): _time(value) if name in times else value for name, value in values.items()}


def _time(value: int | None) -> str | None:
    return None if value is None else rfc3339(value)
