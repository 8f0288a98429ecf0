"""What goes out to an authority and what comes back: the words that the vault and the transports share.

A filing is bytes that were released, with the hash they were released under. Owns no check and no way out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from txmon.reports.model import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Filing:
    """A written report on its way: what it is, in which format, and its exact bytes.

    `sha256` is the hash in lower-case hex that the bytes were released under. `jurisdiction` is ISO 3166-1
    alpha-2. `filename` is the name that the authority sees; the same report always goes under the same one.
    """

    report_id: str
    format: str
    filename: str
    content: bytes
    sha256: str
    mode: Mode
    jurisdiction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That a filing was handed over: by which transport, when (UTC), and under what reference.

    `reference` is the authority's where it gives one, else the transport's. `repeated` says that the very
    same filing had been handed over before, so that nothing was sent now. It is no acknowledgement.
    """

    report_id: str
    format: str
    filename: str
    sha256: str
    jurisdiction: str
    transport: str
    reference: str
    sent_at: datetime
    repeated: bool = False


class Transport(Protocol):
    """A way to an authority."""

    name: str

    def send(self, filing: Filing) -> Receipt:
        """Hand over a filing, at most once.

        Raises:
            FilingRefused: it may not leave; nothing was sent. FilingRejected: the authority does not take it.
            FilingFailed: it could not be handed over now, or it is not known whether it was.
        """
        ...
