"""A report as one readable HTML page, for people: everything in it, what it lacks, and its mark.

Every text goes through an element tree, so nothing of a report is ever markup; the page loads nothing from
anywhere and says so in its policy. It is no filing: `FORMAT` lets it be written like one, marks and all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

from txmon.reports.formats import Finding, Format, Options
from txmon.reports.model import Report
from txmon.reports.pagecontent import Findings, Heading, Mark, Pairs, Part, Text, parts, title

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


def page(report: Report, findings: Sequence[Finding] = ()) -> bytes:
    """Return the page in UTF-8; `findings` are shown first."""
    head = _el(
        "head",
        _el("meta", charset="utf-8"),
        _el("meta", **{"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        _el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        _el("meta", name="referrer", content="no-referrer"),
        _el("title", title(report)),
        _el("style", _STYLE),
    )
    main = _el("main", *map(_shown, parts(report, findings)))
    html = _el("html", head, _el("body", main), lang=report.narrative.language or "en")
    return b"<!doctype html>\n" + etree.tostring(html, method="html", encoding="utf-8") + b"\n"


def _shown(part: Part) -> etree._Element:
    if isinstance(part, Mark):
        return _el("p", part.text, **{"class": "mark"})
    if isinstance(part, Heading):
        return _el(f"h{part.level}", part.text)
    if isinstance(part, Text):
        return _el("p", part.text, **({"class": "told"} if part.told else {}))
    if isinstance(part, Findings):
        return _el("ul", *(_el("li", text, **{"class": level}) for level, text in part.lines))
    if isinstance(part, Pairs):
        rows = [_el("tr", _el("th", name, scope="row"), _el("td", text)) for name, text in part.rows]
        return _el("table", _el("caption", part.caption), *rows)
    heads = _el("tr", *(_el("th", column, scope="col") for column in part.columns))
    lines = [_el("tr", *(_el("td", cell) for cell in row)) for row in part.rows]
    table = _el("table", _el("caption", part.caption), heads, *lines)
    return _el("div", table, tabindex="0", role="region", **{"class": "wide", "aria-label": part.label})


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
