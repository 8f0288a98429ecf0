"""Words by which a text calls somebody a possible victim, whatever the format.

Compared without accents, case and signs, sentence by sentence. Owns the words; knows no report.
"""

from __future__ import annotations

import re
import unicodedata

_MARKS = re.compile(r"[^\w]+")
KINDS = "(?:possible|potential|presumed|suspected|likely|alleged|identified|known|image|trafficking)"
_BEFORE = rf"(?:{KINDS} )+victims?(?: is| are| named| called| in this case is)? "
_IS = "(?:is|was|may be|might be|could be|appears to be|seems to be|as)"
_MAY = "(?:may be|might be|could be|appears to be|seems to be|is believed to be|is thought to be|is likely)"
_ARTICLE = "(?:a |an |the |one )?"
_HARM = "(?:human |sexual |labou?r |child |modern )*(?:trafficking|exploitation|slavery|sextortion|abuse)"
_AFTER = (
    rf" (?:(?:{_IS} )?{_ARTICLE}(?:{KINDS} )+victims?|{_MAY} {_ARTICLE}(?:{KINDS} )*victims?|"
    rf"(?:{_IS} {_ARTICLE}|(?:a|an|one) )victims? of {_HARM})\b(?! s\b)"
)
_SAYS = re.compile(rf"\b{KINDS} victims?\b|\b(?:may|might|could) be (?:a |the )?victim\b")
# the end of a sentence; of initials and short forms (J., Ltd.) it is none
_END = re.compile(r"(?<=\w{4})[.!?](?=\s)|[\r\n]+")


def plain(words: str) -> str:
    """Return a text for comparison: no accents, case, signs or runs of blanks."""
    flat = "".join(c for c in unicodedata.normalize("NFKD", words) if not unicodedata.combining(c))
    return " ".join(_MARKS.sub(" ", flat.casefold()).split())


def called_victim(name: str, said: str) -> bool:
    """Whether a text, as `told` gives it, calls somebody a possible victim; the name as `plain` gives it."""
    quoted = re.escape(name)
    return re.search(rf"\b{_BEFORE}{quoted}\b|\b{quoted}{_AFTER}", said) is not None


def told(words: str) -> str:
    """Return a text for `called_victim`: its sentences, none of which runs into the next."""
    return f" {' . '.join(plain(sentence) for sentence in _END.split(words))} "


def says_victim(words: str) -> bool:
    """Whether words beside a person say that they may be a victim."""
    return _SAYS.search(plain(words)) is not None
