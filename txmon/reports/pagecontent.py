"""What a page for people says of a report, part by part, whatever the page is made of.

Everything in the report, what it lacks at the top, its mark before that. Every part is plain text; how it
looks is `render`'s and `pdf`'s. In a case about the exploitation of children no address of the web is shown.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from txmon.reports.checkstext import LINK, about_children
from txmon.reports.formats import Finding
from txmon.reports.model import EventRef, Money, Report

WITHHELD = "[address withheld]"
_ADDRESS = rf"\S*(?:{LINK.pattern.removeprefix('(?i)')})\S*"
_LISTS = (
    ("Parties", "parties"),
    ("Subjects", "subjects"),
    ("Accounts", "accounts"),
    ("Indicators", "indicators"),
    ("Traces", "traces"),
    ("Recorded facts", "facts"),
    ("Actions", "actions"),
    ("Attachments", "attachments"),
    ("Police and prosecution", "law_enforcement"),
    ("Hotline references", "tips"),
    ("Filed jointly with", "joint_filers"),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """That the report is not live."""

    text: str


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; `level` 1 is the page's own."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; `told` is somebody's own words, whose lines stay."""

    text: str
    told: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """What is missing or wrong: level and text of each."""

    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """A table of names and values."""

    caption: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a row of column heads; `label` names it."""

    label: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Part = Mark | Heading | Text | Findings | Pairs | Table


def title(report: Report) -> str:
    """Return what the page is called."""
    return f"{report.mark + ' ' if report.mark else ''}Report {report.report_id}"


def parts(report: Report, findings: Sequence[Finding] = ()) -> list[Part]:
    """Return the page, part by part; `findings` come first."""
    made = list(_parts(report, findings))
    return [_withheld(part) for part in made] if about_children(report) else made


def _parts(report: Report, findings: Sequence[Finding]) -> Iterator[Part]:
    if report.mark:
        yield Mark(f"{report.mark}: made from {report.mode} events; not for submission")
    yield Heading(1, title(report))
    if findings:
        yield Heading(2, "What is missing or wrong")
        yield Findings(tuple((f.level.value, str(f)) for f in findings))
    yield Heading(2, "Report")
    yield Pairs("The report", _named(_head(report)))
    yield Heading(2, "Narrative")
    for part in report.narrative.paragraphs:
        yield Heading(3, part.heading)
        yield Text(part.text.removeprefix(f"{part.heading}: "), told=True)
        if part.events:
            yield Text(f"Events: {_text(part.events)}")
    signed = report.narrative.signed
    yield Text(f"Signed by {signed.signer}, {_text(signed.at)}" if signed else "Not signed: this is a draft.")
    yield Heading(2, "Activity")
    yield Pairs("The activity", _named(_fields(report.activity)))
    if report.transactions:
        yield Heading(2, "Transactions")
        yield _transactions(report)
    for heading, name in _LISTS:
        items = getattr(report, name)
        if items:
            yield Heading(2, heading)
            for i, item in enumerate(items, 1):
                yield Pairs(f"{heading}, {i} of {len(items)}", _named(_fields(item)))


def _withheld(part: Any) -> Any:
    """Return a part, or whatever it is made of, without addresses of the web."""
    if isinstance(part, str):
        return re.sub(_ADDRESS, WITHHELD, part, flags=re.IGNORECASE)
    if isinstance(part, tuple):
        return tuple(map(_withheld, part))
    if dataclasses.is_dataclass(part) and not isinstance(part, type):
        changed = {f.name: _withheld(getattr(part, f.name)) for f in dataclasses.fields(part)}
        return dataclasses.replace(part, **changed)
    return part


def _named(pairs: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.replace("_", " "), text) for name, text in pairs)


def _head(report: Report) -> list[tuple[str, str]]:
    """Return the fields that are no lists, the filer's and the officer's among them."""
    out = [("mode", report.mode.value), ("kind", report.kind.value)]
    for name in ("report_id", "jurisdiction", "local_currency", "prepared_at", "case_id", "codes"):
        out.append((name, _text(getattr(report, name))))
    for name in ("facts_known_at", "reporting_person", "prior_filing", "consent"):
        inner = getattr(report, name)
        out += [] if inner is None else [(f"{name}: {k}", v) for k, v in _fields(inner)]
    return [(k, v) for k, v in out + [(f"filer: {k}", v) for k, v in _fields(report.filer)] if v]


def _transactions(report: Report) -> Table:
    columns = ("time (UTC)", "amount", "from", "to", "method", "description", "events")
    rows = []
    for moved in sorted(report.transactions, key=lambda t: t.at):
        ends = []
        for side in (moved.from_side, moved.to_side):
            account, party = report.account(side.account_id), report.party(side.party_id)
            who = [account.number if account else "", party.name if party else ""]
            ends.append(", ".join(filter(None, who)) or "unknown")
        state = " (attempted)" if moved.attempted else ""
        cells = (_text(moved.at), _text(moved.amount) + state, *ends, moved.method, moved.description)
        rows.append((*cells, _text(moved.events)))
    return Table("Transactions", "Transactions in order of time", columns, tuple(rows))


def _fields(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return the fields of a value that say something, those of parts with the part's name before."""
    out: list[tuple[str, str]] = []
    for declared in dataclasses.fields(value):
        inner = getattr(value, declared.name)
        name = f"{prefix}{declared.name}"
        if dataclasses.is_dataclass(inner) and not isinstance(inner, (Money, EventRef)):
            out += _fields(inner, f"{name}: ")
        elif inner not in (None, "", (), {}, False):
            out.append((name, _text(inner)))
    return out


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Money):
        return _money(value)
    if isinstance(value, EventRef):
        return value.text
    if isinstance(value, Mapping):
        return "; ".join(f"{k}: {_text(v)}" for k, v in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in _fields(value))
    return "yes" if value is True else str(value)


def _money(value: Money) -> str:
    try:
        return value.text
    except KeyError:  # a currency that is none: shown as it stands, the findings name it
        return f"{value.minor} minor units of {value.currency}"
