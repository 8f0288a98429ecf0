"""What a bundle is made from: the alert, its hits, the configs they were found under, the events around them.

Owns reading these from a store. Chooses no events for the bundle (`txmon.evidence.reach`), writes nothing.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from txmon.errors import NotFound, StoreCorrupt
from txmon.pipeline.history import Epoch, epochs, plain, runs
from txmon.rules.ir import Plan, Rule
from txmon.rules.planner import referred_rules
from txmon.store import Store, journal
from txmon.store.schema import alert_hits, alerts, hits

ALERT_TEXTS = ("typologies", "rule_ids", "holders_first", "holders_latest", "parts")


@dataclass(frozen=True)
class Hit:
    """One hit of the alert, as it is stored. Times in microseconds UTC; leg is '' for rules on events."""

    row: Mapping[str, Any]
    epoch: Epoch
    behind: tuple[int, bool] | None = None  # of a hit at a mark of time: its event, and whether money came in

    @property
    def rule(self) -> Rule:
        """The rule as it was."""
        return self.epoch.config.rules[self.row["rule_id"]]

    @property
    def plan(self) -> Plan:
        """The plan that it was part of."""
        return self.epoch.config.plan

    @property
    def seq(self) -> int:
        """Number of the event. A hit at a mark of time is stored under the number of the mark."""
        return int(self.row["ingest_seq"]) if self.behind is None else self.behind[0]

    @property
    def order(self) -> int:
        """Order of arrival in the table that the rule looks at."""
        if self.rule.on == "events":
            return self.seq
        return 2 * self.seq + (self.row["leg"] == "in" if self.behind is None else self.behind[1])

    @property
    def at_us(self) -> int:
        """The time at which all its windows were taken."""
        return int(self.row["event_time"] if self.row["as_of"] is None else self.row["as_of"])


def alert_row(store: Store, alert_id: str) -> dict[str, Any]:
    """Return an alert as plain values.

    Raises:
        NotFound: there is none of this id.
    """
    with store.read() as conn:
        row = conn.execute(sa.select(alerts).where(alerts.c.alert_id == alert_id)).mappings().first()
    if row is None:
        raise NotFound(f"the store has no alert {alert_id!r}; `GET /v1/alerts` lists them")
    return {k: json.loads(v) if k in ALERT_TEXTS else v for k, v in row.items()}


def hits_of(store: Store, alert_id: str) -> list[Hit]:
    """Return the hits of an alert in order of arrival.

    Raises:
        StoreCorrupt: a hit is older than any config, or its rule is not in the config it was found under.
    """
    query = (
        sa.select(hits, alert_hits.c.change)
        .join(alert_hits, alert_hits.c.hit_id == hits.c.hit_id)
        .where(alert_hits.c.alert_id == alert_id)
        .order_by(hits.c.hit_id)
    )
    with store.read() as conn:
        rows = [dict(row) for row in conn.execute(query).mappings()]
    known = epochs(store)
    starts = [epoch.first_seq for epoch in known]
    found = []
    for row in rows:
        place = bisect.bisect_right(starts, row["journal_seq"]) - 1
        if place < 0 or row["rule_id"] not in known[place].config.rules:
            raise StoreCorrupt(
                f"hit {row['hit_id']} of {row['rule_id']} has no config in the journal; run `txmon replay`"
            )
        found.append(Hit(row, known[place]))
    return found


def closure(rule: Rule, rules: Mapping[str, Rule]) -> list[Rule]:
    """Return a rule and all that it refers to, each before those it refers to."""
    below: list[Rule] = []

    def visit(each: Rule) -> None:
        for identity in sorted(referred_rules(each)):
            visit(rules[identity])
        if each not in below:
            below.append(each)

    visit(rule)
    return below[::-1]


def resolved(found: Sequence[Hit], events: pa.Table) -> list[Hit]:
    """Return hits with the event behind each that was found at a mark of time.

    Raises:
        StoreCorrupt: it is not in the journal.
    """
    made = []
    for hit in found:
        if hit.row["trigger"] != "tick":
            made.append(hit)
            continue
        same = pc.and_(
            pc.equal(events.column("event_id"), hit.row["event_id"]),
            pc.equal(events.column("source"), hit.row["source"]),
        )
        rows = events.filter(same).select(["ingest_seq", "payee"]).to_pylist()
        if not rows:
            raise StoreCorrupt(
                f"the event behind hit {hit.row['hit_id']} is not in the journal; it was erased"
            )
        made.append(replace(hit, behind=(rows[-1]["ingest_seq"], rows[-1]["payee"] == hit.row["subject_id"])))
    return made


def events_around(store: Store, found: Sequence[Hit]) -> pa.Table:
    """Return all events that the windows of some hits could reach, with their numbers.

    Of the entity and mode of the hits, marks of time of every one; profile events whatever their age, others
    as old as windows of windows look back.
    """
    last = max(h.at_us for h in found)
    first = min(min(h.at_us, int(h.row["event_time"])) - _reach(h) for h in found)
    pairs = sorted({(h.row["entity"], h.row["mode"]) for h in found})
    parts = []
    for run in runs(store, 1, None):
        table = plain(run.events)
        time = table.column("event_time").cast(pa.int64())
        kind = table.column("kind")
        own = [
            pc.and_(pc.equal(table.column("entity"), e), pc.equal(table.column("mode"), m)) for e, m in pairs
        ]
        near = pc.and_(pc.greater(time, first), pc.less_equal(time, last))
        profile = pc.or_(pc.starts_with(kind, "account."), pc.starts_with(kind, "merchant."))
        wanted = pc.or_(pc.and_(_any(own), pc.or_(near, profile)), pc.and_(pc.equal(kind, "tick"), near))
        parts.append(table.append_column("ingest_seq", pa.array(run.numbers, pa.int64())).filter(wanted))
    if not parts:
        raise StoreCorrupt("the journal holds no events")
    return pa.concat_tables(parts).combine_chunks()


def _reach(hit: Hit) -> int:
    """How far back the windows of a rule look, those of the rules it refers to behind them."""
    return sum(rule.longest_us() * 2 for rule in closure(hit.rule, hit.epoch.config.rules)) + 1


def _any(masks: Iterable[Any]) -> Any:
    found = None
    for mask in masks:
        found = mask if found is None else pc.or_(found, mask)
    return found


def head_of(store: Store) -> tuple[int, bytes]:
    """Return the newest row of the journal and its head."""
    return journal.head(store)
