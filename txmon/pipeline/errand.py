"""A change in the writer's turn that nobody waits for: while the store is away, who asked goes on.

Owns the one that is under way; its failure is raised when the next is due, so that it is not lost.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from txmon.store import Tx

Ask = Callable[[Callable[[Tx], Any]], Future[Any]]


class Errand:
    """One change that is made again and again, never twice at once."""

    def __init__(self, ask: Ask, make: Callable[[Tx], Any]) -> None:
        self._ask, self._make = ask, make
        self._under_way: Future[Any] | None = None

    def run(self) -> bool:
        """Ask for the change, unless the last is still under way; true if it was asked for.

        Raises:
            Exception: what made the last one fail, once.
        """
        last = self._under_way
        if last is not None:
            if not last.done():
                return False
            self._under_way = None
            last.result()
        self._under_way = self._ask(self._make)
        return True
