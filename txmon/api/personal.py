"""Personal data: shown for a purpose only, to those whose it is to see, and every look is recorded.

Owns the purpose of a request, the record of its reads, and the bounds of mode and entity; which fields are
personal is said where they are shown.
"""

from __future__ import annotations

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Request

from txmon.api.cards import holds_card
from txmon.api.context import Exchange, Parts
from txmon.api.gate import CALLER
from txmon.api.problems import Problem
from txmon.store.identity import Principal

_PURPOSE_MAX = 200


def exchange_of(request: Request) -> Exchange:
    """Return the exchange of a request of the framework."""
    found: Exchange = request.scope[CALLER]
    return found


Asked = Annotated[Exchange, Depends(exchange_of)]


def purpose_of(exchange: Exchange) -> str | None:
    """Return what the request reads personal data for, None if it does not say.

    Raises:
        Problem: invalid.
    """
    value = exchange.headers.get(b"x-purpose")
    if value is None:
        return None
    text = value.decode("utf-8", "replace").strip()
    if not text or len(text) > _PURPOSE_MAX or not text.isprintable() or holds_card(text):
        raise Problem(
            "invalid", f"X-Purpose is 1 to {_PURPOSE_MAX} printable characters and holds no card number"
        )
    return text


def require_purpose(exchange: Exchange, what: str) -> str:
    """Return the purpose.

    Raises:
        Problem: purpose_required.
    """
    found = purpose_of(exchange)
    if found is None:
        raise Problem("purpose_required", f"{what} is personal data; say why you read it in X-Purpose")
    return found


def note_read(parts: Parts, exchange: Exchange, action: str, subject: str | None) -> bool:
    """Record a read of personal data; false if the request names no purpose, so nothing may be shown.

    Raises:
        StoreUnavailable: it cannot be recorded.
    """
    purpose = purpose_of(exchange)
    if purpose is None:
        return False
    parts.audit.record(exchange.who, action, subject, purpose, parts.clock.now_us())
    return True


def within(who: Principal, table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that keep a caller to its own mode and entities."""
    found: list[sa.ColumnElement[bool]] = []
    if who.mode is not None:
        found.append(table.c.mode == who.mode)
    if who.entities is not None:
        found.append(table.c.entity.in_(sorted(who.entities)))
    return found


def require_whole(who: Principal) -> None:
    """Demand a key of all modes and entities, for what is not told apart by them.

    Raises:
        Problem: forbidden.
    """
    if who.mode is not None or who.entities is not None:
        raise Problem(
            "forbidden", "this is not kept apart by mode and entity; it takes a key that is limited to none"
        )


def chosen(table: sa.Table, **values: Any) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of equality for the values that are given."""
    return [table.c[name] == value for name, value in values.items() if value is not None]
