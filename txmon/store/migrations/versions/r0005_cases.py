"""Cases: what people make of alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "cases",
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("state_reason", sa.Text),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("typologies", sa.Text, nullable=False),
        sa.Column("protect", sa.Boolean, nullable=False),
        sa.Column("restriction", sa.Text),
        sa.Column("assignee", sa.Text),
        sa.Column("lead", sa.Text),
        sa.Column("facts_known_us", sa.BigInteger),
        sa.Column("facts_known_by", sa.Text),
        sa.Column("snoozed_until_us", sa.BigInteger),
        sa.Column("merged_into", sa.Text),
        sa.Column("split_from", sa.Text),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
        sa.Column("changed_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("cases_state", "cases", ["state", "created_us"])
    op.create_index("cases_assignee", "cases", ["assignee"])
    op.create_table(
        "case_alerts",
        sa.Column("alert_id", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("added_us", sa.BigInteger, nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("case_alerts_case", "case_alerts", ["case_id"])
    op.create_table(
        "case_parties",
        sa.Column("party_id", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("confidence", sa.Text, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("case_parties_case", "case_parties", ["case_id", "ref"])
    op.create_index("case_parties_user", "case_parties", ["user_id"])
    op.create_table(
        "case_access",
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("person_id", sa.Text, primary_key=True),
        sa.Column("granted_by", sa.Text, nullable=False),
        sa.Column("granted_us", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("case_access_person", "case_access", ["person_id"])
    op.create_table(
        "case_log",
        sa.Column("journal_seq", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_index("case_log_case", "case_log", ["case_id", "journal_seq"])
    op.create_table(
        "case_checks",
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("sign", sa.Text, primary_key=True),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("witness", sa.Text),
        sa.Column("note", sa.Text),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("at_us", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "case_files",
        sa.Column("file_id", sa.Text, primary_key=True),
        sa.Column("case_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("added_us", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("case_files_case", "case_files", ["case_id"])
    op.create_table(
        "alert_work",
        sa.Column("alert_id", sa.Text, primary_key=True),
        sa.Column("assignee", sa.Text),
        sa.Column("snoozed_until_us", sa.BigInteger),
        sa.Column("snoozed_revision", sa.BigInteger),
        sa.Column("dismissal", sa.Text),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("alert_work_assignee", "alert_work", ["assignee"])
