"""What service and engine say to each other: a word, plain values, tables as Arrow IPC.

Both ends are the same program on one machine, so values are pickled. Owns the form of a message; an error
that cannot be pickled goes over by its name.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from txmon.errors import StateError

Tables = Mapping[str, pa.Table]


def pack(word: str, values: Any = None, tables: Tables | None = None) -> bytes:
    """Return a message."""
    sent = {name: _bytes(table) for name, table in (tables or {}).items()}
    return pickle.dumps((word, values, sent), pickle.HIGHEST_PROTOCOL)


def unpack(message: bytes) -> tuple[str, Any, dict[str, pa.Table]]:
    """Return word, values and tables of a message."""
    word, values, sent = pickle.loads(message)  # noqa: S301 - from our own child
    return word, values, {name: pa.ipc.open_stream(data).read_all() for name, data in sent.items()}


def pack_error(error: Exception) -> bytes:
    """Return a message of an error."""
    try:
        message = pack("error", error)
        unpack(message)
    except Exception:  # it holds what cannot go over
        name = type(error).__name__
        message = pack("error", StateError(f"the engine failed with {name}; see its places in the log"))
    return message


def _bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
