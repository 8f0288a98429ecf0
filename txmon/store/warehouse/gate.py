"""Counts readers, so that files are removed and the database is exchanged only when nobody looks at them.

Owns the count; knows no file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from txmon.errors import StoreUnavailable


class Gate:
    """Readers pass at any time, but while the house is closed."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._readers = 0
        self._closed = False

    @contextmanager
    def reader(self) -> Iterator[None]:
        """Be inside; waits while the house is closed."""
        with self._changed:
            self._changed.wait_for(lambda: not self._closed)
            self._readers += 1
        try:
            yield
        finally:
            with self._changed:
                self._readers -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self, wait_s: float) -> Iterator[None]:
        """Be the only one; new readers wait.

        Raises:
            StoreUnavailable: a reader stayed longer than `wait_s` seconds.
        """
        with self._changed:
            self._closed = True
            try:
                if not self._changed.wait_for(lambda: self._readers == 0, wait_s):
                    raise StoreUnavailable(
                        f"a query on the warehouse runs for more than {wait_s:g} s; it must end before "
                        "erased values can be removed. Tried again with the next rows"
                    )
            except BaseException:
                self._closed = False
                self._changed.notify_all()
                raise
        try:
            yield
        finally:
            with self._changed:
                self._closed = False
                self._changed.notify_all()

    @property
    def empty(self) -> bool:
        """Say whether nobody is inside now."""
        return self._readers == 0
