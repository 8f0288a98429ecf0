"""Reads CSV: every column as text, a header line, quotes as RFC 4180 has them.

A block whose lines each have balanced quotes is parsed by Arrow; one that has a value over several lines,
or a stray quote, is parsed line by line so that only the broken record is rejected.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from txmon.errors import InputError
from txmon.streams.faults import Reason
from txmon.streams.readers.chunk import Chunk, Reject
from txmon.streams.readers.lines import Block, read_blocks

MAX_RECORD_LINES = 1000  # a quoted value that spans more lines is taken for a stray quote


class CsvReader:
    """Streams one CSV file."""

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        """Read the header.

        Raises:
            InputError: the file is empty or its header is not UTF-8.
        """
        self.path, self._delimiter = path, delimiter
        self.total = path.stat().st_size if path.suffix == ".csv" else 0
        first = next(read_blocks(path), None)
        if first is None or first.too_long:
            raise InputError(f"{path}: no header line")
        header = first.data.partition(b"\n")[0].rstrip(b"\r")
        try:
            self._names = next(csv.reader([header.decode("utf-8")], delimiter=delimiter), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise InputError(f"{path}: the header is not UTF-8 CSV") from error
        self.names: list[str] | None = self._names

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows block by block, at most `rows` at a time."""
        first, carry = True, Block(0, b"", 0)
        for block in read_blocks(self.path):
            if block.too_long:
                yield from self._flush(carry, rows)
                carry = Block(0, b"", 0)
                reject = Reject(block.line, Reason.TOO_LONG, "the line is too long", block.data)
                yield Chunk(self._no_rows(), 0, np.empty(0, np.int64), _no_row, block.done, (reject,))
                continue
            if first:
                block = Block(block.line + 1, block.data.partition(b"\n")[2], block.done)
                first = False
            block = Block(carry.line or block.line, carry.data + block.data, block.done)
            chunk, carry = self._parse(block, last=False)
            yield from _sliced(chunk, rows)
        yield from self._flush(carry, rows)

    def _flush(self, carry: Block, rows: int) -> Iterator[Chunk]:
        if carry.data:
            chunk, _ = self._parse(carry, last=True)
            yield from _sliced(chunk, rows)

    def _no_rows(self) -> Mapping[str, pa.Array]:
        return {n: pa.array([], pa.string()) for n in self._names}

    def _parse(self, block: Block, last: bool) -> tuple[Chunk, Block]:
        """Return the rows of a block and the lines at its end whose record may go on in the next."""
        data = block.data
        if b'"' in data and _unbalanced(data):
            return self._parse_slowly(block, data.split(b"\n")[:-1], last)
        numbers = np.arange(block.line, block.line + data.count(b"\n"))
        if data[:1] in (b"\n", b"\r") or b"\n\n" in data or b"\n\r\n" in data:
            lines = data.split(b"\n")[:-1]
            kept = [i for i, text in enumerate(lines) if text.strip(b"\r")]
            data = b"".join(lines[i] + b"\n" for i in kept)
            numbers = numbers[kept]
        return self._parse_fast(data, numbers, block.done), Block(0, b"", block.done)

    def _parse_fast(self, data: bytes, numbers: np.ndarray, done: int) -> Chunk:
        if not len(numbers):
            return Chunk(self._no_rows(), 0, numbers, _no_row, done)
        wrong: list[tuple[int, int, str]] = []

        def refuse(row: pacsv.InvalidRow) -> str:
            wrong.append((row.number - 1, row.actual_columns, row.text))
            return "skip"

        table = pacsv.read_csv(
            pa.py_buffer(data),
            read_options=pacsv.ReadOptions(
                use_threads=False, column_names=self._names, block_size=len(data) + 1
            ),
            parse_options=pacsv.ParseOptions(delimiter=self._delimiter, invalid_row_handler=refuse),
            convert_options=pacsv.ConvertOptions(
                column_types={n: pa.binary() for n in self._names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=False,
            ),
        )
        rejects = [
            self._width_reject(int(numbers[i]), count, text.encode("utf-8", "surrogateescape"))
            for i, count, text in wrong
        ]
        good = np.ones(len(numbers), bool)
        good[[i for i, _, _ in wrong]] = False
        return self._chunk(table, numbers[good], done, rejects)

    def _parse_slowly(self, block: Block, lines: list[bytes], last: bool) -> tuple[Chunk, Block]:
        records: list[list[bytes | None]] = []
        numbers: list[int] = []
        rejects: list[Reject] = []
        at = 0
        while at < len(lines):
            taken = self._record_lines(lines, at)
            if taken is None and not last and len(lines) - at < MAX_RECORD_LINES:
                break  # the record may end in the next block
            text = b"\n".join(lines[at : at + (taken or 1)]).rstrip(b"\r")
            number = block.line + at
            values = self._split(text) if taken else None
            if values is not None and len(values) == len(self._names):
                records.append([v.encode("utf-8", "surrogateescape") or None for v in values])
                numbers.append(number)
            elif taken == 1 and not text:
                pass  # blank line
            elif values is None or (taken or 1) > 1:
                taken = 1
                message = "a quote is opened and not closed, or text follows a closing quote"
                rejects.append(Reject(number, Reason.BAD_CSV, message, lines[at]))
            else:
                rejects.append(self._width_reject(number, len(values), text))
            at += taken or 1
        columns = zip(*records, strict=True) if records else [[] for _ in self._names]
        table = pa.table([pa.array(c, pa.binary()) for c in columns], names=self._names)
        rest = b"".join(text + b"\n" for text in lines[at:])
        carry = Block(block.line + at if rest else 0, rest, block.done)
        return self._chunk(table, np.array(numbers, np.int64), block.done, rejects), carry

    def _record_lines(self, lines: list[bytes], at: int) -> int | None:
        """Number of lines of the record that begins at `at`; None if its quotes never balance."""
        odd = 0
        for n, text in enumerate(lines[at : at + MAX_RECORD_LINES], 1):
            odd ^= text.count(b'"') % 2
            if not odd:
                return n
        return None

    def _split(self, text: bytes) -> list[str] | None:
        decoded = text.decode("utf-8", "surrogateescape")
        try:
            rows = list(csv.reader([decoded], delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        return rows[0] if len(rows) == 1 else None

    def _width_reject(self, line: int, count: int, raw: bytes) -> Reject:
        message = f"{count} columns where the header has {len(self._names)}"
        return Reject(line, Reason.BAD_CSV, message, raw)

    def _chunk(self, table: pa.Table, numbers: np.ndarray, done: int, rejects: list[Reject]) -> Chunk:
        columns = {
            n: table.column(i).combine_chunks().view(pa.string()) for i, n in enumerate(table.column_names)
        }

        def row(i: int) -> Mapping[str, object]:
            return {n: c.view(pa.binary())[i].as_py() for n, c in columns.items()}

        return Chunk(columns, table.num_rows, numbers, row, done, tuple(rejects))


def _unbalanced(data: bytes) -> bool:
    """Return whether some line has an odd number of quotes."""
    characters = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    quotes = np.cumsum(characters == ord('"'), dtype=np.int64)[ends]
    return bool((quotes % 2).any())


def _sliced(chunk: Chunk, rows: int) -> Iterator[Chunk]:
    """Cut a chunk; its rejects go with the first part."""
    if chunk.rows <= rows:
        if chunk.rows or chunk.rejects:
            yield chunk
        return
    for start in range(0, chunk.rows, rows):
        yield slice_chunk(chunk, start, rows)


def slice_chunk(chunk: Chunk, start: int, rows: int) -> Chunk:
    """Return `rows` rows of a chunk from `start`."""

    def row(i: int) -> Mapping[str, object]:
        return chunk.source_row(start + i)

    columns = {n: c.slice(start, rows) for n, c in chunk.columns.items()}
    lines = chunk.lines[start : start + rows]
    return Chunk(columns, len(lines), lines, row, chunk.done, () if start else chunk.rejects)


def _no_row(_: int) -> Mapping[str, object]:
    return {}
