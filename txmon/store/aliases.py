"""Tokens that cards keep when the key of card tokens is changed: pairs of tokens, never of numbers.

Written in the transaction of the events in which the card was seen. Owns the table; which token a card gets
is `txmon.model`'s part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from txmon.model.aliases import Aliases
from txmon.store.db import Tx
from txmon.store.schema import card_aliases

_BLOCK = 500
_PAGE = 100_000
_INSERT = sa.insert(card_aliases)


@dataclass(frozen=True)
class Count:
    """How many cards have a token of one key and are known by one of another, and when they were noted."""

    key_id: str
    kept_key_id: str
    cards: int
    first_us: int
    last_us: int


def add(tx: Tx, pairs: Mapping[str, str], now_us: int) -> int:
    """Store pairs of tokens, new -> kept; one that is there stays as it is. Returns how many were new."""
    new = list(pairs)
    there: set[str] = set()
    for i in range(0, len(new), _BLOCK):
        which = card_aliases.c.new_token.in_(new[i : i + _BLOCK])
        there.update(tx.conn.execute(sa.select(card_aliases.c.new_token).where(which)).scalars())
    fresh = [token for token in new if token not in there]
    if fresh:
        newest = sa.select(sa.func.coalesce(sa.func.max(card_aliases.c.id), 0))
        first = int(tx.conn.execute(newest).scalar_one()) + 1
        rows = [
            {"id": number, "new_token": token, "token": pairs[token], "seen_us": now_us}
            for number, token in enumerate(fresh, first)
        ]
        tx.conn.execute(_INSERT, rows)
    return len(fresh)


def load(conn: sa.Connection, into: Aliases) -> None:
    """Read every pair; a million takes about a second."""
    columns, last = card_aliases.c, 0
    while True:
        page = sa.select(columns.id, (columns.new_token + columns.token).label("pair"))
        page = page.where(columns.id > last).order_by(columns.id).limit(_PAGE)
        some = page.subquery()
        # one text a page: making a row of each pair would take four times as long
        whole = sa.select(sa.func.max(some.c.id), sa.func.aggregate_strings(some.c.pair, ""))
        newest, text = conn.execute(whole).one()
        if newest is None:
            return
        into.load(text.encode("ascii"))
        last = newest


def pages(conn: sa.Connection) -> Iterator[tuple[Sequence[int], Sequence[str], Sequence[str]]]:
    """Yield ids, new and kept tokens, many at a time."""
    columns, last = card_aliases.c, 0
    while True:
        query = sa.select(columns.id, columns.new_token, columns.token).where(columns.id > last)
        rows = conn.execute(query.order_by(columns.id).limit(_PAGE)).all()
        if not rows:
            return
        ids, new, kept = zip(*rows, strict=True)
        yield ids, new, kept
        last = int(ids[-1])


def counts(conn: sa.Connection) -> list[Count]:
    """Count cards by the keys of both tokens."""
    columns = card_aliases.c
    keys = (sa.func.substr(columns.new_token, 5, 8), sa.func.substr(columns.token, 5, 8))
    query = sa.select(*keys, sa.func.count(), sa.func.min(columns.seen_us), sa.func.max(columns.seen_us))
    rows = conn.execute(query.group_by(*keys).order_by(*keys))
    return [Count(new, kept, int(n), int(first), int(last)) for new, kept, n, first, last in rows]


def drop(tx: Tx, ids: Sequence[int]) -> None:
    """Forget pairs: their cards get their new token from then on."""
    if ids:
        tx.conn.execute(
            sa.delete(card_aliases).where(card_aliases.c.id == sa.bindparam("number")),
            [{"number": number} for number in ids],
        )
