"""The vault of reports: reports listed, shown, drafted, edited and checked; files, comments, copies, the log.

Every look is a row of the vault's own log with its purpose, and of nothing else. Owns these routes.
"""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Path, Response

from txmon.api.cases import IfMatch, version_of
from txmon.api.context import Exchange, Parts
from txmon.api.pages import cached, key_of, page, plain
from txmon.api.personal import Asked
from txmon.api.shapes import OurId, query
from txmon.api.vaultparts import (
    clock_shown,
    copy_shown,
    doing,
    done,
    head_shown,
    looking,
    model_of,
    rooms_of,
    row_shown,
)
from txmon.api.vaultshapes import Checking, LogFilter, NewReport, ReportFilter, ReportText
from txmon.clock import rfc3339
from txmon.reports import modeljson
from txmon.reports.checks import errors
from txmon.vault import writing
from txmon.vault.clocks import clocks_of, urgency
from txmon.vault.copies import kept
from txmon.vault.db import log
from txmon.vault.grants import entry
from txmon.vault.office import COMMENT, of_state

_Format = Annotated[str, Path(pattern=r"^[a-z0-9]{1,20}(:[a-z0-9-]{1,20})?$")]


def routes(parts: Parts, router: APIRouter) -> None:
    """Add the routes."""
    _reports(parts, router)
    _around(parts, router)

    @router.get("/v1/vault/me")
    def who_am_i_here(exchange: Asked) -> Response:
        me = exchange.vault
        reports = None if me.reports is None else sorted(me.reports)
        until = None if me.until_us is None else rfc3339(me.until_us)
        return plain({"person_id": me.person, "roles": sorted(me.roles), "reports": reports, "until": until})

    @router.get("/v1/vault/reminders")
    def list_reminders(exchange: Asked) -> Response:
        rooms = rooms_of(parts)
        heads = rooms.office.heads(looking(exchange), "reminders")
        now = rooms.vault.clock.now_us()
        found = [(clock, head) for head in heads for clock in clocks_of(head, rooms.rules, now)]
        found.sort(key=lambda each: (urgency(each[0]), each[1].report_id))
        items = [
            clock_shown(clock)
            | {"report_id": head.report_id, "case_id": head.case_id, "report_state": head.state}
            for clock, head in found
        ]
        return cached(exchange, {"items": items, "next_cursor": None})

    @router.get("/v1/vault/log")
    def list_log(exchange: Asked, which: query(LogFilter)) -> Response:  # type: ignore[valid-type]
        return _log(parts, exchange, which)


def _reports(parts: Parts, router: APIRouter) -> None:
    @router.get("/v1/vault/reports")
    def list_reports(exchange: Asked, which: query(ReportFilter)) -> Response:  # type: ignore[valid-type]
        return _listed(parts, exchange, which)

    @router.post("/v1/vault/reports")
    def draft_report(exchange: Asked, asked: NewReport) -> Response:
        return done(
            rooms_of(parts).office.create(doing(exchange), asked.case_id, asked.formats, asked.jurisdiction),
            201,
        )

    @router.get("/v1/vault/reports/{report_id}")
    def show_report(exchange: Asked, report_id: OurId) -> Response:
        rooms, caller = rooms_of(parts), looking(exchange)
        found = rooms.office.show(caller, report_id)
        shown = head_shown(rooms, caller, found.head) | {"model": json.loads(modeljson.dumps(found.report))}
        return plain(shown, 200, {"etag": f'"v{found.head.version}"'})

    @router.put("/v1/vault/reports/{report_id}")
    def edit_report(
        exchange: Asked, report_id: OurId, asked: ReportText, if_match: IfMatch = None
    ) -> Response:
        version, report = version_of(if_match, "report"), model_of(asked.model)
        office = rooms_of(parts).office
        return done(office.edit(doing(exchange), report_id, version, report, asked.formats))

    @router.post("/v1/vault/reports/{report_id}/check")
    def check_report(exchange: Asked, report_id: OurId, asked: Checking) -> Response:
        report = None if asked.model is None else model_of(asked.model)
        found = rooms_of(parts).office.check(doing(exchange), report_id, report)
        shown = [
            {"format": name, "ready": not errors(each), "findings": [writing.shown(one) for one in each]}
            for name, each in found.items()
        ]
        return plain({"ready": all(each["ready"] for each in shown), "formats": shown})


def _around(parts: Parts, router: APIRouter) -> None:
    @router.get("/v1/vault/reports/{report_id}/files/{format}")
    def show_file(exchange: Asked, report_id: OurId, format: _Format) -> Response:
        about, content = rooms_of(parts).releases.file(looking(exchange), report_id, format)
        found = {name: about[name] for name in ("format", "filename", "sha256", "size")}
        return cached(exchange, found | {"content": b64encode(content).decode()})

    @router.get("/v1/vault/reports/{report_id}/comments")
    def list_comments(exchange: Asked, report_id: OurId) -> Response:
        rooms = rooms_of(parts)
        rooms.office.show(looking(exchange), report_id, "look.comments")
        with rooms.vault.file.read() as reader:
            said = [(r.id, json.loads(r.content)) for r in reader.all(COMMENT, report_id)]
        said.sort(key=lambda each: (each[1]["at_us"], each[0]))
        items = [
            {"comment_id": name, "author": c["author"], "at": rfc3339(c["at_us"]), "text": c["text"]}
            for name, c in said
        ]
        return cached(exchange, {"items": items, "next_cursor": None})

    @router.get("/v1/vault/reports/{report_id}/kept")
    def list_kept(exchange: Asked, report_id: OurId) -> Response:
        rooms = rooms_of(parts)
        rooms.office.show(looking(exchange), report_id, "look.kept")
        with rooms.vault.file.read() as reader:
            items = [copy_shown(copy) for copy in kept(reader, report_id)]
        return cached(exchange, {"items": items, "next_cursor": None})


def _listed(parts: Parts, exchange: Exchange, which: ReportFilter) -> Response:
    rooms, caller = rooms_of(parts), looking(exchange)
    after = key_of(which.cursor, int, str)
    heads = of_state(rooms.office.heads(caller), which.state, which.case_id)
    if after is not None:
        heads = [head for head in heads if (head.created_us, head.report_id) < after]
    shown, more = heads[: which.limit], len(heads) > which.limit
    last = (shown[-1].created_us, shown[-1].report_id) if more else None
    return page(exchange, [head_shown(rooms, caller, head) for head in shown], last)


def _log(parts: Parts, exchange: Exchange, which: LogFilter) -> Response:
    rooms, caller = rooms_of(parts), looking(exchange)
    after = key_of(which.cursor, int)
    if which.report_id is not None:
        rooms.office.show(caller, which.report_id, "look.log")
    query_ = sa.select(log).order_by(log.c.seq.desc()).limit(which.limit + 1)
    if after is not None:
        query_ = query_.where(log.c.seq < after[0])
    if which.report_id is not None:
        query_ = query_.where(log.c.owner == which.report_id)
    with rooms.vault.file.write() as tx:
        found = [tx.row(row) for row in tx.conn.execute(query_)]
        hidden = rooms.office.hidden(tx, caller, {row.owner for row in found if row.owner})
        tx.log(entry(caller, "look.log"))
    shown, more = found[: which.limit], len(found) > which.limit
    items: list[dict[str, Any]] = [row_shown(row) for row in shown if row.owner not in hidden]
    return page(exchange, items, (shown[-1].seq,) if more else None)
