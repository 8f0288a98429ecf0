"""A report as a PDF for people: what the HTML page says, on pages that can be printed, signed and kept.

Tagged, with no link, script, file or picture in it; the same report gives the same bytes. It is no filing.
What it is made of is `pagecontent`, `pdfpage` and `pdftext`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from txmon.reports.checksbase import texts, warning
from txmon.reports.formats import Finding, Format, Options
from txmon.reports.model import Report
from txmon.reports.pagecontent import parts, title
from txmon.reports.pdfpage import document
from txmon.reports.pdftext import undrawn

_STREAM = re.compile(rb"stream\r?\n.*?endstream", re.DOTALL)
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
# what makes a viewer ask, run, open or show something of elsewhere, or hides objects from this look
_ACTIVE = re.compile(
    rb"/(?:URI|GoToR|GoToE|Launch|JavaScript|JS|SubmitForm|ImportData|XFA|AA|Annots?|Link|AcroForm|RichMedia|"
    rb"EmbeddedFiles?|Filespec|Image|ObjStm|Encrypt)\b"
)


def page(report: Report, findings: Sequence[Finding] = ()) -> bytes:
    """Return the PDF; `findings` are shown first."""
    language = report.narrative.language or "en"
    return document(parts(report, findings), title(report), language, report.prepared_at)


def check(report: Report, _options: Options) -> list[Finding]:
    """Find letters that the PDF shows as numbers; it demands nothing."""
    remedy = "the HTML page shows them; or record a Latin spelling beside them"
    return [
        warning("pdf_letters", path, "has letters that the PDF shows as their Unicode numbers", remedy)
        for path, text in texts(report)
        if undrawn(text)
    ]


def write(report: Report, _options: Options) -> bytes:
    """Return the PDF of a report."""
    return page(report)


def validate(data: bytes, _options: Options) -> list[Finding]:
    """Find what is no PDF of ours: cut off, or with something in it that acts."""
    remedy = "write it anew from the model"
    if not data.startswith(b"%PDF-") or not data.rstrip().endswith(b"%%EOF"):
        return [Finding(code="pdf", path="pdf", message="is no whole PDF", remedy=remedy)]
    outside = _STREAM.sub(b"", data)
    plain = _ESCAPED.sub(lambda found: bytes([int(found.group(1), 16)]), outside)
    found = [] if b"/Pages" in plain else ["has no pages"]
    if _ACTIVE.search(plain):
        found.append("loads, runs, holds or hides something")
    if b"/StructTreeRoot" not in plain:
        found.append("has no tags")
    return [Finding(code="pdf", path="pdf", message=message, remedy=remedy) for message in found]


FORMAT = Format(
    name="pdf",
    title="a document for people, to print and keep",
    suffix=".pdf",
    check=check,
    write=write,
    validate=validate,
)
