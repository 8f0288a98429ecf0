"""The scorer: engine, anomaly models and alert book as one state machine.

`apply` takes canonical events and gives hits and changes of alerts; the same events in other batches give
the same. Owns the composition and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from txmon.alerts import AlertBook
from txmon.anomaly import make_detector
from txmon.engine.engine import Engine, Limits
from txmon.engine.hits import HIT_COLUMNS
from txmon.engine.state import I64
from txmon.errors import StateError
from txmon.model.rates import Rates
from txmon.rules.ir import Plan, Rule

SNAPSHOT_FORMAT = 4
_GROUP = "group "  # parts of the engine whose arrays are named so


@dataclass(frozen=True)
class Result:
    """What a batch led to.

    accepted: events with their `ingest_seq`. verdict: a code per row given (`txmon.engine.dedup`).
    found: the hits with what alerts and the store need besides (`txmon.engine.hits.HITS`).
    changes: rows of hits that opened or fed an alert. warming: accepted events of which an anomaly model has
    no score that may be trusted.
    """

    accepted: pa.Table
    verdict: np.ndarray
    found: pa.Table
    changes: pa.Table
    warming: np.ndarray

    @property
    def hits(self) -> pa.Table:
        """The hits with the columns of hits.parquet."""
        return self.found.select(HIT_COLUMNS.names)


class State(Protocol):
    """A snapshot: the table that `Scorer.snapshot` returns, or one that is read batch by batch."""

    @property
    def schema(self) -> pa.Schema:
        """Its columns, and what it says of itself."""

    def to_batches(self) -> Iterable[pa.RecordBatch]:
        """Return its rows in order."""


class Known:
    """The rules of a plan and, of earlier plans, those that are no longer in it."""

    def __init__(self, plan: Plan, former: Sequence[Rule]) -> None:
        by_id = {rule.id: rule for rule in (*former, *plan.rules)}
        self.rules = tuple(by_id[name] for name in sorted(by_id))


class Scorer:
    """A plan at work on a stream."""

    def __init__(
        self,
        plan: Plan,
        rates: Rates | None = None,
        limits: Limits | None = None,
        *,
        former: Sequence[Rule] = (),
        keep_closed: bool = True,
    ) -> None:
        """Start from nothing.

        Args:
            former: rules of earlier plans that alerts may still rest on; they are not evaluated.
            keep_closed: whether `alerts` keeps alerts whose window has ended.
        """
        self.plan = plan
        self.engine = Engine(plan, rates or Rates(plan.base_currency), make_detector, limits)
        self._known = Known(plan, former)
        self._keep_closed = keep_closed
        self.alerts = AlertBook(self._known, keep_closed=keep_closed)

    def apply(self, events: pa.Table, numbers: I64 | None = None) -> Result:
        """Score a batch of canonical events in order of arrival; `ingest_seq` may be absent.

        Args:
            numbers: the `ingest_seq` that events were given before, rising; else they are given here.
        """
        outcome = self.engine.apply(events, numbers)
        changes = self.alerts.apply(outcome.hits)
        return Result(outcome.accepted, outcome.verdict, outcome.hits, changes, outcome.warming)

    def snapshot(self) -> pa.Table:
        """Return the whole state as one Arrow table: name, type, shape and bytes of every array.

        Each array is a chunk of its own that shares its memory: a large state is copied once, by its owner.
        """
        parts: list[tuple[str, str, list[int], Any]] = [
            ("format", "int", [1], np.array([SNAPSHOT_FORMAT], np.int64))
        ]
        for name, array in self.engine.snapshot().items():
            # groups are the bulk of it and give copies; what others give may be what they work on
            own = array if name.startswith(_GROUP) else array.copy()
            parts.append((f"engine/{name}", array.dtype.str, list(array.shape), own))
        parts += [
            (f"alerts/{k}", "arrow", [len(t)], _table_bytes(t)) for k, t in self.alerts.snapshot().items()
        ]
        names, types, shapes, data = zip(*parts, strict=True)
        columns = [
            pa.array(names, pa.string()),
            pa.array(types, pa.string()),
            pa.array(shapes, pa.list_(pa.int64())),
            pa.chunked_array([_chunk(value) for value in data]),
        ]
        table = pa.table(columns, names=["name", "type", "shape", "data"])
        tags = {"sequence": str(self.engine.gate.next_seq), "pack_hash": self.plan.pack_hash}
        return table.replace_schema_metadata(tags)

    def restore(self, snapshot: State) -> None:
        """Go on from a snapshot made with the same packs.

        Raises:
            StateError: another format or other packs.
        """
        tags = {k.decode(): v.decode() for k, v in (snapshot.schema.metadata or {}).items()}
        if tags.get("pack_hash") != self.plan.pack_hash:
            raise StateError(
                "snapshot was made with other rules, lists or detectors; replay the events instead"
            )
        alerts: dict[str, pa.Table] = {}
        self.engine.restore(_arrays(snapshot, alerts))
        self.take_alerts(alerts)

    def take_alerts(self, tables: Mapping[str, pa.Table]) -> None:
        """Go on from a snapshot of an alert book, which may be that of an earlier plan in `former`.

        Raises:
            StateError: it names a rule that is neither in the plan nor in `former`.
        """
        self.alerts = AlertBook.restore(self._known, tables, keep_closed=self._keep_closed)


def _arrays(snapshot: State, alerts: dict[str, pa.Table]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the engine's arrays, one after the other; tables of the alert book are put aside."""
    for batch in snapshot.to_batches():
        about = batch.select(["name", "type", "shape"]).to_pylist()
        for row, data in zip(about, _values(batch.column("data")), strict=True):
            owner, _, name = row["name"].partition("/")
            if owner == "format":
                found = int(np.frombuffer(data, np.int64)[0])
                if found != SNAPSHOT_FORMAT:
                    raise StateError(
                        f"snapshot has format {found}, expected {SNAPSHOT_FORMAT}; replay the events"
                    )
            elif owner == "alerts":
                alerts[name] = pa.ipc.open_stream(data).read_all()
            else:
                array = np.frombuffer(data, np.dtype(row["type"])).reshape(row["shape"])
                # groups copy what they take over
                yield name, array if name.startswith(_GROUP) else array.copy()


def _values(column: pa.Array) -> Iterator[pa.Buffer]:
    """Yield the values of a large_binary array, in its own memory: a scalar would hold a copy."""
    _, offsets, data = column.buffers()
    at = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1].tolist()
    for start, stop in pairwise(at):
        yield data.slice(start, stop - start)


def _chunk(value: Any) -> pa.Array:
    """One value of large_binary over the memory of an array or of bytes."""
    data = np.ascontiguousarray(value) if isinstance(value, np.ndarray) else value
    size = data.nbytes if isinstance(data, np.ndarray) else len(data)
    offsets = pa.py_buffer(np.array([0, size], np.int64))
    return pa.Array.from_buffers(pa.large_binary(), 1, [None, offsets, pa.py_buffer(data)])


def _table_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
