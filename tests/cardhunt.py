"""Ten thousand card numbers in every place where one may stand, and a hunt for them in texts and files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import numpy as np

COUNT = 10_000
FULL_WIDTH = {ord(d): chr(0xFF10 + int(d)) for d in "0123456789"}
RUN = re.compile(r"(?:\d[ \-.\u00a0_/]?){12,18}\d")


def luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card_numbers(count: int) -> list[str]:
    """Numbers of several schemes, the same on every run."""
    rng = np.random.default_rng(11)
    numbers = []
    for _ in range(count):
        body = str(rng.choice(["4", "51", "55", "2221", "3528", "6011"]))
        body += "".join(str(d) for d in rng.integers(0, 10, 15 - len(body)))
        numbers.append(next(body + str(d) for d in range(10) if luhn(body + str(d))))
    return numbers


def spelled(number: str, how: int) -> str:
    """The number plain, in groups, or in full-width digits."""
    groups = [number[i : i + 4] for i in range(0, 16, 4)]
    return (number, " ".join(groups), "-".join(groups), number.translate(FULL_WIDTH))[how % 4]


def rows(numbers: list[str]) -> list[dict[str, object]]:
    """Events with one number each: as card, in free text, in attributes, and where it makes them wrong."""
    made: list[dict[str, object]] = []
    for i, number in enumerate(numbers):
        text = spelled(number, i)
        row: dict[str, object] = {
            "event_id": f"e{i}",
            "event_time": f"2026-01-{1 + i % 28:02d}T10:00:00Z",
            "amount": "10.00",
            "currency": "EUR",
            "payer": f"a{i % 50}",
            "payee": f"b{i % 20}",
        }
        place = i % 5
        if place == 0:
            row["card"] = text
        elif place == 1:
            row["memo"] = f"paid with {text}, thank you"
        elif place == 2:
            row["attributes"] = {"note": text}
        elif place == 3:  # a row that goes to quarantine
            row |= {"currency": "QQQ", "descriptor": f"shop {text}"}
        else:  # the number is the wrong value itself
            row |= {"amount": text, "memo": text}
        made.append(row)
    return made


def found_in(texts: Iterable[str], numbers: Iterable[str]) -> list[str]:
    """The card numbers that the texts hold, however they are written."""
    known, found = set(numbers), []
    for text in texts:
        for match in RUN.finditer(unicodedata.normalize("NFKC", text)):
            digits = re.sub(r"\D", "", match.group())
            found += [digits[i : i + 16] for i in range(len(digits) - 15) if digits[i : i + 16] in known]
    return found
