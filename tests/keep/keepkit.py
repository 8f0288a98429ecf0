"""Helpers of the tests of retention: a full desk, a crawl of every route, a keeper in a file."""

from __future__ import annotations

import json
import os
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from caseskit import WHY, Desk, ok

from txmon.api.table import TABLE
from txmon.store import Store, schema
from txmon.store.erase import Why
from txmon.store.retention import DAY_US
from txmon.store.retentionfile import load_classes

BY = Why("the classes of retention", "person:ana", "person:ben")
YEARS_20 = 20 * 366 * DAY_US
PLANTED = "planted-"  # in every value that must be gone


class Filled:
    """A desk with something of everything, all of which names a planted value."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.alone = desk.alert(payer="planted-alone", payee="planted-shop", memo="planted-memo for jane")
        self.linked = desk.alert(payer="planted-linked", payee="planted-landlord")
        self.case_id = desk.open(self.linked, title="About planted-title")
        party = {"kind": "person", "ref": "planted-ref", "name": "planted-name", "role": "client"}
        ok(desk.do(self.case_id, "parties", party | {"confidence": "low", "basis": "planted-basis"}))
        ok(desk.do(self.case_id, "comments", {"text": "planted-comment"}))
        text = b64encode(b"planted-file came again").decode()
        made = ok(desk.do(self.case_id, "files", {"name": "planted-note.txt", "content": text}))
        self.file_id = str(made["file_id"])
        # critical, so it waits for a second person, with its reason
        taken = desk.api.call(
            "PATCH", f"/v1/alerts/{self.alone['alert_id']}", desk.ana, json={"state": "in_review"},
            headers={"if-match": f'"v{self.alone["version"]}"'},
        )  # fmt: skip
        asked = desk.api.call(
            "PATCH", f"/v1/alerts/{self.alone['alert_id']}", desk.ana,
            json={"state": "dismissed", "reason": "planted-reason"}, headers={"if-match": taken.headers["etag"]},
        )  # fmt: skip
        assert asked.status_code == 202, asked.text
        self.proposal_id = str(asked.json()["proposal_id"])
        desk.api.send(b'{"event_id":"planted-bad","event_time":"no","amount":"planted-raw"}')
        rows = desk.get("/v1/quarantine")["items"]
        self.row_id = int(rows[0]["id"])

    @property
    def store(self) -> Store:
        return self.desk.api.service.store

    @property
    def ids(self) -> list[str]:
        return [self.alone["alert_id"], self.linked["alert_id"], self.case_id, self.file_id, self.proposal_id]

    def later(self, by_us: int = YEARS_20) -> None:
        self.desk.api.service.doors.clock.time_us += by_us  # type: ignore[attr-defined]

    def paths(self) -> list[str]:
        """Every GET route, once for each id that it may be asked for."""
        known = {
            "alert_id": [self.alone["alert_id"], self.linked["alert_id"]], "case_id": [self.case_id],
            "file_id": [self.file_id], "row_id": [str(self.row_id)], "proposal_id": [self.proposal_id],
            "rule_id": ["three", "grave"],
        }  # fmt: skip
        found = []
        for entry in TABLE:
            if entry.method != "GET" or entry.raw or entry.path.startswith("/auth"):
                continue
            names = re.findall(r"\{(\w+)\}", entry.path)
            paths = [entry.path]
            for name in names:
                paths = [
                    p.replace("{" + name + "}", each) for p in paths for each in known.get(name, ["none"])
                ]
            found += paths
        return [*found, "/v1/alerts?historic=true", "/v1/cases?snoozed=true", "/v1/proposals?state=approved"]

    def crawl(self, *, purpose: bool = True) -> dict[str, tuple[int, str]]:
        """What every route says to everybody, but for what the clock or the journal's length changes."""
        desk = self.desk
        boss = desk.api.person("admin", "auditor", "approver", "safeguarding", "analyst", "coalition")
        found = {}
        for path in self.paths():
            for name, key in (
                ("ana", desk.ana), ("ben", desk.ben), ("sara", desk.sara), ("audit", desk.audit), ("all", boss),
            ):  # fmt: skip
                answer = desk.api.get(path, key, **({"purpose": WHY} if purpose else {}))
                found[f"{name} {path}"] = (
                    answer.status_code,
                    re.sub(r"req_[a-z2-7]{26}", "req", answer.text),
                )
        return found


def classes_of(days: int = 1826) -> Any:
    """Classes that all end after so many days."""
    shipped = load_classes()
    return type(shipped)(**dict.fromkeys(vars(shipped), days))


def rows_of(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but the journal."""
    with store.read() as conn:
        return {
            t.name: [dict(row) for row in conn.execute(sa.select(t)).mappings()]
            for t in schema.metadata.sorted_tables
            if t is not schema.journal
        }


def bytes_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


class FileKeeper:
    """Keeps copies in a file: a line a copy, synced before it says so."""

    def __init__(self, path: Path, fault: Any = None) -> None:
        self.path, self.fault = path, fault

    def keep(
        self, kind: str, owner: str, items: Sequence[Mapping[str, Any]], keep_until: int, why: str, who: str
    ) -> None:
        lines = [
            json.dumps({"kind": kind, "owner": owner, "until": keep_until, "why": why, "who": who, "item": dict(item)})
            for item in items
        ]  # fmt: skip
        with self.path.open("a", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
            file.flush()
            os.fsync(file.fileno())
        if self.fault is not None:
            self.fault()

    def lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def kept(self, owner: str) -> list[dict[str, Any]]:
        return [line["item"] for line in self.lines() if line["owner"] == owner]
