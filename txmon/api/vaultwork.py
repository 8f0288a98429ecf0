"""What is done with a report of the vault: signed, handed over, released, given up, answered, followed.

Each names the version that was read (If-Match) and answers with the new one. Owns these routes; who may do
what in which state is `txmon.vault.states`.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from txmon.api.cases import IfMatch, version_of
from txmon.api.caseshapes import Comment
from txmon.api.context import Parts
from txmon.api.pages import plain
from txmon.api.personal import Asked
from txmon.api.shapes import OurId, Why
from txmon.api.vaultparts import deed, doing, done, rooms_of
from txmon.api.vaultshapes import Acknowledgement, MaybeWhy, NoFileDecision, Nothing, Releasing, Sending
from txmon.vault.copies import bundle as bundle_item
from txmon.vault.release import Answered, generic
from txmon.vault.sending import send

_ONE = "/v1/vault/reports/{report_id}"


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""
    _handing(parts, router)
    _no_file(parts, router)
    _after(parts, router)

    @router.post(f"{_ONE}/comments")
    def comment_on_report(exchange: Asked, report_id: OurId, asked: Comment) -> Response:
        comment_id = rooms_of(parts).office.comment(doing(exchange), report_id, asked.text)
        return plain({"comment_id": comment_id}, 201)


def _handing(parts: Parts, router: APIRouter) -> None:
    @router.post(f"{_ONE}/signature")
    def sign_report(exchange: Asked, report_id: OurId, _: Nothing, if_match: IfMatch = None) -> Response:
        version = version_of(if_match, "report")
        return done(rooms_of(parts).office.sign(doing(exchange), report_id, version))

    @router.post(f"{_ONE}/submission")
    def submit_report(
        exchange: Asked, report_id: OurId, asked: MaybeWhy, if_match: IfMatch = None
    ) -> Response:
        version, reason = version_of(if_match, "report"), asked.reason or ""
        return done(rooms_of(parts).office.submit(doing(exchange), report_id, version, reason))

    @router.post(f"{_ONE}/withdrawal")
    def withdraw_report(exchange: Asked, report_id: OurId, asked: Why, if_match: IfMatch = None) -> Response:
        what = deed(report_id, if_match, "withdraw", asked.reason)
        return done(rooms_of(parts).office.send_back(doing(exchange), what))

    @router.post(f"{_ONE}/return")
    def return_report(exchange: Asked, report_id: OurId, asked: Why, if_match: IfMatch = None) -> Response:
        what = deed(report_id, if_match, "return", asked.reason)
        return done(rooms_of(parts).office.send_back(doing(exchange), what))

    @router.post(f"{_ONE}/release")
    def release_report(
        exchange: Asked, report_id: OurId, asked: Releasing, if_match: IfMatch = None
    ) -> Response:
        what, given = deed(report_id, if_match, "release", asked.reason), asked.evidence
        bundle = None if given is None else bundle_item(given.name, given.bytes)
        return done(rooms_of(parts).releases.release(doing(exchange), what, bundle))


def _no_file(parts: Parts, router: APIRouter) -> None:
    @router.post(f"{_ONE}/no-file")
    def propose_no_report(
        exchange: Asked, report_id: OurId, asked: Why, if_match: IfMatch = None
    ) -> Response:
        version, office = version_of(if_match, "report"), rooms_of(parts).office
        return done(office.propose_no_file(doing(exchange), report_id, version, asked.reason))

    @router.post(f"{_ONE}/no-file/decision")
    def decide_no_report(
        exchange: Asked, report_id: OurId, asked: NoFileDecision, if_match: IfMatch = None
    ) -> Response:
        what = deed(report_id, if_match, "decide_no_file", asked.reason)
        return done(rooms_of(parts).office.decide_no_file(doing(exchange), what, asked.approve))

    @router.post(f"{_ONE}/no-file/withdrawal")
    def withdraw_no_report(
        exchange: Asked, report_id: OurId, asked: Why, if_match: IfMatch = None
    ) -> Response:
        version, office = version_of(if_match, "report"), rooms_of(parts).office
        return done(office.withdraw_no_file(doing(exchange), report_id, version, asked.reason))


def _after(parts: Parts, router: APIRouter) -> None:
    @router.post(f"{_ONE}/sending")
    def send_report(exchange: Asked, report_id: OurId, asked: Sending, if_match: IfMatch = None) -> Response:
        what, rooms = deed(report_id, if_match, "send"), rooms_of(parts)
        way = (asked.format, parts.settings.filing_file, parts.clock)
        return done(send(rooms.releases, doing(exchange), what, *way))

    @router.post(f"{_ONE}/acknowledgement")
    def acknowledge_report(
        exchange: Asked, report_id: OurId, asked: Acknowledgement, if_match: IfMatch = None
    ) -> Response:
        what = deed(report_id, if_match, "acknowledge")
        given: Answered | bytes = asked.bytes
        if asked.accepted is not None:
            faults = [(each.path, each.message) for each in asked.errors]
            given = generic(asked.format, asked.accepted, asked.authority_id, faults)
        return done(rooms_of(parts).releases.acknowledge(doing(exchange), what, given))

    @router.post(f"{_ONE}/correction")
    def correct_report(exchange: Asked, report_id: OurId, asked: Why, if_match: IfMatch = None) -> Response:
        what = deed(report_id, if_match, "correct", asked.reason)
        head = rooms_of(parts).releases.correct(doing(exchange), what)
        return done(head, 200 if head.report_id == report_id else 201)

    @router.post(f"{_ONE}/continuation")
    def continue_report(exchange: Asked, report_id: OurId, asked: Why, if_match: IfMatch = None) -> Response:
        what = deed(report_id, if_match, "continue", asked.reason)
        return done(rooms_of(parts).releases.go_on(doing(exchange), what), 201)

    @router.post(f"{_ONE}/review")
    def review_report(exchange: Asked, report_id: OurId, asked: Why, if_match: IfMatch = None) -> Response:
        what = deed(report_id, if_match, "review", asked.reason)
        return done(rooms_of(parts).releases.reviewed(doing(exchange), what))
