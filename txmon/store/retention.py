"""Retention classes: how long what is kept, and what of it is past at a moment.

    past = load_classes(path).at(now_us)     the horizon of a moment; see `txmon.store.retentionfile`
    past.hit(hits.c.hit_id, hits.c.event_time), past.alert(alerts), past.case(), past.file(case_files)

What is past is hidden by the clock alone: the conditions here say so whether or not `txmon store retain` has
run, and they know of no hold. An event is past when the class of events is, and no alert that rests on it is
not past; an alert when its class is (that of its case, else by its state) and its newest event would be past
by itself; a case when its class is and none of its alerts has a newer event. Owns the classes and these
conditions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import sqlalchemy as sa

from txmon.store.casetables import case_alerts, case_files, case_log, cases
from txmon.store.schema import alert_hits, alerts, hits

DAY_US = 86_400_000_000
# proposals about a person and no alert or case: kept as the record of reads is
AGED = frozenset(("subject_export", "hold_release"))
ACTED = "case.action"  # the line of a case's log that tells of an action


@dataclass(frozen=True)
class Classes:
    """Days that each class is kept; see the file that ships for what each is."""

    events: int
    events_dismissed: int
    events_no_action: int
    events_action: int
    events_work: int
    quarantine: int
    attachments: int
    reads: int
    answers: int
    outbox: int
    keys: int
    orders: int

    def at(self, now_us: int) -> Past:
        """Return what is past at a moment, microseconds UTC."""
        return Past(now_us, self)


NAMES = tuple(field.name for field in fields(Classes))


@dataclass(frozen=True)
class Past:
    """What is past at a moment. Every condition is one on the table or columns it is given."""

    now_us: int
    classes: Classes

    def before(self, name: str) -> int:
        """Return the moment up to which a class is past, microseconds UTC, included."""
        return self.now_us - int(getattr(self.classes, name)) * DAY_US

    def case(self) -> sa.ColumnElement[bool]:
        """The condition on `cases` under which one is past."""
        newer = sa.exists(
            sa.select(sa.literal(1))
            .select_from(_LINKS.join(_LINKED, _LINKED.c.alert_id == _LINKS.c.alert_id))
            .where(_LINKS.c.case_id == cases.c.case_id, _LINKED.c.last_event_time > self.before("events"))
        )
        return sa.and_(self._case_class(cases), sa.not_(newer))

    def alert(self, table: sa.FromClause = alerts) -> sa.ColumnElement[bool]:
        """The condition on `alerts`, or an alias of it, under which one is past."""
        kept_by_case = sa.exists(
            sa.select(sa.literal(1))
            .select_from(_LINKS.join(_CASES, _CASES.c.case_id == _LINKS.c.case_id))
            .where(_LINKS.c.alert_id == table.c.alert_id, sa.not_(self._case_class(_CASES)))
        )
        in_case = sa.exists().where(_LINKS.c.alert_id == table.c.alert_id)
        since = sa.case(
            (table.c.state == "dismissed", self.before("events_dismissed")), else_=self.before("events_work")
        )
        left = sa.or_(in_case, table.c.changed_us <= since)
        return sa.and_(table.c.last_event_time <= self.before("events"), left, sa.not_(kept_by_case))

    def hit(self, table: sa.FromClause = hits) -> sa.ColumnElement[bool]:
        """The condition on `hits`, or an alias of it, under which one is past, as the event under it."""
        kept_by_alert = sa.exists(
            sa.select(sa.literal(1))
            .select_from(_FEEDS.join(_FED, _FED.c.alert_id == _FEEDS.c.alert_id))
            .where(_FEEDS.c.hit_id == table.c.hit_id, sa.not_(self.alert(_FED)))
        )
        return sa.and_(table.c.event_time <= self.before("events"), sa.not_(kept_by_alert))

    def file(self) -> sa.ColumnElement[bool]:
        """The condition on `case_files` under which one is past by itself."""
        return case_files.c.added_us <= self.before("attachments")

    def _case_class(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        """The condition under which the class of a case is past."""
        acted = sa.or_(
            table.c.facts_known_us.is_not(None),
            sa.exists().where(case_log.c.case_id == table.c.case_id, case_log.c.kind == ACTED),
        )
        changed = table.c.changed_us
        return sa.or_(
            sa.and_(table.c.state != "closed", changed <= self.before("events_work")),
            sa.and_(table.c.state == "closed", acted, changed <= self.before("events_action")),
            sa.and_(table.c.state == "closed", sa.not_(acted), changed <= self.before("events_no_action")),
        )


_LINKS, _LINKED, _CASES = case_alerts.alias(), alerts.alias(), cases.alias()
_FEEDS, _FED = alert_hits.alias(), alerts.alias()
