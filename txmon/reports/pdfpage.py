"""Puts the parts of a page on paper: A4, headings, paragraphs, tables that go on over pages.

The same parts give the same bytes: no time of making, ids made of the content. Each page says if it is not
live, whose report it is and which page of how many. Owns the layout; what is said is `pagecontent`'s.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import Any

from fpdf import ViewerPreferences
from fpdf.fonts import TTFFont

from txmon.reports.pagecontent import Findings, Heading, Mark, Pairs, Part, Table, Text
from txmon.reports.pdftags import TaggedPDF
from txmon.reports.pdftext import FONT, shown

_MARGIN, _TOP, _BOTTOM = 18.0, 22.0, 20.0  # mm
_LEADING = 1.38  # of the size of the letters
_BASELINE = 1.0  # of the size, below the top of a line
_POINT = 25.4 / 72
_RED, _BROWN, _INK, _GREY, _RULE = (122, 0, 0), (92, 67, 0), (26, 26, 26), (90, 90, 90), (200, 200, 200)
_SIZES = {1: 17.0, 2: 13.0, 3: 10.5}
_BODY, _CELL, _DENSE = 9.5, 9.0, 7.5
_NAMES = 0.34  # of the width, for the names of a table of names and values
_WIDTHS = (0.12, 0.12, 0.16, 0.16, 0.09, 0.22, 0.13)  # of the table of transactions
_COLUMN, _ROW = "<</O /Table /Scope /Column>>", "<</O /Table /Scope /Row>>"
_WORDS = re.compile(r" *[^ ]+ *| +")
Colour = tuple[int, int, int]


def document(parts: Sequence[Part], name: str, language: str, made_at: datetime) -> bytes:
    """Return the PDF of a page's parts.

    Args:
        name: what the document is called, in its head and on each page.
        made_at: the date of the report, which a PDF must have; never the time of writing.
    """
    with closing(_Paper(parts, name, language, made_at, 0)) as counted:
        pages = len(counted.pages)
    with closing(_Paper(parts, name, language, made_at, pages)) as paper:
        return bytes(paper.output())


class _Paper(TaggedPDF):
    def __init__(
        self, parts: Sequence[Part], name: str, language: str, made_at: datetime, pages: int
    ) -> None:
        super().__init__()
        self._name, self._pages = name, pages
        self._widths: dict[str, float] = {}
        self._mark = next((shown(part.text) for part in parts if isinstance(part, Mark)), "")
        self._id = hashlib.sha256(
            repr((name, language, made_at, parts)).encode("utf-8", "replace")
        ).hexdigest()
        self.set_margins(_MARGIN, _TOP, _MARGIN)
        self.set_auto_page_break(False)
        self.alias_nb_pages("")  # a report's own "{nb}" stays what it is
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        self.set_creation_date(made_at)
        self.set_title(shown(name))
        self.set_producer("txmon")
        self.set_lang(language)
        self.add_font("text", fname=FONT)
        self.set_font("text", size=_BODY)
        self.add_page()
        for part in parts:
            self._put(part)

    def close(self) -> None:
        """Let go of the font's file."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.close()

    def file_id(self) -> str:
        """Return the id of the file: of its content, not of its time."""
        return f"<{self._id[:32]}><{self._id[:32]}>".upper()

    def header(self) -> None:
        """Put on top of each page that the report is not live."""
        if self._mark:
            with self.artifact():
                self.set_fill_color(*_RED)
                self.rect(0, 0, self.w, 12, style="F")
                self._write(self._mark, _MARGIN, 3.5, 10, (255, 255, 255))
        self.set_y(_TOP)

    def footer(self) -> None:
        """Put below each page what it is of."""
        with self.artifact():
            text = f"{shown(self._name)}, page {self.page_no()} of {self._pages}"
            self._write(self._fit(text), _MARGIN, self.h - 13, 8, _GREY)

    def _fit(self, text: str) -> str:
        """Return the end of a text that fits a line: the number of the page is at its end."""
        while self._width(text) * 8 > self.epw:
            text = f"…{text[2:]}"
        return text

    def _write(self, text: str, x: float, y: float, size: float, colour: Colour) -> None:
        if not self._pages:
            return  # only pages are counted
        self.set_font("text", size=size)
        self.set_text_color(*colour)
        self.text(x, y + size * _POINT * _BASELINE, text)

    def _lines(self, text: str, width: float, size: float) -> list[str]:
        """Return a text as the lines of a width, in mm; broken at blanks, long words anywhere."""
        most = width / size
        return [line for told in shown(text).split("\n") for line in self._broken(told, most)]

    def _broken(self, text: str, most: float) -> Iterator[str]:
        line, taken = "", 0.0
        for word in _WORDS.findall(text):
            room = self._width(word.rstrip(" "))
            if line and taken + room > most:
                yield line.rstrip(" ")
                line, taken = "", 0.0
            if room > most:
                for letter in word:
                    if line and taken + self._width(letter) > most:
                        yield line
                        line, taken = "", 0.0
                    line, taken = line + letter, taken + self._width(letter)
            else:
                line, taken = line + word, taken + self._width(word)
        yield line.rstrip(" ")

    def _width(self, text: str) -> float:
        """Return the width of a text at a size of one point, in mm."""
        return sum(self._wide(letter) for letter in text)

    def _wide(self, letter: str) -> float:
        found = self._widths.get(letter)
        if found is None:
            self.set_font("text", size=_BODY)
            found = self._widths[letter] = self.get_string_width(letter) / _BODY
        return found

    def _room(self, height: float) -> None:
        """Begin a page where less than a height is left."""
        if self.y + height > self.h - _BOTTOM:
            self.add_page()

    def _block(self, text: str, size: float, colour: Colour, indent: float = 0.0) -> None:
        height = size * _POINT * _LEADING
        for line in self._lines(text, self.epw - indent, size):
            self._room(height)
            y = self.y
            if line:
                with self.marked():
                    self._write(line, _MARGIN + indent, y, size, colour)
            self.set_y(y + height)

    def _put(self, part: Part) -> None:
        if isinstance(part, Mark):
            with self.element("P"):
                self._block(part.text, 11, _RED)
        elif isinstance(part, Heading):
            self._heading(part)
        elif isinstance(part, Text):
            with self.element("P"):
                self._block(part.text, _BODY, _INK if part.told else _GREY)
            self.set_y(self.y + 1.5)
        elif isinstance(part, Findings):
            with self.element("L"):
                for level, text in part.lines:
                    with self.element("LI"), self.element("LBody"):
                        self._block(f"• {text}", _BODY, _RED if level == "error" else _BROWN, 3)
        elif isinstance(part, Pairs):
            self._pairs(part)
        else:
            self._table(part)

    def _heading(self, part: Heading) -> None:
        size = _SIZES[part.level]
        self._room(size * _POINT * _LEADING + 14)  # never alone at the foot of a page
        self.set_y(self.y + (0 if part.level == 1 else 6 - part.level))
        with self.element(f"H{part.level}"):
            self._block(part.text, size, _INK)
        if part.level == 2:
            self._rule()
        self.set_y(self.y + 1)

    def _rule(self) -> None:
        with self.artifact():
            self.set_draw_color(*_RULE)
            self.set_line_width(0.2)
            self.line(_MARGIN, self.y, self.w - _MARGIN, self.y)

    def _caption(self, text: str) -> None:
        self._room(16)
        with self.element("Caption"):
            self._block(text, _BODY, _GREY)
        self.set_y(self.y + 0.5)

    def _pairs(self, part: Pairs) -> None:
        widths = (self.epw * _NAMES, self.epw * (1 - _NAMES))
        with self.element("Table"):
            self._caption(part.caption)
            for row in part.rows:
                self._row(row, widths, _CELL, (_ROW, None))
        self.set_y(self.y + 3)

    def _table(self, part: Table) -> None:
        widths = tuple(self.epw * share for share in _WIDTHS)
        self._room(45)  # heads are never alone at the foot of a page
        with self.element("Table"):
            self._caption(part.caption)
            self._row(part.columns, widths, _DENSE, (_COLUMN,) * len(widths))
            for row in part.rows:
                self._row(row, widths, _DENSE, (None,) * len(widths))
        self.set_y(self.y + 3)

    def _row(
        self, cells: Sequence[str], widths: Sequence[float], size: float, heads: Sequence[str | None]
    ) -> None:
        """Put a row; one that is higher than what is left goes on over the page, cell by cell."""
        height = size * _POINT * _LEADING
        columns = [self._lines(c, w - 2.5, size) for c, w in zip(cells, widths, strict=True)]
        most = max(map(len, columns))
        page = self.h - _BOTTOM - _TOP
        self._room(min(most * height + 1.5, page / 3))
        with self.element("TR"):
            elements: list[Any] = []
            done = 0
            while done < most:
                fit = max(1, int((self.h - _BOTTOM - self.y) / height))
                top, x = self.y, _MARGIN
                for place, (lines, width, head) in enumerate(zip(columns, widths, heads, strict=True)):
                    with self.again(elements, place, "TH" if head else "TD", head):
                        self._cell(lines[done : done + fit], x, top, size, _GREY if head else _INK)
                    x += width
                self.set_y(top + min(fit, most - done) * height)
                done += fit
                if done < most:
                    self.add_page()
        self.set_y(self.y + 0.6)
        self._rule()
        self.set_y(self.y + 0.6)

    def _cell(self, lines: Sequence[str], x: float, top: float, size: float, colour: Colour) -> None:
        for number, line in enumerate(lines):
            if line:
                with self.marked():
                    self._write(line, x, top + number * size * _POINT * _LEADING, size, colour)
