"""Tokens that cards keep when the key of card tokens is changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "card_aliases",
        sa.Column("id", _ROW_ID, primary_key=True, autoincrement=False),
        sa.Column("new_token", sa.Text, nullable=False),
        sa.Column("token", sa.Text, nullable=False),
        sa.Column("seen_us", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("new_token", name="card_aliases_new"),
    )
