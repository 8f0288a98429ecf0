"""What a sender is told of its events: a neutral decision, and with the scope `explain` the reasons.

Owns the shapes of the answers to events and the id of a decision; decides nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from txmon.api.context import Answer, json_answer
from txmon.api.problems import Problem
from txmon.model.pictures import DUTY
from txmon.pipeline.work import DUPLICATE, QUARANTINED, RowOutcome

_NOT_PERMITTED, _PICTURE = "not_permitted", "picture"


def decision_id(source: str, event_id: str) -> str:
    """Return the id of the decision on an event: the same however often the event is sent."""
    digest = sha256(f"{len(source)}:{source}{event_id}".encode()).digest()[:16]
    return "d_" + base64.b32encode(digest).decode().rstrip("=").lower()


def decision(row: RowOutcome, *, explained: bool) -> dict[str, Any]:
    """Return what became of one event. Without `explained` it names no rule, typology, list or alert."""
    if row.status == QUARANTINED:
        duty = {"duty": DUTY} if row.reason == _PICTURE else {}
        return {
            "status": QUARANTINED,
            "decision_id": None,
            "recommendation": row.recommendation,
            "reason_code": row.reason_code,
            "late": False,
            "warming": False,
            "duplicate": False,
            "reason": row.reason,
            "quarantine_id": row.quarantine_id,
        } | duty
    found = {
        "status": row.status,
        "decision_id": decision_id(row.source or "", row.event_id or ""),
        "recommendation": row.recommendation,
        "reason_code": row.reason_code,
        "late": row.late,
        "warming": row.warming,
        "duplicate": row.status == DUPLICATE,
    }
    if explained:
        found["hits"] = row.hits
        found["alerts"] = row.alerts
    return found


def answer_one(rows: Sequence[RowOutcome], *, explained: bool) -> Answer:
    """Return the answer to a request of one event.

    Raises:
        Problem: not_permitted, if the key may not send it.
    """
    row = rows[0]
    found = decision(row, explained=explained)
    if len(rows) > 1:  # one message of some sources is several events
        found = {"results": [decision(each, explained=explained) for each in rows]}
    elif row.reason == _NOT_PERMITTED:
        detail = "this key may not send events of this mode or entity; use the key of that one"
        raise Problem(_NOT_PERMITTED, detail, more={"quarantine_id": row.quarantine_id})
    return json_answer(found)


def answer_many(rows: Sequence[RowOutcome], *, explained: bool) -> Answer:
    """Return the answer to a request of many events, one result a row in their order."""
    results = []
    for row in rows:
        found = decision(row, explained=explained)
        if row.reason == _NOT_PERMITTED:
            found["code"] = 403
        results.append({"index": row.index} | found)
    return json_answer({"results": results})
