"""FinCEN's suspicious activity report as a format: what the model lacks, the XML, and what is wrong in XML.

What the model lacks is found by writing it and judging the XML, so the two can never disagree; each fault is
then told at the model's field.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from txmon.errors import ConfigError
from txmon.reports.fincen_rules import faults_of, schema_findings
from txmon.reports.fincen_terms import continuing_due_on, due_on
from txmon.reports.fincen_write import write
from txmon.reports.formats import Finding, Format, Level, Options
from txmon.reports.model import Kind, Party, Report


def check(report: Report, options: Options) -> list[Finding]:
    """Return what the model lacks for FinCEN, each at its field."""
    written = write(report)
    found = []
    for fault in faults_of(written.xml, protected=tuple(protected(report))):
        where = written.field(fault.number, fault.leaf) if fault.number is not None else "report"
        found.append(fault.finding(where or "report"))
    if options.schema is not None and not any(f.level is Level.ERROR for f in found):
        found += schema_findings(written.xml, options.schema)
    return found + list(clocks(report))


def clocks(report: Report) -> Iterator[Finding]:
    """Give the clocks that ran out before the day of the report: a late report is filed all the same."""
    filed, known, prior = report.prepared_at.date(), report.facts_known_at, report.prior_filing
    if report.kind is Kind.CONTINUING and prior is not None and prior.filed_on is not None:
        due = continuing_due_on(prior.filed_on)
        if filed > due:
            yield _late("prior_filing.filed_on", f"the report on continuing activity was due by {due}")
    elif report.kind in (Kind.INITIAL, Kind.JOINT) and known is not None:
        due = due_on(known.at.date(), subject_known=bool(report.nameable_subjects))
        if filed > due:
            yield _late("facts_known_at", f"the report was due by {due}")


def _late(path: str, message: str) -> Finding:
    return Finding(
        code="fincen_late",
        path=path,
        message=message,
        level=Level.WARNING,
        remedy="file at once, and say in the narrative why it is late",
    )


def to_xml(report: Report, _: Options) -> bytes:
    """Return the batch of one report."""
    return write(report).xml


def validate(xml: bytes, options: Options) -> list[Finding]:
    """Return what is wrong in a batch's text, with the schema's view where its file is given.

    `options.extra["possible_victims"]` names people who must not be subjects, one a line; `["today"]` is the
    day of checking, YYYY-MM-DD, after which nothing may be filed.
    """
    faults = faults_of(xml, today=day_of(options), protected=names_of(options))
    found = [fault.finding() for fault in faults]
    if options.schema is not None:
        found += schema_findings(xml, options.schema)
    return found


def names_of(options: Options) -> tuple[str, ...]:
    """Return the possible victims that whoever checks has named."""
    return tuple(n for n in options.extra.get("possible_victims", "").splitlines() if n.strip())


def day_of(options: Options) -> date | None:
    """Return the day of checking, where it was given.

    Raises:
        ConfigError: it is no day.
    """
    stated = options.extra.get("today", "")
    try:
        return date.fromisoformat(stated) if stated else None
    except ValueError as error:
        raise ConfigError("the day of checking is not a day; give today as YYYY-MM-DD") from error


def protected(report: Report) -> Iterator[str]:
    """Give the names, document numbers and own accounts of the possible victims of a report."""
    for party in report.parties:
        if party.possible_victim:
            yield from _ways_to_name(party)
    for account in report.accounts:
        holders = {h.party_id for h in account.holders}
        if holders and holders <= report.possible_victims:
            yield from (account.number, account.iban)


def _ways_to_name(party: Party) -> Iterator[str]:
    yield party.name
    if party.person is not None:
        yield f"{party.person.first_name} {party.person.last_name}"
        yield from party.person.aliases
    yield from (i.number for i in party.identifiers)


FORMAT = Format(
    name="fincen",
    title="FinCEN suspicious activity report (SARX batch)",
    suffix=".xml",
    check=check,
    write=to_xml,
    validate=validate,
)
