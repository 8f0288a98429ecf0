"""Reads Parquet and Arrow IPC files in slices; memory does not grow with the file.

Text columns that are dictionary-encoded in Parquet stay so. Never converts values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from txmon.errors import InputError
from txmon.streams.readers.chunk import Chunk

# a text column that takes fewer bytes a value than this before compression repeats its values
_DICTIONARY_BYTES = 6


class ParquetReader:
    """Streams the row groups of one Parquet file."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            InputError: not a readable Parquet file.
        """
        self.path = path
        try:
            plain = pq.ParquetFile(path)
            self._file = pq.ParquetFile(path, read_dictionary=_repeating_columns(plain), pre_buffer=False)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Parquet file: {_first_line(error)}") from error
        self.total = self._file.metadata.num_rows
        self.names: list[str] | None = list(self._file.schema_arrow.names)

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows in order, at most `rows` at a time."""
        yield from _slices(self.path, self._file.iter_batches(batch_size=rows), rows)


class IpcReader:
    """Streams the record batches of one Arrow IPC file or stream."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            InputError: not a readable Arrow IPC file.
        """
        self.path = path
        try:
            self._map = pa.memory_map(str(path))
            try:
                self._file = pa.ipc.open_file(self._map)
                self._stream = None
                schema = self._file.schema
            except pa.ArrowInvalid:  # not the random-access form: try the stream form
                self._map.seek(0)
                self._stream = pa.ipc.open_stream(self._map)
                schema = self._stream.schema
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} is not a readable Arrow IPC file: {_first_line(error)}") from error
        self.total = 0  # unknown before the end
        self.names: list[str] | None = list(schema.names)

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the rows in order, at most `rows` at a time."""
        yield from _slices(self.path, self._batches(), rows)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        if self._stream is not None:
            yield from self._stream
            return
        for i in range(self._file.num_record_batches):
            yield self._file.get_batch(i)


def _slices(path: Path, batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[Chunk]:
    done = 0
    while True:
        try:
            batch = next(batches, None)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path}: damaged after row {done}: {_first_line(error)}") from error
        if batch is None:
            return
        for start in range(0, batch.num_rows, rows):
            part = batch.slice(start, rows)
            lines = np.arange(done + 1, done + part.num_rows + 1)
            done += part.num_rows
            yield Chunk(columns_of(part), part.num_rows, lines, row_of(part), done)


def columns_of(batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
    """Return the columns of a batch by name."""
    return dict(zip(batch.schema.names, batch.columns, strict=True))


def row_of(batch: pa.RecordBatch) -> Callable[[int], Mapping[str, object]]:
    """Return what reads one row of a batch as plain values."""

    def row(i: int) -> Mapping[str, object]:
        return {n: _value(c.slice(i, 1)) for n, c in columns_of(batch).items()}

    return row


def _value(one: pa.Array) -> object:
    try:
        return one[0].as_py()
    except UnicodeDecodeError:
        plain = one.dictionary_decode() if pa.types.is_dictionary(one.type) else one
        raw: bytes = plain.cast(pa.large_string()).view(pa.large_binary())[0].as_py()
        return raw.decode("utf-8", "backslashreplace")


def _repeating_columns(file: pq.ParquetFile) -> list[str]:
    """Text columns whose values repeat so much that they are stored as dictionaries."""
    schema, metadata = file.schema_arrow, file.metadata
    names: list[str] = []
    if not metadata.num_row_groups:
        return names
    group = metadata.row_group(0)
    for i in range(group.num_columns):
        column = group.column(i)
        name = column.path_in_schema
        index = schema.get_field_index(name)
        if index < 0 or not (
            pa.types.is_string(schema.field(index).type) or pa.types.is_large_string(schema.field(index).type)
        ):
            continue
        if "RLE_DICTIONARY" not in column.encodings and "PLAIN_DICTIONARY" not in column.encodings:
            continue
        if column.total_uncompressed_size < _DICTIONARY_BYTES * max(column.num_values, 1):
            names.append(name)
    return names


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
