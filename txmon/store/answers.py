"""Answers kept for an Idempotency-Key: the same request again gets the same bytes.

The key itself is not kept, only its hash. Owns the table of answers; never what an answer says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from txmon.store.db import Tx
from txmon.store.schema import answers

_INSERT = sa.insert(answers)
_FORGET = sa.delete(answers).where(
    answers.c.owner == sa.bindparam("named"), answers.c.key_hash == sa.bindparam("key")
)


@dataclass(frozen=True)
class Answer:
    """An answer as it was sent."""

    request_hash: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes
    created_us: int


Named = tuple[str, bytes, Answer]  # whose it is: an API key's id, so that no two share one; hash of the key


def put(tx: Tx, entries: Sequence[Named]) -> None:
    """Keep answers; one that is there already gives way."""
    # a commit that was not heard of may have stored it
    tx.conn.execute(_FORGET, [{"named": owner, "key": key_hash} for owner, key_hash, _ in entries])
    tx.conn.execute(
        _INSERT,
        [
            {
                "owner": owner,
                "key_hash": key_hash,
                "request_hash": answer.request_hash,
                "status": answer.status,
                "headers": json.dumps(dict(answer.headers)),
                "body": answer.body,
                "created_us": answer.created_us,
            }
            for owner, key_hash, answer in entries
        ],
    )


def get(conn: sa.Connection, owner: str, key_hash: bytes) -> Answer | None:
    """Return the answer kept for a key."""
    query = sa.select(answers).where(answers.c.owner == owner, answers.c.key_hash == key_hash)
    row = conn.execute(query).first()
    if row is None:
        return None
    return Answer(
        bytes(row.request_hash), row.status, json.loads(row.headers), bytes(row.body), row.created_us
    )


def expire(tx: Tx, before_us: int) -> int:
    """Drop answers that are older; returns how many."""
    return tx.conn.execute(sa.delete(answers).where(answers.c.created_us < before_us)).rowcount
