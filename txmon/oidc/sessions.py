"""Sessions of people who signed in: short, in memory, ended by themselves.

    secret, session = sessions.begin(subject, bounds)
    session = sessions.find(secret)

A browser holds 32 random bytes, the memory only their hash. A session ends with its time, when it was not
used for a while, when its person signs out, and with the process. It says who signed in, not what that
person may do: that is asked again at every request. Owns sessions; cookies are the routes' part.
"""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256

from txmon.clock import Clock, RandomBytes
from txmon.oidc.groups import Bounds

SESSIONS_MAX, OWN_MAX = 10_000, 20
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_SECOND_US = 1_000_000


@dataclass
class Session:
    """Who signed in. csrf: what requests that change something must repeat."""

    subject: str
    bounds: Bounds | None
    csrf: str
    ends_us: int
    used_us: int


class Sessions:
    """See the module. Used in the event loop only."""

    def __init__(self, clock: Clock, random_bytes: RandomBytes, life_s: int, idle_s: int) -> None:
        self._clock, self._random = clock, random_bytes
        self.life_s, self._idle_us = life_s, idle_s * _SECOND_US
        self._kept: OrderedDict[bytes, Session] = OrderedDict()

    def begin(self, subject: str, bounds: Bounds | None) -> tuple[str, Session]:
        """Begin a session; its secret is returned this once. A person's oldest, or the oldest, makes room."""
        now = self._clock.now_us()
        made = Session(subject, bounds, self._text(), now + self.life_s * _SECOND_US, now)
        self._tidy(now)
        own = [name for name, each in self._kept.items() if each.subject == subject]
        for name in own[: max(0, len(own) - OWN_MAX + 1)]:
            del self._kept[name]
        while len(self._kept) >= SESSIONS_MAX:
            self._kept.popitem(last=False)
        secret = self._text()
        self._kept[_name(secret)] = made
        return secret, made

    def find(self, secret: str, *, used: bool = True) -> Session | None:
        """Return a session that goes on, and note that it was used, if this is one."""
        if not _SECRET.fullmatch(secret):
            return None
        name, now = _name(secret), self._clock.now_us()
        found = self._kept.get(name)
        if found is None:
            return None
        if self._over(found, now):
            del self._kept[name]
            return None
        if used:
            found.used_us = now
        return found

    def end(self, secret: str) -> bool:
        """End a session; False if there was none."""
        return self._kept.pop(_name(secret), None) is not None

    def __len__(self) -> int:
        return len(self._kept)

    def _over(self, session: Session, now: int) -> bool:
        return now >= session.ends_us or now - session.used_us >= self._idle_us

    def _tidy(self, now: int) -> None:
        for name in [name for name, each in self._kept.items() if self._over(each, now)]:
            del self._kept[name]

    def _text(self) -> str:
        return base64.urlsafe_b64encode(self._random(32)).decode().rstrip("=")


def _name(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
