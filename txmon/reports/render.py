"""A report as one readable HTML page, for people: everything in it, what it lacks, and its mark.

Every text goes through an element tree, so nothing of a report is ever markup; the page loads nothing from
anywhere and says so in its policy. It is no filing: `FORMAT` lets it be written like one, marks and all.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from lxml import etree

from txmon.reports.formats import Finding, Format, Options
from txmon.reports.model import EventRef, Money, Report

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem;
  color: #1a1a1a; background: #fff; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; border-bottom: 1px solid #767676; }
table { border-collapse: collapse; width: 100%; } .wide { overflow-x: auto; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #c8c8c8;
  overflow-wrap: anywhere; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
.mark { background: #7a0000; color: #fff; padding: .6rem 1rem; font-weight: 700; letter-spacing: .05em; }
.error { color: #7a0000; } .warning { color: #5c4300; } p.told { white-space: pre-line; }
@media print { body { margin: 0; max-width: none; } tr { break-inside: avoid; } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
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


def page(report: Report, findings: Sequence[Finding] = ()) -> bytes:
    """Return the page in UTF-8; `findings` are shown first."""
    title = f"{report.mark + ' ' if report.mark else ''}Report {report.report_id}"
    head = _el(
        "head",
        _el("meta", charset="utf-8"),
        _el("meta", **{"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        _el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _el("meta", name="referrer", content="no-referrer"),
        _el("title", title),
        _el("style", _STYLE),
    )
    main = _el("main", *_sections(report, title, findings))
    html = _el("html", head, _el("body", main), lang=report.narrative.language or "en")
    return b"<!doctype html>\n" + etree.tostring(html, method="html", encoding="utf-8") + b"\n"


def _sections(report: Report, title: str, findings: Sequence[Finding]) -> Iterable[etree._Element]:
    if report.mark:
        yield _el(
            "p", f"{report.mark}: made from {report.mode} events; not for submission", **{"class": "mark"}
        )
    yield _el("h1", title)
    if findings:
        yield _el("h2", "What is missing or wrong")
        yield _el("ul", *(_el("li", str(f), **{"class": f.level.value}) for f in findings))
    yield _el("h2", "Report")
    yield _pairs("The report", _head(report))
    yield _el("h2", "Narrative")
    for part in report.narrative.paragraphs:
        yield _el("h3", part.heading)
        yield _el("p", part.text.removeprefix(f"{part.heading}: "), **{"class": "told"})
        if part.events:
            yield _el("p", f"Events: {_text(part.events)}")
    signed = report.narrative.signed
    by = f"Signed by {signed.signer}, {_text(signed.at)}" if signed else "Not signed: this is a draft."
    yield _el("p", by)
    yield _el("h2", "Activity")
    yield _pairs("The activity", _fields(report.activity))
    if report.transactions:
        yield _el("h2", "Transactions")
        yield _transactions(report)
    for heading, name in _LISTS:
        items = getattr(report, name)
        if items:
            yield _el("h2", heading)
            for i, item in enumerate(items, 1):
                yield _pairs(f"{heading}, {i} of {len(items)}", _fields(item))


def _head(report: Report) -> list[tuple[str, str]]:
    """Return the fields that are no lists, the filer's and the officer's among them."""
    out = [("mode", report.mode.value), ("kind", report.kind.value)]
    for name in ("report_id", "jurisdiction", "local_currency", "prepared_at", "case_id", "codes"):
        out.append((name, _text(getattr(report, name))))
    for name in ("facts_known_at", "reporting_person", "prior_filing", "consent"):
        inner = getattr(report, name)
        out += [] if inner is None else [(f"{name}: {k}", v) for k, v in _fields(inner)]
    return [(k, v) for k, v in out + [(f"filer: {k}", v) for k, v in _fields(report.filer)] if v]


def _transactions(report: Report) -> etree._Element:
    columns = ("time (UTC)", "amount", "from", "to", "method", "description", "events")
    rows = [_el("tr", *(_el("th", c, scope="col") for c in columns))]
    for moved in sorted(report.transactions, key=lambda t: t.at):
        ends = []
        for side in (moved.from_side, moved.to_side):
            account, party = report.account(side.account_id), report.party(side.party_id)
            who = [account.number if account else "", party.name if party else ""]
            ends.append(", ".join(filter(None, who)) or "unknown")
        state = " (attempted)" if moved.attempted else ""
        cells = (_text(moved.at), _text(moved.amount) + state, *ends, moved.method, moved.description)
        rows.append(_el("tr", *(_el("td", c) for c in (*cells, _text(moved.events)))))
    table = _el("table", _el("caption", "Transactions in order of time"), *rows)
    return _el("div", table, tabindex="0", role="region", **{"class": "wide", "aria-label": "Transactions"})


def _pairs(caption: str, pairs: Iterable[tuple[str, str]]) -> etree._Element:
    rows = [
        _el("tr", _el("th", name.replace("_", " "), scope="row"), _el("td", text)) for name, text in pairs
    ]
    return _el("table", _el("caption", caption), *rows)


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


def _el(name: str, /, *children: etree._Element | str, **attributes: str) -> etree._Element:
    element = etree.Element(name, attributes)
    for child in children:
        if isinstance(child, str):
            element.text = (element.text or "") + _CONTROL.sub("\N{REPLACEMENT CHARACTER}", child)
        else:
            element.append(child)
    return element


def _check(_report: Report, _options: Options) -> list[Finding]:
    return []  # a page shows what is missing; it demands nothing


def _write(report: Report, _options: Options) -> bytes:
    return page(report)


def _validate(data: bytes, _options: Options) -> list[Finding]:
    """Find what would make a reader's browser ask another place: there is none of it in a page of ours."""
    root = etree.HTML(data) if data.strip() else None
    remedy = "write the page anew from the model"
    if root is None:
        return [Finding(code="html", path="html", message="the page is empty", remedy=remedy)]
    asking = root.xpath("//@src | //@href | //script | //iframe | //object | //embed | //form | //link")
    if not asking:
        return []
    return [Finding(code="outside", path="html", message="the page loads or runs something", remedy=remedy)]


FORMAT = Format(
    name="html",
    title="a page for people",
    suffix=".html",
    check=_check,
    write=_write,
    validate=_validate,
)
