"""How a text of XML is encoded, before a parser is asked: authorities take UTF-8 alone."""

from __future__ import annotations

import re

_DECLARED = re.compile(r"""\s*<\?xml[^>]*?encoding\s*=\s*["']([^"']*)""")
_SAME = ("utf-8", "utf8", "us-ascii")


def utf8(data: bytes) -> bool:
    """Say whether a text of XML is in UTF-8 and declares nothing else."""
    try:
        declared = _DECLARED.match(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return False
    return declared is None or declared.group(1).lower() in _SAME
