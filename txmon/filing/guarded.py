"""The one kind of transport: a gate, a book of receipts, and a channel that carries bytes.

A channel never sees a filing that the gate refuses, nor one that was handed over before; so no channel can
forget either. Owns this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from txmon.clock import Clock
from txmon.filing.errors import FilingFailed, FilingRefused, FilingRejected
from txmon.filing.filing import Filing, Receipt
from txmon.filing.gate import Gate
from txmon.filing.receipts import Receipts
from txmon.reports.formats import Finding

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the authority says of a filing: `state` is pending, accepted or rejected, `words` are its own."""

    state: str
    words: str = ""
    findings: Sequence[Finding] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """A file that an authority left: its name, bytes and their SHA-256; `place` is where it lies."""

    transport: str
    filename: str
    content: bytes
    sha256: str
    place: str


class Channel(Protocol):
    """Carries bytes to one authority."""

    def deliver(self, filing: Filing, *, unsure: bool) -> str:
        """Hand over and return the reference; `unsure`: an earlier try may have arrived, so look first.

        Raises:
            FilingRefused, FilingRejected: certainly nothing of it arrived or counts. FilingFailed.
        """
        ...

    def outcome(self, receipt: Receipt, content: bytes) -> Outcome:
        """Return what the authority says; `content` lets its errors be shown at their place."""
        ...

    def acknowledgements(self) -> list[Acknowledgement]:
        """Return the files that the authority left and nobody took yet, whole ones only, by name."""
        ...

    def taken(self, one: Acknowledgement) -> None:
        """Put a file aside: it was read and kept."""
        ...


@dataclass
class Guarded:
    """A transport; see the module."""

    name: str
    channel: Channel
    gate: Gate
    receipts: Receipts
    clock: Clock

    def send(self, filing: Filing) -> Receipt:
        """See `Transport.send`."""
        self.gate.check(filing)
        with self.receipts.turn(filing) as turn:
            if turn.receipt is not None:
                return replace(turn.receipt, repeated=True)
            unsure = turn.begun
            if not unsure:
                turn.begin()
            try:
                reference = self.channel.deliver(filing, unsure=unsure)
            except FilingRefused:
                if not unsure:
                    turn.forget()
                raise
            except (FilingFailed, FilingRejected) as error:
                if not (unsure or error.unsure):
                    turn.forget()
                raise
            return turn.end(receipt_of(filing, self.name, reference, self.clock))


def receipt_of(filing: Filing, transport: str, reference: str, clock: Clock) -> Receipt:
    """Return the receipt of a filing that was handed over now."""
    return Receipt(
        report_id=filing.report_id,
        format=filing.format,
        filename=filing.filename,
        sha256=filing.sha256,
        jurisdiction=filing.jurisdiction,
        transport=transport,
        reference=reference,
        sent_at=_EPOCH + timedelta(microseconds=clock.now_us()),
    )
