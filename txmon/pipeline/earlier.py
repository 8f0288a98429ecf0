"""What events that were seen before led to: a repeated request gets the recommendation of the first.

Owns one query; never decides anew.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from txmon.pipeline.work import HOLD
from txmon.store.schema import alert_hits, alerts, hits

_AT_ONCE = 500


def earlier_advice(conn: sa.Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the recommendation of the alerts that these events' hits opened or fed, by (source, event_id).

    Events without such an alert are left out: theirs was `allow`.
    """
    found: dict[tuple[str, str], str] = {}
    wanted = set(keys)
    ids = sorted({event_id for _, event_id in keys})
    for at in range(0, len(ids), _AT_ONCE):
        query = (
            sa.select(hits.c.source, hits.c.event_id, alerts.c.recommendation)
            .join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
            .join(alerts, alerts.c.alert_id == alert_hits.c.alert_id)
            .where(hits.c.event_id.in_(ids[at : at + _AT_ONCE]), hits.c.trigger != "tick", ~alerts.c.historic)
        )
        for source, event_id, advice in conn.execute(query):
            key = (source, event_id)
            if key in wanted and found.get(key) != HOLD:
                found[key] = advice
    return found
