"""Syntax nodes, keywords and the constants whose form is more than one token.

Owns what the parser is made of; the grammar is in `txmon.rules.parse`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from txmon.rules.tokens import ExpressionError, Token

NUMBER_DIGITS = 38


@dataclass(frozen=True)
class Node:
    """A syntax node: `kind` says what `value` and `kids` are; [start, end) is its place in the text.

    name column | number Decimal | string text | param name | null | bool | interval microseconds |
    typed (type) string | unary op | binary op | and | or | not | is_null | in (kids: x, items...) |
    in_list name | in_param name | like | case (when, then, ..., [else]; value = has else) | cast type |
    call name | star | window (kids: call, [filter]; value = window name) | distinct
    """

    kind: str
    value: str | bool | int | Decimal | None
    kids: tuple[Node, ...]
    start: int
    end: int


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RESERVED = _words(
    "and or not is null true false in like between case when then else end over filter where distinct "
    "cast try_cast interval select from with union exists all any some order group having limit window "
    "as using on join collate lambda ilike similar qualify insert update delete create drop alter attach "
    "copy install load pragma set call export import values"
)
COMPARING = frozenset({"=", "<>", "<", "<=", ">", ">="})
STATEMENTS = _words(
    "select from with union insert update delete create drop alter attach copy install load pragma set "
    "call export import values"
)
INTERVAL_UNITS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
CASTS = {
    "double": "double",
    "float": "double",
    "bigint": "bigint",
    "integer": "bigint",
    "int": "bigint",
    "varchar": "varchar",
    "text": "varchar",
}
# names that some versions of SQL read without parentheses and whose value depends on the moment or session
AMBIENT = _words(
    "current_date current_time current_timestamp localtime localtimestamp current_user session_user "
    "current_schema current_catalog current_role"
)


def interval_us(text: str, offset: int = 0) -> int:
    """Microseconds of ``'2 days'`` or ``'1 day 12 hours'``.

    Raises:
        ExpressionError: not whole numbers of a fixed unit, or longer than 10,000 days.
    """
    words = text.lower().split()
    total = 0
    if not words or len(words) % 2 or len(words) > 8:
        raise ExpressionError(f"interval '{text}' is malformed; write interval '2 days'", offset)
    for number, unit in zip(words[::2], words[1::2], strict=True):
        if not (number.isascii() and number.isdigit() and len(number) <= 12):
            raise ExpressionError(f"interval '{text}': `{number}` is not a whole number", offset)
        if unit.rstrip("s") not in INTERVAL_UNITS:
            names = ", ".join(f"{name}s" for name in INTERVAL_UNITS)
            raise ExpressionError(f"interval '{text}': unit `{unit}` is not one of {names}", offset)
        total += int(number) * INTERVAL_UNITS[unit.rstrip("s")]
    if total > 10_000 * INTERVAL_UNITS["day"]:
        raise ExpressionError(f"interval '{text}' is longer than 10,000 days", offset)
    return total


def number_value(token: Token) -> Decimal:
    value = Decimal(token.text) if len(token.text) <= 60 else Decimal("1e99")
    if value and not -NUMBER_DIGITS < value.adjusted() < 19:
        raise ExpressionError(f"number `{token.text[:40]}` is beyond 10^18 or too small", token.start)
    if len(value.as_tuple().digits) > NUMBER_DIGITS:
        raise ExpressionError(f"number `{token.text[:40]}` has more than {NUMBER_DIGITS} digits", token.start)
    return value


def describe(token: Token, bare: bool = False) -> str:
    """Say what a token is, for an error."""
    if token.kind == "end":
        return "the end"
    if token.kind == "string":
        return f"text '{token.text}'"
    text = f":{token.text}" if token.kind == "param" else token.text
    return text if bare else f"`{text}`"
