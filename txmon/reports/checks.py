"""What a report lacks or contradicts, in plain words, whatever the authority; asked before all writing.

Each finding names the field and the remedy and never repeats a value. `write` is the one door to the writers
of all formats. What one authority alone demands is its format's to check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from txmon.errors import TxmonError
from txmon.reports import checksparties, checkstext, checkswhat
from txmon.reports.checksbase import card_number
from txmon.reports.formats import Finding, Format, Level, Options
from txmon.reports.model import Report

__all__ = ["ReportIncomplete", "card_number", "check", "check_for", "errors", "write"]

_CHECKS: tuple[Callable[[Report], Iterator[Finding]], ...] = (
    checkswhat.kind,
    checkswhat.determination,
    checksparties.filer,
    checksparties.parties,
    checksparties.dates,
    checksparties.references,
    checksparties.subjects,
    checksparties.accounts,
    checkswhat.transactions,
    checkswhat.activity,
    checkswhat.indicators,
    checkstext.narrative,
    checkstext.facts,
    checkstext.attachments,
    checkstext.marks,
    checkstext.hygiene,
)


class ReportIncomplete(TxmonError):
    """A report cannot be written; `findings` say which fields are missing or wrong."""

    code = "report_incomplete"
    status = 422

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(map(str, findings)))


def check(report: Report) -> list[Finding]:
    """Return what is missing or contradictory, whatever the authority."""
    return [found for one in _CHECKS for found in one(report)]


def check_for(report: Report, form: Format, options: Options) -> list[Finding]:
    """Return the common findings, then those of a format, each place and code once."""
    common = check(report)
    if any(found.code in _UNWRITABLE for found in common):
        return common
    places = {(found.code, found.path) for found in common}
    return common + [f for f in form.check(report, options) if (f.code, f.path) not in places]


_UNWRITABLE = frozenset({"currency", "control"})  # a writer would fail on these, so they are told first


def errors(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that stop release."""
    return [found for found in findings if found.level is Level.ERROR]


def write(report: Report, form: Format, options: Options) -> bytes:
    """Return a report in a format.

    Raises:
        ReportIncomplete: a field is missing or wrong, or the written text does not pass its validator.
    """
    stopping = errors(check_for(report, form, options))
    if stopping:
        raise ReportIncomplete(stopping)
    data = form.write(report, options)
    unsound = errors(form.validate(data, options))
    if unsound:
        raise ReportIncomplete(unsound)
    return data
