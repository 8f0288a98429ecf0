"""Runs the rules of a bundle over its tables in a DuckDB of its own and tells what differs, hit by hit.

The same statements as in verify.sql, made anew from the config. Owns running them; knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from txmon.evidence.script import Section, section_statements
from txmon.rules.sqltext import select


@dataclass(frozen=True)
class Tables:
    """What the rules read, and the hits to compare with."""

    events: pa.Table
    hits: pa.Table
    rates: pa.Table
    scores: pa.Table


def differences(sections: Sequence[Section], tables: Tables) -> list[tuple[str, str, str | None, str | None]]:
    """Return what differs as (part, item, expected, found); an item begins with rule and event."""
    with duckdb.connect() as con:
        con.execute("set threads = 1")
        for name in ("events", "hits", "rates", "scores"):
            con.register(f"given_{name}", getattr(tables, name))
            con.execute(f"create temp table {name} as {select('*', f'given_{name}')}")
        con.execute(
            "create temp table findings (part varchar, item varchar, expected varchar, found varchar)"
        )
        for section in sections:
            for statement in section_statements(section):
                con.execute(statement)
        return [tuple(row) for row in con.execute("select * from findings order by all").fetchall()]
