"""What follows a submission: release, sending, the authority's answer, corrections, what goes on.

A release checks the report, writes it in each format, validates what it wrote, and keeps those bytes, copies
of the events it rests on and the evidence bundle that is given, in one transaction. Owns these actions and
the records of files.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from txmon.errors import InputError, NotFound
from txmon.filing.filing import Filing, Receipt
from txmon.reports.checksbase import known_events
from txmon.reports.fincen_ack import read_acknowledgement
from txmon.reports.fincen_write import write as write_fincen
from txmon.reports.formats import Finding, Level
from txmon.reports.model import Kind, PriorFiling, Report
from txmon.vault import copies, writing
from txmon.vault.caller import Caller
from txmon.vault.copies import Item, Keeping
from txmon.vault.db import Reader, Tx
from txmon.vault.grants import entry
from txmon.vault.head import Head, moment
from txmon.vault.office import HEAD, Doing, Filed, Office, require_version, unsigned
from txmon.vault.states import ACKNOWLEDGED, DRAFT, REJECTED, RELEASED, move_of

FILE = "file"
_DAY_US = 86_400_000_000


@dataclass(frozen=True)
class Answered:
    """What an authority says of a filing. authority_id: its own reference, empty where it gives none."""

    format: str
    accepted: bool
    authority_id: str
    findings: tuple[Finding, ...] = ()


class Releases:
    """See the module. May be used from any thread."""

    def __init__(self, office: Office) -> None:
        self._office, self._file = office, office.vault.file

    def release(self, caller: Caller, doing: Doing, evidence: Item | None = None) -> Head:
        """Release a report, as somebody who had no part in it.

        Raises:
            As `Office.change`. NotReleasable: it has errors in a format.
        """
        with self._file.read() as reader:  # slow work first; the transaction only takes it over
            found = self._office.load(reader, caller, doing.report_id)
        require_version(found.head, doing.version)
        move_of(found.head.standing, doing.action, caller.actor)
        place = self._office.place_of(found.report)
        written = writing.write(found.report, found.head.formats, place)
        copied = self._office.copier(known_events(found.report))
        items = [*copied.items, *([evidence] if evidence is not None else [])]

        def make(tx: Tx, now: Filed) -> Filed:
            at, new = tx.clock.now_us(), now.head.version + 1
            files = [_put_file(tx, doing.report_id, new, each) for each in written]
            until = at + place.keep_days * _DAY_US
            copies.keep(tx, Keeping("report", doing.report_id, until, "released", caller.person), items)
            head = replace(
                now.head, state=RELEASED, released_by=caller.person, released_us=at,
                files=(*now.head.files, *files), no_file=None,
            )  # fmt: skip
            return replace(now, head=head)

        hashes = {each.format: each.sha256 for each in written}
        return self._office.change(
            caller, doing, make, files=hashes, copies=len(items), missing=list(copied.missing)
        )

    def file(self, caller: Caller, report_id: str, format_name: str) -> tuple[Mapping[str, Any], bytes]:
        """Return the newest released bytes of a format, with what is known of them; the look is logged.

        Raises:
            NotFound.
        """
        with self._file.write() as tx:
            head = self._office.load(tx, caller, report_id).head
            about, content = _file(tx, head, format_name)
            tx.log(entry(caller, "look.file", report=report_id, facts={"format": format_name}), report_id)
        return about, content

    def filing(self, caller: Caller, doing: Doing, format_name: str) -> Filing:
        """Return what a transport is handed: the newest released bytes of a format.

        Raises:
            NotFound. WrongState, Forbidden: it is not released, or not by this one.
            StoreConflict: another version than was read.
        """
        report_id = doing.report_id
        with self._file.write() as tx:
            found = self._office.load(tx, caller, report_id)
            require_version(found.head, doing.version)
            move_of(found.head.standing, "send", caller.actor)
            about, content = _file(tx, found.head, format_name)
            tx.log(entry(caller, "hand_over", report=report_id, facts={"format": format_name}), report_id)
        return Filing(
            report_id=report_id, format=format_name.partition(":")[0], filename=about["filename"],
            content=content, sha256=about["sha256"], mode=found.report.mode,
            jurisdiction=found.report.jurisdiction,
        )  # fmt: skip

    def is_released(self, filing: Filing) -> bool:
        """Whether a filing's very bytes are those that were last released in its format, and still are."""
        with self._file.read() as reader:
            record = reader.find(HEAD, filing.report_id)
            if record is None:
                return False
            head = Head.loads(record.content)
            if head.state != RELEASED:
                return False
            last = {each["format"]: each["sha256"] for each in head.files}
            names = [name for name, digest in last.items() if digest == filing.sha256]
            return any(_file(reader, head, name)[1] == filing.content for name in names)

    def sent(self, caller: Caller, version: int, receipt: Receipt) -> Head:
        """Note that a filing was handed over.

        Raises:
            As `Office.change`.
        """
        told = {
            "format": receipt.format, "transport": receipt.transport, "reference": receipt.reference,
            "sha256": receipt.sha256, "sent": receipt.sent_at.isoformat(), "by": caller.person,
        }  # fmt: skip
        return self._office.change(
            caller, Doing(receipt.report_id, version, "send"),
            lambda _, found: replace(found, head=replace(found.head, sent=(*found.head.sent, told))), **told,
        )  # fmt: skip

    def acknowledge(self, caller: Caller, doing: Doing, answered: Answered | bytes) -> Head:
        """Note the authority's answer; bytes are FinCEN's own file.

        Raises:
            As `Office.change`. InputError: bytes that are none, or tell of another batch.
        """

        def make(tx: Tx, found: Filed) -> Filed:
            told = answered if isinstance(answered, Answered) else _fincen(answered, found.report)
            noted = {
                "format": told.format, "accepted": told.accepted, "authority_id": told.authority_id,
                "at_us": tx.clock.now_us(), "by": caller.person,
                "errors": [writing.shown(finding) for finding in told.findings],
            }  # fmt: skip
            head = replace(
                found.head, state=ACKNOWLEDGED if told.accepted else REJECTED,
                authority_id=told.authority_id or found.head.authority_id,
                acknowledgements=(*found.head.acknowledgements, noted),
            )  # fmt: skip
            return replace(found, head=head)

        return self._office.change(caller, doing, make)

    # -- what follows ------------------------------------------------------------------------------------

    def correct(self, caller: Caller, doing: Doing) -> Head:
        """Make a correction: of a rejected report in its place, of an acknowledged one as a new draft.

        Raises:
            As `Office.change`.
        """
        with self._file.read() as reader:
            found = self._office.load(reader, caller, doing.report_id)
        if found.head.state != REJECTED:
            return self._follow(caller, doing, Kind.CORRECTION)

        def make(_: Tx, now: Filed) -> Filed:
            prior = now.report.prior_filing  # of a later report: the one that it is about
            if prior is None and now.head.authority_id:
                prior = replace(_prior(now), rejected=True)
            report = unsigned(replace(now.report, prior_filing=prior))
            head = replace(
                now.head, state=DRAFT, signed_by=None, signed_us=None, submitted_by=None, submitted_us=None,
                released_by=None, released_us=None,
            )  # fmt: skip
            return Filed(head.by(caller.person), report)

        return self._office.change(caller, doing, make)

    def go_on(self, caller: Caller, doing: Doing) -> Head:
        """Draft a report on what goes on, anew from the case.

        Raises:
            As `Office.change`; as `Office.create`.
        """
        return self._follow(caller, doing, Kind.CONTINUING)

    def reviewed(self, caller: Caller, doing: Doing) -> Head:
        """Note that what was reported was looked at again and does not go on.

        Raises:
            As `Office.change`.
        """
        return self._office.change(
            caller, doing,
            lambda tx, found: replace(found, head=replace(found.head, reviewed_us=tx.clock.now_us())),
        )  # fmt: skip

    def _follow(self, caller: Caller, doing: Doing, kind: Kind) -> Head:
        """Draft a report that names an earlier one; both are changed in one transaction."""
        with self._file.read() as reader:
            found = self._office.load(reader, caller, doing.report_id)
        require_version(found.head, doing.version)
        move_of(found.head.standing, doing.action, caller.actor)
        new_id, fresh = self._office.drafted(
            found.head.case_id, found.report.jurisdiction, found.head.formats
        )
        if kind is Kind.CORRECTION:  # of what was said: the same model, to be mended
            fresh = replace(found.report, report_id=new_id, prepared_at=fresh.prepared_at)
        made: list[Head] = []

        def make(tx: Tx, now: Filed) -> Filed:
            report = unsigned(replace(fresh, kind=kind, prior_filing=_prior(now)))
            head = self._office.new_head(tx, caller, new_id, now.head.case_id, now.head.formats)
            prior = {
                "report_id": now.head.report_id, "authority_id": now.head.authority_id, "kind": kind.value,
                "filed_us": now.head.released_us,
            }  # fmt: skip
            head = replace(
                head, mode=now.head.mode, entity=now.head.entity, barred=now.head.barred, prior=prior
            )
            made.append(self._office.store(tx, Filed(head, report), 1))
            later = replace(now.head, next=(*now.head.next, new_id))
            if kind is Kind.CONTINUING:
                later = replace(later, continued_us=tx.clock.now_us())
            return replace(now, head=later)

        self._office.change(caller, doing, make, new=new_id)
        return made[0]


def _prior(found: Filed) -> PriorFiling:
    filed = found.head.released_us
    return PriorFiling(
        reference=found.head.authority_id or "",
        own_reference=found.head.report_id,
        filed_on=None if filed is None else moment(filed).date(),
    )


def _fincen(content: bytes, report: Report) -> Answered:
    told = read_acknowledgement(content, write_fincen(report))
    if len(told) != 1:
        raise InputError(f"the file tells of {len(told)} reports, and one was sent; take this report's own")
    return Answered("fincen", told[0].accepted, told[0].bsa_id, told[0].findings)


def generic(
    format_name: str, accepted: bool, authority_id: str, faults: Sequence[tuple[str, str]]
) -> Answered:
    """Return an authority's answer that a person types in: errors as field and message.

    Raises:
        InputError: accepted with errors, or rejected without one.
    """
    if accepted == bool(faults):
        raise InputError("an accepted report has no errors, a rejected one says which; correct the answer")
    findings = tuple(
        Finding(
            code="authority", path=path, message=message, level=Level.ERROR,
            remedy="correct the field and file the report again",
        )
        for path, message in faults
    )  # fmt: skip
    return Answered(format_name, accepted, authority_id, findings)


def _put_file(tx: Tx, report_id: str, number: int, written: writing.Written) -> dict[str, Any]:
    about: dict[str, Any] = {
        "format": written.format, "filename": written.filename, "sha256": written.sha256,
        "size": len(written.content), "round": number,
    }  # fmt: skip
    content = json.dumps(about | {"content": b64encode(written.content).decode()}).encode()
    tx.put(FILE, f"{report_id}/{number}/{written.format}", content, owner=report_id)
    return about


def _file(reader: Reader, head: Head, format_name: str) -> tuple[Mapping[str, Any], bytes]:
    about = next((each for each in reversed(head.files) if each["format"] == format_name), None)
    if about is None:
        raise NotFound("nothing was released in this format")
    record = reader.get(FILE, f"{head.report_id}/{about['round']}/{format_name}")
    return about, b64decode(json.loads(record.content)["content"])
