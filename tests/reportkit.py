"""A complete, invented suspicious-activity report, and small ways to change it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from txmon.reports.model import (
    Account,
    Action,
    Activity,
    Address,
    Attachment,
    Contact,
    Determination,
    Entity,
    EventRef,
    Fact,
    Filer,
    Holder,
    Identifier,
    Indicator,
    Kind,
    Mode,
    Money,
    Narrative,
    Organisation,
    Owner,
    Paragraph,
    Party,
    PartyKind,
    Person,
    Phone,
    Question,
    Report,
    Role,
    Side,
    Signature,
    Subject,
    Transaction,
)

PREPARED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FIRST = datetime(2026, 1, 5, 22, 15, tzinfo=UTC)
LAST = datetime(2026, 2, 20, 3, 40, tzinfo=UTC)


def event(number: int) -> EventRef:
    return EventRef(source="cards", event_id=f"e-{number}")


def aed(amount: int) -> Money:
    return Money(minor=amount * 100, currency="AED")


def address(street: str = "14 Harbour Street", use: str = "home") -> Address:
    return Address(street=street, city="Dubai", state="Dubai", postcode="12345", country="AE", use=use)


def phone(number: str = "501112233", use: str = "home") -> Phone:
    return Phone(number=number, prefix="971", use=use, mobile=True)


def national_id(number: str) -> Identifier:
    return Identifier(
        kind="national_id",
        number=number,
        country="AE",
        issued_by="Authority",
        issued_on=date(2021, 4, 1),
        expires_on=date(2031, 3, 31),
    )


def person(party_id: str, first: str, last: str, number: str, **more: Any) -> Party:
    """A natural person and customer whose record is complete."""
    return Party(
        **{
            "party_id": party_id,
            "kind": PartyKind.NATURAL_PERSON,
            "is_client": True,
            "person": Person(
                first_name=first,
                last_name=last,
                gender="female",
                born_on=date(1988, 7, 2),
                nationalities=("AE",),
                residence="AE",
                occupation="Agent",
            ),
            "identifiers": (national_id(number),),
            "addresses": (address(),),
            "phones": (phone(),),
            **more,
        }
    )


def bank() -> Organisation:
    return Organisation(
        name="Example Payments Ltd",
        kind="payment_institution",
        identifiers=(
            Identifier(kind="goaml_rentity_id", number="101", country="AE"),
            Identifier(kind="registration", number="CN-77001", country="AE"),
        ),
        address=address("1 Example Way", "business"),
        phone=phone("44441234", "business"),
        bic="EXMPAEAD",
        branch="Main",
    )


def parties() -> tuple[Party, ...]:
    return (
        person("p-1", "Layla", "Example", "784198512345600", roles=(Role.RECRUITER, Role.SUSPECT)),
        person("p-2", "Mona", "Invented", "784199012345601", roles=(Role.POSSIBLE_VICTIM,)),
        Party(
            party_id="p-3",
            kind=PartyKind.ENTITY,
            roles=(Role.SERVICE_PROVIDER,),
            is_client=True,
            entity=Entity(
                name="Night Lodging LLC",
                trade_names=("Night Rooms",),
                registration_number="CN-12345",
                registration_country="AE",
                registration_state="Dubai",
                registered_on=date(2019, 5, 6),
                business="Lodging",
                owners=(Owner(party_id="p-1"),),
            ),
            addresses=(address("2 Side Road", "business"),),
        ),
    )


def accounts() -> tuple[Account, ...]:
    return tuple(
        Account(
            account_id=f"a-{i}",
            number=f"AC00{i}",
            kind=kind,
            currency="AED",
            is_client=True,
            holders=(Holder(party_id=party),),
            opened_on=date(2024, 2, 1),
            status="active",
        )
        for i, (kind, party) in enumerate((("current", "p-1"), ("current", "p-2"), ("merchant", "p-3")), 1)
    )


def transactions() -> tuple[Transaction, ...]:
    ends = (("a-2", "a-1", 900), ("a-1", "a-3", 400), ("a-2", "a-1", 850))
    times = (FIRST, datetime(2026, 1, 18, 1, 5, tzinfo=UTC), LAST)
    return tuple(
        Transaction(
            transaction_id=f"t-{i}",
            at=at,
            amount=aed(amount),
            from_side=Side(account_id=source, funds="transfer", country="AE", client=True),
            to_side=Side(account_id=target, funds="transfer", country="AE", client=True),
            events=(event(i),),
            method="transfer",
            channel="mobile",
            description="Transfer between accounts",
        )
        for i, ((source, target, amount), at) in enumerate(zip(ends, times, strict=True), 1)
    )


def report(**changes: Any) -> Report:
    """A live report that every check passes; `changes` are fields of `Report`."""
    desk = Contact(name="Compliance Office", phone=phone("44440000", "business"), email="desk@example.com")
    officer = replace(desk, name="Sara Officer", title="Reporting officer", nationality="AE", residence="AE")
    base: dict[str, Any] = {
        "report_id": "STR-2026-0007",
        "jurisdiction": "AE",
        "mode": Mode.LIVE,
        "kind": Kind.INITIAL,
        "local_currency": "AED",
        "prepared_at": PREPARED,
        "filer": Filer(organisation=bank(), contact=desk),
        "reporting_person": officer,
        "facts_known_at": Determination(at=datetime(2026, 2, 25, 8, tzinfo=UTC), author="Ana Lyst"),
        "parties": parties(),
        "subjects": (
            Subject(
                kind=PartyKind.NATURAL_PERSON, party_id="p-1", reason="Takes the income of another person"
            ),
        ),
        "accounts": accounts(),
        "transactions": transactions(),
        "activity": Activity(first=FIRST, last=LAST, total=aed(2150), typologies=("sexual-exploitation",)),
        "indicators": (
            Indicator(
                text="Income of one account leaves for another within the hour, mostly at night",
                rule_id="SE-01",
                rule_version="1",
                typology="sexual-exploitation",
                values={"share_forwarded": "0.97"},
                events=(event(1), event(3)),
            ),
        ),
        "facts": (
            Fact(
                question=Question.HOW, text="Each payment was passed on within an hour.", events=(event(1),)
            ),
            Fact(
                question=Question.VICTIM, text="The holder was accompanied to the branch.", author="Ana Lyst"
            ),
        ),
        "actions": (Action(kind="monitoring", text="The accounts are watched more closely."),),
        "narrative": Narrative(
            paragraphs=(
                Paragraph(heading="What", text="Three transfers were made.", events=(event(1), event(2))),
            ),
            signed=Signature(signer="Sara Officer", at=datetime(2026, 3, 1, 12, tzinfo=UTC)),
        ),
        "attachments": (
            Attachment(name="events.csv", media_type="text/csv", size_bytes=512, sha256="ab" * 32),
        ),
        "case_id": "case-1",
    }
    return Report(**{**base, **changes})


def changed(whole: Any, path: str, value: Any) -> Any:
    """Return a copy of a report with one field replaced: ``transactions[0].amount.minor``."""
    if path.startswith("["):
        place, _, rest = path[1:].partition("]")
        items, rest = list(whole), rest.lstrip(".")
        items[int(place)] = changed(items[int(place)], rest, value) if rest else value
        return tuple(items)
    head = path.replace("[", ".[").partition(".")[0]
    rest = path[len(head) :].lstrip(".")
    return replace(whole, **{head: changed(getattr(whole, head), rest, value) if rest else value})
