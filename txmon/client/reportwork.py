"""Requests to the vault of reports, for both clients.

Owns their addresses and bodies; who may ask is the vault's part: to everybody else these are unknown paths.
Never sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from txmon.client.casework import body
from txmon.client.wire import Call, query

VAULT = "/v1/vault"
REPORTS, REMINDERS = f"{VAULT}/reports", f"{VAULT}/reminders"


def report_call(report_id: str, part: str | None, purpose: str) -> Call:
    """Return the request for a report, or a part: ``comments``, ``kept``, ``files/FORMAT``.

    Raises:
        InputError: the purpose is no line of text.
    """
    return query(_path(report_id, part), {}, purpose)


def drafting(case_id: str, formats: Iterable[str], jurisdiction: str | None, key: str) -> Call:
    """Return the request that drafts a report from a case."""
    values: dict[str, Any] = {"case_id": case_id, "formats": list(formats)}
    if jurisdiction is not None:
        values["jurisdiction"] = jurisdiction
    return Call("POST", REPORTS, body(values), key=key)


def editing(report_id: str, version: int, model: Mapping[str, Any], formats: Iterable[str] | None) -> Call:
    """Return the request that puts another model in place."""
    values: dict[str, Any] = {"model": dict(model)}
    if formats is not None:
        values["formats"] = list(formats)
    return Call("PUT", _path(report_id, None), body(values), version=version)


def doing(report_id: str, part: str, version: int | None, values: Mapping[str, Any], key: str) -> Call:
    """Return the request that does something with a report: ``signature``, ``release``, ``comments`` ..."""
    return Call("POST", _path(report_id, part), body(values), key=key, version=version)


def _path(report_id: str, part: str | None) -> str:
    own = f"{REPORTS}/{quote(report_id, safe='')}"
    return own if part is None else f"{own}/{quote(part, safe='/:')}"
