"""Bytes that somebody wrote as letters, digits or escapes, read back so that they can be looked at.

Owns the ways of writing: base64 however it is folded, hexadecimal and decimal numbers, escapes of C, JSON,
URLs and mail. Says what bytes a text may stand for; what they are is `txmon.model.magic`'s part.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

# what base64 of a picture, film or archive begins with: such a place is read, whatever follows
_BEGINS = (
    rb"/9j/|iVBORw0KGg|R0lGOD|UklGR|SUkq|TU0A|Qk[0-3]|AAAA[A-Za-z0-9+/][GWm2]Z0eX|AAAADGpQICA|GkXfo|T2dnUw"
    rb"|RkxWA|MCaydY|AAABu|AAABs|OEJQUw|cW9pZg|AAABA|/0//U|AAAADEpYTCA|QlBH|QVQmVEZPUk0|di8xAQ|WkxMQ"
    rb"|UEsDB|H4sI|QlpoO|/Td6WFo|N3q8r|UmFyIR"
)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_LETTERS = re.compile(rb"(?<![A-Za-z0-9+/])(?:" + _BEGINS + rb")")
_RUN = re.compile(rb"[A-Za-z0-9+/]{16,}")
_LOOKED, _NEEDED = 200, 64  # bytes of the text behind such a place; letters that are decoded
_BETWEEN = re.compile(rb"[\s>\"'=]")
_DIGITS = re.compile(rb"(?<![0-9A-Fa-f])(?:(?:0x)?[0-9A-Fa-f]{2}[ \t,:;\r\n]{0,3}){32,}")
_LETTER = re.compile(rb"[A-Fa-f]")
_NUMBERS = re.compile(rb"(?<![\w.])(?:\d{1,3}[\s,;]{1,3}){24,}\d{1,3}(?![\w.])")
_ESCAPES: tuple[re.Pattern[bytes], ...] = (
    re.compile(rb"\\x([0-9A-Fa-f]{2})"), re.compile(rb"\\u00([0-9A-Fa-f]{2})"),
    re.compile(rb"&#x([0-9A-Fa-f]{2});?"), re.compile(rb"0x([0-9A-Fa-f]{2})\b[ \t,;\r\n]{0,3}"),
)  # fmt: skip
_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_PERCENT, _QUOTED = re.compile(rb"%[0-9A-Fa-f]{2}"), re.compile(rb"=[0-9A-F]{2}")
FEWEST = 8  # escapes that make a text worth reading back


def base64_of(text: bytes) -> Iterator[bytes]:
    """Yield what stands at each place of a text that begins like base64 of something never taken."""
    plain = text.replace(rb"\/", b"/").replace(rb"\r", b"\r").replace(rb"\n", b"\n").translate(_URL_SAFE)
    for match in _LETTERS.finditer(plain):
        run = _RUN.match(_BETWEEN.sub(b"", plain[match.start() : match.start() + _LOOKED]))
        if run is not None:
            letters = run[0][:_NEEDED]
            yield base64.b64decode(letters[: len(letters) // 4 * 4])


def numbers_of(text: bytes) -> Iterator[bytes]:
    """Yield the bytes of each run of hexadecimal pairs or of decimal numbers up to 255."""
    for match in _DIGITS.finditer(text):
        if not _LETTER.search(match[0]):
            continue  # account numbers
        digits = re.sub(rb"0x|[^0-9A-Fa-f]", b"", match[0])
        yield bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    for match in _NUMBERS.finditer(text):
        values = [int(each) for each in re.findall(rb"\d+", match[0])]
        if max(values) <= 255:
            yield bytes(values)


def escapes_of(text: bytes) -> Iterator[bytes]:
    """Yield a text with its escapes read back, for each way of writing that it has some of."""
    for pattern in _ESCAPES:
        if len(pattern.findall(text)) >= FEWEST:
            yield pattern.sub(lambda match: bytes((int(match[1], 16),)), text)
    yield from octal_of(text)
    if len(_PERCENT.findall(text)) >= FEWEST:
        yield unquote_to_bytes(text)
    if len(_QUOTED.findall(text)) >= FEWEST:
        yield quopri.decodestring(text)


def octal_of(text: bytes) -> Iterator[bytes]:
    """Yield a text with its octal escapes read back, if it has some."""
    if len(_OCTAL.findall(text)) >= FEWEST:
        yield _OCTAL.sub(lambda match: bytes((int(match[1], 8),)), text)
