"""Tokens of an expression, and the bounds that hold before anything is parsed.

Bounds: at most 4 KiB, 500 tokens, 32 levels of nesting (open parentheses, brackets, ``case``, and runs
of prefix operators), not empty, no ``;``, no comment. Owns the lexical rules; never builds a tree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

MAX_TEXT_BYTES = 4096
MAX_TOKENS = 500
MAX_NESTING = 32

Kind = Literal["name", "string", "number", "param", "op", "end"]


class ExpressionError(Exception):
    """An expression is refused; `offset` is the character of its text to point at."""

    def __init__(self, detail: str, offset: int) -> None:
        super().__init__(detail)
        self.detail = detail
        self.offset = offset


@dataclass(frozen=True)
class Token:
    """One token; `text` of a string is its value, of a name its lower-case form unless quoted."""

    kind: Kind
    text: str
    start: int
    end: int
    quoted: bool = False


_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<comment>--|/\*)
    |(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<string>'(?:[^']|'')*')
    |(?P<param>:[A-Za-z_][A-Za-z0-9_]*)
    |(?P<op><=|>=|<>|!=|==|\|\||::|\*\*|->>|->|//|<<|>>|=>|:=|!~|[-+*/%()=<>,.\[\]{}~^&|@!?$\#:])""",
    re.VERBOSE,
)
# what stands where an operand may follow: a prefix operator after one of these is a prefix
_OPENERS = frozenset("(,[") | {"+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "||", "~"}
_WORD_OPENERS = frozenset(
    {"not", "and", "or", "when", "then", "else", "case", "between", "in", "like", "is", "over"}
)
_REMEDIES = {
    "::": "write cast(x as type)",
    "==": "write = ",
    "!=": "write <>",
    "->": "lambdas and JSON paths are not part of a rule",
    "->>": "JSON paths are not part of a rule",
    "=>": "named arguments are not part of a rule",
    ":=": "named arguments are not part of a rule",
    "[": "lists and subscripts are not part of a rule; use `in (...)`",
    "]": "lists and subscripts are not part of a rule; use `in (...)`",
    "{": "structs are not part of a rule",
    "}": "structs are not part of a rule",
    "?": "write a named parameter, :name",
    "$": "write a named parameter, :name",
    ":": "a parameter is written :name, without a space",
    ".": "there are no tables here; write the column's name alone",
    "//": "write floor(a / b)",
    "**": "powers are not part of a rule",
    "^": "powers are not part of a rule",
    "&": "write `and`",
    "|": "write `or`",
    "~": "regular expressions and bit operators are not part of a rule; use like",
    "!~": "regular expressions are not part of a rule; use like",
    "!": "write `not`",
    "@": "write abs(x)",
}


def tokenize(text: str) -> list[Token]:
    """Split `text`; the last token has kind ``end``.

    Raises:
        ExpressionError: a bound is broken or a character sequence is not part of the language.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise ExpressionError(
            f"expression is {size:,} bytes long; at most {MAX_TEXT_BYTES:,} are accepted", 0
        )
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unknown(text, at)
        if match.lastgroup != "space":
            tokens.append(_token(match, tokens))
            if len(tokens) > MAX_TOKENS:
                _check_nesting(tokens)
                raise ExpressionError(
                    f"more than {MAX_TOKENS} tokens; split it into several rules or lets", at
                )
        at = match.end()
    if not tokens:
        raise ExpressionError("expression is empty", 0)
    _check_nesting(tokens)
    for token in tokens:
        if token.kind == "op" and token.text in _REMEDIES:
            raise ExpressionError(f"`{token.text}` is not accepted: {_REMEDIES[token.text]}", token.start)
    tokens.append(Token("end", "", len(text.rstrip()), len(text)))
    return tokens


def _token(match: re.Match[str], before: list[Token]) -> Token:
    kind, text, start, end = match.lastgroup, match.group(), match.start(), match.end()
    adjacent = bool(before) and before[-1].end == start
    if kind == "comment":
        raise ExpressionError(f"comment `{text}` is not accepted; use the rule's description", start)
    if adjacent and before[-1].kind == "number" and kind in ("name", "number", "string"):
        raise ExpressionError(f"number `{before[-1].text}{text}` is malformed", before[-1].start)
    if adjacent and before[-1].kind in ("name", "string") and kind == "string":
        raise ExpressionError(
            "prefixed and adjoining strings are not accepted; write '...'", before[-1].start
        )
    if kind == "string":
        return Token("string", text[1:-1].replace("''", "'"), start, end)
    if kind == "quoted":
        name = text[1:-1].replace('""', '"')
        return Token("name", name, start, end, quoted=True)
    if kind == "name":
        return Token("name", text.lower(), start, end)
    if kind == "number":
        return Token("number", text, start, end)
    if kind == "param":
        return Token("param", text[1:], start, end)
    return Token("op", text, start, end)


def _unknown(text: str, at: int) -> ExpressionError:
    character = text[at]
    if character == ";":
        return ExpressionError("`;` is not accepted: one expression, no statements", at)
    if character == "'":
        return ExpressionError("string without its closing '", at)
    if character == '"':
        return ExpressionError('quoted name without its closing "', at)
    return ExpressionError(f"character {character!r} is not accepted here; text belongs in '...'", at)


def _check_nesting(tokens: list[Token]) -> None:
    depth, run = 0, 0
    previous: Token | None = None
    for token in tokens:
        plain_name = token.kind == "name" and not token.quoted
        if (token.kind == "op" and token.text in "([") or (plain_name and token.text == "case"):
            depth += 1
        elif (token.kind == "op" and token.text in ")]") or (plain_name and token.text == "end"):
            depth = max(0, depth - 1)
        prefix = (plain_name and token.text == "not") or (
            token.kind == "op" and token.text in "+-~" and _opens(previous)
        )
        run = run + 1 if prefix else 0
        if depth + run > MAX_NESTING:
            raise ExpressionError(f"nested deeper than {MAX_NESTING} levels", token.start)
        previous = token


def _opens(token: Token | None) -> bool:
    if token is None:
        return True
    if token.kind == "op":
        return token.text in _OPENERS
    return token.kind == "name" and not token.quoted and token.text in _WORD_OPENERS
