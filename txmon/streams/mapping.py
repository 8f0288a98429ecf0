"""Source columns to canonical names: renames, constants, value maps, and SQL expressions in DuckDB.

The DuckDB connection has no access to files, network, extensions or settings; it sees one batch at a
time under the name ``source``. An expression that fails on a row makes that row a fault, not the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from txmon.errors import InputError
from txmon.model.schema import FIELD_BY_NAME
from txmon.streams.faults import Faults, Reason
from txmon.streams.feed import Feed, Rename, Sql, Target, ValueMap, target_fields
from txmon.streams.nested import attribute_columns
from txmon.streams.readers import Chunk
from txmon.streams.values import constant, says, to_text

NATIVE_COLUMNS = frozenset(FIELD_BY_NAME) - {
    "ingest_seq",
    "amount_base_minor",
    "base_currency",
    "rate_date",
    "unconverted",
} | {"amount"}
_NATIVE_REQUIRED = ("event_id", "event_time")
_ATTRIBUTE = "attributes."


def connect() -> duckdb.DuckDBPyConnection:
    """Return a connection that can compute and nothing else."""
    connection = duckdb.connect(config={"enable_external_access": "false", "threads": "1"})
    for setting in ("autoinstall_known_extensions", "autoload_known_extensions"):
        connection.execute(f"set {setting}=false")
    connection.execute("set lock_configuration=true")
    return connection


class Mapper:
    """Applies one feed's mapping to chunks."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._targets: dict[str, Target] = dict(feed.columns)
        self._targets.update({_ATTRIBUTE + k: t for k, t in feed.attributes.items()})
        self._used = {f for t in self._targets.values() for f in target_fields(t)}
        needs_sql = any(_sql_texts(t) for t in self._targets.values())
        self._connection = connect() if needs_sql else None

    def check(self, path: Path, names: list[str] | None) -> None:
        """Refuse a file whose header lacks a column the feed needs, or names one twice.

        Raises:
            InputError: names the file, the columns and the remedy.
        """
        if names is None:
            return
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InputError(f"{path}: column {', '.join(twice)} appears twice; rename one")
        if self._feed.native:
            missing = [n for n in _NATIVE_REQUIRED if n not in names]
        else:
            missing = [f.name for f in self._feed.fields.values() if not f.optional and f.name not in names]
            missing = [n for n in missing if n in self._used]
        if missing:
            raise InputError(
                f"{path} has no column {', '.join(missing)}, which feed {self._feed.name} needs;"
                " is it a file of this feed?"
            )

    def ignored(self, names: Iterable[str]) -> set[str]:
        """Return the source columns that the mapping does not read."""
        return set(names) - (NATIVE_COLUMNS if self._feed.native else set(self._feed.fields))

    def apply(self, chunk: Chunk, faults: Faults) -> dict[str, pa.Array]:
        """Return canonical columns of a chunk, still of source types; failing rows become faults."""
        if self._feed.native:
            return {n: c for n, c in chunk.columns.items() if n in NATIVE_COLUMNS}
        columns = {f: chunk.columns.get(f, pa.nulls(chunk.rows)) for f in self._feed.fields}
        computed = self._compute(columns, faults)
        mapped: dict[str, pa.Array] = {}
        for name, target in self._targets.items():
            mapped[name] = self._one(name, target, columns, computed, chunk.rows, faults)
        keys = [n for n in mapped if n.startswith(_ATTRIBUTE)]
        if keys:
            texts = {n.removeprefix(_ATTRIBUTE): to_text(mapped.pop(n), n, faults) for n in keys}
            mapped["attributes"] = attribute_columns(texts, chunk.rows)
        return mapped

    def _one(
        self,
        name: str,
        target: Target,
        columns: Mapping[str, pa.Array],
        computed: Mapping[str, pa.Array],
        rows: int,
        faults: Faults,
    ) -> pa.Array:
        if isinstance(target, Rename):
            return columns[target.field]
        if isinstance(target, Sql):
            return computed[target.query]
        if isinstance(target, ValueMap):
            return self._mapped(name, target, columns, computed, rows, faults)
        if isinstance(target.value, str):
            return constant(target.value, rows)
        return pa.repeat(target.value, rows)

    def _mapped(
        self,
        name: str,
        target: ValueMap,
        columns: Mapping[str, pa.Array],
        computed: Mapping[str, pa.Array],
        rows: int,
        faults: Faults,
    ) -> pa.Array:
        """Look up distinct values; a value that is not in the table is a fault or the default."""
        values = self._one(name, target.of, columns, computed, rows, faults)
        text = to_text(values, name, faults)
        coded = text if pa.types.is_dictionary(text.type) else text.dictionary_encode()
        words: list[str | None] = coded.dictionary.to_pylist()
        if target.refuse:
            unknown = np.array([w is not None and w not in target.table for w in words] + [False], bool)
            index = coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
            message = "is not in the feed's value map; add it there"
            faults.add(unknown[index], name, Reason.UNKNOWN_VALUE, says(text, message))
        results = [None if w is None else target.table.get(w, target.default) for w in words]
        if "" in target.table:  # an empty text reads as null; the map may name it
            coded_text = pa.array(results, pa.string()).take(coded.indices)
            return pc.fill_null(coded_text, target.table[""])
        return pa.array(results, pa.string()).take(coded.indices).dictionary_encode()

    def _compute(self, columns: Mapping[str, pa.Array], faults: Faults) -> dict[str, pa.Array]:
        """Evaluate every SQL expression of the feed over the chunk."""
        if self._connection is None:
            return {}
        texts = list(dict.fromkeys(s for t in self._targets.values() for s in _sql_texts(t)))
        names = list(dict.fromkeys(f for t in self._targets.values() for f in _sql_fields(t)))
        table = pa.table(
            [_typed(columns[n], self._feed.fields[n].type, n, faults) for n in names], names=names
        )
        try:
            return self._run(table, texts)
        except duckdb.Error:  # some row fails in some expression: find out which
            return {t: self._run_carefully(table, t, faults) for t in texts}

    def _run(self, table: pa.Table, texts: list[str]) -> dict[str, pa.Array]:
        assert self._connection is not None
        select = ", ".join(f"({t}) as c{i}" for i, t in enumerate(texts))
        self._connection.register("source", table)
        try:
            query = f"select {select} from source"  # noqa: S608 - texts have passed the feed's allow-list
            result = self._connection.sql(query).to_arrow_table()
        finally:
            self._connection.unregister("source")
        return {t: _single(result.column(i)) for i, t in enumerate(texts)}

    def _run_carefully(self, table: pa.Table, text: str, faults: Faults) -> pa.Array:
        """Evaluate row-safe: an expression under ``try`` is null where it fails."""
        try:
            return self._run(table, [text])[text]
        except duckdb.Error:
            tried, probe = f"try({text})", f"try(coalesce(cast(({text}) as varchar), ''))"
            result = self._run(table, [tried, probe])
        failed = result[probe].is_null().to_numpy(zero_copy_only=False)
        field = next(n for n, t in self._targets.items() if text in _sql_texts(t))
        message = f"the feed's expression for {field} fails on this row"
        faults.add(failed, field, Reason.BAD_EXPRESSION, lambda _: (None, message))
        return result[tried]


def _sql_texts(target: Target) -> tuple[str, ...]:
    if isinstance(target, Sql):
        return (target.query,)
    return _sql_texts(target.of) if isinstance(target, ValueMap) else ()


def _sql_fields(target: Target) -> tuple[str, ...]:
    return target_fields(target) if _sql_texts(target) else ()


def _single(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


_ARROW_TYPES = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "decimal": pa.decimal128(38, 6),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}


def _typed(values: pa.Array, kind: str, field: str, faults: Faults) -> pa.Array:
    """Give a column the type the feed declares, so that an expression means the same in every format."""
    if kind in ("varchar", "json"):
        return to_text(values, field, faults)
    want = _ARROW_TYPES[kind]
    have = values.type
    if have == want or (pa.types.is_timestamp(have) and kind == "timestamp"):
        return values
    plain = values.dictionary_decode() if pa.types.is_dictionary(have) else values
    if pa.types.is_string(plain.type):
        plain = pc.if_else(pc.equal(plain, ""), None, plain)
    try:
        return plain.cast(want)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return _typed_rows(plain, want, kind, field, faults)


def _typed_rows(values: pa.Array, want: pa.DataType, kind: str, field: str, faults: Faults) -> pa.Array:
    parts: list[pa.Array] = []
    bad = np.zeros(len(values), bool)
    for i in range(len(values)):
        try:
            parts.append(values.slice(i, 1).cast(want))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            parts.append(pa.nulls(1, want))
            bad[i] = True
    faults.add(bad, field, Reason.BAD_TYPE, says(values, f"is not a {kind}"))
    return pa.concat_arrays(parts)
