"""A case follows what its alerts grow into: graver, of more typologies, protected; never the other way.

Owns this one effect of new evidence on cases, in the transaction of the evidence and with a journal row of
its own. What a person lowered is raised again only by an alert that itself became graver since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from txmon.alerts.facts import SEVERITIES
from txmon.store import journal
from txmon.store.casetables import case_alerts, case_log, cases
from txmon.store.db import Tx
from txmon.store.schema import alerts
from txmon.store.texts import as_json

RAISED = "case.evidence"
_PIPELINE = "pipeline"
_PART = 500  # ids of one query


def linked(tx: Tx, alert_ids: Sequence[str]) -> dict[str, sa.RowMapping]:
    """Return those of some alerts that are in a case which goes on, as they stand before new evidence."""
    found: dict[str, sa.RowMapping] = {}
    columns = (alerts.c.alert_id, alerts.c.severity, alerts.c.protect, alerts.c.typologies, cases.c.case_id)
    for at in range(0, len(alert_ids), _PART):
        query = (
            sa.select(*columns)
            .join(case_alerts, case_alerts.c.alert_id == alerts.c.alert_id)
            .join(cases, cases.c.case_id == case_alerts.c.case_id)
            .where(alerts.c.alert_id.in_(alert_ids[at : at + _PART]), cases.c.state != "closed")
        )
        found |= {row["alert_id"]: row for row in tx.conn.execute(query).mappings()}
    return found


def follow(tx: Tx, before: Mapping[str, sa.RowMapping], evidence_seq: int) -> None:
    """Raise the cases of alerts that are graver than `before`.

    Args:
        evidence_seq: journal row of the evidence.
    """
    if not before:
        return
    query = sa.select(alerts).where(alerts.c.alert_id.in_(sorted(before)))
    for alert in tx.conn.execute(query.order_by(alerts.c.alert_id)).mappings().all():
        was = before[alert["alert_id"]]
        graver = SEVERITIES.index(alert["severity"]) > SEVERITIES.index(was["severity"])
        protects = alert["protect"] and not was["protect"]
        if graver or protects or alert["typologies"] != was["typologies"]:
            _raise(tx, was["case_id"], alert, evidence_seq, protects=protects, graver=graver)


def _raise(
    tx: Tx, case_id: str, alert: sa.RowMapping, evidence_seq: int, *, protects: bool, graver: bool
) -> None:
    row = tx.conn.execute(sa.select(cases).where(cases.c.case_id == case_id)).mappings().one()
    new: dict[str, Any] = {}
    if graver and SEVERITIES.index(alert["severity"]) > SEVERITIES.index(row["severity"]):
        new["severity"] = alert["severity"]
    if protects and not row["protect"]:
        new["protect"] = True
    typologies = json.loads(row["typologies"])
    more = [each for each in json.loads(alert["typologies"]) if each not in typologies]
    if more:
        new["typologies"] = as_json([*typologies, *more])
    if not new:
        return
    old = {name: row[name] for name in new}
    facts = {"alert": alert["alert_id"], "evidence": evidence_seq, "from": old, "to": dict(new)}
    document = {"decision": RAISED, "by": _PIPELINE, "key": None, "case": case_id} | facts
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    now = tx.clock.now_us()
    seq = journal.append(tx, "decision", text.encode(), now).seq
    log = {"journal_seq": seq, "case_id": case_id, "at_us": now, "kind": RAISED, "author": _PIPELINE}
    tx.conn.execute(sa.insert(case_log).values(log | {"facts": as_json(facts)}))
    new |= {"version": row["version"] + 1, "changed_us": now, "changed_seq": seq}
    tx.conn.execute(sa.update(cases).where(cases.c.case_id == case_id).values(new))
