"""Bytes of pictures and film where only words belong: found as they are, in letters, digits or escapes.

Whoever keeps a picture of abuse, even by mistake, commits a crime in most countries, and has to report it. So
no text that holds such bytes is kept, shown or passed on: only that there was one, its hash, its size and
where. Owns the look and what is kept; decodes no picture. A text of less than `SHORTEST` bytes holds none.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

from txmon.model import lettered, magic

SHORTEST = 64  # bytes
DUTY = (
    "Pictures, video and archives are not kept here. If this shows the sexual abuse of a child, do not copy"
    " or forward it: keep it where it is, tell your safeguarding lead, and report it at once to the hotline"
    " or police of your country (in the US: the CyberTipline, 18 U.S.C. 2258A)"
)
_KINDS = (magic.IMAGE, magic.VIDEO)
# the marks of JPEG and PNG, each byte as the character of its number
_AS_CHARACTERS = re.compile("\u00ff\u00d8\u00ff|\u0089PNG\r?\n".encode())
_DATA = re.compile(rb"data:\s*(?:image|video|audio)/[\w.+-]{1,60}\s*[;,]", re.IGNORECASE)

# a text that this does not match holds none: for whole columns (RE2), before `found_in` looks at each
SUSPECT = (
    r"[/_]9j\\?[/_]|iVBORw|R0lGOD|UklGR|SUkq|TU0A|Qk[0-3]|AAAA|GkXf|T2dn|RkxW|MCay|OEJQ|cW9p|[/_]0[/_]|QlBH|QVQm"
    r"|di8x|WkxM|[Dd][Aa][Tt][Aa]:|PNG|\x{ff}|(?:(?:0x)?[0-9A-Fa-f]{2}[ \t,:;\r\n]{0,3}){32}"
    r"|(?:[0-9]{1,3}[\s,;]{1,3}){24}|(?:\\x|\\u00|&#x|0x|%|=|\\)[0-9A-Fa-f]{2}"
)


@dataclass(frozen=True)
class Withheld:
    """What is kept of a text with a picture. kind: in words; size: bytes of the whole text."""

    kind: str
    sha256: str
    size: int

    def record(self, field: str | None) -> str:
        """Return it as JSON, in place of the text."""
        kept = {"withheld": self.kind, "sha256": self.sha256, "bytes": self.size, "field": field}
        return json.dumps(kept)

    def mask(self) -> str:
        """Return what a reader is shown in place of the text."""
        return f"[{self.kind}, {self.size} bytes, sha256 {self.sha256}: withheld. {DUTY}]"


def whole(text: str) -> Withheld:
    """Return what is to be kept of a text that is known to hold a picture somewhere."""
    data = text.encode("utf-8", "surrogatepass")
    return Withheld(magic.IMAGE, hashlib.sha256(data).hexdigest(), len(data))


def found_in(text: bytes) -> Withheld | None:
    """Return what is to be kept of a text that holds a picture or film; None if it holds none."""
    if len(text) < SHORTEST:
        return None
    kind = _kind(text)
    return None if kind is None else Withheld(kind, hashlib.sha256(text).hexdigest(), len(text))


def _kind(text: bytes) -> str | None:
    if not _is_utf8(text):
        found = magic.inside(text)
        if found in _KINDS:
            return found
    if _DATA.search(text) or _AS_CHARACTERS.search(text):
        return magic.IMAGE
    for content in (*lettered.base64_of(text), *lettered.numbers_of(text)):
        found = magic.strong(content)
        if found in _KINDS:
            return found
    for content in lettered.escapes_of(text):
        found = magic.anywhere(content)
        if found in _KINDS:
            return found
    return None


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
