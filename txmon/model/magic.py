"""What bytes are, by what they begin with and what is inside, whatever their name says.

Owns the marks of kinds of files that are never taken. It looks, and decodes nothing.
"""

from __future__ import annotations

import base64
import binascii
import re

from txmon.model import lettered

IMAGE, VIDEO, ARCHIVE, PROGRAM, OFFICE = (
    "an image",
    "video or sound",
    "an archive",
    "a program",
    "an office file",
)

_JPEG = b"\xff\xd8\xff"
# where a mark stands -> mark -> what it is of
_AT: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", IMAGE), (0, b"\x89PNG", IMAGE), (0, b"GIF8", IMAGE), (0, b"II*\0", IMAGE),
    (0, b"MM\0*", IMAGE), (0, b"II+\0", IMAGE), (0, b"\0\0\1\0", IMAGE), (0, b"\0\0\2\0", IMAGE),
    (0, b"8BPS", IMAGE), (0, b"\0\0\0\x0cjP  ", IMAGE), (0, b"\xff\x4f\xff\x51", IMAGE),
    (0, b"\xff\x0a", IMAGE), (0, b"\0\0\0\x0cJXL ", IMAGE), (0, b"qoif", IMAGE), (0, b"DDS ", IMAGE),
    (0, b"farbfeld", IMAGE), (0, b"\x76\x2f\x31\x01", IMAGE),
    (0, b"AT&TFORM", IMAGE),
    (0, b"gimp xcf", IMAGE),
    (0, b"\xd7\xcd\xc6\x9a", IMAGE), (0, b"BPG\xfb", IMAGE), (0, b"#?RADIANCE", IMAGE), (0, b"/* XPM", IMAGE),
    (0, b"P1\n", IMAGE), (0, b"P2\n", IMAGE), (0, b"P3\n", IMAGE), (0, b"P4\n", IMAGE), (0, b"P5\n", IMAGE),
    (0, b"P6\n", IMAGE), (0, b"P7\n", IMAGE), (0, b"SIMPLE  =", IMAGE), (0, b"\x01\x00\x00\x00\x6c", IMAGE),
    (4, b"ftyp", VIDEO), (4, b"moov", VIDEO), (4, b"mdat", VIDEO), (0, b"\x1a\x45\xdf\xa3", VIDEO),
    (0, b"RIFF", VIDEO), (0, b"FLV\1", VIDEO), (0, b"\0\0\1\xba", VIDEO), (0, b"\0\0\1\xb3", VIDEO),
    (0, b"OggS", VIDEO), (0, b"\x30\x26\xb2\x75", VIDEO), (0, b"ID3", VIDEO), (0, b"fLaC", VIDEO),
    (0, b"FWS", VIDEO), (0, b"CWS", VIDEO), (0, b".RMF", VIDEO), (0, b"\xff\xfb", VIDEO),
    (0, b"MThd", VIDEO), (0, b"#!AMR", VIDEO), (0, b".snd", VIDEO), (0, b"\x47\x40", VIDEO),
    (0, b"PK\3\4", ARCHIVE), (0, b"PK\5\6", ARCHIVE), (0, b"PK\7\x08", ARCHIVE), (0, b"Rar!\x1a", ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", ARCHIVE), (0, b"\x1f\x8b", ARCHIVE), (0, b"\x1f\x9d", ARCHIVE),
    (0, b"\x1f\xa0", ARCHIVE), (0, b"BZh", ARCHIVE), (0, b"\xfd7zXZ", ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", ARCHIVE),
    (0, b"\x04\x22\x4d\x18", ARCHIVE), (0, b"MSCF", ARCHIVE), (0, b"!<arch>", ARCHIVE), (0, b"LZIP", ARCHIVE),
    (257, b"ustar", ARCHIVE), (0, b"\x60\xea", ARCHIVE), (2, b"-lh", ARCHIVE), (0, b"xar!", ARCHIVE),
    (0, b"hsqs", ARCHIVE), (32769, b"CD001", ARCHIVE), (0, b"ITSF", ARCHIVE),
    (0, b"\x5d\0\0", ARCHIVE), (0, b"ZOO ", ARCHIVE), (7, b"**ACE**", ARCHIVE),
    (0, b"\x89LZO", ARCHIVE), (0, b"SZDD", ARCHIVE),
    (0, b"MZ", PROGRAM), (0, b"\x7fELF", PROGRAM), (0, b"\xca\xfe\xba\xbe", PROGRAM),
    (0, b"\xfe\xed\xfa", PROGRAM),
    (0, b"\xcf\xfa\xed\xfe", PROGRAM), (0, b"\xce\xfa\xed\xfe", PROGRAM), (0, b"\0asm", PROGRAM),
    (0, b"dex\n", PROGRAM), (0, b"L\0\0\0\1\x14\x02\0", PROGRAM), (0, b"SQLite format 3", PROGRAM),
    (0, b"\xd0\xcf\x11\xe0", OFFICE), (0, b"%!PS", PROGRAM), (0, b"{\\rtf", OFFICE), (0, b"\xdb\xa5", OFFICE),
)  # fmt: skip
# looked for anywhere in bytes that are no text: long marks, without the zeros that fonts are full of
_ANYWHERE: tuple[tuple[bytes, str], ...] = (
    *((m, what) for at, m, what in _AT if not at and len(m) >= 4 and 0 not in m and not m.isascii()),
    (b"PK\3\4", ARCHIVE), (b"Rar!\x1a", ARCHIVE), (b"BZh91AY&SY", ARCHIVE), (b"OggS\0\2", VIDEO),
    (b"\xff\xd8\xff\xe0", IMAGE), (b"\xff\xd8\xff\xe1", IMAGE), (b"\xff\xd8\xff\xdb", IMAGE),
)  # fmt: skip
# looked for anywhere in what a text stands for, where zeros are no font's
_WRITTEN: tuple[tuple[bytes, str], ...] = tuple(
    (mark, what) for at, mark, what in _AT if not at and (len(mark) >= 4 or mark == _JPEG)
)
_BOXED = re.compile(rb"\0\0\0.ftyp|BM.{4}\0{4}|RIFF.{4}(?:WEBP|AVI )", re.DOTALL)
_ENCODED = re.compile(rb"(?:[A-Za-z0-9+/_-]{40,}={0,2}[ \t]*\r?\n?[ \t]*){1,}")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2}[ \t,:\r\n]?){64,}")
_CPIO = re.compile(rb"0707(?:01|02)[0-9A-Fa-f]{104}|070707[0-7]{70}")
_LONG = 400  # characters in one encoding without a space: no text that people write
_VARIED = 20  # different characters; a line of dashes has one
_HASHES = frozenset((32, 40, 56, 64, 96, 128))  # digits of a hash, one a line
_STRAY = 2  # words beside hashes
_WORD = re.compile(rb"[!-~]{60,}")
_SIGNS = frozenset(b"!#$%&()*+-;<=>?@^_`{|}~\"',./:[]\\")
_MANY_SIGNS = 9  # different ones
_UNPRINTED = re.compile(rb"[\x00-\x08\x0e-\x1f]")
ENCODED = "encoded bytes"
_UU = re.compile(rb"^(?:begin(?:-base64)? [0-7]{3} |=ybegin )", re.MULTILINE)
_ACTIVE = (
    b"<script", b"<svg", b"<iframe", b"<object", b"<embed", b"<applet", b"<img", b"<html", b"<!doctype",
    b"<video", b"<audio", b"<canvas", b"<?php", b"<?xml", b"<%", b"javascript:", b"vbscript:", b"data:image",
    b"data:video", b"data:application", b";base64,", b"@echo off", b"wscript.", b"createobject(",
    b"powershell", b"eval(", b"<hta:", b"[internetshortcut]", b"<body", b"<frame", b"<meta", b"<link ",
    b"document.write", b"#!/", b"autoopen(", b"document_open(",
)  # fmt: skip


def kind_of(content: bytes) -> str | None:
    """Return what bytes are by their beginning, if it is a kind that is never taken."""
    for at, mark, what in _AT:
        if content[at : at + len(mark)] == mark:
            return what
    if content[:2] == b"BM" and content[6:10] == bytes(4):
        return IMAGE
    if content[:4] == b"FORM" and content[8:12] in (b"AIFF", b"AIFC", b"ILBM", b"8SVX", b"PBM "):
        return VIDEO
    return ARCHIVE if _CPIO.match(content) else None


def strong(content: bytes) -> str | None:
    """Return what bytes are by a beginning that chance does not make: four bytes at least, or a JPEG's."""
    for at, mark, what in _AT:
        if (len(mark) >= 4 or mark == _JPEG) and content[at : at + len(mark)] == mark:
            return what
    return IMAGE if content[:2] == b"BM" and content[6:10] == bytes(4) else None


def anywhere(content: bytes) -> str | None:
    """Return what bytes that a text stands for hold somewhere, if it is a kind that is never taken."""
    found = next((what for mark, what in _WRITTEN if mark in content), None)
    return found or (IMAGE if _BOXED.search(content) else None)


def inside(content: bytes) -> str | None:
    """Return what bytes that are no text hold somewhere, if it is a kind that is never taken."""
    return kind_of(content) or next((what for mark, what in _ANYWHERE if mark in content), None)


def in_text(content: bytes) -> str | None:
    """Return what a text hides that is never taken: what a program would run, or bytes written as letters."""
    lowered = content.lower()
    if any(mark in lowered for mark in _ACTIVE):
        return "something that a program would run or show"
    if _UU.search(content) or _letters(content) or _digits(content) or _signs(content):
        return ENCODED
    for plain in lettered.escapes_of(content):
        if anywhere(plain) or len(_UNPRINTED.findall(plain)) >= lettered.FEWEST:
            return ENCODED
    return None


def _letters(content: bytes) -> bool:
    """Whether there is base64 of something never taken, or so much of anything that no person wrote it."""
    for match in _ENCODED.finditer(content):
        run = re.sub(rb"\s", b"", match[0])
        if (len(run) >= _LONG and len(set(run)) > _VARIED) or (len(run) >= 40 and hidden(run)):
            return True
    return any(strong(plain) for plain in lettered.base64_of(content))


def _digits(content: bytes) -> bool:
    """Whether there are numbers of something never taken, or so many that they are no list of hashes."""
    for match in _HEX.finditer(content):
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", match[0])
        letters = len(digits.translate(None, b"0123456789"))
        many = len(digits) >= 2 * _LONG and letters * 10 > len(digits)  # not a list of account numbers
        words = re.findall(rb"[0-9A-Fa-f]+", match[0])
        if many and sum(len(word) not in _HASHES and not word.isdigit() for word in words) > _STRAY:
            return True
    return any(
        strong(plain) or any(mark in plain for mark, _ in _ANYWHERE) for plain in lettered.numbers_of(content)
    )


def _signs(content: bytes) -> bool:
    """Whether there is base85: long words full of signs."""
    return any(
        len(set(word) & _SIGNS) >= _MANY_SIGNS and b"://" not in word for word in _WORD.findall(content)
    )


def in_hex(content: bytes) -> str | None:
    """Return what digits are the bytes of, if it is a kind that is never taken."""
    for match in _HEX.finditer(content):
        digits = re.sub(rb"[^0-9A-Fa-f]", b"", match[0])
        found = kind_of(bytes.fromhex(digits[: len(digits) // 2 * 2].decode()))
        if found is not None:
            return found
    return None


def in_letters(content: bytes) -> bool:
    """Whether letters, as headers of e-mails have them, are bytes of a kind that is never taken."""
    return any(hidden(re.sub(rb"\s", b"", match[0])) for match in _ENCODED.finditer(content))


def hidden(run: bytes) -> bool:
    """Whether base64 is of bytes of a kind that is never taken."""
    try:
        plain = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        return kind_of(base64.b64decode(plain + b"=" * (-len(plain) % 4))) is not None
    except (binascii.Error, ValueError):
        return False
