"""Answers kept for an Idempotency-Key: the same request again gets the same bytes.

The key itself is not kept, only its SHA-256. Owns the table of answers; never what an answer says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa

from txmon.store.db import Tx
from txmon.store.schema import answers

_INSERT = sa.insert(answers)
KEPT_US = 24 * 3600 * 1_000_000  # at least this long


@dataclass(frozen=True)
class Answer:
    """An answer as it was sent."""

    request_hash: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes
    created_us: int


def put(tx: Tx, owner: str, key: str, answer: Answer) -> None:
    """Keep an answer; `owner` is the API key's id, so that two callers never share an answer."""
    tx.conn.execute(
        _INSERT,
        {
            "owner": owner,
            "key_hash": sha256(key.encode()).digest(),
            "request_hash": answer.request_hash,
            "status": answer.status,
            "headers": json.dumps(dict(answer.headers)),
            "body": answer.body,
            "created_us": answer.created_us,
        },
    )


def get(conn: sa.Connection, owner: str, key: str) -> Answer | None:
    """Return the answer kept for a key."""
    named = sha256(key.encode()).digest()
    query = sa.select(answers).where(answers.c.owner == owner, answers.c.key_hash == named)
    row = conn.execute(query).first()
    if row is None:
        return None
    return Answer(
        bytes(row.request_hash), row.status, json.loads(row.headers), bytes(row.body), row.created_us
    )


def expire(tx: Tx, now_us: int) -> int:
    """Drop answers that are older than KEPT_US; returns how many."""
    return tx.conn.execute(sa.delete(answers).where(answers.c.created_us < now_us - KEPT_US)).rowcount
