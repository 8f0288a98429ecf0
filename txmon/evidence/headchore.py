"""Signs the journal's head now and then, beside the service.

Owns when; a head that is the same as the last one is not signed again, so that a quiet journal makes no
lines.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from txmon.clock import Clock
from txmon.errors import ConfigError
from txmon.evidence.heads import FILE, append, read, sign_head
from txmon.evidence.signing import default_key_path, load_key
from txmon.settings import Settings
from txmon.store import Store

_SECOND_US = 1_000_000


def file_of(settings: Settings) -> Path:
    """Return the file that signed heads are exported to."""
    beside = settings.state_dir if settings.store_is_database else Path(settings.store)
    return settings.signed_heads_file or beside / FILE


def key_path(settings: Settings) -> Path:
    """Return the file of the key that signs."""
    return settings.evidence_key or default_key_path()


class HeadChore:
    """A chore of the service: `round` signs when it is due."""

    def __init__(
        self, settings: Settings, store: Store, clock: Clock, unsigned: Callable[[ConfigError], None]
    ) -> None:
        """Begin.

        Args:
            unsigned: told once, if no key can be used.
        """
        self._settings, self._store, self._clock, self._unsigned = settings, store, clock, unsigned
        self._said = False
        self._due_us = 0
        self._last: int | None = None

    def round(self) -> None:
        """Sign the newest head, if it is time and it is another one.

        Raises:
            StoreUnavailable: the file cannot be written; tried again in the next round.
        """
        now = self._clock.now_us()
        if not self._settings.heads_seconds or now < self._due_us:
            return
        try:
            key = load_key(key_path(self._settings))
        except ConfigError as error:
            if not self._said:
                self._unsigned(error)
            self._said = True
            self._due_us = now + self._settings.heads_seconds * _SECOND_US
            return
        path = file_of(self._settings)
        if self._last is None and path.exists():
            self._last = max((head.seq for _, head in read(path)), default=None)
        made = sign_head(self._store, key, now)
        if made is not None and made.seq != self._last:
            append(path, made)
            self._last = made.seq
        self._due_us = now + self._settings.heads_seconds * _SECOND_US
