"""What the service answers, typed.

Owns shapes and the reading of them; an unknown field is ignored, a missing or wrong one is a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict, cast

Recommendation = Literal["allow", "review", "hold"]
Status = Literal["accepted", "duplicate", "quarantined", "queued", "dropped"]
RECOMMENDATIONS = ("allow", "review", "hold")


@dataclass(frozen=True)
class Decision:
    """What to do with an event.

    `queued` says that the service gave no answer in time: the recommendation is the caller's own
    fail-open, the event waits in the spool and is scored later. `status` is ``dropped`` where the spool had
    no room either.
    """

    recommendation: Recommendation
    reason_code: str
    status: Status
    decision_id: str | None = None
    late: bool = False
    warming: bool = False
    queued: bool = False
    failure: str | None = None  # why it is queued or dropped: a stable word
    reason: str | None = None  # why it is quarantined: a stable word
    hits: tuple[Mapping[str, Any], ...] = ()  # for keys with the scope `explain`
    alerts: tuple[str, ...] = ()

    @property
    def duplicate(self) -> bool:
        """Return whether the service had the event already."""
        return self.status == "duplicate"


@dataclass(frozen=True)
class BulkResult:
    """What a bulk transfer did, in rows."""

    rows: int = 0
    accepted: int = 0
    duplicates: int = 0
    quarantined: int = 0
    hits: int | None = None  # for keys with the scope `explain`
    alerts: int | None = None
    last_seq: int = 0  # journal row of the last portion

    def __add__(self, other: BulkResult) -> BulkResult:
        return BulkResult(
            self.rows + other.rows,
            self.accepted + other.accepted,
            self.duplicates + other.duplicates,
            self.quarantined + other.quarantined,
            _sum(self.hits, other.hits),
            _sum(self.alerts, other.alerts),
            max(self.last_seq, other.last_seq),
        )


class Alert(TypedDict):
    """An alert as the service lists it.

    The last part is for keys with the scope `explain`; what names a person is there only for a purpose.
    """

    alert_id: str
    entity: str
    mode: str
    opened_time: str
    recommendation: str
    opened_source: NotRequired[str]
    opened_event_id: NotRequired[str]
    revision: NotRequired[int]
    state: NotRequired[str]
    version: NotRequired[int]
    created: NotRequired[str]
    changed: NotRequired[str]
    subject_type: NotRequired[str]
    subject_id: NotRequired[str]
    severity: NotRequired[str]
    score: NotRequired[float]
    typologies: NotRequired[list[str]]
    rule_ids: NotRequired[list[str]]
    protect: NotRequired[bool]
    explanation: NotRequired[str]
    hits: NotRequired[list[dict[str, Any]]]  # of one alert that was asked for: its evidence


@dataclass(frozen=True)
class Page:
    """One page of a list; `next_cursor` is None at its end."""

    items: tuple[Mapping[str, Any], ...]
    next_cursor: str | None


@dataclass(frozen=True)
class LiveAlert:
    """A message of the stream of alerts; `id` resumes the stream after it."""

    id: str | None
    kind: str
    alert: Alert


@dataclass(frozen=True)
class Refusal:
    """A queued request that the service would not take when it was sent at last."""

    key: str
    reason: str
    http_status: int | None


@dataclass(frozen=True)
class Flushed:
    """What a `flush` did, in requests. `failure` says why it stopped before the end."""

    sent: int
    left: int
    refused: tuple[Refusal, ...] = ()
    failure: str | None = None
    retry_after_s: float | None = None


def decision_of(answer: Any) -> Decision:
    """Read one decision.

    Raises:
        ValueError: it is none.
    """
    row = _object(answer)
    status = row.get("status") or ("duplicate" if row.get("duplicate") else "accepted")
    if status not in ("accepted", "duplicate", "quarantined"):
        raise ValueError("status of a decision")
    quarantined = status == "quarantined"
    recommendation = row.get("recommendation", "allow" if quarantined else None)
    reason_code = row.get("reason_code", "not_scored" if quarantined else None)
    if recommendation not in RECOMMENDATIONS or not isinstance(reason_code, str):
        raise ValueError("recommendation of a decision")
    return Decision(
        recommendation=cast("Recommendation", recommendation),
        reason_code=reason_code,
        status=cast("Status", status),
        decision_id=row.get("decision_id"),
        late=bool(row.get("late", False)),
        warming=bool(row.get("warming", False)),
        reason=row.get("reason"),
        hits=tuple(_object(hit) for hit in row.get("hits") or ()),
        alerts=tuple(str(alert) for alert in row.get("alerts") or ()),
    )


def strictest_of(answer: Any) -> Decision:
    """Read the answer to one message; where a source's message is several events, the strictest decision.

    Raises:
        ValueError: it is none.
    """
    rows = _object(answer).get("results")
    if rows is None:
        return decision_of(answer)
    if not isinstance(rows, list) or not rows:
        raise ValueError("results of a message")
    return max(map(decision_of, rows), key=lambda decision: RECOMMENDATIONS.index(decision.recommendation))


def decisions_of(answer: Any, count: int) -> list[Decision]:
    """Read the decisions of a request of `count` events, in its order.

    Raises:
        ValueError: they are none, or not so many.
    """
    rows = _object(answer).get("results")
    if not isinstance(rows, list) or len(rows) != count:
        raise ValueError("results of a request")
    return [decision_of(row) for row in rows]


def bulk_of(answer: Any) -> BulkResult:
    """Read the answer to a bulk request.

    Raises:
        ValueError: it is none.
    """
    row = _object(answer)
    counts = [row.get(name) for name in ("rows", "accepted", "duplicates", "quarantined")]
    if not all(isinstance(n, int) for n in counts):
        raise ValueError("counts of a bulk request")
    rows, accepted, duplicates, quarantined = cast("list[int]", counts)
    return BulkResult(
        rows, accepted, duplicates, quarantined, row.get("hits"), row.get("alerts"), row.get("last_seq") or 0
    )


def page_of(answer: Any) -> Page:
    """Read a page.

    Raises:
        ValueError: it is none.
    """
    row = _object(answer)
    items, cursor = row.get("items"), row.get("next_cursor")
    if not isinstance(items, list) or not (cursor is None or isinstance(cursor, str)):
        raise ValueError("a page")
    return Page(tuple(_object(item) for item in items), cursor)


def alert_of(answer: Any) -> Alert:
    """Read an alert.

    Raises:
        ValueError: it is none.
    """
    row = _object(answer)
    if not isinstance(row.get("alert_id"), str):
        raise ValueError("an alert")
    return cast("Alert", row)


def object_of(answer: Any) -> dict[str, Any]:
    """Read any JSON object.

    Raises:
        ValueError: it is none.
    """
    return _object(answer)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("an object")
    return value


def _sum(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else one + other
