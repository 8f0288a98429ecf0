"""Checks that hits, alerts and quarantine refer to journal rows and to each other.

What the rows say is for a replay to check; that none hangs in the air is checked here. Owns queries only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from txmon.store.schema import alert_hits, alerts, hits, journal, outbox, quarantine


def check_references(conn: sa.Connection) -> Iterator[tuple[int | None, str]]:
    """Yield the journal row (None if there is none) and the fault, the first of each kind."""
    for query, seq_is_real, text in _queries():
        row = conn.execute(query.limit(1)).first()
        if row is not None:
            yield (int(row[0]) if seq_is_real else None), text.format(row[1])


def _queries() -> Iterator[tuple[sa.Select[Any], bool, str]]:
    last = journal.c.first_event_seq + journal.c.event_count
    joined = hits.join(journal, hits.c.journal_seq == journal.c.seq, isouter=True)
    base = sa.select(hits.c.journal_seq, hits.c.hit_id).select_from(joined)
    yield base.where(journal.c.seq.is_(None)), False, "hit {} is of a journal row that does not exist"
    wrong = sa.or_(journal.c.kind != "events", hits.c.ingest_seq >= last, hits.c.ingest_seq < 0)
    yield base.where(wrong), True, "hit {} is of an event that had not arrived then"
    for table, name, number in (
        (alerts, "alert", alerts.c.alert_id),
        (quarantine, "quarantine row", quarantine.c.id),
    ):
        orphans = sa.select(table.c.journal_seq, number).select_from(
            table.join(journal, table.c.journal_seq == journal.c.seq, isouter=True)
        )
        yield (
            orphans.where(journal.c.seq.is_(None)),
            False,
            name + " {} is of a journal row that does not exist",
        )
    sent = outbox.join(journal, outbox.c.created_seq == journal.c.seq, isouter=True)
    yield (
        sa.select(outbox.c.created_seq, outbox.c.id).select_from(sent).where(journal.c.seq.is_(None)),
        False,
        "message {} is of a journal row that does not exist",
    )
    feeding = alert_hits.join(hits, alert_hits.c.hit_id == hits.c.hit_id, isouter=True)
    yield (
        sa.select(alert_hits.c.hit_id, alert_hits.c.alert_id)
        .select_from(feeding)
        .where(hits.c.hit_id.is_(None)),
        False,
        "alert {} rests on a hit that does not exist",
    )
    fed = alert_hits.join(alerts, alert_hits.c.alert_id == alerts.c.alert_id, isouter=True)
    yield (
        sa.select(alert_hits.c.hit_id, alert_hits.c.hit_id)
        .select_from(fed)
        .where(alerts.c.alert_id.is_(None)),
        False,
        "hit {} feeds an alert that does not exist",
    )
