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
from txmon.streams.paths import NUMBER, Nested, Path
from txmon.streams.readers.chunk import Chunk, Reject

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:"
_DOCTYPE = (b"<!DOCTYPE", b"<!ENTITY")
_LONGEST = max(map(len, _DOCTYPE)) - 1
_KEPT = 65_536

Row = dict[str, str | None]


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
        self._compiled: dict[str, dict[str, list[tuple[Path, str]]]] = {}

    def read(self, stream: BinaryIO) -> Iterator[XmlRow]:
        """Yield the transactions of a document in order.

        Raises:
            XmlError: no XML, a document type, no message of the feed, or a message without transactions.
        """
        rows = self._nested.rows
        found, number, namespace, depth = False, 0, "", 0
        top: etree._Element | None = None
        try:
            for event, element in _events(stream):
                name = _local(element)
                if event == "start":
                    if top is not None:
                        depth += 1
                    elif name == rows[0]:
                        namespace, top, found = self._namespace(element), element, True
                    continue
                if top is None:
                    continue
                if element is top:
                    if not number:
                        raise XmlError(f"the message has no {'/'.join(rows)}; it tells of no transaction")
                    top = None
                    continue
                depth -= 1
                if depth == len(rows) - 2 and name == rows[-1] and _is_at(element, rows):
                    number += 1
                    line: object = element.sourceline
                    values = self._row(element, top, namespace, number)
                    yield XmlRow(values, line if isinstance(line, int) else 0)
                    _forget(element)
        except etree.XMLSyntaxError as error:
            line, column = error.position
            raise XmlError(f"not well-formed XML at line {line}, column {column}") from None
        if not found:
            raise XmlError(f"no {rows[0]} in the document; is it a message of this feed?")

    def _namespace(self, element: etree._Element) -> str:
        namespace = etree.QName(element).namespace or ""
        message = namespace.removeprefix(NAMESPACE)
        if message not in self._nested.messages:
            known = ", ".join(sorted(self._nested.messages))
            shown = message if len(message) < 32 and message.replace(".", "").isalnum() else "of another form"
            raise XmlError(f"definition '{shown}' is not read by this feed; it takes {known}")
        return namespace

    def _row(self, element: etree._Element, top: etree._Element, namespace: str, number: int) -> Row:
        compiled = self._compiled.get(namespace)
        if compiled is None:
            compiled = self._compiled[namespace] = self._compile(namespace)
        holders = [element, *element.iterancestors()]
        out: Row = {}
        for name, paths in compiled.items():
            value: str | None = None
            for path, query in paths:
                if path.special:
                    value = str(number) if path.special == NUMBER else namespace.removeprefix(NAMESPACE)
                else:
                    value = _value(top if path.up < 0 else holders[path.up], path, query)
                if value:
                    break
            out[name] = value or None
        return out

    def _compile(self, namespace: str) -> dict[str, list[tuple[Path, str]]]:
        return {
            name: [(path, "/".join(f"{{{namespace}}}{step}" for step in path.steps)) for path in paths]
            for name, paths in self._nested.paths.items()
        }


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


def _events(stream: BinaryIO) -> Iterator[tuple[str, etree._Element]]:
    guarded = _Guarded(stream)
    try:
        yield from etree.iterparse(
            guarded,
            events=("start", "end"),
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
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _is_at(element: etree._Element, rows: Sequence[str]) -> bool:
    ancestors = element.iterancestors()
    return all(_local(a) == name for a, name in zip(ancestors, reversed(rows[:-1]), strict=False))


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


def _value(element: etree._Element, path: Path, query: str) -> str | None:
    if path.every:
        return " ".join(t.strip() for e in element.iterfind(query) if (t := e.text) and t.strip())
    found = element.find(query) if query else element
    if found is None:
        return None
    text = found.get(path.attribute) if path.attribute else found.text
    return text.strip() if text else None
