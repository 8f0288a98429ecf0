"""A report of the model as goAML's `report`: what goes into which element.

Only a party on record as a subject, or an account that people suspect, is ever marked as suspected, and never
a possible victim's. A report without anybody to suspect says so: its party is an unknown person.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from txmon.reports.goamlbuild import Branch
from txmon.reports.goamlparty import Parties, moment
from txmon.reports.goamlprofile import Profile
from txmon.reports.model import Account, EventRef, Party, Report, Side, Transaction

_USERS_OWN = re.compile("AA|Q[M-Z]|X[A-Z]|ZZ")  # ISO 3166-1: user-assigned code elements
UNKNOWN_SUBJECT = "The subject is unknown: nobody on record may be named as one."
MARK_SUBJECT = "Not for submission"


class Mapper:
    """Makes the branch of one report."""

    def __init__(self, report: Report, profile: Profile) -> None:
        self.report = report
        self.profile = profile
        self.parties = Parties(report, profile)
        self._suspected = {s.party_id for s in report.nameable_subjects}
        self._named: set[str] = set()  # parties whom some element shows

    @property
    def report_code(self) -> str:
        """Return the report's code: the one chosen, else the profile's default."""
        chosen = self.report.codes.get("goaml", "")
        default = "default_transactions" if self.report.transactions else "default_activity"
        return chosen or str(self.profile.report_codes[default])

    @property
    def unshown(self) -> bool:
        """Whether a subject stands on no side of a transaction; known once the report was mapped."""
        return bool(self._suspected - self._named)

    def map(self) -> Branch:
        """Return the whole report."""
        report, filer = self.report, self.report.filer.organisation
        out = Branch("")
        out.put("schema_version", self.profile.schema_version, "version")
        out.put("rentity_id", filer.number("goaml_rentity_id"), "filer.organisation.identifiers")
        out.put("rentity_branch", filer.branch, "filer.organisation.branch")
        out.put("submission_code", self.profile.constants["submission_code"], "codes")
        out.put("report_code", self.report_code, "codes.goaml")
        mark = f"{report.mark}-" if report.mark else ""
        out.put("entity_reference", mark + report.report_id, "report_id")
        if report.prior_filing is not None:
            rejected = report.prior_filing.rejected
            name = "prev_rejected_ref_number" if rejected else "fiu_ref_number"
            out.put(name, report.prior_filing.reference, "prior_filing.reference")
        out.put("submission_date", moment(report.prepared_at), "prepared_at")
        out.put("currency_code_local", report.local_currency, "local_currency")
        if report.reporting_person is not None:
            out.add("reporting_person", [self.parties.contact("reporting_person", report.reporting_person)])
        place = report.activity.location or filer.address
        if place is not None:
            where = "activity.location" if report.activity.location else "filer.organisation.address"
            out.add("location", [self.parties.address(where, place)])
        said = f"{report.mark}: " if report.mark and report.narrative.text else ""
        out.put("reason", said + report.narrative.text, "narrative.paragraphs")
        out.put("action", "\n".join(a.text for a in report.actions), "actions")
        self._what(out)
        out.add("report_indicators", [self._indicators()])
        out.add("additional_information", [self._additional()])
        return out

    def _what(self, out: Branch) -> None:
        """Put transactions, and as activity the subjects whom no transaction shows."""
        if self.report_code in self.profile.activity_reports:
            out.add("activity", [self._activity(everybody=True)])
            return
        made = [self._transaction(i, t) for i, t in enumerate(self.report.transactions)]
        if made:
            out.add("transaction", made)
        else:
            out.lacks("transaction", "transactions")
        if self.unshown:
            out.add("activity", [self._activity(everybody=False)])

    def _activity(self, everybody: bool) -> Branch:
        inner = Branch("subjects")
        parties = [
            self._report_party(i, party, subject.reason)
            for i, subject in enumerate(self.report.subjects)
            if subject.party_id in self._suspected
            and (everybody or subject.party_id not in self._named)
            and (party := self.report.party(subject.party_id)) is not None
        ]
        inner.add("report_party", parties or [self._unknown_party()])
        out = Branch("subjects")
        out.add("report_parties", [inner])
        return out

    def _report_party(self, place: int, party: Party, reason: str) -> Branch:
        out = Branch(f"subjects[{place}]")
        name, branch = self.parties.party(party, party.is_client)
        own = party.is_client and self.profile.shape.has("report_party_type", f"{name}_my_client")
        out.add(name + ("_my_client" if own else ""), [branch])
        out.put("is_suspected", "true", "party_id")
        out.put("reason", reason, "reason")
        return out

    def _unknown_party(self) -> Branch:
        out = Branch("subjects")
        out.add("person", [self.parties.nobody("subjects")])
        out.put("reason", next((s.reason for s in self.report.subjects if s.reason), UNKNOWN_SUBJECT), "")
        return out

    def _transaction(self, place: int, moved: Transaction) -> Branch:
        out = Branch(f"transactions[{place}]")
        local = moved.local or (moved.amount if moved.amount.currency == self.report.local_currency else None)
        out.put("transactionnumber", moved.transaction_id, "transaction_id")
        out.put("transaction_is_suspicious", "true" if moved.suspicious else "false", "suspicious")
        out.put("internal_ref_number", moved.reference, "reference")
        out.put("transaction_location", moved.location or moved.channel, "location")
        if moved.address is not None:
            out.add("transaction_address", [self.parties.address(f"{out.path}.address", moved.address)])
        told = moved.description or moved.purpose or moved.memo or f"{moved.method}, {moved.channel}"
        out.put("transaction_description", told, "description")
        out.put("date_transaction", moment(moved.at), "at")
        out.put("value_date", moment(moved.posted_at), "posted_at")
        out.put("transmode_code", self.profile.code("method", moved.method), "method")
        out.put("transmode_comment", self.profile.constants["transmode_comment"], "method")
        out.put("amount_local", None if local is None else f"{local.major:f}", "local")
        out.put("transaction_status", "I" if moved.attempted else "C", "attempted")
        out.put("comments", cited(moved.events), "events")
        for word, side in (("from", moved.from_side), ("to", moved.to_side)):
            name = f"t_{word}_my_client" if side.client else f"t_{word}"
            out.add(name, [self._side(word, f"{out.path}.{word}_side", side, moved)])
        return out

    def _side(self, word: str, path: str, side: Side, moved: Transaction) -> Branch:
        out = Branch(path)
        out.put(f"{word}_funds_code", self.profile.code("funds", side.funds), "funds")
        out.put(f"{word}_funds_comment", side.funds_text, "funds_text")
        foreign = side.foreign or (
            moved.amount if moved.amount.currency != self.report.local_currency else None
        )
        if foreign is not None:
            money = Branch(f"{path}.foreign")
            money.put("foreign_currency_code", foreign.currency, "currency")
            money.put("foreign_amount", f"{foreign.major:f}", "minor")
            money.put("foreign_exchange_rate", None if side.rate is None else f"{side.rate:f}", "")
            out.add(f"{word}_foreign_currency", [money])
        conductor = self.report.party(side.conductor_id)
        if word == "from" and conductor is not None:
            suspected = conductor.party_id in self._suspected
            out.put("conductor_is_suspected", "true" if suspected else "false", "conductor_id")
            out.add("t_conductor", [self.parties.person(conductor, side.client)])
            self._named.add(conductor.party_id)
        account, party = self.report.account(side.account_id), self.report.party(side.party_id)
        out.put(f"{word}_is_suspected", "true" if self._suspects(side, account, party) else "false", "")
        kind, branch = self._end(path, side, account, party)
        out.add(f"{word}_{kind}", [branch])
        out.put(f"{word}_country", self._listed(side.country) or self._country(account, party), "country")
        return out

    def _end(self, path: str, side: Side, account: Account | None, party: Party | None) -> tuple[str, Branch]:
        if account is not None:
            self._named.update(h.party_id for h in account.holders)
            return "account", self.parties.account(account, side.client)
        if party is not None:
            self._named.add(party.party_id)
            return self.parties.party(party, side.client)
        return "person", self.parties.nobody(path)

    def _suspects(self, side: Side, account: Account | None, party: Party | None) -> bool:
        """Whether people suspect the side itself, or a subject holds it; never one of who may be a victim."""
        who = {h.party_id for h in account.holders} if account is not None else set()
        if party is not None:
            who.add(party.party_id)
        return (side.suspected or bool(who & self._suspected)) and not who & self.report.possible_victims

    def _listed(self, country: str) -> str:
        """Return a side's country; one that ISO 3166 leaves to its users names none, and is unknown."""
        own = _USERS_OWN.fullmatch(country) and country not in self.profile.codes["country"]
        return self.profile.constants["unknown_code"] if own else country

    def _country(self, account: Account | None, party: Party | None) -> str:
        if (
            account is not None
            and account.institution is not None
            and account.institution.address is not None
        ):
            return account.institution.address.country
        if party is not None and party.person is not None and party.person.residence:
            return party.person.residence
        if party is not None and party.entity is not None and party.entity.registration_country:
            return party.entity.registration_country
        return self.profile.constants["unknown_code"]

    def _indicators(self) -> Branch:
        out = Branch("indicators")
        given = list(dict.fromkeys(self._codes()))
        for code, path in given:
            out.put("indicator", code, path)
        if not given:
            out.lacks("indicator", "")
        return out

    def _codes(self) -> Iterator[tuple[str, str]]:
        """Yield each code once: those that indicators name, else those of the typologies."""
        seen: set[str] = set()
        for i, indicator in enumerate(self.report.indicators):
            own = indicator.codes.get(f"goaml-{self.profile.name}") or indicator.codes.get("goaml")
            codes = (own,) if own else self.profile.typologies.get(indicator.typology, ())
            for code in codes:
                if code not in seen:
                    seen.add(code)
                    yield code, f"[{i}].codes"

    def _additional(self) -> Branch | None:
        out = Branch("additional_information")
        told = [(t.source, f"reference {t.reference}", "tips") for t in self.report.tips]
        told += [
            (p.agency, f"reference {p.reference}", "law_enforcement") for p in self.report.law_enforcement
        ]
        told += [("Traces", f"{t.kind}: {t.value}", "traces") for t in self.report.traces]
        if self.report.mark:
            told.insert(0, (MARK_SUBJECT, self.report.mark, "mode"))
        for subject, text, path in told:
            info = Branch(path)
            info.put("info_subject", subject, "")
            info.put("info_text", text, "")
            out.add("additional_info", [info])
        return out if told else None


def cited(events: tuple[EventRef, ...]) -> str:
    """Return the events that something rests on as one line."""
    return f"Events: {', '.join(e.text for e in events)}" if events else ""
