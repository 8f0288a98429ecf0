"""Journal and work on alerts: the first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _journal()
    _hits()
    _alerts()
    _work()


def _journal() -> None:
    """The journal, its schemas, source positions and erasures."""
    op.create_table(
        "journal",
        sa.Column("seq", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("entity", sa.Text),
        sa.Column("mode", sa.Text),
        sa.Column("first_event_seq", sa.BigInteger, nullable=False),
        sa.Column("event_count", sa.BigInteger, nullable=False),
        sa.Column("schema_hash", sa.LargeBinary),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("leaves", sa.LargeBinary, nullable=False),
        sa.Column("salts", sa.LargeBinary, nullable=False),
        sa.Column("checksum", sa.LargeBinary, nullable=False),
        sa.Column("root", sa.LargeBinary, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
    )
    op.create_index("journal_kind", "journal", ["kind", "seq"])
    op.create_index("journal_events", "journal", ["first_event_seq"])
    op.create_table(
        "payload_schemas",
        sa.Column("hash", sa.LargeBinary, primary_key=True),
        sa.Column("bytes", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "offsets",
        sa.Column("consumer", sa.Text, primary_key=True),
        sa.Column("partition", sa.Text, primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("journal_seq", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("approver", sa.Text, nullable=False),
        sa.Column("events", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )


def _hits() -> None:
    """Hits."""
    op.create_table(
        "hits",
        sa.Column("hit_id", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("leg", sa.Text, nullable=False),
        sa.Column("event_time", sa.BigInteger, nullable=False),
        sa.Column("rule_id", sa.Text, nullable=False),
        sa.Column("rule_version", sa.BigInteger, nullable=False),
        sa.Column("subject_type", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("features", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("as_of", sa.BigInteger),
        sa.Column("explanation", sa.Text, nullable=False),
        sa.Column("ingest_seq", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.UniqueConstraint(
            "ingest_seq", "rule_id", "leg", "trigger", "subject_id", "event_id", name="hits_identity"
        ),
    )
    op.create_index("hits_subject", "hits", ["subject_id", "event_time"])
    op.create_index("hits_rule", "hits", ["rule_id", "event_time"])
    op.create_index("hits_time", "hits", ["event_time"])
    op.create_index("hits_event", "hits", ["event_id"])


def _alerts() -> None:
    """Alerts and what they rest on."""
    op.create_table(
        "alerts",
        sa.Column("alert_id", sa.Text, primary_key=True),
        sa.Column("subject_type", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Text, nullable=False),
        sa.Column("typologies", sa.Text, nullable=False),
        sa.Column("severity", sa.Text, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("protect", sa.Boolean, nullable=False),
        sa.Column("first_event_time", sa.BigInteger, nullable=False),
        sa.Column("last_event_time", sa.BigInteger, nullable=False),
        sa.Column("hit_count", sa.BigInteger, nullable=False),
        sa.Column("rule_ids", sa.Text, nullable=False),
        sa.Column("entity", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("recommendation", sa.Text, nullable=False),
        sa.Column("opened_time", sa.BigInteger, nullable=False),
        sa.Column("opened_source", sa.Text, nullable=False),
        sa.Column("opened_event_id", sa.Text, nullable=False),
        sa.Column("opened_rule_id", sa.Text, nullable=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("explanation", sa.Text, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("holders_first", sa.Text, nullable=False),
        sa.Column("holders_latest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("state_reason", sa.Text),
        sa.Column("historic", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
        sa.Column("changed_seq", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("changed_us", sa.BigInteger, nullable=False),
    )
    op.create_index("alerts_state", "alerts", ["state", "created_us"])
    op.create_index("alerts_severity", "alerts", ["severity", "created_us"])
    op.create_index("alerts_created", "alerts", ["created_us"])
    op.create_index("alerts_changed", "alerts", ["changed_seq"])
    op.create_index("alerts_subject", "alerts", ["subject_id"])
    op.create_table(
        "alert_hits",
        sa.Column("alert_id", sa.Text, primary_key=True),
        sa.Column("hit_id", sa.BigInteger, primary_key=True),
        sa.Column("change", sa.Text, nullable=False),
    )
    op.create_index("alert_hits_hit", "alert_hits", ["hit_id"])


def _work() -> None:
    """Quarantine, kept answers and the outbox."""
    op.create_table(
        "quarantine",
        sa.Column("id", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("feed", sa.Text, nullable=False),
        sa.Column("line", sa.BigInteger),
        sa.Column("event_id", sa.Text),
        sa.Column("field", sa.Text),
        sa.Column("value", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
        sa.Column("received_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tries", sa.BigInteger, nullable=False),
        sa.Column("resubmitted_as", sa.Text),
        sa.Column("journal_seq", sa.BigInteger, nullable=False),
    )
    op.create_index("quarantine_state", "quarantine", ["state", "id"])
    op.create_table(
        "answers",
        sa.Column("owner", sa.Text, primary_key=True),
        sa.Column("key_hash", sa.LargeBinary, primary_key=True),
        sa.Column("request_hash", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
    )
    op.create_index("answers_created", "answers", ["created_us"])
    op.create_table(
        "outbox",
        sa.Column("id", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_seq", sa.BigInteger, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_index("outbox_state", "outbox", ["state", "topic", "id"])
