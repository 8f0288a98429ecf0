"""Why a filing did not go out. A detail never repeats what a report says; findings name places."""

from __future__ import annotations

from collections.abc import Sequence

from txmon.errors import TxmonError
from txmon.reports.formats import Finding


class FilingRefused(TxmonError):
    """A filing may not leave; nothing was sent. `reason` is a stable word, `findings` say where."""

    code = "filing_refused"
    status = 409

    def __init__(self, reason: str, detail: str, findings: Sequence[Finding] = ()) -> None:
        self.reason, self.findings = reason, tuple(findings)
        super().__init__("\n".join((detail, *map(str, findings))))


class FilingRejected(TxmonError):
    """The authority does not take a filing; `findings` are what it says, at the place in the report.

    `unsure`: it may say so of an earlier report of the same reference; sending again looks first.
    """

    code = "filing_rejected"
    status = 422

    def __init__(self, detail: str, findings: Sequence[Finding], *, unsure: bool = False) -> None:
        self.findings, self.unsure = tuple(findings), unsure
        super().__init__("\n".join((detail, *map(str, findings))))


class FilingFailed(TxmonError):
    """A filing could not be handed over now. `unsure`: it may have arrived all the same; send it again, and
    the transport looks before it sends."""

    code = "filing_failed"
    status = 503

    def __init__(self, detail: str, *, unsure: bool = False) -> None:
        self.unsure = unsure
        super().__init__(detail)
