"""What the parts of the service ask of a log. Owns nothing else; `txmon.logs` is the real one."""

from __future__ import annotations

from typing import Any, Protocol


class Log(Protocol):
    """Where the writer says what happened; never given anything of an event."""

    def warning(self, event: str, **values: Any) -> None: ...
    def error(self, event: str, **values: Any) -> None: ...
    def info(self, event: str, **values: Any) -> None: ...
