"""A vault in a folder of the test's own, people in it, and a drafter that needs no store."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from reportkit import report as whole_report

from txmon.errors import NotFound
from txmon.reports.model import EventRef, Mode, Report
from txmon.store.identity import SCOPES, Principal
from txmon.vault import Vault, jurisdictions
from txmon.vault.caller import Caller
from txmon.vault.copies import Item
from txmon.vault.head import Head, moment
from txmon.vault.office import Doing, Office
from txmon.vault.release import Releases
from txmon.vault.sources import CaseFacts, Copied
from txmon.vault.states import EXAMINER, MLRO, RELEASE

NOW_US = 1_900_000_000_000_000
DAY_US = 86_400_000_000
WHY = "the filing of a case"


@dataclass
class Clock:
    time_us: int = NOW_US

    def now_us(self) -> int:
        return self.time_us


@dataclass
class FakeCases:
    """Cases that are seen by everybody but those they are shut to."""

    mode: str = "live"
    entity: str = "default"
    barred: frozenset[str] = frozenset()
    closed: set[tuple[str, str]] = field(default_factory=set)  # case, person

    def facts(self, who: Principal, case_id: str) -> CaseFacts:
        if not case_id.startswith("cas_") or (case_id, who.person_id) in self.closed:
            raise NotFound("there is no such case")
        return CaseFacts(self.mode, self.entity, self.barred)

    def shut(self, who: Principal, case_ids: Collection[str]) -> frozenset[str]:
        return frozenset(each for each in case_ids if (each, who.person_id) in self.closed)


def principal(person: str, **more: Any) -> Principal:
    usual: dict[str, Any] = {
        "mode": None,
        "entities": None,
        "name": person.title(),
        "key_id": f"key_{person}",
    }
    usual |= more
    return Principal(
        person_id=f"psn_{person}", kind="person", roles=frozenset(), scopes=SCOPES, identity=f"person:psn_{person}", **usual
    )  # fmt: skip


def caller(person: str, *roles: str, **more: Any) -> Caller:
    """Somebody with these roles of the vault."""
    reports = more.pop("reports", None)
    return Caller(principal(person, **more), frozenset(roles), reports, purpose=WHY)


def drafted(case_id: str, report_id: str, now_us: int, *_: Any, **changes: Any) -> Report:
    """A complete report of a case, as of the test's now."""
    return whole_report(
        **({"report_id": report_id, "case_id": case_id, "prepared_at": moment(now_us)} | changes)
    )


class Desk:
    """A vault with an office: Ana drafts, Ben drafts and releases, Eva looks."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder, self.clock, self.cases = folder, Clock(), FakeCases()
        self.random = random.Random(5).randbytes
        self.file, self.key, self.backup_key = (
            folder / "v" / "vault.db",
            folder / "vault.key",
            folder / "backup.key",
        )
        self.vault = Vault.make(
            self.file,
            self.key,
            self.backup_key,
            ("psn_ana", "psn_ben"),
            clock=self.clock,
            random_bytes=self.random,
        )
        self.changes: dict[str, Any] = changes
        self.missing: tuple[str, ...] = ()
        self.ana, self.ben = caller("ana", MLRO), caller("ben", MLRO, RELEASE)
        self.eva = caller("eva", EXAMINER, reports=frozenset())
        self.office = self.new_office()
        self.releases = Releases(self.office)

    def new_office(self) -> Office:
        return Office(
            self.vault, cases=self.cases, copier=self.copied, rules=jurisdictions.load(),
            drafter=lambda case, report, now, *_: drafted(case, report, now, **self.changes),
        )  # fmt: skip

    def copied(self, refs: Collection[EventRef]) -> Copied:
        found = sorted(refs, key=lambda ref: ref.text)
        items = tuple({"what": "event", "source": r.source, "event_id": r.event_id} for r in found)
        return Copied(items, self.missing)

    def reopened(self) -> Vault:
        self.vault.close()
        self.vault = Vault.open(self.file, self.key, clock=self.clock, random_bytes=self.random)
        self.office = self.new_office()
        self.releases = Releases(self.office)
        return self.vault

    # -- reports on their way ----------------------------------------------------------------------------

    def draft(
        self, case_id: str = "cas_1", formats: tuple[str, ...] = ("goaml",), who: Caller | None = None
    ) -> Head:
        return self.office.create(who or self.ana, case_id, formats)

    def signed(self, **more: Any) -> Head:
        head = self.draft(**more)
        return self.office.sign(self.ana, head.report_id, head.version)

    def submitted(self, **more: Any) -> Head:
        head = self.signed(**more)
        return self.office.submit(self.ana, head.report_id, head.version)

    def released(self, **more: Any) -> Head:
        return self.release(self.submitted(**more))

    def release(self, head: Head, evidence: Item | None = None) -> Head:
        return self.releases.release(self.ben, self.doing(head, "release"), evidence)

    def doing(self, head: Head, action: str, reason: str = WHY) -> Doing:
        return Doing(head.report_id, head.version, action, reason)

    def model(self, head: Head) -> Report:
        return self.office.show(self.ana, head.report_id).report

    def log(self) -> list[dict[str, Any]]:
        from txmon.vault.db import log

        with self.vault.file.read() as reader:
            return [reader.row(row).entry for row in reader.conn.execute(log.select().order_by(log.c.seq))]


def simulated(report: Report) -> Report:
    return replace(report, mode=Mode.SIMULATED)
