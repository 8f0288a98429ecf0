"""Values on their way into text columns: what no database may refuse.

PostgreSQL holds no NUL character, so it is written ``\\x00`` on both databases. Owns conversions only.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def clean(text: str) -> str:
    """Return a text without NUL characters."""
    return text.replace("\0", "\\x00") if "\0" in text else text


def column(table: pa.Table, name: str) -> list[Any]:
    """Return a column as values a database takes: texts clean, times in microseconds."""
    values = table.column(name)
    if pa.types.is_timestamp(values.type):
        values = pc.cast(values, pa.int64())
    found: list[Any] = values.to_pylist()
    if pa.types.is_string(values.type) or pa.types.is_dictionary(values.type):
        return [v if v is None or "\0" not in v else clean(v) for v in found]
    return found


def as_json(value: object) -> str:
    """Return a value as JSON text; a NUL is escaped as JSON does."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
