"""Cuts a text file into blocks of whole lines; memory is bounded by the block and the longest line.

Owns bytes and line numbers; never looks inside a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from txmon.errors import InputError

BLOCK_BYTES = 4 << 20
MAX_LINE_BYTES = 4 << 20
_KEPT_OF_LONG = 65_536
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Whole lines: the number of the first, the bytes, and bytes of the file read so far.

    A line beyond `MAX_LINE_BYTES` comes alone, cut short, with `too_long`.
    """

    line: int
    data: bytes
    done: int
    too_long: bool = False


def read_blocks(path: Path, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yield a file's lines in order; ``.gz`` and ``.zst`` files are unpacked on the way.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with pa.input_stream(str(path), compression="detect", buffer_size=0) as stream:
            yield from _blocks(stream, block_bytes)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error


def _blocks(stream: pa.NativeFile, block_bytes: int) -> Iterator[Block]:
    line, done, rest = 1, 0, b""
    while True:
        data: bytes = stream.read(block_bytes)
        if not done and data.startswith(_BOM):
            data, done = data[len(_BOM) :], len(_BOM)
        done += len(data)
        if not data:
            if rest:
                yield Block(line, rest + b"\n", done)
            return
        cut = data.rfind(b"\n") + 1
        if cut:
            block = rest + data[:cut]
            yield Block(line, block, done)
            line += block.count(b"\n")
            rest = data[cut:]
            continue
        rest += data
        if len(rest) > MAX_LINE_BYTES:
            yield Block(line, rest[:_KEPT_OF_LONG], done, too_long=True)
            skipped, rest = _skip_line(stream, block_bytes)
            done += skipped
            line += 1


def _skip_line(stream: pa.NativeFile, block_bytes: int) -> tuple[int, bytes]:
    """Read to the end of the line; return the bytes read and what follows the line."""
    read = 0
    while data := stream.read(block_bytes):
        read += len(data)
        cut = data.find(b"\n") + 1
        if cut:
            return read, data[cut:]
    return read, b""
