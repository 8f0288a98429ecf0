"""Texts and numbers as FinCEN takes them: one line, digits alone, whole dollars, blocks of narrative.

Nothing that identifies is ever cut: a name that is too long stays so, and the validator says it.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING
from typing import Final

from txmon.reports.fincen_codes import NARRATIVE_BLOCK
from txmon.reports.model import Money, Paragraph, Phone

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


def line(text: str) -> str:
    """Return a text on one line without outer blanks, runs of blanks and characters that do not print."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def shortened(text: str, longest: int) -> str:
    """Return a describing text on one line, cut after a word; never used for what identifies."""
    whole = line(text)
    if len(whole) <= longest:
        return whole
    cut = whole[: longest + 1].rpartition(" ")[0]
    return cut or whole[:longest]


def digits(text: str) -> str:
    """Return the ASCII digits of a text."""
    return "".join(c for c in text if c.isascii() and c.isdigit())


def letters_digits(text: str) -> str:
    """Return the ASCII letters and digits of a text in upper case."""
    return "".join(c for c in text if c.isascii() and c.isalnum()).upper()


def dollars(money: Money) -> int:
    """Return whole dollars, a fraction counted as a whole one; the currency is the caller's concern."""
    return int(money.major.to_integral_value(rounding=ROUND_CEILING))


def phone_number(phone: Phone) -> str:
    """Return the digits of a number; the country's code is left out for North America."""
    prefix = digits(phone.prefix)
    return digits(phone.number) if prefix in ("", "1") else prefix + digits(phone.number)


def paragraphs_text(paragraphs: tuple[Paragraph, ...]) -> str:
    """Return a narrative on one line, each paragraph after its heading."""
    parts = []
    for paragraph in paragraphs:
        heading, text = line(paragraph.heading), line(paragraph.text)
        if heading and not text.casefold().startswith(heading.casefold()):
            text = f"{heading.upper()}: {text}"
        parts.append(text)
    return " ".join(p for p in parts if p)


def blocks(text: str) -> list[str]:
    """Cut a narrative into blocks of at most 4,000 characters without blanks at their ends.

    Joined they give the text. No run of blanks is long, since `line` leaves none.
    """
    found = []
    while len(text) > NARRATIVE_BLOCK:
        end = NARRATIVE_BLOCK
        while text[end - 1] == " " or text[end] == " ":
            end -= 1
        found.append(text[:end])
        text = text[end:]
    return [*found, text] if text else found
