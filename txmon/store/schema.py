"""Tables of the journal and of the work on alerts, on one `metadata`.

Owns names and types. The revisions in `migrations` make the tables; a test compares both. Times are
microseconds UTC in 64-bit integers; texts that hold a list or an object are JSON. It never runs a
statement.

A table that may name a person says what an erasure does with a row that mentions one:
``info={ERASE: DELETE}``, or ``info={ERASE: BLANK, COLUMNS: (...)}`` for texts in which it is replaced.
"""

from __future__ import annotations

import sqlalchemy as sa

# SQLite makes a primary key the row's own number only if its type is INTEGER; PostgreSQL needs BIGINT
ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ERASE, DELETE, BLANK, COLUMNS = "erase", "delete", "blank", "columns"
metadata = sa.MetaData()

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("seq", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("received_at", sa.BigInteger, nullable=False),
    sa.Column("entity", sa.Text),  # where all events of the row have the same one
    sa.Column("mode", sa.Text),
    sa.Column("first_event_seq", sa.BigInteger, nullable=False),
    sa.Column("event_count", sa.BigInteger, nullable=False),  # 0 for rows that hold no events
    sa.Column("schema_hash", sa.LargeBinary),  # null: the payload is bytes
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("leaves", sa.LargeBinary, nullable=False),
    sa.Column("salts", sa.LargeBinary, nullable=False),
    sa.Column("checksum", sa.LargeBinary, nullable=False),  # of what the chain does not cover byte by byte
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("head", sa.LargeBinary, nullable=False),
    sa.Index("journal_kind", "kind", "seq"),
    sa.Index("journal_events", "first_event_seq"),
)
payload_schemas = sa.Table(
    "payload_schemas",
    metadata,
    sa.Column("hash", sa.LargeBinary, primary_key=True),
    sa.Column("bytes", sa.LargeBinary, nullable=False),
)
offsets = sa.Table(
    "offsets",
    metadata,
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("partition", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
)
hits = sa.Table(
    "hits",
    metadata,
    sa.Column("hit_id", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("event_id", sa.Text, nullable=False),
    sa.Column("leg", sa.Text, nullable=False),  # '' where the rule looks at events
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
    sa.Index("hits_subject", "subject_id", "event_time"),
    sa.Index("hits_rule", "rule_id", "event_time"),
    sa.Index("hits_time", "event_time"),
    sa.Index("hits_event", "event_id"),
    info={ERASE: BLANK, COLUMNS: ("features", "explanation")},
)
alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("alert_id", sa.Text, primary_key=True),
    sa.Column("subject_type", sa.Text, nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("typologies", sa.Text, nullable=False),  # JSON list, strongest first
    sa.Column("severity", sa.Text, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.Column("protect", sa.Boolean, nullable=False),
    sa.Column("first_event_time", sa.BigInteger, nullable=False),
    sa.Column("last_event_time", sa.BigInteger, nullable=False),
    sa.Column("hit_count", sa.BigInteger, nullable=False),
    sa.Column("rule_ids", sa.Text, nullable=False),  # JSON list
    sa.Column("entity", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("recommendation", sa.Text, nullable=False),
    sa.Column("opened_time", sa.BigInteger, nullable=False),
    sa.Column("opened_source", sa.Text, nullable=False),
    sa.Column("opened_event_id", sa.Text, nullable=False),
    sa.Column("opened_rule_id", sa.Text, nullable=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
    sa.Column("explanation", sa.Text, nullable=False),
    sa.Column("parts", sa.Text, nullable=False),  # JSON
    sa.Column("holders_first", sa.Text, nullable=False),  # JSON
    sa.Column("holders_latest", sa.Text, nullable=False),  # JSON
    sa.Column("state", sa.Text, nullable=False),  # open | in_review | escalated | dismissed
    sa.Column("state_reason", sa.Text),
    sa.Column("historic", sa.Boolean, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),  # one more with every change
    sa.Column("journal_seq", sa.BigInteger, nullable=False),  # of the row that opened it
    sa.Column("changed_seq", sa.BigInteger, nullable=False),  # of the row that last changed it
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("changed_us", sa.BigInteger, nullable=False),
    sa.Index("alerts_state", "state", "created_us"),
    sa.Index("alerts_severity", "severity", "created_us"),
    sa.Index("alerts_created", "created_us"),
    sa.Index("alerts_changed", "changed_seq"),
    sa.Index("alerts_subject", "subject_id"),
    info={ERASE: BLANK, COLUMNS: ("state_reason", "explanation", "parts", "holders_first", "holders_latest")},
)
alert_hits = sa.Table(
    "alert_hits",
    metadata,
    sa.Column("alert_id", sa.Text, primary_key=True),
    sa.Column("hit_id", sa.BigInteger, primary_key=True),
    sa.Column("change", sa.Text, nullable=False),  # opened | new_evidence | repeat
    sa.Index("alert_hits_hit", "hit_id"),
)
quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("feed", sa.Text, nullable=False),
    sa.Column("line", sa.BigInteger),
    sa.Column("event_id", sa.Text),
    sa.Column("field", sa.Text),
    sa.Column("value", sa.Text),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("raw", sa.Text, nullable=False),
    sa.Column("received_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # open | fixed | dropped
    sa.Column("tries", sa.BigInteger, nullable=False),
    sa.Column("resubmitted_as", sa.Text),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),
    sa.Index("quarantine_state", "state", "id"),
    info={ERASE: DELETE},
)
answers = sa.Table(
    "answers",
    metadata,
    sa.Column("owner", sa.Text, primary_key=True),
    sa.Column("key_hash", sa.LargeBinary, primary_key=True),
    sa.Column("request_hash", sa.LargeBinary, nullable=False),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("headers", sa.Text, nullable=False),  # JSON object
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Index("answers_created", "created_us"),
    info={ERASE: DELETE},
)
outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("created_seq", sa.BigInteger, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # pending | done | dead
    sa.Index("outbox_state", "state", "topic", "id"),
    info={ERASE: DELETE},
)
erasures = sa.Table(
    "erasures",
    metadata,
    sa.Column("journal_seq", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("approver", sa.Text, nullable=False),
    sa.Column("events", sa.BigInteger, nullable=False),
    sa.Column("created_us", sa.BigInteger, nullable=False),
)
people = sa.Table(
    "people",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("roles", sa.Text, nullable=False),  # JSON list
    sa.Column("entities", sa.Text),  # JSON list; null: every reporting entity
    sa.Column("state", sa.Text, nullable=False),  # pending | active | disabled
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),  # identity
)
api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("prefix", sa.Text, nullable=False, unique=True),
    sa.Column("sha256", sa.LargeBinary, nullable=False),  # of the whole key text; the text is not kept
    sa.Column("person_id", sa.Text),  # null: a service's key
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("roles", sa.Text),  # JSON list; null for a person's key: the person's own
    sa.Column("scopes", sa.Text, nullable=False),  # JSON list
    sa.Column("mode", sa.Text),  # live | test; null: both
    sa.Column("entities", sa.Text),  # JSON list; null: every one that its owner has
    sa.Column("state", sa.Text, nullable=False),  # pending | enrol | active | revoked
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),  # identity
    sa.Column("expires_us", sa.BigInteger),
    sa.Column("last_used_us", sa.BigInteger),
    sa.Column("revoked_us", sa.BigInteger),
    sa.Column("replaced_by", sa.Text),
    sa.Index("api_keys_person", "person_id"),
)
links = sa.Table(
    "links",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("issuer", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),  # as the issuer's tokens have it
    sa.Column("person_id", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # pending | active | revoked
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),  # identity
    sa.Column("revoked_us", sa.BigInteger),
    sa.Index("links_subject", "issuer", "subject"),
)
proposals = sa.Table(
    "proposals",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),  # JSON object
    sa.Column("author", sa.Text, nullable=False),  # identity
    sa.Column("editors", sa.Text, nullable=False),  # JSON list of identities
    sa.Column("state", sa.Text, nullable=False),  # pending | approved | rejected | withdrawn
    sa.Column("version", sa.BigInteger, nullable=False),  # one more with every edit
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("decided_us", sa.BigInteger),
    sa.Column("decided_by", sa.Text),  # identity
    sa.Column("reason", sa.Text),
    sa.Column("journal_seq", sa.BigInteger, nullable=False),  # of the row that last changed it
    sa.Index("proposals_state", "state", "kind", "created_us"),
    info={ERASE: BLANK, COLUMNS: ("body", "reason")},
)
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("identity", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text),  # what was read, as the caller named it
    sa.Column("purpose", sa.Text),
    sa.Index("audit_time", "at_us"),
    sa.Index("audit_identity", "identity", "at_us"),
    info={ERASE: BLANK, COLUMNS: ("subject", "purpose")},
)
endpoints = sa.Table(
    "endpoints",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("secret_nonce", sa.LargeBinary, nullable=False),  # the secret is made of it and of a key file
    sa.Column("scope", sa.Text, nullable=False),  # neutral | full
    sa.Column("mode", sa.Text),  # live | test; null: both
    sa.Column("entities", sa.Text),  # JSON list; null: every one
    sa.Column("topics", sa.Text, nullable=False),  # JSON list
    sa.Column("state", sa.Text, nullable=False),  # active | disabled
    sa.Column("failures", sa.BigInteger, nullable=False),  # in a row
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),  # identity
)
deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("endpoint_id", sa.Text, nullable=False),
    sa.Column("outbox_id", sa.BigInteger, nullable=False),
    sa.Column("attempt", sa.BigInteger, nullable=False),
    sa.Column("at_us", sa.BigInteger, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),  # delivered | retry | gone | refused | blocked | exhausted
    sa.Column("status", sa.Integer),  # HTTP status, where there was an answer
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("error", sa.Text),  # a code of ours, never the receiver's text
    sa.Index("deliveries_endpoint", "endpoint_id", "outbox_id", "attempt"),
    sa.Index("deliveries_time", "at_us"),
)
card_aliases = sa.Table(
    "card_aliases",
    metadata,
    # a number of its own, because an erasure names rows by their primary key, and a token names a card
    sa.Column("id", ROW_ID, primary_key=True, autoincrement=False),
    sa.Column("new_token", sa.Text, nullable=False),  # under the newer key
    sa.Column("token", sa.Text, nullable=False),  # by which events, windows and alerts know the card
    sa.Column("seen_us", sa.BigInteger, nullable=False),  # when the card was first seen with both keys
    sa.UniqueConstraint("new_token", name="card_aliases_new"),
    info={ERASE: DELETE},
)
