"""One table of hits read into rows for the fold, and the texts of the newest hits brought back after it.

Text that only the newest hit of a group shows (explanation, holders) is read once a batch and not once a
hit. Owns no state beyond the batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from txmon.alerts.group import Evidence, Group, Holder, Key, Opening, subject_class

Row = tuple[str, Key, str | None, float, int, int]  # rule id, key, dedup value, score, time, event time


class Batch:
    """Hits of one `apply`; `touched_*` collect what has to be settled after the fold."""

    def __init__(self, hits: Any) -> None:
        self._hits = hits
        self._has = frozenset(hits.column_names)
        self.touched_groups: list[Group] = []
        self.touched_evidence: list[Evidence] = []

    def rows(self) -> Iterator[Row]:
        """Yield what the fold needs of every hit, in order."""
        kinds = [subject_class(kind) for kind in self._texts("subject_type")]
        entities, modes = self._optional("entity", "default"), self._optional("mode", "live")
        keys = zip(entities, modes, kinds, self._texts("subject_id"), strict=True)
        event_us = pc.cast(self._hits["event_time"], pa.int64())
        time_us = pc.coalesce(pc.cast(self._hits["as_of"], pa.int64()), event_us)
        return zip(
            self._texts("rule_id"), keys, self._optional("dedup_key", None), self._hits["score"].to_pylist(),
            time_us.to_pylist(), event_us.to_pylist(), strict=True,
        )  # fmt: skip

    def settle(self) -> None:
        """Give groups and evidence the texts of their rows, and forget the rows."""
        texts = self._at("explanation", [e.row for e in self.touched_evidence])
        for evidence, text in zip(self.touched_evidence, texts, strict=True):
            evidence.explanation = text or ""
            evidence.row = -1
        opened = [g for g in self.touched_groups if g.opening_row >= 0]
        openings = self._openings([g.opening_row for g in opened])
        firsts = self._holders([g.opening_row for g in opened])
        for group, opening, holders in zip(opened, openings, firsts, strict=True):
            group.opening, group.holders_first, group.opening_row = opening, holders, -1
        alerts = [g for g in self.touched_groups if g.opened]
        for group, holders in zip(alerts, self._holders([g.row for g in alerts]), strict=True):
            group.holders_latest = holders
        for group in self.touched_groups:
            group.row = -1

    def _texts(self, name: str) -> list[Any]:
        """A column as Python strings, each distinct one made once."""
        column = self._hits[name].combine_chunks()
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        values = encoded.dictionary.to_pylist()
        return [None if code is None else values[code] for code in encoded.indices.to_pylist()]

    def _optional(self, name: str, default: str | None) -> Sequence[Any]:
        return self._texts(name) if name in self._has else [default] * self._hits.num_rows

    def _at(self, name: str, rows: list[int]) -> list[Any]:
        values: list[Any] = self._hits[name].take(pa.array(rows, pa.int64())).to_pylist()
        return values

    def _openings(self, rows: list[int]) -> list[Opening]:
        names = ("source", "event_id", "leg", "rule_id", "trigger")
        columns = [[value or "" for value in self._at(name, rows)] for name in names]
        return list(zip(*columns, strict=True))

    def _holders(self, rows: list[int]) -> list[tuple[Holder, ...]]:
        if "holders" not in self._has:
            return [()] * len(rows)
        return [
            tuple(sorted((h["party"] or "", h["role"] or "") for h in holders or ()))
            for holders in self._at("holders", rows)
        ]
