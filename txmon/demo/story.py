"""One alert told: which one, what was seen, who paid whom, and what it rests on.

Chooses by rule, so that one seed always tells one story: the strongest alert of the story's own rule,
else of the next one in `PREFERRED`, else the strongest alert of all. Facts come from events, hits, rules
and the alert; labels serve only to choose an alert that was planted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow.compute as pc

from txmon.alerts.group import subject_class
from txmon.demo.movements import Flow, Movement, bundle, flows, movements
from txmon.rules.ir import Plan, Rule, rule_features
from txmon.rules.measures import Measure, measures

PREFERRED: tuple[str, ...] = ("service-price-control", "half-take-forward", "service-price-inflows")
_LOOKBACK_DAYS = 35
_SHOWN_PAYERS = 7
_INCOME = ("SALA", "PENS", "BENE")


@dataclass(frozen=True)
class Told:
    """One rule of the alert: how often it hit, and the numbers of its strongest hit.

    The strongest is the one with the highest first `let`, the newest among equals. A rule about other
    rules' hits has no numbers of its own.
    """

    rule: Rule
    hits: int
    first_time: datetime
    last_time: datetime
    explanation: str
    measures: tuple[Measure, ...]


@dataclass(frozen=True)
class Story:
    """Everything the page and the terminal show about one alert."""

    alert: Mapping[str, Any]
    parts: Sequence[Mapping[str, Any]]
    told: tuple[Told, ...]  # strongest first, signals last
    currency: str
    profile: Mapping[str, str]
    moved: tuple[Movement, ...]  # all of the period
    pattern: tuple[Movement, ...]  # those the alert is about
    sources: tuple[Flow, ...]
    targets: tuple[Flow, ...]
    everyday: Flow
    hit_times: tuple[tuple[datetime, str], ...]  # time and rule title
    seen: frozenset[str]  # event ids with a hit

    @property
    def start(self) -> datetime:
        """Time of the first movement told."""
        return self.pattern[0].time

    @property
    def end(self) -> datetime:
        """Time of the last movement told."""
        return self.pattern[-1].time

    def total(self, *, incoming: bool) -> int:
        """Minor units of the pattern in one direction."""
        return sum(m.amount_minor for m in self.pattern if m.incoming is incoming)


def choose_alert(alerts: Any, labels: Any) -> dict[str, Any] | None:
    """Return the alert to tell, None where there is none."""
    planted = {
        (subject_class(row["subject_type"]), row["subject_id"])
        for row in labels.select(["subject_type", "subject_id", "role"]).to_pylist()
        if row["role"] == "planted"
    }
    rows = [row for row in alerts.to_pylist() if row["subject_type"] in ("account", "merchant", "card")]
    known = [row for row in rows if (row["subject_type"], row["subject_id"]) in planted]

    def rank(row: Mapping[str, Any]) -> tuple[int, float, str]:
        place = next((i for i, rule in enumerate(PREFERRED) if rule in row["rule_ids"]), len(PREFERRED))
        return place, -row["score"], row["alert_id"]

    return min(known or rows, key=rank, default=None)


def tell(alert: Mapping[str, Any], events: Any, hits: Any, plan: Plan) -> Story:
    """Gather what the alert rests on."""
    kind, subject = alert["subject_type"], alert["subject_id"]
    own = _hits_of(alert, hits)
    told = _told(alert, own, plan)
    lookback = timedelta(days=_LOOKBACK_DAYS)
    moved = [
        m
        for m in movements(events, kind, subject)
        if alert["first_event_time"] - lookback <= m.time <= alert["last_event_time"]
    ]
    currency = _commonest([m.currency for m in moved]) or plan.base_currency
    moved = [m for m in moved if m.currency == currency]
    seen = frozenset(row["event_id"] for row in own)
    pattern, everyday = _split(moved, seen)
    sources = flows(m for m in pattern if m.incoming)
    if len(sources) > _SHOWN_PAYERS + 1:
        rest = sources[_SHOWN_PAYERS:]
        sources = [*sources[:_SHOWN_PAYERS], bundle(f"{len(rest)} more", rest)]
    return Story(
        alert=alert,
        parts=json.loads(alert["parts"]),
        told=told,
        currency=currency,
        profile=profile_of(events, kind, subject),
        moved=tuple(moved),
        pattern=tuple(pattern),
        sources=tuple(sources),
        targets=tuple(flows(m for m in pattern if not m.incoming)[:_SHOWN_PAYERS]),
        everyday=bundle("everyday payments", flows(everyday)),
        hit_times=tuple((row["event_time"], plan_rule(plan, row["rule_id"]).title) for row in own),
        seen=seen,
    )


def plan_rule(plan: Plan, rule_id: str) -> Rule:
    """Return a rule of the plan by id."""
    return next(rule for rule in plan.rules if rule.id == rule_id)


def profile_of(events: Any, kind: str, subject: str) -> dict[str, str]:
    """What the subject's own profile events declare; later ones win."""
    column = "merchant" if kind == "merchant" else "account"
    if kind not in ("account", "merchant"):
        return {}
    rows = events.filter(pc.fill_null(pc.equal(events[column], subject), False)).to_pylist()
    declared: dict[str, str] = {}
    for row in rows:
        if row["kind"].startswith(f"{column}."):
            declared |= {key: value for key, value in row["attributes"] or () if value is not None}
    return declared


def _hits_of(alert: Mapping[str, Any], hits: Any) -> list[dict[str, Any]]:
    """The subject's hits inside the alert, in order of arrival."""
    mine = hits.filter(pc.equal(hits["subject_id"], alert["subject_id"])).to_pylist()
    return [
        row
        for row in mine
        if subject_class(row["subject_type"]) == alert["subject_type"]
        and row["rule_id"] in alert["rule_ids"]
        and alert["first_event_time"] <= row["event_time"] <= alert["last_event_time"]
    ]


def _told(alert: Mapping[str, Any], own: Sequence[Mapping[str, Any]], plan: Plan) -> tuple[Told, ...]:
    rules = sorted((plan_rule(plan, i) for i in alert["rule_ids"]), key=lambda r: (r.signal, -r.score, r.id))
    found: list[Told] = []
    for rule in rules:
        rows = [row for row in own if row["rule_id"] == rule.id]
        strongest = max(enumerate(rows), key=lambda item: (_first_number(rule, item[1]), item[0]))[1]
        combined = any(feature.hits_rule for feature in rule_features(rule))
        numbers = [] if combined else measures(rule, strongest["features"], plan.base_currency)
        times = [row["event_time"] for row in rows]
        found.append(Told(rule, len(rows), min(times), max(times), strongest["explanation"], tuple(numbers)))
    return tuple(found)


def _first_number(rule: Rule, row: Mapping[str, Any]) -> float:
    values = json.loads(row["features"])
    first = values.get(rule.let[0][0]) if rule.let else None
    return float(first) if isinstance(first, (int, float)) else 0.0


def _split(moved: Sequence[Movement], seen: frozenset[str]) -> tuple[list[Movement], list[Movement]]:
    """Movements the alert is about, and the others.

    Money in from anyone but an employer or office, and everything that went to a counterparty of a hit.
    """
    receivers = {m.counterparty for m in moved if m.event_id in seen and not m.incoming}
    if not receivers:
        receivers = {m.counterparty for m in moved if not m.incoming and not m.merchant}
    pattern: list[Movement] = []
    everyday: list[Movement] = []
    for movement in moved:
        told = movement.purpose not in _INCOME if movement.incoming else movement.counterparty in receivers
        (pattern if told or movement.event_id in seen else everyday).append(movement)
    return pattern, everyday


def _commonest(words: Sequence[str]) -> str:
    return max(sorted(set(words)), key=words.count, default="")
