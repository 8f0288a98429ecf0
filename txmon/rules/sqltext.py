"""Names, text constants and the frame of a query as SQL text. Owns quoting; knows no expression."""

from __future__ import annotations

import re

_SIMPLE = re.compile(r"[a-z_][a-z0-9_]*")
# words that DuckDB does not take as a bare column name, and names that are also functions of no argument
_QUOTED = frozenset(
    {
        "all",
        "and",
        "any",
        "array",
        "as",
        "asc",
        "both",
        "case",
        "cast",
        "check",
        "column",
        "constraint",
        "create",
    }
    | {
        "default",
        "desc",
        "distinct",
        "do",
        "else",
        "end",
        "except",
        "false",
        "fetch",
        "for",
        "foreign",
        "from",
    }
    | {
        "grant",
        "group",
        "having",
        "in",
        "initially",
        "intersect",
        "into",
        "lateral",
        "leading",
        "limit",
        "not",
    }
    | {"null", "offset", "on", "only", "or", "order", "pivot", "placing", "primary", "qualify", "references"}
    | {
        "returning",
        "select",
        "show",
        "some",
        "summarize",
        "symmetric",
        "table",
        "then",
        "to",
        "trailing",
        "true",
    }
    | {"union", "unique", "unpivot", "using", "variadic", "when", "where", "window", "with", "user", "lambda"}
    | {
        "is",
        "like",
        "between",
        "interval",
        "values",
        "current_date",
        "left",
        "right",
        "join",
        "inner",
        "outer",
    }
)


def name(text: str) -> str:
    """A column's name, quoted where SQL needs it."""
    if _SIMPLE.fullmatch(text) and text not in _QUOTED:
        return text
    return '"' + text.replace('"', '""') + '"'


def text(value: str) -> str:
    """A text constant."""
    return "'" + value.replace("'", "''") + "'"


def select(what: str, source: str, where: str = "", *rest: str) -> str:
    """A query; `what`, `source` and `where` come from checked expressions, never from data."""
    return " ".join(["select", what, "from", source, *(["where", where] if where else []), *rest])
