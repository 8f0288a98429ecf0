"""What leaves the service as a file: a person's own data, the record of reads, signed heads.

A person's data are exported when two people said so; the file is made when its author fetches it. Owns these
routes and the kind of proposal.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa
from fastapi import APIRouter, Response
from starlette.responses import StreamingResponse

from txmon.api.changes import change
from txmon.api.context import Exchange, Parts
from txmon.api.keepshapes import HeadFilter, NewExport, ReadFilter
from txmon.api.pages import key_of, page, plain
from txmon.api.personal import Asked, note_read, require_purpose, require_whole
from txmon.api.problems import Problem
from txmon.api.proposals import over
from txmon.api.shapes import OurId, query
from txmon.api.system import read_shown, reads
from txmon.errors import ConfigError, NotFound
from txmon.evidence import heads, signing
from txmon.evidence.headchore import file_of, key_path
from txmon.store import Tx, foureyes
from txmon.store.decisions import decided
from txmon.store.foureyes import APPROVED, Proposal
from txmon.store.identity import Principal
from txmon.store.schema import proposals
from txmon.store.subject import find_subject
from txmon.store.subjectzip import Asked as By
from txmon.store.subjectzip import zip_of

KIND = "subject_export"
_LINES = 1000
_DECIDERS = frozenset(("approver", "safeguarding"))


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""

    @router.post("/v1/subject-exports")
    def propose_export(exchange: Asked, asked: NewExport) -> Response:
        require_whole(exchange.who)
        body = {"party": asked.party, "reason": asked.reason, "include": sorted(set(asked.include))}

        def propose(tx: Tx) -> str:
            return parts.access.proposals.propose(tx, KIND, body, exchange.who)

        return plain({"proposal_id": change(parts, propose), "include": body["include"]}, 202)

    @router.get("/v1/subject-exports/{proposal_id}")
    def fetch_export(exchange: Asked, proposal_id: OurId) -> Response:
        require_whole(exchange.who)
        require_purpose(exchange, "what is known of a person")
        content = _export(parts, exchange, proposal_id)
        named = {"content-disposition": f'attachment; filename="{proposal_id}.zip"'}
        return Response(content, media_type="application/zip", headers=named)

    @router.get("/v1/audit/export")
    def export_reads(exchange: Asked, which: query(ReadFilter)) -> Response:  # type: ignore[valid-type]
        require_purpose(exchange, "who read whose data")
        note_read(parts, exchange, "audit.export", which.subject)
        return StreamingResponse(_lines(parts, exchange, which), media_type="application/x-ndjson")

    @router.get("/v1/heads")
    def list_heads(exchange: Asked, which: query(HeadFilter)) -> Response:  # type: ignore[valid-type]
        return _heads(parts, exchange, which)


def decided_on(tx: Tx, proposal: Proposal, by: Principal) -> None:
    """What the approval of an export leads to: a line in the journal; the file is made when it is fetched."""
    if proposal.state == APPROVED:
        facts = {"proposal": proposal.id, "author": proposal.author, "include": proposal.body["include"]}
        decided(tx, "subject.export", by, **facts)


def _export(parts: Parts, exchange: Exchange, proposal_id: str) -> bytes:
    who = exchange.who
    with parts.store.read() as conn:
        kind = conn.execute(sa.select(proposals.c.kind).where(proposals.c.id == proposal_id)).scalar()
        if kind != KIND:
            raise NotFound("there is no such export")
        found = foureyes.get(conn, proposal_id)
    if over(who.past, found) or (who.identity != found.author and not who.roles & _DECIDERS):
        raise NotFound("there is no such export")
    if found.state != APPROVED:
        raise Problem("state", f"the export is {found.state}; it takes a second person's approval")
    if "party" not in found.body:
        raise NotFound("the person was erased since")
    note_read(parts, exchange, "subject.export", found.body["party"])
    told = find_subject(parts.store, found.body["party"], parts.past(), found.body["include"])
    return zip_of(told, By(found.author, str(found.decided_by), int(found.decided_us or 0)))


def _lines(parts: Parts, exchange: Exchange, which: ReadFilter) -> Iterator[bytes]:
    before: int | None = None
    while True:
        found, hidden = reads(parts, exchange.who, which, before, _LINES)
        for each in found:
            if which.by_content and each.subject in hidden:
                continue
            yield orjson.dumps(read_shown(each, personal=each.subject not in hidden)) + b"\n"
        if len(found) < _LINES:
            return
        before = found[-1].id


def _heads(parts: Parts, exchange: Exchange, which: HeadFilter) -> Response:
    after = key_of(which.cursor, int)
    path = file_of(parts.settings)
    there: list[tuple[int, Any]] = list(heads.read(path)) if path.exists() else []
    before = None if after is None else int(after[0])
    rows = [(number, head) for number, head in reversed(there) if before is None or number < before]
    shown, more = rows[: which.limit], len(rows) > which.limit
    items = [head.document() for _, head in shown]
    return page(
        exchange, items, (shown[-1][0],) if more else None, public_key=_public(key_path(parts.settings))
    )


def _public(path: Path) -> str | None:
    """The key that heads are checked with; None: none can be used now, so that no new ones are signed."""
    try:
        return signing.public_pem(signing.load_key(path)).decode()
    except ConfigError:
        return None
