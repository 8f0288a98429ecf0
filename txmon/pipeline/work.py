"""What is handed to the writer and what comes back: plain data and the protocol of decoding.

Owns the shapes; decodes nothing and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from txmon.model.aliases import NewAliases
from txmon.store.answers import Named

ALLOW, REVIEW, HOLD = "allow", "review", "hold"
ACCEPTED, DUPLICATE, QUARANTINED = "accepted", "duplicate", "quarantined"
# the whole of what a pipeline's key is told about why (DESIGN: at most five, none names a rule)
REASON_CODES = ("none", "review_needed", "hold_match", "not_scored", "duplicate")


class Decoded(Protocol):
    """Events and refused rows of some payloads.

    events: canonical rows in order. lines: index of each event's payload. quarantine: refused rows.
    refused: index of each refused row's payload. positions: what the source calls each payload, for
    `line` of refused rows. aliases: of cards, to be stored in the same transaction.
    """

    @property
    def events(self) -> pa.Table: ...
    @property
    def quarantine(self) -> pa.Table: ...
    @property
    def lines(self) -> np.ndarray: ...
    @property
    def refused(self) -> np.ndarray: ...
    @property
    def positions(self) -> np.ndarray: ...
    @property
    def aliases(self) -> NewAliases | None: ...


@dataclass(frozen=True)
class Sender:
    """Whose events: the feed that reads them, what absent fields mean, and what the sender may send.

    entities and modes: None for all.
    """

    feed: str
    entity: str = "default"
    mode: str = "live"
    entities: frozenset[str] | None = None
    modes: frozenset[str] | None = None


@dataclass
class Chain:
    """Works of a consumer that must be stored in order: once one of them fails, none behind it may be."""

    broken: bool = False


@dataclass(frozen=True)
class Work:
    """Some messages of one sender. `decoded` where the sender has decoded them already.

    positions: how far the consumer comes with this work, stored with its results. keep: makes of its outcome
    the answer that is stored with it, if one is; called in the transaction, once a try, and never raises.
    """

    sender: Sender
    source_kind: str  # http | bulk | kafka | nats | redis | file
    received_us: int
    payloads: Sequence[bytes] = ()
    decoded: Decoded | None = None
    consumer: str | None = None
    positions: Mapping[str, int] = field(default_factory=dict)
    chain: Chain | None = None
    keep: Keep | None = None


@dataclass(frozen=True)
class RowOutcome:
    """What became of one event of a work.

    index: of its payload. hits: rule_id, rule_version, title, typology, severity, score, explanation.
    """

    index: int
    source: str | None
    event_id: str | None
    status: str
    ingest_seq: int | None = None
    reason: str | None = None
    message: str | None = None
    quarantine_id: int | None = None
    late: bool = False
    warming: bool = False
    recommendation: str = ALLOW
    reason_code: str = "none"
    hits: tuple[Mapping[str, Any], ...] = ()
    alerts: tuple[str, ...] = ()


class Refused(NamedTuple):
    """A row that was refused: index of its payload, code, and what there is of it without card numbers."""

    line: int
    reason: str
    raw: str


@dataclass(frozen=True)
class Outcome:
    """What became of a work, committed. `seq`: newest journal row then."""

    seq: int
    accepted: int
    duplicates: int
    quarantined: int
    hits: int
    alerts: int  # opened
    make_rows: Callable[[], list[RowOutcome]] = field(repr=False, compare=False)
    make_refused: Callable[[], list[Refused]] = field(repr=False, compare=False)

    @property
    def refused(self) -> list[Refused]:
        """Every refused row."""
        return self.make_refused()

    @property
    def rows(self) -> list[RowOutcome]:
        """One outcome an event or refused row, in the order of the payloads; made when asked for."""
        return self.make_rows()


@dataclass(frozen=True)
class Refusal:
    """Why an event that could be read is not scored."""

    reason: str
    field: str
    message: str


Keep = Callable[[Outcome], Named | None]


class Intake(Protocol):
    """Turns payloads into canonical events; implemented by `txmon.streams.intake`."""

    def decode(
        self, sender: Sender, payloads: Sequence[bytes], positions: np.ndarray | None = None
    ) -> Decoded:
        """Decode payloads, whose positions count from 1 if not given; never raises for what they hold."""
        ...

    def refuse(self, events: pa.Table, refusal: Refusal, sender: Sender, lines: np.ndarray) -> pa.Table:
        """Make quarantine rows of canonical events."""
        ...
