"""The table of links: which person a subject of an issuer of tokens is.

A link is one more credential of a person, beside the keys: whatever it is used for counts as that person.
Owns `links`; who may make and end one is the part of `txmon.store.access`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from txmon.errors import InputError, NotFound, StoreConflict
from txmon.store.db import Tx
from txmon.store.identity import new_id
from txmon.store.schema import links

PENDING, ACTIVE, REVOKED = "pending", "active", "revoked"
ISSUER_MAX, SUBJECT_MAX = 500, 255  # the subject's bound is OpenID Connect's own


@dataclass(frozen=True)
class Link:
    """A subject of an issuer, and the person it is."""

    id: str
    issuer: str
    subject: str
    person_id: str
    state: str  # pending | active | revoked
    created_us: int
    created_by: str
    revoked_us: int | None

    @property
    def fingerprint(self) -> str:
        """What the journal says of issuer and subject: it tells a changed row."""
        return fingerprint_of(self.issuer, self.subject)


def fingerprint_of(issuer: str, subject: str) -> str:
    """Return one value of an issuer and a subject together."""
    return sha256(f"{len(issuer)}:{issuer}{subject}".encode()).hexdigest()


def check_subject(issuer: str, subject: str) -> None:
    """Raises: InputError: what no token says of itself."""
    for what, text, most in (("issuer", issuer, ISSUER_MAX), ("subject", subject, SUBJECT_MAX)):
        if not 1 <= len(text) <= most or not text.isprintable() or text != text.strip():
            raise InputError(f"the {what} is 1 to {most} printable characters, exactly as tokens have it")


def list_links(conn: sa.Connection) -> list[Link]:
    """Return all links, the oldest first."""
    query = sa.select(links).order_by(links.c.created_us, links.c.id)
    return [Link(**row._asdict()) for row in conn.execute(query)]


def link_of(conn: sa.Connection, link_id: str) -> Link:
    """Return a link.

    Raises:
        NotFound: there is none of this id.
    """
    row = conn.execute(sa.select(links).where(links.c.id == link_id)).first()
    if row is None:
        raise NotFound("there is no such link; list them")
    return Link(**row._asdict())


def add_link(tx: Tx, person_id: str, issuer: str, subject: str, by: str) -> Link:
    """Add a link that waits for its approval.

    Raises:
        InputError: not an issuer or a subject. StoreConflict: the subject is somebody already.
    """
    check_subject(issuer, subject)
    same = sa.select(links.c.id).where(
        links.c.issuer == issuer, links.c.subject == subject, links.c.state != REVOKED
    )
    if tx.conn.execute(same).first():
        raise StoreConflict("this subject is linked to a person already; end that link first")
    made = Link(
        new_id("lnk", tx.random_bytes), issuer, subject, person_id, PENDING, tx.clock.now_us(), by, None
    )
    tx.conn.execute(sa.insert(links), vars(made))
    return made


def change_link(tx: Tx, link_id: str, **changes: Any) -> None:
    """Change a link's row."""
    tx.conn.execute(sa.update(links).where(links.c.id == link_id).values(changes))
