"""Looks into a PDF: text and lines are taken; images, scripts, other files and what cannot be read are not.

Every stream is unpacked and looked at, within a bound. Names are read as a viewer reads them (``#4a`` is
``J``). What is encrypted, packed in a way that is not read here, or stands outside the document's own
objects is refused rather than passed. Owns this look; renders nothing.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib

from txmon.model import lettered, magic

UNPACKED_MAX = 64 << 20  # bytes of all streams together
_STREAM = re.compile(rb">>\s*stream\r?\n")
_LEFT = re.compile(rb"\bstream\r?\n|endstream")
_NAME = re.compile(rb"#([0-9A-Fa-f]{2})")
_FORBIDDEN: tuple[tuple[bytes, str], ...] = (
    (rb"/Subtype\s*/Image\b", magic.IMAGE), (rb"/(?:DCT|JPX|JBIG2|CCITTFax)Decode\b", magic.IMAGE),
    (rb"/(?:DCT|CCF)\b", magic.IMAGE), (rb"/Thumb\b", magic.IMAGE),
    (rb"/(?:JavaScript|JS)\b", "a script"), (rb"/(?:Launch|SubmitForm|ImportData|XFA|AA)\b", "a script"),
    (rb"/(?:EmbeddedFiles?|Filespec|Collection|FileAttachment)\b", "another file"),
    (rb"/(?:RichMedia|Movie|Sound|Screen|3D|Rendition)\b", magic.VIDEO),
    (rb"/Encrypt\b", "what cannot be looked into"),
)  # fmt: skip
_LOOKED_FOR = tuple((re.compile(pattern), what) for pattern, what in _FORBIDDEN)
_INLINE = re.compile(rb"(?:^|\s)BI\s.{0,2000}?\sID\s", re.DOTALL)
_FILTERS = re.compile(rb"/(?:Filter|F)\s*(?P<names>\[[^\]]*\]|/\w+)")
_KNOWN = (b"FlateDecode", b"Fl", b"ASCIIHexDecode", b"AHx", b"ASCII85Decode", b"A85")
UNREAD = "what cannot be looked into"


def fault_of(content: bytes) -> str | None:
    """Return what a PDF holds that is never taken, None if nothing."""
    end = content.rstrip(b"\0\r\n\t ")
    if not end.endswith(b"%%EOF"):
        return "something behind its end"
    outside, streams = _taken_apart(content)
    if _LEFT.search(outside):
        return UNREAD
    found = _fault(outside)
    left = UNPACKED_MAX
    for dictionary, data in streams:
        if found is not None:
            break
        plain = _unpacked(_plain_names(dictionary), data, left)
        if plain is None:
            return UNREAD
        left -= len(plain)
        found = _fault(plain) or (magic.IMAGE if _INLINE.search(plain) else None)
    return found


def _taken_apart(content: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """What is outside of streams, with their dictionaries; and dictionary and data of each stream."""
    outside, streams, at = [], [], 0
    for match in _STREAM.finditer(content):
        if match.start() < at:  # within the data of the stream before
            continue
        end = content.find(b"endstream", match.end())
        if end < 0:
            break
        head = content[at : match.start() + 2]
        outside.append(head)
        streams.append((head[head.rfind(b"obj") + 1 :], content[match.end() : end].rstrip(b"\r\n")))
        at = end + len(b"endstream")
    return b" ".join((*outside, content[at:])), streams


def _fault(content: bytes) -> str | None:
    return _names(content) or magic.inside(content) or magic.in_hex(content) or _written(content)


def _written(content: bytes) -> str | None:
    """What strings and metadata hold, written as letters or escapes."""
    for plain in lettered.base64_of(content):
        found = magic.strong(plain)
        if found is not None:
            return found
    return next((found for plain in lettered.octal_of(content) if (found := magic.anywhere(plain))), None)


def addresses_in(content: bytes) -> bool:
    """Whether a PDF has links to the web: as an action, or in its dictionaries."""
    streams = (_unpacked(each, data, UNPACKED_MAX) for each, data in _taken_apart(content)[1])
    return any(
        re.search(rb"/URI\b|https?://", _plain_names(each or b"")) is not None for each in (content, *streams)
    )


def _plain_names(content: bytes) -> bytes:
    return _NAME.sub(lambda match: bytes((int(match[1], 16),)), content)


def _names(content: bytes) -> str | None:
    plain = _plain_names(content)
    return next((what for pattern, what in _LOOKED_FOR if pattern.search(plain)), None)


def _unpacked(dictionary: bytes, data: bytes, most: int) -> bytes | None:
    """A stream as it is read; None where it is not read here."""
    found = _FILTERS.search(dictionary)
    if found is None:
        return data
    for name in re.findall(rb"/(\w+)", found["names"]):
        if name not in _KNOWN:
            return None
        try:
            data = _step(name, data, most)
        except (zlib.error, binascii.Error, ValueError):
            return None
        if len(data) >= most:
            return None
    return data


def _step(name: bytes, data: bytes, most: int) -> bytes:
    if name in (b"FlateDecode", b"Fl"):
        unpacker = zlib.decompressobj()
        plain = unpacker.decompress(data, most)
        if unpacker.unused_data.strip():
            raise ValueError("bytes behind the end of a stream")
        return plain
    if name in (b"ASCIIHexDecode", b"AHx"):
        digits = re.sub(rb"\s", b"", data.partition(b">")[0])
        return binascii.unhexlify(digits + b"0" * (len(digits) % 2))
    text = data.strip()
    return base64.a85decode(text if text.startswith(b"<~") else b"<~" + text, adobe=True)
