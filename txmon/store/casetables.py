"""Tables of case work, on the store's own `metadata`.

Owns names and types, as `txmon.store.schema` does for the rest: times are microseconds UTC, lists are JSON,
and each table that may name a person says what an erasure does with it. What the rows mean is the part of
`txmon.cases`. Nothing here tells whether a report exists: reports have a database of their own.
"""

from __future__ import annotations

import sqlalchemy as sa

from txmon.store.schema import BLANK, COLUMNS, DELETE, ERASE, ROW_ID, metadata

cases = sa.Table(
    "cases",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # open | investigating | decided | closed
    sa.Column("state_reason", sa.Text),
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("typologies", sa.Text, nullable=False),  # JSON list
    sa.Column("protect", sa.Boolean, nullable=False),  # a party may be a victim
    sa.Column("restriction", sa.Text),  # null | child_exploitation | own_staff | police_hold
    sa.Column("assignee", sa.Text),  # identity
    sa.Column("lead", sa.Text),  # identity of the safeguarding lead
    sa.Column("facts_known_us", sa.BigInteger),
    sa.Column("facts_known_by", sa.Text),  # identity
    sa.Column("snoozed_until_us", sa.BigInteger),
    sa.Column("merged_into", sa.Text),
    sa.Column("split_from", sa.Text),
    sa.Column("version", sa.BigInteger, nullable=False),  # one more with every change
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),  # identity
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),  # of the row that opened it
    sa.Column("changed_seq", sa.BigInteger, nullable=False),  # of the row that last changed it
    sa.Index("cases_state", "state", "created_us"),
    sa.Index("cases_assignee", "assignee"),
    info={ERASE: BLANK, COLUMNS: ("title", "state_reason")},
)
case_alerts = sa.Table(
    "case_alerts",
    metadata,
    sa.Column("alert_id", sa.Text, primary_key=True),  # an alert is in one case
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("added_us", sa.BigInteger, nullable=False),
    sa.Column("added_by", sa.Text, nullable=False),  # identity
    sa.Column("journal_seq", sa.BigInteger, nullable=False),
    sa.Index("case_alerts_case", "case_id"),
)
case_parties = sa.Table(
    "case_parties",
    metadata,
    sa.Column("party_id", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # person | account | merchant | card | device | other
    sa.Column("ref", sa.Text, nullable=False),  # as the events name it
    sa.Column("name", sa.Text),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("confidence", sa.Text, nullable=False),  # low | medium | high
    sa.Column("basis", sa.Text, nullable=False),  # what the role rests on
    sa.Column("contact", sa.Text, nullable=False),  # JSON list of channels that are safe
    sa.Column("user_id", sa.Text),  # the person of ours that it is, who is shut out of the case
    sa.Column("state", sa.Text, nullable=False),  # current | ended
    sa.Column("author", sa.Text, nullable=False),  # identity
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),
    sa.Index("case_parties_case", "case_id", "ref"),
    sa.Index("case_parties_user", "user_id"),
    info={ERASE: BLANK, COLUMNS: ("ref", "name", "basis")},
)
case_access = sa.Table(
    "case_access",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("granted_by", sa.Text, nullable=False),  # identity
    sa.Column("granted_us", sa.BigInteger, nullable=False),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),
    sa.Index("case_access_person", "person_id"),
)
case_log = sa.Table(
    "case_log",
    metadata,
    sa.Column("journal_seq", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # the decision, `case.comment` ...
    sa.Column("author", sa.Text, nullable=False),  # identity
    sa.Column("facts", sa.Text, nullable=False),  # JSON object
    sa.Index("case_log_case", "case_id", "journal_seq"),
    info={ERASE: BLANK, COLUMNS: ("facts",)},
)
case_checks = sa.Table(
    "case_checks",
    metadata,
    sa.Column("case_id", sa.Text, primary_key=True),
    sa.Column("sign", sa.Text, primary_key=True),  # of the checklist
    sa.Column("answer", sa.Text, nullable=False),  # seen | not_seen | unknown
    sa.Column("witness", sa.Text),
    sa.Column("note", sa.Text),
    sa.Column("author", sa.Text, nullable=False),  # identity
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),
    info={ERASE: BLANK, COLUMNS: ("witness", "note")},
)
case_files = sa.Table(
    "case_files",
    metadata,
    sa.Column("file_id", sa.Text, primary_key=True),
    sa.Column("case_id", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),  # pdf | csv | text | email
    sa.Column("sha256", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),  # bytes
    sa.Column("content", sa.LargeBinary, nullable=False),
    sa.Column("author", sa.Text, nullable=False),  # identity
    sa.Column("added_us", sa.BigInteger, nullable=False),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),
    sa.Index("case_files_case", "case_id"),
    info={ERASE: DELETE},
)
alert_work = sa.Table(
    "alert_work",
    metadata,
    sa.Column("alert_id", sa.Text, primary_key=True),
    sa.Column("assignee", sa.Text),  # identity
    sa.Column("snoozed_until_us", sa.BigInteger),
    sa.Column("snoozed_revision", sa.BigInteger),  # new evidence ends a snooze
    sa.Column("dismissal", sa.Text),  # code of the reason
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),
    sa.Index("alert_work_assignee", "assignee"),
)
TABLES = (cases, case_alerts, case_parties, case_access, case_log, case_checks, case_files, alert_work)
