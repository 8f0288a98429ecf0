"""Work inside a case: alerts linked and unlinked, merged and split, parties, contact, actions, access, files.

Each change names the version of the case that was read (If-Match) and answers with the new one. Owns these
routes; what they do is the part of `txmon.cases`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Response

from txmon.api.cases import IfMatch, done, version_of
from txmon.api.caseshapes import (
    Access,
    Action,
    Checklist,
    Comment,
    Contact,
    Linking,
    Merging,
    NewFile,
    NewParty,
    PartyChange,
    Splitting,
    Unlinking,
    WebAddress,
)
from txmon.api.changes import change
from txmon.api.context import Parts
from txmon.api.pages import cached, plain
from txmon.api.personal import Asked, note_read, require_purpose
from txmon.api.problems import Problem
from txmon.api.shapes import OurId
from txmon.cases import addresses, approvals, checks, files, moves, opening, parties
from txmon.cases.rows import Wanted
from txmon.cases.sight import case_row
from txmon.cases.texts import neutral_texts, signs
from txmon.errors import ConfigError
from txmon.model.keys import load_key
from txmon.store import Tx

Made = dict[str, Any]


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""
    _alerts(parts, router)
    _people(parts, router)
    _files(parts, router)

    @router.post("/v1/cases/{case_id}/comments")
    def comment_on_case(exchange: Asked, case_id: OurId, asked: Comment) -> Response:
        def comment(tx: Tx) -> int:
            return moves.comment(tx, exchange.who, case_row(tx.conn, exchange.who, case_id), asked.text)

        return plain({"case_id": case_id, "journal_seq": change(parts, comment)}, 201)

    @router.post("/v1/cases/{case_id}/checklist")
    def answer_signs(exchange: Asked, case_id: OurId, asked: Checklist, if_match: IfMatch = None) -> Response:
        given = [checks.Answer(a.sign, a.answer, a.witness, a.note) for a in asked.answers]
        known = signs(parts.settings.signs_file)
        return _changed(parts, case_id, if_match)(
            lambda tx, wanted: {"version": checks.answer(tx, exchange.who, wanted, given, known)}
        )

    @router.post("/v1/cases/{case_id}/actions")
    def propose_action(exchange: Asked, case_id: OurId, asked: Action) -> Response:
        def propose(tx: Tx) -> Made:
            row = case_row(tx.conn, exchange.who, case_id)
            number = approvals.propose_action(
                tx, parts.access.proposals, exchange.who, row, asked.ref, asked.action, asked.reason
            )
            return {"proposal_id": number, "version": row["version"]}

        return done(case_id, change(parts, propose))

    @router.post("/v1/cases/{case_id}/access")
    def grant_access(exchange: Asked, case_id: OurId, asked: Access, if_match: IfMatch = None) -> Response:
        def grant(tx: Tx, wanted: Wanted) -> Made:
            return {
                "version": moves.grant(tx, exchange.who, wanted, asked.person_id, asked.allowed, asked.reason)
            }

        return _changed(parts, case_id, if_match)(grant)


def _files(parts: Parts, router: APIRouter) -> None:
    @router.post("/v1/cases/{case_id}/files")
    def attach_file(exchange: Asked, case_id: OurId, asked: NewFile, if_match: IfMatch = None) -> Response:
        looked = files.look(asked.name, asked.bytes)

        def add(tx: Tx, wanted: Wanted) -> Made:
            file_id, version = files.add(tx, exchange.who, wanted, looked)
            return {"file_id": file_id, "version": version}

        return _changed(parts, case_id, if_match)(add)

    @router.post("/v1/cases/{case_id}/addresses")
    def keep_address(exchange: Asked, case_id: OurId, asked: WebAddress) -> Response:
        try:
            key = load_key(parts.settings.key_file)
        except ConfigError:
            raise Problem("state", "the key file cannot be read, so no address can be kept") from None

        def keep(tx: Tx) -> Made:
            row = case_row(tx.conn, exchange.who, case_id)
            kept = addresses.keep(tx, exchange.who, row, asked.url, asked.hotline, key)
            return {"address": kept, "version": row["version"]}

        return done(case_id, change(parts, keep))

    @router.get("/v1/cases/{case_id}/files/{file_id}")
    def show_file(exchange: Asked, case_id: OurId, file_id: OurId) -> Response:
        require_purpose(exchange, "what is attached to a case")
        with parts.store.read() as conn:
            case = case_row(conn, exchange.who, case_id)
            row = files.get(conn, exchange.who, case_id, file_id)
        files.require_shown(case, row)
        note_read(parts, exchange, "case.file", case_id)
        found = {name: row[name] for name in ("file_id", "name", "kind", "size")}
        found |= {"sha256": row["sha256"].hex(), "content": b64encode(row["content"]).decode()}
        return cached(exchange, found)


def _alerts(parts: Parts, router: APIRouter) -> None:
    @router.post("/v1/cases/{case_id}/alerts")
    def link_alerts(exchange: Asked, case_id: OurId, asked: Linking, if_match: IfMatch = None) -> Response:
        return _changed(parts, case_id, if_match)(
            lambda tx, wanted: {"version": opening.link(tx, exchange.who, wanted, asked.seen, asked.reason)}
        )

    @router.post("/v1/cases/{case_id}/alerts:unlink")
    def unlink_alerts(
        exchange: Asked, case_id: OurId, asked: Unlinking, if_match: IfMatch = None
    ) -> Response:
        return _changed(parts, case_id, if_match)(
            lambda tx, wanted: {
                "version": opening.unlink(tx, exchange.who, wanted, asked.alerts, asked.reason)
            }
        )

    @router.post("/v1/cases/{case_id}/merge")
    def merge_case(exchange: Asked, case_id: OurId, asked: Merging, if_match: IfMatch = None) -> Response:
        wanted, into = Wanted(case_id, version_of(if_match)), Wanted(asked.into, asked.version)
        version = change(parts, lambda tx: opening.merge(tx, exchange.who, wanted, into, asked.reason))
        return done(asked.into, {"version": version})

    @router.post("/v1/cases/{case_id}/split")
    def split_case(exchange: Asked, case_id: OurId, asked: Splitting, if_match: IfMatch = None) -> Response:
        wanted = Wanted(case_id, version_of(if_match))
        new = opening.Opening(asked.title, asked.reason)
        made = change(parts, lambda tx: opening.split(tx, exchange.who, wanted, asked.alerts, new))
        return plain({"case_id": made, "version": 1}, 201, {"etag": '"v1"'})


def _people(parts: Parts, router: APIRouter) -> None:
    @router.post("/v1/cases/{case_id}/parties")
    def add_party(exchange: Asked, case_id: OurId, asked: NewParty, if_match: IfMatch = None) -> Response:
        party = parties.Party(**asked.model_dump())

        def add(tx: Tx, wanted: Wanted) -> Made:
            party_id, version = parties.add(tx, exchange.who, wanted, party)
            return {"party_id": party_id, "version": version}

        return _changed(parts, case_id, if_match)(add)

    @router.patch("/v1/cases/{case_id}/parties/{party_id}")
    def change_party(
        exchange: Asked, case_id: OurId, party_id: OurId, asked: PartyChange, if_match: IfMatch = None
    ) -> Response:
        def amend(tx: Tx, wanted: Wanted) -> Made:
            who = exchange.who
            if asked.ended:
                return parties.end(tx, parts.access.proposals, who, wanted, party_id, asked.reason)
            values = asked.model_dump(exclude_none=True, exclude={"reason", "ended"})
            return {"version": parties.amend(tx, who, wanted, party_id, values, asked.reason)}

        return _changed(parts, case_id, if_match)(amend)

    @router.post("/v1/cases/{case_id}/parties/{party_id}/contact")
    def note_contact(
        exchange: Asked, case_id: OurId, party_id: OurId, asked: Contact, if_match: IfMatch = None
    ) -> Response:
        text = (asked.text, neutral_texts(parts.settings.neutral_texts_file))
        return _changed(parts, case_id, if_match)(
            lambda tx, wanted: parties.contact(tx, exchange.who, wanted, party_id, asked.channel, text)
        )


def _changed(
    parts: Parts, case_id: str, if_match: str | None
) -> Callable[[Callable[[Tx, Wanted], Made]], Response]:
    """Return what runs a change of a case in the version that the request names, and answers with it."""
    wanted = Wanted(case_id, version_of(if_match))

    def run(make: Callable[[Tx, Wanted], Made]) -> Response:
        return done(case_id, change(parts, lambda tx: make(tx, wanted)))

    return run
