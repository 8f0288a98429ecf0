"""Changes by people: run in the writer's turn, and waited for.

Owns the waiting; what changes, and the journal row that says so, is the caller's part.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as Late
from typing import TypeVar

from txmon.api.context import Parts
from txmon.api.problems import Problem, retry_after
from txmon.store import Tx

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
