"""Tables of preservation orders, on the store's own `metadata`.

Owns names and types; what an order means is the part of `txmon.store.preserve`. An erasure leaves an order as
it is: it names whom it holds. Times are microseconds UTC, lists are JSON.
"""

from __future__ import annotations

import sqlalchemy as sa

from txmon.store.schema import metadata

preservation = sa.Table(
    "preservation",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("authority", sa.Text, nullable=False),
    sa.Column("reference", sa.Text, nullable=False),  # the authority's own
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("subjects", sa.Text, nullable=False),  # JSON list, as the events name them
    sa.Column("events", sa.Text, nullable=False),  # JSON list of [source, event_id]
    sa.Column("cases", sa.Text, nullable=False),  # JSON list of ids
    sa.Column("from_us", sa.BigInteger),  # event times that are held; null: no bound
    sa.Column("to_us", sa.BigInteger),
    sa.Column("author", sa.Text, nullable=False),  # identity
    sa.Column("created_us", sa.BigInteger, nullable=False),
    sa.Column("until_us", sa.BigInteger, nullable=False),
    sa.Column("ended_us", sa.BigInteger),
    sa.Column("copied_until_us", sa.BigInteger),  # until when the copies made last are kept
    sa.Column("version", sa.BigInteger, nullable=False),  # one more with every change
    sa.Column("journal_seq", sa.BigInteger, nullable=False),  # of the row that last changed it
    sa.Index("preservation_until", "until_us"),
)
preservation_access = sa.Table(
    "preservation_access",
    metadata,
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("person_id", sa.Text, primary_key=True),
    sa.Column("granted_by", sa.Text, nullable=False),  # identity
    sa.Column("granted_us", sa.BigInteger, nullable=False),
    sa.Index("preservation_access_person", "person_id"),
)
