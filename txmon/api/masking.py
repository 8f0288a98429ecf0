"""Addresses of the web in what is shown of cases about children: a keyed hash in their place.

They may have been written before anybody knew what the case is about. The hash is that of the route
`/addresses`, so that what was kept there and what is masked here can be compared; without the key file it is
only said that there was one. Owns where this is done; the hash is `txmon.cases.addresses`' part.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from txmon.api.context import Parts
from txmon.cases.addresses import masked
from txmon.cases.sight import about_children
from txmon.cases.words import CHILD
from txmon.errors import ConfigError
from txmon.model.keys import PanKey, load_key
from txmon.store.casetables import cases


def of_case(parts: Parts, restriction: str | None, shown: Any) -> Any:
    """Return what is shown of a case of this restriction."""
    return masked(shown, key_of(parts)) if restriction == CHILD else shown


def of_alerts(parts: Parts, conn: sa.Connection, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is shown of alerts, each by its `alert_id`."""
    there = about_children(conn, [each["alert_id"] for each in items])
    return _some(parts, items, [each["alert_id"] in there for each in items])


def of_hits(parts: Parts, items: list[dict[str, Any]], there: Collection[int]) -> list[dict[str, Any]]:
    """Return what is shown of hits; `there`: those of such cases."""
    return _some(parts, items, [each["hit_id"] in there for each in items])


def of_proposal(parts: Parts, conn: sa.Connection, shown: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown of a proposal, by the case or the alerts that it is about."""
    body = shown.get("body") or {}
    case_id, named = body.get("case_id"), [body.get("alert_id"), *(body.get("alerts") or ())]
    query = sa.select(cases.c.restriction).where(cases.c.case_id == str(case_id))
    of_child = case_id is not None and conn.execute(query).scalar() == CHILD
    if of_child or about_children(conn, [each for each in named if isinstance(each, str)]):
        return dict(masked(shown, key_of(parts)))
    return shown


def key_of(parts: Parts) -> PanKey | None:
    """Return the key of hashes; None where its file cannot be read."""
    try:
        return load_key(parts.settings.key_file)
    except ConfigError:
        return None


def _some(parts: Parts, items: list[dict[str, Any]], which: list[bool]) -> list[dict[str, Any]]:
    if not any(which):
        return items
    key = key_of(parts)
    return [masked(each, key) if hide else each for each, hide in zip(items, which, strict=True)]
