"""Every error txmon raises on purpose.

    TxmonError(detail; code, status)
    ├── ConfigError      settings, keys, command line
    ├── InputError       an input file or a row cannot be read at all
    ├── FeedError        a feed file is wrong; carries a source location
    ├── RuleError        a rule, derived column, list or detector is wrong; carries a source location
    ├── RuleErrors       all the RuleErrors of a pack at once
    ├── StateError       a snapshot or state file cannot be used
    ├── SourceError      a broker or a followed file cannot be read from or written to now
    ├── EngineLost       the process of the engine is gone; another one takes over
    ├── IssuerUnavailable  who signs tokens cannot be asked now
    ├── SignatureError   a message is not signed by the one it claims to come from
    ├── AuthError        a request does not say who sends it, or not credibly
    ├── Forbidden        who asks may not do this
    │   └── FourEyes     another person must do it
    └── NotFound         there is no such thing

This module owns the hierarchy and nothing else; it never formats for a transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, order=True)
class SourceLocation:
    """A place in a text file; line and column count from 1."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class TxmonError(Exception):
    """Base of all errors; ``detail`` is for a human and names the remedy."""

    code: ClassVar[str] = "txmon"
    status: ClassVar[int] = 500

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ConfigError(TxmonError):
    """A setting, key or argument is missing or wrong."""

    code = "config"
    status = 400


class InputError(TxmonError):
    """An input file cannot be opened or is not what its feed says."""

    code = "input"
    status = 422


class StateError(TxmonError):
    """A snapshot does not fit the packs, the version or the format."""

    code = "state"
    status = 409


class LocatedError(TxmonError):
    """An error in a text file, shown as ``file:line:col: detail``."""

    def __init__(self, detail: str, source: SourceLocation) -> None:
        super().__init__(detail)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: {self.detail}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocatedError) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


class FeedError(LocatedError):
    """A feed file cannot be loaded."""

    code = "feed"
    status = 422


class RuleError(LocatedError):
    """A rule file, derived column, list or detector cannot be loaded."""

    code = "rule"
    status = 422


class RuleErrors(TxmonError):
    """Every error of a pack at once, in order of file, line and column."""

    code = "rules"
    status = 422

    def __init__(self, errors: Sequence[RuleError]) -> None:
        self.errors = tuple(sorted(errors, key=lambda e: (e.source, e.detail)))
        super().__init__("\n".join(str(e) for e in self.errors))


class SourceError(TxmonError):
    """A broker, topic or followed file cannot be used now; what was not taken is still there."""

    code = "source"
    status = 503


class IssuerUnavailable(TxmonError):
    """The issuer of tokens cannot be asked, or answers what cannot be used; `reason` is a stable word."""

    code = "issuer"
    status = 503

    def __init__(self, detail: str, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason

    def again(self) -> IssuerUnavailable:
        """Return the same error for who asks next."""
        return IssuerUnavailable(self.detail, self.reason)


class EngineLost(TxmonError):
    """The process of the engine has ended by itself, or cannot be started."""

    code = "engine_lost"
    status = 503


class StoreError(TxmonError):
    """The database of the journal failed."""

    code = "store"
    status = 503


class StoreUnavailable(StoreError):
    """The database cannot be reached; nothing of the transaction was stored."""

    code = "store_unavailable"


class CommitUnknown(StoreError):
    """The connection broke during the commit: the transaction may or may not be stored."""

    code = "commit_unknown"


class StoreFatal(StoreError):
    """The disk is full or failed; nothing may be acknowledged, and the head tells after reopening."""

    code = "store_fatal"
    status = 507


class WriterActive(StoreError):
    """Another process is the writer of this store."""

    code = "writer_active"
    status = 409


class StoreConflict(StoreError):
    """A row is not in the version or state that the caller read."""

    code = "conflict"
    status = 412


class WrongState(TxmonError):
    """An alert or a case is in a state from which there is no such way."""

    code = "transition"
    status = 409


class StoreCorrupt(StoreError):
    """Stored bytes are damaged or were changed."""

    code = "store_corrupt"
    status = 500


class WarehouseDamaged(StoreCorrupt):
    """The warehouse is not as it was written; it is derived, so `txmon store rebuild` makes it anew."""

    code = "warehouse_damaged"
    status = 503


class SignatureError(TxmonError):
    """A message does not carry the signature of the one it claims to come from."""

    code = "signature"
    status = 400


class Busy(TxmonError):
    """More is waiting than may wait; try again after `retry_after_s`."""

    code = "busy"
    status = 429

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Stopping(TxmonError):
    """The service takes nothing more: it is being stopped, or cannot store what it would take."""

    code = "unavailable"
    status = 503

    def __init__(self, detail: str, retry_after_s: int = 5) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class NoRoom(Stopping):
    """The disk of the store is nearly full: nothing is taken until there is room again."""

    code = "no_room"
    status = 507


class AuthError(TxmonError):
    """A request's key, token or session is not valid.

    reason: missing, malformed, unknown, expired or revoked; of a token and its person also algorithm,
    signature, issuer, audience, claims or unlinked.
    """

    code = "unauthenticated"
    status = 401

    def __init__(self, reason: str, detail: str | None = None) -> None:
        super().__init__(
            detail or f"the API key is {reason}; send a valid one as `Authorization: Bearer txm_...`"
        )
        self.reason = reason


class Forbidden(TxmonError):
    """Who asks lacks the role, the scope or the reporting entity."""

    code = "forbidden"
    status = 403


class FourEyes(Forbidden):
    """A decision of two people lacks the second, who must be another person than its author."""

    code = "four_eyes"


class NotFound(TxmonError):
    """No such person, key, proposal, alert or case."""

    code = "not_found"
    status = 404
