"""Work on reports: drafted from a case, edited, signed, submitted, returned, given up, commented, looked at.

    office = Office(vault, cases=..., drafter=..., copier=..., rules=...)
    head = office.create(caller, case_id, ["goaml"])
    head = office.edit(caller, head.report_id, head.version, model)

Every change names the version that was read and is one row of the vault's log; so is every look. What leads
from which state to which is `txmon.vault.states`; release, acknowledgement and what follows are
`txmon.vault.release`. Owns reports as they are stored: a head, and the model beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from txmon.errors import ConfigError, Forbidden, InputError, NotFound, StateError, StoreConflict, WrongState
from txmon.reports import modeljson
from txmon.reports.checks import errors
from txmon.reports.formats import Finding
from txmon.reports.model import Report, Signature
from txmon.store.identity import new_id
from txmon.vault import writing
from txmon.vault.caller import Caller
from txmon.vault.db import Reader, Tx
from txmon.vault.grants import entry
from txmon.vault.head import Head, micros, moment
from txmon.vault.jurisdictions import Jurisdiction, Jurisdictions
from txmon.vault.sources import Cases, Copier, Drafter
from txmon.vault.states import DRAFT, MLRO, RELEASE, move_of
from txmon.vault.vault import Vault

HEAD, MODEL, COMMENT = "report", "model", "comment"
_HIDDEN = "there is no such report"


@dataclass(frozen=True)
class Filed:
    """A report with its head."""

    head: Head
    report: Report


# what an action makes of a report; may write further records of its own
Change = Callable[[Tx, Filed], Filed]


@dataclass(frozen=True)
class Doing:
    """What somebody does with a report, in which version it was read, and why."""

    report_id: str
    version: int
    action: str
    reason: str = ""


class Office:
    """See the module. May be used from any thread."""

    def __init__(
        self, vault: Vault, *, cases: Cases, copier: Copier, rules: Jurisdictions, drafter: Drafter | None
    ) -> None:
        self.vault, self.rules, self.copier = vault, rules, copier
        self._cases, self._drafter = cases, drafter

    # -- looks -------------------------------------------------------------------------------------------

    def show(self, caller: Caller, report_id: str, action: str = "look") -> Filed:
        """Return a report; the look is logged.

        Raises:
            NotFound: there is none, or none that this one may know of.
        """
        with self.vault.file.write() as tx:
            found = self.load(tx, caller, report_id)
            tx.log(entry(caller, action, report=report_id), report_id)
        return found

    def heads(self, caller: Caller, action: str = "list") -> list[Head]:
        """Return what is known of every report that somebody may see, the newest first; logged."""
        with self.vault.file.write() as tx:
            found = [Head.loads(record.content) for record in tx.all(HEAD)]
            tx.log(entry(caller, action))
        mine = [head for head in found if self._within(caller, head)]
        shut = self._cases.shut(caller.who, {head.case_id for head in mine})
        seen = [head for head in mine if head.case_id not in shut]
        return sorted(seen, key=lambda head: (head.created_us, head.report_id), reverse=True)

    def load(self, reader: Reader, caller: Caller, report_id: str) -> Filed:
        """Return a report that somebody may see; for a transaction that logs.

        Raises:
            NotFound.
        """
        record = reader.find(HEAD, report_id)
        head = None if record is None else Head.loads(record.content)
        if head is None or not self._within(caller, head) or self._cases.shut(caller.who, [head.case_id]):
            raise NotFound(_HIDDEN)
        return Filed(head, modeljson.loads(reader.get(MODEL, report_id).content))

    def hidden(self, reader: Reader, caller: Caller, report_ids: Collection[str]) -> frozenset[str]:
        """Return which of these are reports that somebody may not see."""
        found = [Head.loads(r.content) for r in reader.all(HEAD) if r.id in report_ids]
        shut = self._cases.shut(caller.who, {head.case_id for head in found})
        return frozenset(
            head.report_id for head in found if head.case_id in shut or not self._within(caller, head)
        )

    def _within(self, caller: Caller, head: Head) -> bool:
        return caller.may_touch(head.report_id, head.mode, head.entity) and caller.person not in head.barred

    # -- changes -----------------------------------------------------------------------------------------

    def change(self, caller: Caller, doing: Doing, make: Change, **facts: Any) -> Head:
        """Do something with a report that the table of states lets this one do.

        Raises:
            NotFound, Forbidden, FourEyes, WrongState. StoreConflict: another version than was read.
        """
        with self.vault.file.write() as tx:
            found = self.load(tx, caller, doing.report_id)
            require_version(found.head, doing.version)
            move = move_of(found.head.standing, doing.action, caller.actor)
            made = make(tx, found)
            if made.head.state not in move.to:
                raise AssertionError(
                    f"{doing.action} leads to {made.head.state}, against the table of states"
                )
            head = self.store(tx, made, found.head.version + 1)
            facts = {"state": head.state, "version": head.version} | facts
            said = entry(caller, doing.action, reason=doing.reason, report=head.report_id, facts=facts)
            tx.log(said, head.report_id)
        return head

    def store(self, tx: Tx, filed: Filed, version: int) -> Head:
        """Write a report; the caller logs."""
        head = replace(filed.head.of_model(filed.report), version=version, changed_us=tx.clock.now_us())
        tx.put(HEAD, head.report_id, head.dumps(), version=version, owner=head.report_id)
        model = modeljson.dumps(filed.report)
        tx.put(MODEL, head.report_id, model, version=version, owner=head.report_id)
        return head

    def create(
        self, caller: Caller, case_id: str, formats: Collection[str], jurisdiction: str | None = None
    ) -> Head:
        """Draft a report from a case.

        Raises:
            NotFound: no such case, or none that this one may know of. InputError: a format that is none.
            Forbidden: another role. StateError: reports cannot be drafted here.
        """
        require_role(caller, MLRO)
        names, facts = writing.chosen(formats), self._cases.facts(caller.who, case_id)
        report_id, report = self.drafted(case_id, jurisdiction, names)
        with self.vault.file.write() as tx:
            head = self.new_head(tx, caller, report_id, case_id, names)
            head = replace(head, mode=facts.mode, entity=facts.entity, barred=tuple(sorted(facts.barred)))
            head = self.store(tx, Filed(head, report), 1)
            said = {"case": case_id, "formats": list(names), "state": DRAFT, "version": 1}
            tx.log(entry(caller, "draft", report=report_id, facts=said), report_id)
        return head

    def drafted(self, case_id: str, jurisdiction: str | None, formats: tuple[str, ...]) -> tuple[str, Report]:
        """Return a new report's id, and the report as it is drafted from its case, unsigned.

        Raises:
            StateError: reports cannot be drafted here, or not for this jurisdiction.
        """
        if self._drafter is None:
            raise StateError("reports cannot be drafted here: who files them is not set; see docs/vault.md")
        report_id = new_id("rep", self.vault.random_bytes)
        now = self.vault.clock.now_us()
        try:
            return report_id, unsigned(self._drafter(case_id, report_id, now, jurisdiction, formats))
        except (
            ConfigError
        ) as error:  # who files is not said, or not for this jurisdiction: an operator's to mend
            raise StateError(error.detail) from error

    def new_head(
        self, tx: Tx, caller: Caller, report_id: str, case_id: str, formats: tuple[str, ...]
    ) -> Head:
        """Return the head of a new draft of a live case of no entity yet."""
        now = tx.clock.now_us()
        return Head(
            report_id=report_id, version=1, state=DRAFT, case_id=case_id, mode="live", entity="",
            formats=formats, created_us=now, changed_us=now, drafted_by=caller.person,
            authors=(caller.person,),
        )  # fmt: skip

    def edit(
        self,
        caller: Caller,
        report_id: str,
        version: int,
        report: Report,
        formats: Collection[str] | None = None,
    ) -> Head:
        """Put another model in place; the signature goes.

        Raises:
            As `change`. InputError: it is another report's, of another mode, or its determination is later.
        """
        names = None if formats is None else writing.chosen(formats)

        def make(_: Tx, found: Filed) -> Filed:
            _same_report(found.report, report)
            head = found.head.by(caller.person)
            editors = tuple(dict.fromkeys((*head.editors, caller.person)))
            head = replace(
                head, editors=editors, formats=names or head.formats, signed_by=None, signed_us=None
            )
            return Filed(head, unsigned(report))

        return self.change(caller, Doing(report_id, version, "edit"), make)

    def sign(self, caller: Caller, report_id: str, version: int) -> Head:
        """Sign the narrative in one's own name; the report is of this moment.

        Raises:
            As `change`. WrongState: there is no narrative.
        """

        def make(tx: Tx, found: Filed) -> Filed:
            if not found.report.narrative.text.strip():
                raise WrongState("there is no narrative to sign; write it first")
            now = tx.clock.now_us()
            signature = Signature(signer=caller.who.name, at=moment(now))
            narrative = replace(found.report.narrative, signed=signature)
            report = replace(found.report, narrative=narrative, prepared_at=moment(now))
            head = replace(found.head.by(caller.person), signed_by=caller.person, signed_us=now)
            return Filed(head, report)

        return self.change(caller, Doing(report_id, version, "sign"), make)

    def submit(self, caller: Caller, report_id: str, version: int, reason: str = "") -> Head:
        """Hand a report over for release.

        Raises:
            As `change`. WrongState: nobody signed it. NotReleasable: it has errors.
        """

        def make(tx: Tx, found: Filed) -> Filed:
            if found.report.narrative.signed is None:
                raise WrongState("nobody has signed the narrative; read and sign it first")
            wrong = {n: errors(found_) for n, found_ in self._findings(found).items() if errors(found_)}
            if wrong:
                raise writing.NotReleasable(wrong)
            now = tx.clock.now_us()
            head = replace(found.head, state="pending_release", submitted_by=caller.person, submitted_us=now)
            return replace(found, head=head)

        return self.change(caller, Doing(report_id, version, "submit", reason), make)

    def send_back(self, caller: Caller, doing: Doing) -> Head:
        """Return (who releases) or withdraw (who drafts) what was submitted.

        Raises:
            As `change`.
        """

        def make(tx: Tx, found: Filed) -> Filed:
            told = {"by": caller.person, "at_us": tx.clock.now_us(), "reason": doing.reason}
            returned = told if doing.action == "return" else found.head.returned
            head = replace(
                found.head, state=DRAFT, submitted_by=None, submitted_us=None, returned=returned, no_file=None
            )
            return replace(found, head=head)

        return self.change(caller, doing, make)

    # -- no report is made -------------------------------------------------------------------------------

    def propose_no_file(self, caller: Caller, report_id: str, version: int, reason: str) -> Head:
        """Propose that no report is made, with reasons.

        Raises:
            As `change`.
        """

        def make(tx: Tx, found: Filed) -> Filed:
            proposed = {
                "state": "proposed", "reason": reason, "proposed_by": caller.person,
                "proposed_us": tx.clock.now_us(), "decided_by": None, "decided_us": None, "decision": None,
            }  # fmt: skip
            return replace(found, head=replace(found.head, no_file=proposed))

        return self.change(caller, Doing(report_id, version, "propose_no_file", reason), make)

    def decide_no_file(self, caller: Caller, doing: Doing, approve: bool) -> Head:
        """Decide on it, as another person.

        Raises:
            As `change`.
        """

        def make(tx: Tx, found: Filed) -> Filed:
            assert found.head.no_file is not None  # the table of states lets nobody here otherwise
            decided: Mapping[str, Any] = dict(found.head.no_file) | {
                "state": "decided" if approve else "refused", "decided_by": caller.person,
                "decided_us": tx.clock.now_us(), "decision": doing.reason,
            }  # fmt: skip
            state = "no_file" if approve else found.head.state
            return replace(found, head=replace(found.head, state=state, no_file=decided))

        return self.change(caller, doing, make, approve=approve)

    def withdraw_no_file(self, caller: Caller, report_id: str, version: int, reason: str) -> Head:
        """Take the proposal back.

        Raises:
            As `change`.
        """
        doing = Doing(report_id, version, "withdraw_no_file", reason)
        return self.change(
            caller, doing, lambda _, found: replace(found, head=replace(found.head, no_file=None))
        )

    # -- checks and comments -----------------------------------------------------------------------------

    def check(self, caller: Caller, report_id: str, report: Report | None = None) -> dict[str, list[Finding]]:
        """Return what is wrong with a report in each of its formats; of another model, if one is given.

        Raises:
            NotFound. Forbidden: an examiner.
        """
        require_role(caller, MLRO, RELEASE)
        found = self.show(caller, report_id, "check")
        return self._findings(found if report is None else replace(found, report=report))

    def _findings(self, filed: Filed) -> dict[str, list[Finding]]:
        place = self.place_of(filed.report)
        return {name: writing.check(filed.report, name, place) for name in filed.head.formats}

    def place_of(self, report: Report) -> Jurisdiction:
        """Return the jurisdiction of a report."""
        return self.rules.of(report.jurisdiction)

    def comment(self, caller: Caller, report_id: str, text: str) -> str:
        """Add a comment; returns its id.

        Raises:
            NotFound. Forbidden: an examiner.
        """
        require_role(caller, MLRO, RELEASE)
        with self.vault.file.write() as tx:
            self.load(tx, caller, report_id)
            comment_id = new_id("cmt", tx.random_bytes)
            said = {"author": caller.person, "at_us": tx.clock.now_us(), "text": text}
            tx.put(COMMENT, comment_id, json.dumps(said).encode(), owner=report_id)
            tx.log(entry(caller, "comment", report=report_id, facts={"comment": comment_id}), report_id)
        return comment_id


def require_version(head: Head, version: int) -> None:
    """Raises: StoreConflict: the report is in another version than was read."""
    if head.version != version:
        raise StoreConflict(f"the report is in version {head.version}; read it again")


def require_role(caller: Caller, *roles: str) -> None:
    """Raises: Forbidden: none of these roles."""
    if not caller.roles & frozenset(roles):
        raise Forbidden(f"this takes the role {' or '.join(roles)}; ask someone who has it")


def unsigned(report: Report) -> Report:
    """Return a report whose narrative nobody has signed."""
    return replace(report, narrative=replace(report.narrative, signed=None))


def _same_report(old: Report, new: Report) -> None:
    """Raises: InputError: fields that no edit changes."""
    for name in ("report_id", "case_id", "mode"):
        if getattr(old, name) != getattr(new, name):
            raise InputError(f"`{name}` is not changed by an edit; leave it as it was read")
    before, after = old.facts_known_at, new.facts_known_at
    if before is not None and (after is None or micros(after.at) > micros(before.at)):
        raise InputError(
            "`facts_known_at` is the case's recorded determination: it is not taken out and only moves to an "
            "earlier time"
        )


def of_state(heads: Sequence[Head], state: str | None, case_id: str | None) -> list[Head]:
    """Return the heads in a state, of a case."""
    return [h for h in heads if state in (None, h.state) and case_id in (None, h.case_id)]
