"""Arrow forms of the alert book: alerts.parquet, the changes of a batch, and the snapshot.

Owns the schemas and the conversion both ways; never changes a group.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from txmon.alerts.facts import SEVERITIES, RuleFacts
from txmon.alerts.group import Evidence, Group, Holder
from txmon.alerts.score import Part, Score
from txmon.errors import StateError
from txmon.model.schema import TIME

_S = pa.string()
_HOLDERS = pa.list_(pa.struct([("party", _S), ("role", _S)]))
ALERTS: pa.Schema = pa.schema(
    [
        ("alert_id", _S),
        ("subject_type", _S),
        ("subject_id", _S),
        ("typologies", pa.list_(_S)),  # strongest first
        ("severity", _S),
        ("score", pa.float64()),
        ("protect", pa.bool_()),
        ("first_event_time", TIME),
        ("last_event_time", TIME),
        ("hit_count", pa.int64()),
        ("rule_ids", pa.list_(_S)),  # sorted
        ("entity", _S),
        ("mode", _S),
        ("recommendation", _S),  # review | hold
        ("opened_time", TIME),  # time of the hit that opened it
        ("opened_source", _S),
        ("opened_event_id", _S),
        ("opened_rule_id", _S),
        ("revision", pa.int64()),  # how often materially new evidence came after opening
        ("explanation", _S),
        ("parts", _S),  # JSON: every part of the score
        ("holders_first", _HOLDERS),  # as of the hit that opened it
        ("holders_latest", _HOLDERS),  # as of its newest hit
    ]
)
# what may be told of an alert to who may not know why it was opened: no rule, typology, person or reason
NEUTRAL = (
    "alert_id", "entity", "mode", "recommendation", "opened_time", "opened_source", "opened_event_id",
    "revision",
)  # fmt: skip
CHANGES: pa.Schema = pa.schema([("hit", pa.int64()), ("alert_id", _S), ("change", _S)])

_VERSION = b"1"
_GROUPS: pa.Schema = pa.schema(
    [
        ("key", pa.list_(_S)),
        ("current", pa.bool_()),
        ("opened", pa.bool_()),
        ("opening", pa.list_(_S)),
        ("opened_us", pa.int64()),
        ("until_us", pa.int64()),
        ("revision", pa.int64()),
        ("score", pa.float64()),
        ("parts", _S),
        ("typologies", pa.list_(_S)),
        ("holders_first", _HOLDERS),
        ("holders_latest", _HOLDERS),
    ]
)
_EVIDENCE: pa.Schema = pa.schema(
    [
        ("group", pa.int64()),
        ("rule_id", _S),
        ("dedup", _S),
        ("score", pa.float64()),
        ("count", pa.int64()),
        ("first_us", pa.int64()),
        ("last_us", pa.int64()),
        ("until_us", pa.int64()),
        ("explanation", _S),
    ]
)


def alerts_table(alerts: Iterable[Group], facts: Sequence[RuleFacts]) -> Any:
    """Return `ALERTS`, a row an alert, in the order given."""
    rows = [_alert_row(group, facts) for group in alerts]
    return pa.table({f.name: pa.array([r[f.name] for r in rows], f.type) for f in ALERTS}, schema=ALERTS)


def _alert_row(group: Group, facts: Sequence[RuleFacts]) -> dict[str, Any]:
    entity, mode, subject_type, subject_id = group.key
    rules = [facts[index] for index in sorted(group.scores)]
    protect = any(rule.protect for rule in rules)
    source, event_id, _, rule_id, _ = group.opening
    return {
        "alert_id": group.alert_id,
        "subject_type": subject_type,
        "subject_id": subject_id,
        "typologies": list(group.score.typologies),
        "severity": SEVERITIES[_severity(rules)],
        "score": group.score.value,
        "protect": protect,
        "first_event_time": min(e.first_us for e in group.evidence.values()),
        "last_event_time": max(e.last_us for e in group.evidence.values()),
        "hit_count": sum(e.count for e in group.evidence.values()),
        "rule_ids": [rule.id for rule in rules],
        "entity": entity,
        "mode": mode,
        "recommendation": _recommendation(rules, protect=protect),
        "opened_time": group.opened_us,
        "opened_source": source,
        "opened_event_id": event_id,
        "opened_rule_id": rule_id,
        "revision": group.revision,
        "explanation": explain_alert(group, facts),
        "parts": _parts_json(group.score),
        "holders_first": _holder_rows(group.holders_first),
        "holders_latest": _holder_rows(group.holders_latest),
    }


def _severity(rules: Sequence[RuleFacts]) -> int:
    """Highest of the rules that are not signals; low where all of them rest on a device or an address."""
    bearing = [rule for rule in rules if not rule.signal]
    return 0 if all(rule.weak for rule in bearing) else max(rule.severity for rule in bearing)


def _recommendation(rules: Sequence[RuleFacts], *, protect: bool) -> str:
    """Hold only on an exact list match, and never where the holder may be a victim."""
    exact = any(rule.family == "list" and not rule.signal for rule in rules)
    return "hold" if exact and not protect else "review"


def explain_alert(group: Group, facts: Sequence[RuleFacts]) -> str:
    """Say in one line a rule what the alert rests on, strongest first, signals last."""
    by_rule: dict[int, list[Evidence]] = {}
    for evidence in group.evidence.values():
        by_rule.setdefault(evidence.rule, []).append(evidence)
    lines: list[str] = []
    for index in sorted(by_rule, key=lambda i: (facts[i].signal, -max(e.score for e in by_rule[i]), i)):
        newest, *others = sorted(by_rule[index], key=lambda e: (-e.last_us, e.dedup or ""))
        more = f" (and {len(others)} more of this kind)" if others else ""
        lines.append(f"{facts[index].title}: {newest.explanation}{more}")
    return "\n".join(lines)


def _parts_json(score: Score) -> str:
    return json.dumps([asdict(part) for part in score.parts], ensure_ascii=False)


def _holder_rows(holders: Iterable[Holder]) -> list[dict[str, str]]:
    return [{"party": party, "role": role} for party, role in holders]


def group_tables(
    groups: Sequence[Group], current: Sequence[bool], facts: Sequence[RuleFacts], suppressed: int
) -> dict[str, Any]:
    """Return the snapshot of `groups`: tables 'groups' and 'evidence'; `current` marks those still fed."""
    rows = [
        {
            "key": list(g.key),
            "current": flag,
            "opened": g.opened,
            "opening": list(g.opening),
            "opened_us": g.opened_us,
            "until_us": g.until_us,
            "revision": g.revision,
            "score": g.score.value,
            "parts": _parts_json(g.score),
            "typologies": list(g.score.typologies),
            "holders_first": _holder_rows(g.holders_first),
            "holders_latest": _holder_rows(g.holders_latest),
        }
        for g, flag in zip(groups, current, strict=True)
    ]
    evidence = [
        {
            "group": place,
            "rule_id": facts[e.rule].id,
            "dedup": e.dedup,
            "score": e.score,
            "count": e.count,
            "first_us": e.first_us,
            "last_us": e.last_us,
            "until_us": e.until_us,
            "explanation": e.explanation,
        }
        for place, g in enumerate(groups)
        for e in g.evidence.values()
    ]
    meta = {b"version": _VERSION, b"suppressed": str(suppressed).encode()}
    return {
        "groups": pa.Table.from_pylist(rows, schema=_GROUPS.with_metadata(meta)),
        "evidence": pa.Table.from_pylist(evidence, schema=_EVIDENCE),
    }


def groups_of(
    tables: Mapping[str, Any], index: Mapping[str, RuleFacts]
) -> tuple[list[Group], list[bool], int]:
    """Read what `group_tables` wrote: groups, which of them are current, the count of suppressed hits.

    Raises:
        StateError: another version, or a rule that the plan does not have.
    """
    meta = tables["groups"].schema.metadata or {}
    if meta.get(b"version") != _VERSION:
        raise StateError(
            f"alert snapshot of version {meta.get(b'version')!r}, expected {_VERSION!r}; replay the journal"
        )
    rows = tables["groups"].to_pylist()
    groups = [_group_of(row) for row in rows]
    for row in tables["evidence"].to_pylist():
        place, rule_id = row.pop("group"), row.pop("rule_id")
        if rule_id not in index:
            raise StateError(
                f"alert snapshot names rule {rule_id}, which the plan does not have; use its packs"
            )
        evidence = Evidence(rule=index[rule_id].index, **row)
        group = groups[place]
        group.evidence[evidence.rule, evidence.dedup] = evidence
        group.scores[evidence.rule] = max(group.scores.get(evidence.rule, 0.0), evidence.score)
    return groups, [row["current"] for row in rows], int(meta[b"suppressed"])


def _group_of(row: Mapping[str, Any]) -> Group:
    parts = tuple(Part(**part) for part in json.loads(row["parts"]))
    entity, mode, subject_type, subject_id = row["key"]
    source, event_id, leg, rule_id, trigger = row["opening"]
    return Group(
        key=(entity, mode, subject_type, subject_id),
        opened=row["opened"],
        opening=(source, event_id, leg, rule_id, trigger),
        opened_us=row["opened_us"],
        until_us=row["until_us"],
        revision=row["revision"],
        score=Score(row["score"], parts, tuple(row["typologies"])),
        holders_first=tuple((h["party"], h["role"]) for h in row["holders_first"]),
        holders_latest=tuple((h["party"], h["role"]) for h in row["holders_latest"]),
    )
