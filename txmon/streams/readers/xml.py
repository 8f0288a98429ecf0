"""Reads business messages in XML: each transaction of a message is a row, however large the message.

The message may stand in any envelope; its own element tells where it begins, its namespace which
definition it follows. Document types and entities are refused, nothing is ever fetched, and a transaction
is forgotten once it is read. Owns the walk; what the fields are is the feed's.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from lxml import etree

from txmon.errors import InputError
from txmon.streams.faults import Reason
from txmon.streams.feed import Feed
from txmon.streams.paths import INDEX, MESSAGE, NUMBER, ONLY, Nested
from txmon.streams.readers.chunk import Chunk, Reject
from txmon.streams.readers.xmlplan import Row, XmlPlan

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
_DOCTYPE = (b"<!DOCTYPE", b"<!ENTITY")
_LONGEST = max(map(len, _DOCTYPE)) - 1
_KEPT = 65_536


class XmlError(ValueError):
    """Why a document is not read; never quotes it."""


@dataclass(frozen=True)
class XmlRow:
    """A row, and the line of the document that it begins on."""

    values: Row
    line: int


class XmlRows:
    """Reads documents of one feed."""

    def __init__(self, nested: Nested) -> None:
        self._nested = nested
        self._plans: dict[str, XmlPlan] = {}

    def read(self, stream: BinaryIO) -> Iterator[XmlRow]:
        """Yield the transactions of a document in order.

        Raises:
            XmlError: no XML, a document type, no message of the feed, or a message without transactions.
        """
        found = False
        walk: _Walk | None = None
        names = {name for rows in self._nested.rows for name in (rows[0], rows[-1])}
        names.update(self._nested.details[-1:])
        tops = {rows[0]: rows for rows in self._nested.rows}
        try:
            for event, element in _events(stream, sorted(names)):
                if event == "start":
                    if walk is None and _local(element) in tops:
                        namespace, found = self._namespace(element), True
                        walk = _Walk(element, namespace, self._nested, self._plan(namespace))
                elif walk is None:
                    continue
                elif element is walk.top:
                    if not walk.number:
                        raise XmlError(
                            f"the message has no {'/'.join(walk.rows)}; it tells of no transaction"
                        )
                    walk = None
                else:
                    yield from walk.end(element)
        except etree.XMLSyntaxError as error:
            line, column = error.position
            raise XmlError(f"not well-formed XML at line {line}, column {column}") from None
        if not found:
            raise XmlError(f"no {' or '.join(sorted(tops))} in the document; is it a message of this feed?")

    def _plan(self, namespace: str) -> XmlPlan:
        plan = self._plans.get(namespace)
        if plan is None:
            plan = self._plans[namespace] = XmlPlan(self._nested.paths, namespace)
        return plan

    def _namespace(self, element: etree._Element) -> str:
        namespace = etree.QName(element).namespace or ""
        message = namespace.removeprefix(NAMESPACE)
        if message not in self._nested.messages:
            known = ", ".join(sorted(self._nested.messages))
            shown = message if len(message) < 32 and message.replace(".", "").isalnum() else "of another form"
            raise XmlError(f"definition '{shown}' is not read by this feed; it takes {known}")
        return namespace


class _Walk:
    """The way through one message."""

    def __init__(self, top: etree._Element, namespace: str, nested: Nested, plan: XmlPlan) -> None:
        self.top, self.number = top, 0
        self.rows = next(rows for rows in nested.rows if rows[0] == _local(top))
        self._details, self._plan = nested.details, plan
        self._inner = (*self.rows, *nested.details)
        self._tags = [f"{{{namespace}}}{name}" for name in nested.details]
        self._message = namespace.removeprefix(NAMESPACE)
        self._index = 0  # details of this row so far
        self._first: etree._Element | None = (
            None  # the first of them, until it is known whether it is the only
        )

    def end(self, element: etree._Element) -> Iterator[XmlRow]:
        """Yield the rows that are whole with the end of an element."""
        if self._details and _is_at(element, self._inner, self.top):
            self._index += 1
            if self._index == 1:
                self._first = element
                return
            if self._first is not None:
                yield self._row(self._first, 1)
                self._first = None
            yield self._row(element, self._index)
        elif _is_at(element, self.rows, self.top):
            if not self._details:
                yield self._row(element, 1)
                return
            if self._index == 0:
                self._first = element
                for tag in self._tags:
                    self._first = etree.SubElement(self._first, tag)
            if self._first is not None:
                yield self._row(self._first, 1, only=True)
            self._index, self._first = 0, None
            _forget(element)

    def _row(self, element: etree._Element, index: int, *, only: bool = False) -> XmlRow:
        self.number += 1
        line: object = element.sourceline
        specials = {
            NUMBER: str(self.number), MESSAGE: self._message, INDEX: str(index), ONLY: "1" if only else "",
        }  # fmt: skip
        values = self._plan.row(element, self.top, specials)
        _forget(element)
        return XmlRow(values, line if isinstance(line, int) else 0)


class XmlReader:
    """Streams one XML file; packed ones are unpacked on the way."""

    def __init__(self, path: FilePath, feed: Feed) -> None:
        assert feed.nested is not None
        self.path = path
        self.total = path.stat().st_size if path.suffix == ".xml" else 0
        self.names: list[str] | None = None
        self._rows = XmlRows(feed.nested)
        self._fields = tuple(feed.nested.paths)

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the transactions, at most `rows` at a time; what follows a broken place is rejected."""
        batch: list[XmlRow] = []
        rejects: list[Reject] = []
        try:
            with pa.input_stream(str(self.path), compression="detect", buffer_size=0) as stream:
                try:
                    for row in self._rows.read(stream):
                        batch.append(row)
                        if len(batch) >= rows:
                            yield self._chunk(batch, stream.tell(), ())
                            batch = []
                except XmlError as error:
                    rejects.append(Reject(1, Reason.BAD_XML, str(error), b""))
                yield self._chunk(batch, self.total, rejects)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{self.path} cannot be read: {str(error).splitlines()[0]}") from error

    def _chunk(self, batch: Sequence[XmlRow], done: int, rejects: Sequence[Reject]) -> Chunk:
        lines = np.array([r.line for r in batch], np.int64)
        return xml_chunk([r.values for r in batch], lines, self._fields, done, rejects)


def xml_payloads(
    rows: XmlRows, payloads: Sequence[bytes], first: int
) -> tuple[list[Row], np.ndarray, list[Reject]]:
    """Read whole documents; one that is wrong gives no row. Lines are indices of payloads."""
    out: list[Row] = []
    owners: list[int] = []
    rejects: list[Reject] = []
    for i, payload in enumerate(payloads, first):
        try:
            found = [r.values for r in rows.read(io.BytesIO(payload))]
        except XmlError as error:
            rejects.append(Reject(i, Reason.BAD_XML, str(error), payload[:_KEPT]))
            continue
        out += found
        owners += [i] * len(found)
    return out, np.array(owners, np.int64), rejects


def xml_chunk(
    rows: Sequence[Row], lines: np.ndarray, fields: Sequence[str], done: int, rejects: Sequence[Reject]
) -> Chunk:
    """Return rows as a chunk; each is its own source row, flat, as the feed's NDJSON form has it."""

    def row(i: int) -> Mapping[str, object]:
        return {k: v for k, v in rows[i].items() if v is not None}

    columns = {n: pa.array([r[n] for r in rows], pa.string()) for n in fields}
    return Chunk(columns, len(rows), lines, row, done, tuple(rejects))


class _Guarded(io.RawIOBase):
    """A stream in which a document type or NUL bytes end the reading."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._tail = b""
        self.problem = ""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        seen = self._tail + data
        if any(mark in seen for mark in _DOCTYPE):
            self.problem = "the document has a document type or entities; send it without"
        elif b"\0" in data:
            self.problem = "the document is not UTF-8"
        if self.problem:
            return b""
        self._tail = seen[-_LONGEST:]
        return data


def _events(stream: BinaryIO, names: Sequence[str]) -> Iterator[tuple[str, etree._Element]]:
    guarded = _Guarded(stream)
    try:
        yield from etree.iterparse(
            guarded,
            events=("start", "end"),
            tag=[f"{{*}}{name}" for name in names],
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
    except etree.XMLSyntaxError:
        if guarded.problem:
            raise XmlError(guarded.problem) from None
        raise
    if guarded.problem:
        raise XmlError(guarded.problem)


def _local(element: etree._Element) -> str:
    return element.tag.rpartition("}")[2]


def _is_at(element: etree._Element, rows: Sequence[str], top: etree._Element) -> bool:
    """Return whether an element is a row: its name, and those of all that hold it up to the message."""
    here: etree._Element | None = element
    for name in reversed(rows[1:]):
        if here is None or _local(here) != name:
            return False
        here = here.getparent()
    return here is top


def _forget(element: etree._Element) -> None:
    """Drop a row that was read, and the holder of rows before it; what stands before them stays."""
    parent = element.getparent()
    if parent is None:
        return
    before = parent.getprevious()
    parent.remove(element)
    if before is not None and before.tag == parent.tag:
        above = parent.getparent()
        if above is not None:
            above.remove(before)
