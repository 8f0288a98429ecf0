"""Plain sheets for authorities without a file format: sections of labelled lines, as text or one HTML page.

What is written can be read back from either form, so a validator works on the text alone. A sheet knows no
authority.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree, html

from txmon.reports.fincen_text import line

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}h2{border-bottom:1px solid #767676;font-size:1.2rem}dt{font-weight:600}"
    "dd{margin:0 0 .5rem;overflow-wrap:anywhere}.mark{background:#7a0000;color:#fff;padding:.6rem 1rem}"
)
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Line:
    """A labelled line. `origin` is the field of the model, `number` its line in a text that was read."""

    label: str
    value: str
    origin: str = ""
    number: int = 0


@dataclass
class Section:
    """A titled part of a sheet."""

    title: str
    lines: list[Line] = field(default_factory=list)
    number: int = 0

    def put(self, label: str, value: str, origin: str = "", *, unknown: str = "") -> None:
        """Append a line; what is empty is left out, or said to be unknown."""
        text = line(value) or unknown
        if text:
            self.lines.append(Line(label, text, origin))

    def value(self, label: str) -> str:
        """Return the value of the first line of a label, empty where there is none."""
        return next((one.value for one in self.lines if one.label == label), "")

    def values(self, label: str) -> list[Line]:
        """Return the lines of a label."""
        return [one for one in self.lines if one.label == label]


@dataclass
class Sheet:
    """A whole sheet; `mark` stands first and in large where a report is not live."""

    title: str
    mark: str = ""
    sections: list[Section] = field(default_factory=list)

    def add(self, title: str) -> Section:
        """Append a section and return it."""
        section = Section(title)
        self.sections.append(section)
        return section

    def section(self, title: str) -> Section:
        """Return the first section of a title; an empty one where there is none."""
        return next((s for s in self.sections if s.title == title), Section(title))


def to_text(sheet: Sheet) -> bytes:
    """Return a sheet as UTF-8 text."""
    lines = [sheet.mark] if sheet.mark else []
    lines.append(sheet.title)
    for section in sheet.sections:
        lines += ["", f"== {section.title} =="]
        lines += [f"{one.label}: {one.value}" for one in section.lines]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def to_html(sheet: Sheet) -> bytes:
    """Return a sheet as an HTML page that loads nothing; no text of a report becomes markup."""
    root = etree.Element("html", lang="en")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "meta", charset="utf-8")
    etree.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    etree.SubElement(head, "title").text = f"{sheet.mark} {sheet.title}".strip()
    etree.SubElement(head, "style").text = _STYLE
    main = etree.SubElement(etree.SubElement(root, "body"), "main")
    if sheet.mark:
        etree.SubElement(main, "p", {"class": "mark"}).text = sheet.mark
    etree.SubElement(main, "h1").text = sheet.title
    for section in sheet.sections:
        etree.SubElement(main, "h2").text = section.title
        listed = etree.SubElement(main, "dl")
        for one in section.lines:
            etree.SubElement(listed, "dt").text = one.label
            etree.SubElement(listed, "dd").text = one.value
    page: bytes = etree.tostring(root, method="html", encoding="utf-8")
    return b"<!doctype html>\n" + page + b"\n"


def read(data: bytes) -> Sheet:
    """Return the sheet that a text or a page shows; what is neither gives a sheet without sections."""
    text = data.decode("utf-8", "replace")
    if text.lstrip()[:9].lower() == "<!doctype":
        return _read_html(data)
    return _read_text(text)


def _read_text(text: str) -> Sheet:
    sheet = Sheet("")
    for number, raw in enumerate(text.split("\n"), start=1):
        if raw.startswith("== ") and raw.endswith(" =="):
            sheet.add(raw[3:-3]).number = number
        elif sheet.sections and raw.strip():
            label, _, value = raw.partition(": ")
            sheet.sections[-1].lines.append(Line(label, value, number=number))
        elif raw.strip():
            sheet.mark, sheet.title = sheet.title, raw.strip()
    return sheet


def _number(element: etree._Element) -> int:
    line_number = element.sourceline
    return line_number if isinstance(line_number, int) else 0


def _read_html(data: bytes) -> Sheet:
    sheet, label = Sheet(""), ""
    for element in html.fromstring(data, parser=html.HTMLParser(encoding="utf-8")).iter(
        "p", "h1", "h2", "dt", "dd"
    ):
        text = (element.text or "").strip()
        if element.tag == "p":
            sheet.mark = text
        elif element.tag == "h1":
            sheet.title = text
        elif element.tag == "h2":
            sheet.add(text)
        elif element.tag == "dt":
            label = text
        elif sheet.sections:
            sheet.sections[-1].lines.append(Line(label, text, number=_number(element)))
    return sheet
