"""Cuts the payloads of messages into rows of JSON text: one object, many lines, or an array.

Owns where a row begins and ends; never reads what it holds, so that its digits stay what they were.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import orjson

from txmon.streams.faults import Reason
from txmon.streams.readers.chunk import Reject
from txmon.streams.readers.lines import MAX_LINE_BYTES

MAX_ROWS = 100_000  # of one message
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{},]')
_KEPT_OF_LONG = 65_536
_SPACE = b" \t\r\n"
Texts = tuple[list[bytes], list[int]]  # rows, and the index of the message of each


def cut_rows(payloads: Sequence[bytes], first: int = 0) -> tuple[Texts, list[Reject]]:
    """Return the rows of payloads, none with a bare newline, and the payloads that hold none.

    Reject.line is the index of the payload; `first` is that of the first one.
    """
    texts: list[bytes] = []
    owners: list[int] = []
    rejects: list[Reject] = []
    for i, payload in enumerate(payloads, first):
        if payload[:1] == b"{" and payload[-1:] == b"}" and b"\n" not in payload and b"\r" not in payload:
            texts.append(payload)
            owners.append(i)
            continue
        try:
            rows = list(_rows(payload))
        except ValueError as error:
            reason = Reason.TOO_LONG if len(payload) > MAX_LINE_BYTES else Reason.BAD_JSON
            rejects.append(Reject(i, reason, str(error), payload[:_KEPT_OF_LONG]))
            continue
        texts += rows
        owners += [i] * len(rows)
    return (texts, owners), rejects


def _rows(payload: bytes) -> Iterator[bytes]:
    text = payload.strip(_SPACE)
    if not text:
        raise ValueError("the message is empty")
    if text[:1] == b"[":
        yield from map(_one_line, split_array(text))
        return
    first = text.partition(b"\n")[0].strip(_SPACE)
    if len(first) < len(text) and _is_json(first):
        lines = [line for line in (part.strip(_SPACE) for part in text.split(b"\n")) if line]
        if len(lines) > MAX_ROWS:
            raise ValueError(f"the message has more than {MAX_ROWS:,} rows; send several")
        yield from map(_one_line, lines)
        return
    yield _one_line(text)


def split_array(text: bytes) -> list[bytes]:
    """Return the elements of a JSON array as they are written.

    Raises:
        ValueError: brackets do not match, something follows the array, or it has too many elements.
    """
    parts: list[bytes] = []
    depth, start = 0, 1
    for mark in _MARKS.finditer(text):
        symbol = text[mark.start()]
        if symbol in b"[{":
            depth += 1
        elif symbol in b"]}":
            depth -= 1
            if depth <= 0:
                if symbol not in b"]" or depth < 0 or text[mark.end() :].strip(_SPACE):
                    break
                last = text[start : mark.start()].strip(_SPACE)
                if not last and not parts:
                    raise ValueError("the array is empty")
                return [*parts, last]
        elif symbol in b"," and depth == 1:
            parts.append(text[start : mark.start()].strip(_SPACE))
            start = mark.end()
            if len(parts) >= MAX_ROWS:
                raise ValueError(f"the array has more than {MAX_ROWS:,} elements; send several")
    raise ValueError("the message begins like a JSON array but is none")


def _one_line(text: bytes) -> bytes:
    """A bare newline can only stand between the tokens of a JSON text."""
    return text.replace(b"\n", b" ").replace(b"\r", b" ") if b"\n" in text or b"\r" in text else text


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
