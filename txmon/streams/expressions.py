"""Checks the SQL expressions of a feed before anything runs: syntax, functions, columns, types.

The grammar is that of rule expressions, without windows, parameters and lists; functions are an
allow-list of deterministic scalar ones. DuckDB then binds the expression against typed, empty columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from txmon.rules.parse import Node, parse
from txmon.rules.tokens import ExpressionError
from txmon.streams.feed import SourceField

FUNCTIONS: frozenset[str] = frozenset(
    (
        "abs",
        "ceil",
        "coalesce",
        "concat",
        "concat_ws",
        "contains",
        "ends_with",
        "epoch_ms",
        "epoch_us",
        "floor",
        "greatest",
        "instr",
        "json_extract_string",
        "least",
        "left",
        "length",
        "lower",
        "lpad",
        "ltrim",
        "make_timestamp",
        "md5",
        "nullif",
        "regexp_extract",
        "regexp_matches",
        "regexp_replace",
        "replace",
        "right",
        "round",
        "rpad",
        "rtrim",
        "sha256",
        "split_part",
        "starts_with",
        "strpos",
        "strptime",
        "substr",
        "substring",
        "to_timestamp",
        "trim",
        "try_strptime",
        "upper",
    )
)
_REFUSED = {
    "window": "a window: a feed looks at one row at a time",
    "star": "`*`: name the columns",
    "param": "a parameter: feeds have none, write the value",
    "in_param": "a parameter: feeds have none, write the values",
    "in_list": "a list: feeds have none, write the values or use a map",
    "distinct": "distinct: a feed looks at one row at a time",
}


@dataclass(frozen=True)
class Checked:
    """An accepted expression: its tree, DuckDB SQL with quoted columns, columns read, type of its result."""

    tree: Node
    query: str
    fields: tuple[str, ...]
    type: str


def check_expression(
    text: str, fields: Mapping[str, SourceField], connection: duckdb.DuckDBPyConnection
) -> Checked:
    """Return what is known of an expression that holds nothing but what a feed may use.

    Raises:
        ExpressionError: with the offset of the construct that is refused.
    """
    tree = parse(text)
    names: list[Node] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if node.kind in _REFUSED:
            raise ExpressionError(f"expression holds {_REFUSED[node.kind]}", node.start)
        if node.kind == "call" and str(node.value) not in FUNCTIONS:
            raise ExpressionError(
                f"function {node.value} is not accepted; use one of {', '.join(sorted(FUNCTIONS))}",
                node.start,
            )
        if node.kind == "name":
            name = str(node.value)
            if name not in fields:
                raise ExpressionError(
                    f"column {name} is not among the feed's fields: {', '.join(fields)}", node.start
                )
            names.append(node)
        stack.extend(reversed(node.kids))
    query = _quoted(text, names)
    used = tuple(dict.fromkeys(str(n.value) for n in names))
    return Checked(tree, query, used, _bind(query, tree, fields, connection))


def _quoted(text: str, names: list[Node]) -> str:
    """Quote every column, since a source may call a column like a word of SQL."""
    for node in sorted(names, key=lambda n: n.start, reverse=True):
        text = f'{text[: node.start]}"{node.value}"{text[node.end :]}'
    return text


def _bind(
    text: str, tree: Node, fields: Mapping[str, SourceField], connection: duckdb.DuckDBPyConnection
) -> str:
    columns = ", ".join(f'null::{f.type} as "{f.name}"' for f in fields.values())
    try:
        bound = connection.sql(f"select ({text}) as x from (select {columns}) limit 0")  # noqa: S608 - text has passed the allow-list
    except duckdb.Error as error:
        raise ExpressionError(f"DuckDB refuses it: {str(error).splitlines()[0]}", tree.start) from None
    return str(bound.types[0])
