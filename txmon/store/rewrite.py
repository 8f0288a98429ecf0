"""Takes rows and values out of stored payloads and tables. What is left verifies.

Owns the statements of an erasure; who may ask for one and what it names is `txmon.store.erase`'s part.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from txmon.errors import StoreCorrupt
from txmon.store import codec, journal, merkle
from txmon.store.db import Store, Tx
from txmon.store.mentions import MARK, Mentions
from txmon.store.names import RowErasure
from txmon.store.schema import BLANK, COLUMNS, DELETE, ERASE, alert_hits, alerts, hits, metadata
from txmon.store.schema import journal as journal_table

Keys = dict[str, list[list[Any]]]
_BLOCK = 500


@dataclass
class Changed:
    """Rows of tables that an erasure touched, by primary key."""

    deleted: Keys = field(default_factory=dict)
    blanked: Keys = field(default_factory=dict)


def rewrite_row(
    store: Store, tx: Tx, row: Any, places: Collection[int], columns: Sequence[str]
) -> RowErasure:
    """Take rows at these places out of a journal row that holds a table, or empty `columns` in them."""
    entry = journal.entry_of(store, row)
    table, salts = entry.table, bytearray(row.salts)
    chosen = np.isin(entry.rows, list(places))
    named = RowErasure(row.seq, bytes(row.root))
    if not columns:
        named.gone = None if chosen.all() and len(chosen) == len(row.salts) // merkle.SALT else set(places)
        for place in entry.rows[chosen].tolist():
            salts[place * merkle.SALT : (place + 1) * merkle.SALT] = merkle.NO_SALT
        table = table.filter(pa.array(~chosen))
    else:
        fresh = tx.random_bytes(merkle.SALT * int(chosen.sum()))
        table = _emptied(table, columns, chosen)
        leaves = merkle.table_leaves(table.filter(pa.array(chosen)), fresh)
        for i, place in enumerate(entry.rows[chosen].tolist()):
            salts[place * merkle.SALT : (place + 1) * merkle.SALT] = fresh[
                i * merkle.SALT : (i + 1) * merkle.SALT
            ]
            named.new[place] = leaves[i * merkle.HASH : (i + 1) * merkle.HASH]
    _store(tx, row, codec.pack_table(codec.plain_table(table)), bytes(salts))
    return named


def rewrite_document(tx: Tx, row: Any, content: bytes | None) -> RowErasure:
    """Put another document in a journal row's place; None leaves nothing."""
    named = RowErasure(row.seq, bytes(row.root))
    if content is None:
        named.gone, salt = None, merkle.NO_SALT
    else:
        salt = tx.random_bytes(merkle.SALT)
        named.new[0] = merkle.bytes_leaf(salt, content)
    _store(tx, row, codec.pack(content or b""), salt)
    return named


def _store(tx: Tx, row: Any, payload: bytes, salts: bytes) -> None:
    values = row._asdict() | {"payload": payload, "salts": salts}
    tx.conn.execute(
        sa.update(journal_table)
        .where(journal_table.c.seq == row.seq)
        .values(payload=payload, salts=salts, checksum=journal.checksum(values))
    )


def _emptied(table: pa.Table, columns: Sequence[str], chosen: Any) -> pa.Table:
    for name in columns:
        if name not in table.column_names:
            continue
        at = table.schema.get_field_index(name)
        column = table.column(name).combine_chunks()
        places = np.where(chosen, -1, np.arange(len(table)))
        kept = column.take(pa.array(places, pa.int64(), mask=chosen))
        table = table.set_column(at, table.schema.field(at), kept)
    return table


def delete_hits(tx: Tx, ingest_seqs: Iterable[int], changed: Changed) -> None:
    """Delete the hits of events, and alerts that rest on none any more."""
    seqs = list(ingest_seqs)
    for i in range(0, len(seqs), _BLOCK):
        which = hits.c.ingest_seq.in_(seqs[i : i + _BLOCK])
        keys = [[int(k)] for k in tx.conn.execute(sa.select(hits.c.hit_id).where(which)).scalars()]
        delete_rows(tx, hits, keys, changed)


def delete_rows(tx: Tx, table: sa.Table, keys: list[list[Any]], changed: Changed) -> None:
    """Delete rows by primary key, and what joins to them."""
    if not keys:
        return
    if table is hits:
        _delete_joined_to_hits(tx, [key[0] for key in keys], changed)
    if table is alerts:
        tx.conn.execute(
            sa.delete(alert_hits).where(alert_hits.c.alert_id == sa.bindparam("k0")), _params(keys)
        )
    tx.conn.execute(sa.delete(table).where(*_same_key(table)), _params(keys))
    changed.deleted.setdefault(table.name, []).extend(shown(keys))


def _delete_joined_to_hits(tx: Tx, hit_ids: list[int], changed: Changed) -> None:
    touched: set[str] = set()
    for i in range(0, len(hit_ids), _BLOCK):
        which = alert_hits.c.hit_id.in_(hit_ids[i : i + _BLOCK])
        touched |= set(tx.conn.execute(sa.select(alert_hits.c.alert_id).where(which)).scalars())
        tx.conn.execute(sa.delete(alert_hits).where(which))
    names = sorted(touched)
    for i in range(0, len(names), _BLOCK):
        block = names[i : i + _BLOCK]
        query = sa.select(alert_hits.c.alert_id).where(alert_hits.c.alert_id.in_(block)).distinct()
        fed = set(tx.conn.execute(query).scalars())
        delete_rows(tx, alerts, [[name] for name in block if name not in fed], changed)


def erase_mentions(tx: Tx, values: Collection[str], mentions: Mentions, changed: Changed) -> None:
    """Delete or blank every row outside the journal that mentions one of the values."""
    wanted = sorted(values)
    for table in (alerts, hits):
        for i in range(0, len(wanted), _BLOCK):
            key = next(iter(table.primary_key.columns))
            query = sa.select(key).where(table.c.subject_id.in_(wanted[i : i + _BLOCK]))
            delete_rows(tx, table, [[k] for k in tx.conn.execute(query).scalars()], changed)
    for table in metadata.sorted_tables:
        how = table.info.get(ERASE)
        if how == DELETE:
            for rows in _blocks(tx, table):
                found = _mentioning(rows, _text_columns(table), mentions)
                delete_rows(tx, table, [_key(table, row) for row in found], changed)
        elif how == BLANK:
            for rows in _blocks(tx, table):
                _blank(tx, table, _mentioning(rows, table.info[COLUMNS], mentions), mentions, changed)


def _blank(tx: Tx, table: sa.Table, rows: list[Any], mentions: Mentions, changed: Changed) -> None:
    if not rows:
        return
    names = table.info[COLUMNS]
    columns = {n: mentions.replaced([row[n] for row in rows]) for n in names}
    keys = [_key(table, row) for row in rows]
    values = [params | {f"v_{n}": columns[n][i] for n in names} for i, params in enumerate(_params(keys))]
    statement = sa.update(table).where(*_same_key(table)).values({n: sa.bindparam(f"v_{n}") for n in names})
    tx.conn.execute(statement, values)
    changed.blanked.setdefault(table.name, []).extend(shown(keys))


def blank_wholly(tx: Tx, table: sa.Table, keys: list[list[Any]], changed: Changed) -> None:
    """Empty every text of rows that may mention someone, where the value itself is not known any more."""
    names = [n for n in table.info[COLUMNS] if not table.c[n].nullable]
    empty: dict[str, str | None] = dict.fromkeys(table.info[COLUMNS]) | dict.fromkeys(names, MARK)
    if table is hits:
        empty["features"] = "{}"
    if table is alerts:
        empty |= dict.fromkeys(("parts", "holders_first", "holders_latest"), "[]")
    tx.conn.execute(sa.update(table).where(*_same_key(table)).values(empty), _params(keys))
    changed.blanked.setdefault(table.name, []).extend(shown(keys))


def _blocks(tx: Tx, table: sa.Table) -> Iterator[list[dict[str, Any]]]:
    """Rows of a table, some thousands at a time, in order of the primary key."""
    keys = list(table.primary_key.columns)
    last: tuple[Any, ...] | None = None
    while True:
        query = sa.select(table).order_by(*keys).limit(5000)
        if last is not None:
            query = query.where(sa.tuple_(*keys) > sa.tuple_(*last))
        rows = [dict(row) for row in tx.conn.execute(query).mappings()]
        if not rows:
            return
        last = tuple(rows[-1][k.name] for k in keys)
        yield rows


def _text_columns(table: sa.Table) -> list[str]:
    return [c.name for c in table.columns if isinstance(c.type, (sa.Text, sa.LargeBinary))]


def _mentioning(rows: list[Any], names: Sequence[str], mentions: Mentions) -> list[Any]:
    found = np.zeros(len(rows), np.bool_)
    for name in names:
        texts = [_as_text(row[name]) for row in rows]
        found |= mentions.texts(pa.array(texts, pa.string()))
    return [row for row, hit in zip(rows, found, strict=True) if hit]


def _as_text(value: Any) -> str | None:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _key(table: sa.Table, row: Mapping[str, Any]) -> list[Any]:
    return [row[c.name] for c in table.primary_key.columns]


def _same_key(table: sa.Table) -> list[Any]:
    return [c == sa.bindparam(f"k{i}") for i, c in enumerate(table.primary_key.columns)]


def _params(keys: list[list[Any]]) -> list[dict[str, Any]]:
    return [{f"k{i}": part for i, part in enumerate(key)} for key in keys]


def shown(keys: list[list[Any]]) -> list[list[Any]]:
    """Primary keys as JSON can hold them: bytes as ``{"hex": ...}``."""
    return [[{"hex": bytes(p).hex()} if isinstance(p, bytes) else p for p in key] for key in keys]


def read_keys(keys: list[list[Any]]) -> list[list[Any]]:
    """Primary keys from what `shown` made.

    Raises:
        StoreCorrupt: they are none.
    """
    try:
        return [[bytes.fromhex(p["hex"]) if isinstance(p, dict) else p for p in key] for key in keys]
    except (TypeError, KeyError, ValueError) as error:
        raise StoreCorrupt("a document of erasure names rows by keys that are none") from error
