"""Letters that the PDF's font draws: Latin, Cyrillic, Greek and signs; others stand as their numbers.

Nothing is left out and nothing becomes an empty box: a letter that is not drawn stands as ``[U+0639]``, a run
of them ``[U+0639 U+0644]``. Among them are scripts that need shaping (Arabic, Hebrew, those of India), and
characters that are not to be seen but change how a line reads. Owns the font and this choice.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import fontpkg_noto_sans
from fontTools.ttLib import TTFont

FONT = Path(fontpkg_noto_sans.__file__).parent / "files" / "NotoSans[wdth,wght].ttf"
# letters that stand one after the other, each by itself
_SIMPLE = (
    (0x20, 0x590),
    (0x1AB0, 0x1B00),
    (0x1D00, 0x2C00),
    (0x2C60, 0x2C80),
    (0x2DE0, 0x3000),
    (0xA640, 0xA6A0),
    (0xA700, 0xA800),
    (0xAB30, 0xAB70),
    (0xFB00, 0xFB07),
    (0xFE20, 0xFE30),
)
_HIDDEN = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")


def shown(text: str) -> str:
    """Return a text as the PDF shows it: composed, line breaks kept, tabs as blanks."""
    plain = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4))
    return _undrawn().sub(lambda run: f"[{' '.join(f'U+{ord(c):04X}' for c in run.group())}]", plain)


def undrawn(text: str) -> bool:
    """Say whether a text has a letter that stands as its number."""
    return _undrawn().search(unicodedata.normalize("NFC", text)) is not None


@cache
def _undrawn() -> re.Pattern[str]:
    with TTFont(FONT, lazy=True) as font:
        has = font.getBestCmap()
    drawn = (
        code
        for low, high in _SIMPLE
        for code in range(low, high)
        if code in has and unicodedata.category(chr(code)) not in _HIDDEN
    )
    return re.compile(f"[^\\t\\r\\n{''.join(re.escape(chr(code)) for code in drawn)}]+")
