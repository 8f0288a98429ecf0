"""Server-sent events out of bytes, as the WHATWG standard reads them.

Owns the parser; never connects. A line is bounded, so that a broken server cannot fill the memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from txmon.client.errors import Unavailable

LINE_MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class Message:
    """One event of the stream. `id` is the newest that the server has given."""

    id: str | None
    kind: str
    data: str


class Parser:
    """Takes bytes as they come, returns whole messages."""

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id  # of the newest whole message: where to go on after a break
        self._id = last_id
        self.retry_s: float | None = None  # what the server asked for between connections
        self._rest = b""
        self._after_cr = False
        self._kind, self._data = "", list[str]()

    def feed(self, chunk: bytes) -> list[Message]:
        """Return the messages that `chunk` completes.

        Raises:
            Unavailable: a line beyond all bounds.
        """
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        text = (self._rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, self._rest = text.split(b"\n")
        if len(self._rest) > LINE_MAX_BYTES:
            raise Unavailable("the stream of alerts has a line that never ends", reason="bad_answer")
        return [message for line in lines if (message := self._line(line)) is not None]

    def _line(self, raw: bytes) -> Message | None:
        if not raw:
            return self._dispatch()
        line = raw.decode("utf-8", "replace")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self._id = value or None
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry_s = int(value[:9]) / 1000
        return None

    def _dispatch(self) -> Message | None:
        kind, data = self._kind or "message", self._data
        self._kind, self._data, self.last_id = "", [], self._id
        return Message(self.last_id, kind, "\n".join(data)) if data else None
