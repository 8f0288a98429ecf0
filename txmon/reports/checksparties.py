"""Checks of who: filer, parties, subjects, accounts. A possible victim is never a subject."""

from __future__ import annotations

from collections.abc import Iterator

from txmon.model.currencies import EXPONENTS
from txmon.reports.checksbase import country, error, missing, not_after, warning
from txmon.reports.formats import Finding
from txmon.reports.model import Account, Contact, Party, PartyKind, Report, Subject


def filer(report: Report) -> Iterator[Finding]:
    """Check who files and who answers."""
    who = report.filer
    if not who.organisation.name.strip():
        yield missing("filer.organisation.name", "give the reporting institution's legal name")
    if who.organisation.address is None:
        yield missing("filer.organisation.address", "give the institution's address")
    yield from _contact("filer.contact", who.contact)
    if report.reporting_person is None:
        yield missing("reporting_person", "name the officer who answers for the report")
    elif not report.reporting_person.name.strip():
        yield missing("reporting_person.name", "name the officer who answers for the report")


def _contact(path: str, contact: Contact) -> Iterator[Finding]:
    if not contact.name.strip():
        yield missing(f"{path}.name", "name the office that answers questions")
    if contact.phone is None and not contact.email:
        yield missing(f"{path}.phone", "give a telephone number or an e-mail address")


def parties(report: Report) -> Iterator[Finding]:
    """Check each party by itself."""
    seen: set[str] = set()
    for i, party in enumerate(report.parties):
        path = f"parties[{i}]"
        if not party.party_id.strip():
            yield missing(f"{path}.party_id", "give each party an id")
        if party.party_id in seen:
            yield error(
                "duplicate", f"{path}.party_id", "is another party's, too", "give each party its own id"
            )
        seen.add(party.party_id)
        yield from _kind(path, party)
        if not party.roles:
            yield missing(f"{path}.roles", "record a role; unknown is one")
        if party.is_filer_staff:
            remedy = "restrict the case; nobody of the person's own line may work on it"
            yield warning("staff", f"{path}.is_filer_staff", "is the filer's own staff", remedy)
        for j, address in enumerate(party.addresses):
            yield from country(f"{path}.addresses[{j}].country", address.country)
        for j, number in enumerate(party.identifiers):
            yield from country(f"{path}.identifiers[{j}].country", number.country)
            if number.issued_on and number.expires_on and number.expires_on < number.issued_on:
                where = f"{path}.identifiers[{j}].expires_on"
                yield error("date", where, "is before the day of issue", "check both days")


def _kind(path: str, party: Party) -> Iterator[Finding]:
    if party.kind is PartyKind.NATURAL_PERSON and party.person is None:
        yield missing(f"{path}.person", "record the person's names, or set the kind to unknown")
    if party.kind is PartyKind.ENTITY and party.entity is None:
        yield missing(f"{path}.entity", "record the entity's name, or set the kind to unknown")
    wrong = (
        (party.entity is not None) if party.kind is PartyKind.NATURAL_PERSON else (party.person is not None)
    )
    if wrong and party.kind is not PartyKind.UNKNOWN:
        yield error(
            "contradiction",
            f"{path}.kind",
            "is not what is recorded",
            "keep person or entity, as the kind is",
        )
    person = party.person
    if person is not None:
        for j, code in enumerate((*person.nationalities, person.residence, person.birth_country)):
            names = [f"nationalities[{n}]" for n in range(len(person.nationalities))]
            yield from country(f"{path}.person.{[*names, 'residence', 'birth_country'][j]}", code)
    if party.entity is not None:
        yield from country(f"{path}.entity.registration_country", party.entity.registration_country)


def dates(report: Report) -> Iterator[Finding]:
    """Check the days of parties and accounts against the report's."""
    today = report.prepared_at.date()
    for i, party in enumerate(report.parties):
        born = party.person.born_on if party.person else None
        if born is not None and (born > today or born.year < today.year - 130):
            where = f"parties[{i}].person.born_on"
            yield error("date", where, "is later than the report or more than 130 years ago", "check the day")
        founded = party.entity.registered_on if party.entity else None
        if founded is not None and founded > today:
            where = f"parties[{i}].entity.registered_on"
            yield error("date", where, "is later than the report", "check the day")
    for i, account in enumerate(report.accounts):
        yield from not_after(f"accounts[{i}].balance_at", account.balance_at, report)
        if account.opened_on is not None and account.opened_on > today:
            yield error("date", f"accounts[{i}].opened_on", "is later than the report", "check the day")
        if account.opened_on and account.closed_on and account.closed_on < account.opened_on:
            yield error(
                "date", f"accounts[{i}].closed_on", "is before the account was opened", "check both days"
            )


def references(report: Report) -> Iterator[Finding]:
    """Check that every party id that is used is a party's."""
    known = {p.party_id for p in report.parties}
    used = [(f"subjects[{i}].party_id", s.party_id) for i, s in enumerate(report.subjects)]
    for i, party in enumerate(report.parties):
        owners = party.entity.owners if party.entity else ()
        used += [(f"parties[{i}].entity.owners[{j}].party_id", o.party_id) for j, o in enumerate(owners)]
    for i, account in enumerate(report.accounts):
        used += [(f"accounts[{i}].holders[{j}].party_id", h.party_id) for j, h in enumerate(account.holders)]
    for i, moved in enumerate(report.transactions):
        for name, side in (("from_side", moved.from_side), ("to_side", moved.to_side)):
            path = f"transactions[{i}].{name}"
            used += [(f"{path}.party_id", side.party_id), (f"{path}.conductor_id", side.conductor_id)]
            used += [(f"{path}.on_behalf_of[{j}]", p) for j, p in enumerate(side.on_behalf_of)]
    used += [(f"traces[{i}].party_id", t.party_id) for i, t in enumerate(report.traces)]
    for path, party_id in used:
        if party_id is not None and party_id not in known:
            yield error("reference", path, "is no party of the report", "add the party, or take the id out")


def subjects(report: Report) -> Iterator[Finding]:
    """Check whom the report suspects."""
    if not report.subjects:
        remedy = "name whom the report suspects, or a subject of the kind unknown with the reason"
        yield missing("subjects", remedy)
    seen: set[str] = set()
    for i, subject in enumerate(report.subjects):
        path = f"subjects[{i}]"
        yield from _subject(path, subject, report.party(subject.party_id))
        if subject.party_id in seen:
            yield error("duplicate", f"{path}.party_id", "stands twice as a subject", "keep one")
        seen.add(subject.party_id or "")
    named = any(s.party_id is not None for s in report.subjects)
    on_record = {p.party_id for p in report.parties if p.kind is not PartyKind.UNKNOWN}
    if on_record and on_record <= report.possible_victims and named:
        remedy = "every party may be a victim: file one subject of the kind unknown"
        yield error("victim_as_subject", "subjects", "names a subject where nobody may be named", remedy)
    kinds = {s.kind for s in report.subjects}
    if PartyKind.UNKNOWN in kinds and len(kinds) > 1:
        remedy = "an unknown subject beside known ones: say who else is meant in the narrative"
        yield warning("contradiction", "subjects", "are both known and unknown", remedy)


def _subject(path: str, subject: Subject, party: Party | None) -> Iterator[Finding]:
    if not subject.reason.strip():
        yield missing(f"{path}.reason", "say why this subject is suspected, or why it is unknown")
    if subject.kind is PartyKind.UNKNOWN and subject.party_id is not None:
        remedy = "an unknown subject has no party; take the id out, or give the party's kind"
        yield error(
            "contradiction", f"{path}.party_id", "names a party though the subject is unknown", remedy
        )
    if subject.kind is not PartyKind.UNKNOWN and subject.party_id is None:
        yield missing(f"{path}.party_id", "name the party, or set the kind to unknown")
    if party is None:
        return
    if party.possible_victim:
        remedy = "take the subject out; what is known of a possible victim belongs in the narrative"
        yield error("victim_as_subject", f"{path}.party_id", "is a party who may be a victim", remedy)
    if subject.kind not in (party.kind, PartyKind.UNKNOWN):
        yield error("contradiction", f"{path}.kind", "is not the party's kind", "make both the same")
    if party.kind is not PartyKind.UNKNOWN and not party.name:
        yield missing(f"{path}.party_id", "the party has no name: record it, or file the subject as unknown")


def accounts(report: Report) -> Iterator[Finding]:
    """Check each account by itself."""
    seen: set[str] = set()
    for i, account in enumerate(report.accounts):
        path = f"accounts[{i}]"
        if account.account_id in seen or not account.account_id.strip():
            yield error(
                "duplicate", f"{path}.account_id", "is empty or another's", "give each account its own id"
            )
        seen.add(account.account_id)
        yield from _account(path, account)


def _account(path: str, account: Account) -> Iterator[Finding]:
    if not account.number.strip():
        yield missing(f"{path}.number", "give the account number or its token")
    if account.currency and account.currency not in EXPONENTS:
        yield error("currency", f"{path}.currency", "is no currency", "write an ISO 4217 code, as EUR")
    if account.is_client and not account.holders:
        yield missing(f"{path}.holders", "record who holds the account")
    if account.closed_on is not None and account.status == "active":
        remedy = "set the status to closed, or take the day out"
        yield error("contradiction", f"{path}.status", "is active though the account was closed", remedy)
    if (account.balance is None) != (account.balance_at is None):
        yield missing(f"{path}.balance_at", "a balance and its time go together")
    if account.balance is not None and account.balance.currency not in EXPONENTS:
        yield error(
            "currency", f"{path}.balance.currency", "is no currency", "write an ISO 4217 code, as EUR"
        )
