"""Writing native files: canonical names, amounts in minor units; what `native` reads it gets back.

For simulators, tests and exports. Never writes columns that are made at reading (base amounts, rates).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from txmon.model.schema import FIELDS

_MADE_AT_READING = frozenset({"ingest_seq", "amount_base_minor", "base_currency", "rate_date", "unconverted"})


def native_schema() -> pa.Schema:
    """Return the columns of a native file with `amount_minor`."""
    return pa.schema([pa.field(f.name, f.type) for f in FIELDS if f.name not in _MADE_AT_READING])


def write_native(path: Path, batches: Iterable[pa.RecordBatch | pa.Table]) -> int:
    """Write batches as native Parquet (zstd) and return the number of rows.

    Columns that a batch lacks are null; columns that are not native are left out.
    """
    schema, rows = native_schema(), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            have = set(batch.schema.names)
            columns = [
                batch.column(f.name).cast(f.type) if f.name in have else pa.nulls(batch.num_rows, f.type)
                for f in schema
            ]
            writer.write_table(pa.table(columns, schema=schema))
            rows += batch.num_rows
    return rows
