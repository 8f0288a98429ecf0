"""A released report handed to its authority, by the transport of its jurisdiction and format.

    head = send(releases, caller, doing, "goaml", filing_file, clock)

The transport asks back, at the last moment, whether these very bytes are released, and keeps receipts of its
own, so that a report goes out once though the note of it here was lost. Owns the order of the steps.
"""

from __future__ import annotations

from pathlib import Path

from txmon.clock import Clock
from txmon.errors import ConfigError, StateError
from txmon.filing import config
from txmon.filing.send import send as hand_over
from txmon.vault.caller import Caller
from txmon.vault.head import Head
from txmon.vault.office import Doing
from txmon.vault.release import Releases


def send(
    releases: Releases, caller: Caller, doing: Doing, form: str, filing_file: Path | None, clock: Clock
) -> Head:
    """Send a report in a format, and note the receipt.

    Raises:
        NotFound, WrongState, Forbidden, StoreConflict: as `Office.change`. StateError: no transports are set,
            their file is wrong, or none takes this report. FilingRefused: it may not leave. FilingRejected:
            the authority does not take it. FilingFailed: not now, or not known.
    """
    if filing_file is None:
        raise StateError("no way to an authority is set; name the file of transports by TXMON_FILING_FILE")
    filing = releases.filing(caller, doing, form)
    try:
        receipt = hand_over(filing, config.load(filing_file, releases.is_released), clock)
    except ConfigError as error:  # the caller's to know, and no log's
        raise StateError(str(error)) from error
    return releases.sent(caller, doing.version, receipt)
