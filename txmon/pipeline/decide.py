"""From what a batch led to, to the answer for each event: recommendation, neutral reason, hits, alerts.

A recommendation is that of the alerts which the event's own hits opened or fed; without an alert it is
`allow`. What history leads to is never recommended. Owns the answer; what is shown to whom is the API's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from txmon.engine import dedup
from txmon.pipeline.batch import Batch
from txmon.pipeline.scoring import Applied
from txmon.pipeline.work import (
    ACCEPTED,
    ALLOW,
    DUPLICATE,
    HOLD,
    QUARANTINED,
    REVIEW,
    Outcome,
    Refused,
    RowOutcome,
)
from txmon.rules.ir import Rule

_RANK = {ALLOW: 0, REVIEW: 1, HOLD: 2}
_REASON = {ALLOW: "none", REVIEW: "review_needed", HOLD: "hold_match"}
Earlier = Callable[[Sequence[tuple[str, str]]], Mapping[tuple[str, str], str]]


@dataclass(frozen=True)
class Stored:
    """What the transaction says of a batch. `silent`: alerts that are history and tell nobody anything."""

    seq: int
    quarantine_ids: range
    silent: frozenset[str]


@dataclass(frozen=True)
class RefusedRows:
    """Every refused row of a batch, those of decoding first, and where they come from."""

    table: pa.Table
    work: np.ndarray
    line: np.ndarray


def outcomes(
    batch: Batch,
    applied: Applied,
    refused: RefusedRows,
    rules: Mapping[str, Rule],
    stored: Stored,
    earlier: Earlier,
) -> list[Outcome]:
    """Return one outcome a work.

    Args:
        earlier: recommendation that events seen before were given, where it was not `allow`.
    """
    works = len(batch.works)
    places = batch.event_place
    hit_work = _work_of_hits(applied, places.work)
    opened = _opened(applied)
    made = _Rows(batch, applied, refused, stored, rules, earlier)
    counts = [
        np.bincount(places.work[applied.verdict == code], minlength=works)
        for code in (dedup.ACCEPTED, dedup.DUPLICATE)
    ]
    bad = np.bincount(refused.work, minlength=works)
    hits = np.bincount(hit_work, minlength=works)
    alerts = np.bincount(hit_work[opened], minlength=works)
    return [
        Outcome(
            stored.seq,
            int(counts[0][i]),
            int(counts[1][i]),
            int(bad[i]),
            int(hits[i]),
            int(alerts[i]),
            partial(made.of, i),
            partial(made.refused, i),
        )
        for i in range(works)
    ]


def _opened(applied: Applied) -> np.ndarray:
    """Rows of hits that opened an alert."""
    kinds = np.array(applied.changes.column("change").to_pylist(), dtype=object)
    rows: np.ndarray = applied.changes.column("hit").to_numpy()[kinds == "opened"]
    return rows


def _work_of_hits(applied: Applied, work: np.ndarray) -> np.ndarray:
    """The work of each hit; a hit at a mark of time is the mark's."""
    order = np.flatnonzero(applied.seq >= 0)
    at = np.searchsorted(applied.seq[order], applied.hits.column("ingest_seq").to_numpy())
    found: np.ndarray = work[order[at]] if len(order) else np.zeros(0, np.int64)
    return found


@dataclass(frozen=True)
class _Columns:
    """Events of a batch as lists; `starts`: the first row of each work, and one behind the last."""

    starts: list[int]
    line: list[int]
    source: list[str]
    event_id: list[str]
    verdict: list[int]
    seq: list[int]
    late: list[bool]
    warming: list[bool]


class _Rows:
    """Makes the rows of a work's outcome when somebody asks for them."""

    def __init__(
        self,
        batch: Batch,
        applied: Applied,
        refused: RefusedRows,
        stored: Stored,
        rules: Mapping[str, Rule],
        earlier: Earlier,
    ) -> None:
        self._batch, self._applied, self._refused, self._stored = batch, applied, refused, stored
        self._rules, self._earlier = rules, earlier
        self._hits: dict[int, list[dict[str, Any]]] | None = None
        self._columns: _Columns | None = None

    def of(self, work: int) -> list[RowOutcome]:
        """Rows of one work, in the order of its payloads."""
        columns = self._read()
        answers = self._events(columns, range(columns.starts[work], columns.starts[work + 1]))
        bad = self._bad(work) if len(self._refused.work) else []
        if bad:
            answers = sorted([*answers, *bad], key=lambda row: row.index)
        return answers

    def refused(self, work: int) -> list[Refused]:
        """Refused rows of one work."""
        rows = np.flatnonzero(self._refused.work == work)
        table = self._refused.table.select(["reason", "raw"]).take(pa.array(rows))
        reasons, raws = (column.to_pylist() for column in table.columns)
        return [Refused(*row) for row in zip(self._refused.line[rows].tolist(), reasons, raws, strict=True)]

    def _read(self) -> _Columns:
        """What rows are made of, as plain values: once a batch, whoever asks first."""
        if self._columns is None:
            batch, applied = self._batch, self._applied
            works = np.arange(len(batch.works) + 1)
            self._columns = _Columns(
                # events stand in the order of their works
                np.searchsorted(batch.event_place.work, works).tolist(),
                batch.event_place.line.tolist(),
                batch.events.column("source").to_pylist(),
                batch.events.column("event_id").to_pylist(),
                applied.verdict.tolist(),
                applied.seq.tolist(),
                applied.late.tolist(),
                applied.warming.tolist(),
            )
        return self._columns

    def _events(self, columns: _Columns, rows: range) -> list[RowOutcome]:
        """Answers of accepted events and duplicates; the others are among the refused rows."""
        names = [(columns.source[row], columns.event_id[row]) for row in rows]
        seen = [
            name for name, row in zip(names, rows, strict=True) if columns.verdict[row] == dedup.DUPLICATE
        ]
        before = self._earlier(seen) if seen else {}
        answers = []
        for name, row in zip(names, rows, strict=True):
            line = columns.line[row]
            if columns.verdict[row] == dedup.ACCEPTED:
                answers.append(self._accepted(columns, line, name, row))
            elif columns.verdict[row] == dedup.DUPLICATE:
                known = before.get(name, ALLOW)
                answers.append(
                    RowOutcome(line, *name, DUPLICATE, recommendation=known, reason_code="duplicate")
                )
        return answers

    def _accepted(self, columns: _Columns, line: int, name: tuple[str, str], row: int) -> RowOutcome:
        seq = columns.seq[row]
        hits = self._hits_by_event().get(seq, []) if len(self._applied.hits) else []
        advice = ALLOW
        alerts: list[str] = []
        for hit in hits:
            alert = hit["alert_id"]
            if alert is None or alert in self._stored.silent:
                continue
            if alert not in alerts:
                alerts.append(alert)
            advice = max(advice, hit.get("recommendation", ALLOW), key=_RANK.__getitem__)
        return RowOutcome(
            line,
            *name,
            ACCEPTED,
            ingest_seq=seq,
            late=columns.late[row],
            warming=columns.warming[row],
            recommendation=advice,
            reason_code=_REASON[advice],
            hits=tuple({k: v for k, v in hit.items() if k != "recommendation"} for hit in hits),
            alerts=tuple(alerts),
        )

    def _hits_by_event(self) -> dict[int, list[dict[str, Any]]]:
        if self._hits is not None:
            return self._hits
        applied = self._applied
        alert_of = dict(
            zip(
                applied.changes.column("hit").to_pylist(),
                applied.changes.column("alert_id").to_pylist(),
                strict=True,
            )
        )
        advice: dict[str | None, str] = dict(
            zip(
                applied.alerts.column("alert_id").to_pylist(),
                applied.alerts.column("recommendation").to_pylist(),
                strict=True,
            )
        )
        shown = ("ingest_seq", "leg", "rule_id", "rule_version", "score", "trigger", "explanation")
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for number, hit in enumerate(applied.hits.select(shown).to_pylist()):
            rule, alert = self._rules[hit["rule_id"]], alert_of.get(number)
            more: dict[str, Any] = {"title": rule.title, "typology": rule.typology, "severity": rule.severity}
            more |= {"status": rule.status, "alert_id": alert, "recommendation": advice.get(alert, ALLOW)}
            found[hit.pop("ingest_seq")].append(hit | more)
        self._hits = found
        return found

    def _bad(self, work: int) -> list[RowOutcome]:
        refused = self._refused
        rows = np.flatnonzero(refused.work == work)
        if not len(rows):
            return []
        table = refused.table.select(["event_id", "reason", "message"]).take(pa.array(rows)).to_pylist()
        return [
            RowOutcome(
                int(refused.line[row]),
                None,
                values["event_id"],
                QUARANTINED,
                reason=values["reason"],
                message=values["message"],
                quarantine_id=self._stored.quarantine_ids[row],
                reason_code="not_scored",
            )
            for row, values in zip(rows.tolist(), table, strict=True)
        ]
