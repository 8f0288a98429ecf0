"""Tags of a PDF: which lines are a heading, a paragraph, a cell, for who reads by ear or by program.

fpdf2 has a tree of one level, for figures; here it is a whole tree, with what fpdf2 serialises. Lines that
are on every page, and rules, are artifacts. Owns the tree and the marks around drawn lines; draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fpdf import FPDF
from fpdf.structure_tree import StructElem, StructureTreeBuilder


class _Place:
    """A line of an element: the page it is on and its number there."""

    def __init__(self, page: Any, number: int) -> None:
        self._page, self._number = page, number

    def serialize(self, _security_handler: Any = None, _obj_id: Any = None) -> str:
        """Return it as a PDF dictionary."""
        return f"<</Type /MCR /Pg {self._page.ref} /MCID {self._number}>>"


class Element(StructElem):
    """An element of the tree; `a` are its attributes, as PDF text."""

    def __init__(self, kind: str, parent: Any, page: int) -> None:
        super().__init__(f"/{kind}", parent, [], page)
        self.a: str | None = None


class _Tree(StructureTreeBuilder):
    def __init__(self) -> None:
        super().__init__()
        self.every: list[Element] = []

    def __iter__(self) -> Iterator[Any]:
        yield self.struct_tree_root
        yield self.doc_struct_elem
        yield self.struct_tree_root.parent_tree
        yield from self.every


class TaggedPDF(FPDF):
    """A PDF whose lines belong to elements; see the module."""

    def __init__(self) -> None:
        super().__init__(orientation="portrait", unit="mm", format="A4")
        self._tree = _Tree()
        self.struct_builder = self._tree
        self._open: list[Element] = []
        self._numbers: dict[int, int] = {}

    @contextmanager
    def element(self, kind: str, attributes: str | None = None) -> Iterator[Element]:
        """Open an element of a standard kind (`H1`, `P`, `Table`, `TR`, ...) in the one that is open."""
        parent = self._open[-1] if self._open else self._tree.doc_struct_elem
        made = Element(kind, parent, self.page)
        made.a = attributes
        parent.k.append(made)
        self._tree.every.append(made)
        self._open.append(made)
        yield made
        self._open.pop()

    @contextmanager
    def marked(self) -> Iterator[None]:
        """Mark what is drawn as a line of the open element; it stays on one page."""
        owner, page = self._open[-1], self.pages[self.page]
        number = self._numbers.get(self.page, 0)
        self._numbers[self.page] = number + 1
        page.struct_parents = self.page - 1
        self._tree.struct_tree_root.parent_tree.nums[self.page - 1].append(owner)
        owner.k.append(_Place(page, number))
        self._set_min_pdf_version("1.7")
        self._out(f"{owner.s} <</MCID {number}>> BDC")
        yield
        self._out("EMC")

    @contextmanager
    def artifact(self) -> Iterator[None]:
        """Mark what is drawn as no part of the text."""
        self._out("/Artifact BMC")
        yield
        self._out("EMC")

    @contextmanager
    def again(self, made: list[Element], place: int, kind: str, attributes: str | None) -> Iterator[None]:
        """Open the element at a place of a list, made when first asked for: a cell goes on over pages."""
        if place == len(made):
            with self.element(kind, attributes) as element:
                made.append(element)
                yield
            return
        self._open.append(made[place])
        yield
        self._open.pop()
