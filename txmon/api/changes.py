"""Changes by people: run in the writer's turn, waited for, journaled with who and why.

Owns the waiting and the form of a decision's journal row; what changes is the caller's part.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import TimeoutError as Late
from typing import Any, TypeVar

from txmon.api.context import Parts
from txmon.api.problems import Problem, retry_after
from txmon.store import Tx, journal
from txmon.store.identity import Principal

T = TypeVar("T")
_WAIT_S = 30.0


def change(parts: Parts, make: Callable[[Tx], T]) -> T:
    """Run a change and return what it returns; for handlers that may block.

    Raises:
        Problem: unavailable, if the writer does not come to it; and whatever `make` raises.
    """
    future = parts.service.change(make)
    try:
        return future.result(_WAIT_S)
    except Late:
        if future.cancel():
            detail = "the writer is busy; nothing was changed, try again"
        else:
            detail = "the writer is busy; the change may still be made, look before trying again"
        raise Problem("unavailable", detail, headers=(retry_after(5),)) from None


def decided(tx: Tx, what: str, by: Principal, **facts: Any) -> int:
    """Journal a decision; returns its row's number."""
    document = {"decision": what, "by": by.identity, "key": by.key_id} | facts
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return journal.append(tx, "decision", text.encode(), tx.clock.now_us()).seq
