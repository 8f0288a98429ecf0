"""Four eyes: what one person proposes takes effect when another approves it.

    proposals = Proposals(); proposals.on("erasure", carry_out)
    number = proposals.propose(tx, "erasure", body, author)
    proposals.decide(tx, number, approver, True, "requested by the subject")

Author and approver are two human beings: two keys of one person are one, a service is none, whoever edited a
proposal may not approve it, and there is no setting that turns this off. What an approval leads to
(`on`) happens in the same transaction. Every step is a journal row.
Owns the table of proposals; what a kind means is its owner's part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from txmon.errors import Forbidden, FourEyes, InputError, NotFound, StoreConflict
from txmon.store import journal
from txmon.store.db import Tx
from txmon.store.identity import Principal, new_id
from txmon.store.mentions import MARK
from txmon.store.schema import proposals

PENDING, APPROVED, REJECTED, WITHDRAWN = "pending", "approved", "rejected", "withdrawn"
# kind -> roles that may decide on it
KINDS: dict[str, frozenset[str]] = {
    "grant": frozenset({"admin", "approver"}),
    "rule_activation": frozenset({"approver"}),
    "quarantine_fix": frozenset({"approver"}),
    "alert_dismissal": frozenset({"approver"}),
    "bulk_dismissal": frozenset({"approver"}),
    "erasure": frozenset({"approver"}),
    "list_change": frozenset({"approver"}),
    "suppression": frozenset({"approver"}),
    "protect_clearing": frozenset({"safeguarding"}),
    "severity_lowering": frozenset({"approver"}),
    "restriction_lifting": frozenset({"approver", "safeguarding"}),
    "account_action": frozenset({"approver", "safeguarding"}),
    "hold_release": frozenset({"approver", "safeguarding"}),
    "subject_export": frozenset({"approver", "safeguarding"}),
}
_NEVER_EDITED = frozenset({"grant"})  # what is granted is made by who may grant it
_BODY_MAX = 1 << 20
_REASON_MAX = 2000


@dataclass(frozen=True)
class Proposal:
    """A proposal. body is empty where all of it was erased."""

    id: str
    kind: str
    body: dict[str, Any]
    author: str
    editors: frozenset[str]
    state: str
    version: int
    created_us: int
    decided_us: int | None
    decided_by: str | None
    reason: str | None
    journal_seq: int


# what a decision leads to, in its transaction: (tx, proposal as decided, who decided)
Effect = Callable[[Tx, Proposal, Principal], None]


class Proposals:
    """See the module."""

    def __init__(self) -> None:
        self._effects: dict[str, Effect] = {}

    def on(self, kind: str, effect: Effect) -> None:
        """Say what happens when a proposal of a kind was approved or rejected (see its `state`)."""
        _roles_for(kind)
        self._effects[kind] = effect

    def propose(self, tx: Tx, kind: str, body: Mapping[str, Any], author: Principal) -> str:
        """Put something up for a decision; returns its id.

        Raises:
            FourEyes: the author is no person. InputError: no such kind, or a body beyond 1 MiB.
        """
        _roles_for(kind)
        author.require_person()
        number, now = new_id("prp", tx.random_bytes), tx.clock.now_us()
        seq = self._journal(tx, "proposed", number, author, kind=kind, body=dict(body))
        values: dict[str, Any] = {
            "id": number,
            "kind": kind,
            "body": _text(body),
            "author": author.identity,
            "editors": "[]",
        }
        values |= {"state": PENDING, "version": 0, "created_us": now, "journal_seq": seq}
        tx.conn.execute(sa.insert(proposals), values)
        return number

    def edit(self, tx: Tx, number: str, body: Mapping[str, Any], editor: Principal, version: int) -> int:
        """Change what is proposed; returns the new version. Who edits can no longer approve.

        Raises:
            FourEyes, NotFound. StoreConflict: not pending, or not in this version. InputError: a grant.
        """
        editor.require_person()
        found = self._pending(tx, number, version)
        if found.kind in _NEVER_EDITED:
            raise InputError(f"a {found.kind} is not edited; withdraw it and propose another")
        editors = json.dumps(sorted(found.editors | {editor.identity}))
        seq = self._journal(tx, "edited", number, editor, body=dict(body), version=version + 1)
        changes: dict[str, Any] = {
            "body": _text(body),
            "editors": editors,
            "version": version + 1,
            "journal_seq": seq,
        }
        tx.conn.execute(sa.update(proposals).where(proposals.c.id == number).values(changes))
        return version + 1

    def withdraw(self, tx: Tx, number: str, author: Principal) -> Proposal:
        """Take a proposal back.

        Raises:
            Forbidden: another's. NotFound, StoreConflict.
        """
        found = self._pending(tx, number, None)
        if author.identity != found.author:
            raise Forbidden("only its author withdraws a proposal; reject it instead")
        return self._settle(tx, number, author, WITHDRAWN, None)

    def decide(
        self, tx: Tx, number: str, approver: Principal, approve: bool, reason: str,
        *, version: int | None = None,
    ) -> Proposal:  # fmt: skip
        """Approve or reject; what follows happens in the same transaction.

        Args:
            version: the one that the approver read; may be left out where it was never edited.

        Raises:
            FourEyes: the approver is no person, or wrote or edited it. Forbidden: lacks the role.
            NotFound. StoreConflict: decided before, or edited since. InputError: no reason to reject.
        """
        approver.require_person()
        found = self._pending(tx, number, 0 if version is None else version)
        if approver.identity == found.author or approver.identity in found.editors:
            raise FourEyes("who wrote or edited a proposal does not decide on it; ask another person")
        if not approver.roles & _roles_for(found.kind):
            names = " or ".join(sorted(_roles_for(found.kind)))
            raise Forbidden(f"deciding on this takes the role {names}; ask someone who has it")
        if len(reason) > _REASON_MAX or (not approve and not reason.strip()):
            raise InputError(f"say why it is rejected, in at most {_REASON_MAX} characters")
        if approve and (not found.body or MARK in json.dumps(found.body)):
            raise StoreConflict("the content of this proposal was erased; reject it and propose anew")
        settled = self._settle(tx, number, approver, APPROVED if approve else REJECTED, reason)
        effect = self._effects.get(found.kind)
        if effect is not None:
            effect(tx, settled, approver)
        return settled

    def _settle(self, tx: Tx, number: str, by: Principal, state: str, reason: str | None) -> Proposal:
        seq = self._journal(tx, state, number, by, reason=reason)
        changes = {"state": state, "decided_us": tx.clock.now_us(), "decided_by": by.identity}
        changes |= {"reason": reason, "journal_seq": seq}
        done = tx.conn.execute(
            sa.update(proposals).where(proposals.c.id == number, proposals.c.state == PENDING).values(changes)
        )
        if done.rowcount != 1:
            raise StoreConflict(f"proposal {number} was decided before")
        return get(tx.conn, number)

    def _pending(self, tx: Tx, number: str, version: int | None) -> Proposal:
        found = get(tx.conn, number)
        if found.state != PENDING:
            raise StoreConflict(f"proposal {number} is {found.state} already")
        if version is not None and found.version != version:
            raise StoreConflict(f"proposal {number} is in version {found.version}; read it again and name it")
        return found

    def _journal(self, tx: Tx, step: str, number: str, by: Principal, **facts: Any) -> int:
        document = {"decision": f"proposal.{step}", "proposal": number, "by": by.identity, "key": by.key_id}
        text = json.dumps(document | facts, ensure_ascii=False, separators=(",", ":")).encode()
        return journal.append(tx, "decision", text, tx.clock.now_us()).seq


def get(conn: sa.Connection, number: str) -> Proposal:
    """Return a proposal.

    Raises:
        NotFound: there is none of this id.
    """
    row = conn.execute(sa.select(proposals).where(proposals.c.id == number)).first()
    if row is None:
        raise NotFound("there is no such proposal")
    return _proposal(row)


def listed(
    conn: sa.Connection, *, state: str | None = PENDING, kind: str | None = None, limit: int = 100
) -> list[Proposal]:
    """Return proposals, the oldest first."""
    query = sa.select(proposals).order_by(proposals.c.created_us, proposals.c.id).limit(limit)
    if state is not None:
        query = query.where(proposals.c.state == state)
    if kind is not None:
        query = query.where(proposals.c.kind == kind)
    return [_proposal(row) for row in conn.execute(query)]


def _proposal(row: sa.Row[Any]) -> Proposal:
    values = row._asdict()
    try:
        body = json.loads(values["body"])
    except ValueError:  # an erasure put a mark in its place
        body = {}
    values |= {"body": body, "editors": frozenset(json.loads(values["editors"]))}
    return Proposal(**values)


def _roles_for(kind: str) -> frozenset[str]:
    roles = KINDS.get(kind)
    if roles is None:
        raise InputError(f"proposals of kind {kind!r} are not known; one of {', '.join(sorted(KINDS))}")
    return roles


def _text(body: Mapping[str, Any]) -> str:
    if not body:
        raise InputError("a proposal says what is proposed; its body is empty")
    text = json.dumps(dict(body), separators=(",", ":"))  # ASCII: no database refuses a character of it
    if len(text) > _BODY_MAX:
        raise InputError("a proposal holds at most 1 MiB")
    return text
