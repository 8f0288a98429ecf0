"""The alert book: hits in, alerts out, one at a time and in order of arrival.

A hit belongs to a subject: (entity, mode, subject type, subject id). The book keeps one current group a
subject. While a group is not yet an alert it holds evidence that waits: what is older than its rule's
dedup time drops out. A group becomes an alert when it has a hit of a rule that is not a signal and its
score reaches the alert line. From then on every hit of the subject is gathered by that alert until the
alert's window ends: the dedup time of each of its rules, counted from when that rule first joined. Inside
the window a repeated hit is counted; a rule, or a value of a rule's dedup fields, that the alert has not
seen yet is new evidence and a new revision. After the window the next hit starts a new group, so that a
pattern which goes on is told again.

Time is that of the events (`as_of` of a late or tick hit, else `event_time`). Nothing depends on how hits
are cut into batches, on a clock or on chance. The book never decides anything about an alert: that is a
person's part. Whoever stores every change elsewhere may let it forget alerts whose window has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Protocol

import pyarrow as pa

from txmon.alerts.batch import Batch
from txmon.alerts.facts import ALERT_LINE, RuleFacts, Suppressor, rule_facts
from txmon.alerts.group import Evidence, Group, Key
from txmon.alerts.score import Score, score_of
from txmon.alerts.tables import CHANGES, alerts_table, group_tables, groups_of
from txmon.errors import StateError
from txmon.rules.ir import Rule

_SCORES_KEPT = 8192
OPENED, NEW_EVIDENCE, REPEAT = "opened", "new_evidence", "repeat"


class HasRules(Protocol):
    """What the book needs of a plan."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every scored rule, live and shadow."""
        ...


class AlertBook:
    """See the module. One writer at a time."""

    def __init__(
        self, plan: HasRules, suppressors: Iterable[Suppressor] = (), *, keep_closed: bool = True
    ) -> None:
        self.facts: list[RuleFacts] = rule_facts(plan.rules)
        self._opened: list[Group] = []  # in the order in which they opened
        self._keep_closed = keep_closed
        self._changed: list[Group] = []
        self.suppressed = 0  # hits after which only a suppressor kept a group below the line
        self._index = {f.id: f for f in self.facts}
        self._current: dict[Key, Group] = {}
        self._suppressors: dict[tuple[str, str], list[Suppressor]] = {}
        for suppressor in suppressors:
            subject = (suppressor.subject_type, suppressor.subject_id)
            self._suppressors.setdefault(subject, []).append(suppressor)
        # The same few sets of rules meet in most groups: a score is worked out once for each.
        self._score = lru_cache(_SCORES_KEPT)(self._score_anew)

    def apply(self, hits: Any) -> Any:
        """Fold a table of hits, in order of arrival, into the book.

        `hits` has the columns of hits.parquet and, where they matter, `entity`, `mode`, `holders`
        (list of structs with `party` and `role`) and `dedup_key` (text of a rule's dedup fields beyond its
        subject; null where there are none).

        Returns:
            `CHANGES`: a row for every hit that an alert took in: the hit's row number, the alert's id and
            'opened', 'new_evidence' or 'repeat'. Hits that wait and hits of shadow rules have none.

        Raises:
            StateError: a hit names a rule that the plan does not have; nothing was changed.
        """
        batch = Batch(hits)
        facts = self._facts_of(hits)
        rows: list[int] = []
        groups: list[Group] = []
        kinds: list[str] = []
        for row, (rule_id, key, dedup, score, time_us, event_us) in enumerate(batch.rows()):
            fact = facts[rule_id]
            if fact.shadow:
                continue
            group = self._current_group(key, time_us)
            if group.row < 0:
                batch.touched_groups.append(group)
            group.row = row
            evidence = group.evidence_of(fact.index, dedup, event_us)
            if evidence.row < 0:
                batch.touched_evidence.append(evidence)
            evidence.row = row
            known = group.opened and evidence.count > 0 and score <= evidence.score
            evidence.count_in(score, event_us, time_us + fact.dedup_us)
            if known:  # by far the most hits: one more of what the alert has already
                kind: str | None = REPEAT
            elif group.opened:
                kind = self._join(group, fact, evidence, time_us)
            else:
                kind = self._open(group, fact, evidence, time_us)
            if kind is not None:
                rows.append(row)
                groups.append(group)
                kinds.append(kind)
        batch.settle()
        self._changed = [group for group in batch.touched_groups if group.opened]
        ids = {id(group): group.alert_id for group in self._changed}
        named = pa.array([ids[id(group)] for group in groups], pa.string())
        return pa.table([pa.array(rows, pa.int64()), named, pa.array(kinds, pa.string())], schema=CHANGES)

    @property
    def alerts(self) -> list[Group]:
        """Every alert, or those whose window has not ended if closed ones are forgotten, as they opened."""
        if self._keep_closed:
            return self._opened
        return [group for group in self._current.values() if group.opened]

    def table(self) -> Any:
        """Return `alerts` as alerts.parquet has them."""
        return alerts_table(self.alerts, self.facts)

    def changed(self) -> Any:
        """Return the alerts that the last `apply` opened or fed, as they are now."""
        return alerts_table(self._changed, self.facts)

    def snapshot(self) -> dict[str, Any]:
        """Return the whole book as Arrow tables of plain values, for `restore`."""
        waiting = [group for group in self._current.values() if not group.opened]
        current = {id(group) for group in self._current.values()}
        alerts = self.alerts
        flags = [id(group) in current for group in alerts] + [True] * len(waiting)
        return group_tables([*alerts, *waiting], flags, self.facts, self.suppressed)

    @classmethod
    def restore(
        cls,
        plan: HasRules,
        tables: Mapping[str, Any],
        suppressors: Iterable[Suppressor] = (),
        *,
        keep_closed: bool = True,
    ) -> AlertBook:
        """Return the book that `snapshot` saved.

        Raises:
            StateError: the tables are of another version or name a rule that the plan does not have.
        """
        book = cls(plan, suppressors, keep_closed=keep_closed)
        groups, flags, book.suppressed = groups_of(tables, book._index)
        book._opened = [group for group in groups if group.opened] if keep_closed else []
        book._current = {g.key: g for g, current in zip(groups, flags, strict=True) if current}
        return book

    def _facts_of(self, hits: Any) -> dict[str, RuleFacts]:
        unknown = sorted(set(hits["rule_id"].unique().to_pylist()) - self._index.keys())
        if unknown:
            raise StateError(
                f"hits of rules that the plan does not have: {', '.join(unknown)}; use their packs"
            )
        return self._index

    def _current_group(self, key: Key, time_us: int) -> Group:
        group = self._current.get(key)
        if group is not None and group.opened and time_us < group.until_us:
            return group
        if group is not None and not group.opened:
            group.drop_stale(time_us)
        elif group is not None and time_us >= group.until_us:
            group = None
        if group is None:
            group = self._current[key] = Group(key)
        return group

    def _open(self, group: Group, fact: RuleFacts, evidence: Evidence, time_us: int) -> str | None:
        """Make a waiting group an alert if it is due."""
        group.scores[fact.index] = max(group.scores.get(fact.index, 0.0), evidence.score)
        if all(self.facts[rule].signal for rule in group.scores):
            return None
        self._rescore(group, time_us)
        if group.score.value < ALERT_LINE:
            self.suppressed += group.score.unsuppressed >= ALERT_LINE
            return None
        group.opened = True
        group.opened_us, group.opening_row = time_us, evidence.row
        group.until_us = time_us + max(self.facts[rule].dedup_us for rule in group.scores)
        if self._keep_closed:
            self._opened.append(group)
        return OPENED

    def _join(self, group: Group, fact: RuleFacts, evidence: Evidence, time_us: int) -> str:
        """Count a hit into an open alert."""
        known = group.scores.get(fact.index)
        if known is None:
            # Only a rule that is new extends the window: a pattern that finds a new counterparty every
            # day would otherwise never be told again.
            group.until_us = max(group.until_us, time_us + fact.dedup_us)
        if known is None or evidence.score > known:
            group.scores[fact.index] = evidence.score
            self._rescore(group, time_us)
        if evidence.count > 1:
            return REPEAT
        group.revision += 1
        return NEW_EVIDENCE

    def _rescore(self, group: Group, time_us: int) -> None:
        _, _, kind, subject = group.key
        recorded = self._suppressors.get((kind, subject), ())
        valid = tuple(s for s in recorded if s.valid_from_us <= time_us < s.valid_to_us)
        group.score = self._score(frozenset(group.scores.items()), valid)

    def _score_anew(self, scores: frozenset[tuple[int, float]], valid: tuple[Suppressor, ...]) -> Score:
        return score_of(dict(scores), self.facts, valid)
