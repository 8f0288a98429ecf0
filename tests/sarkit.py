"""Reports for the tests of report writers: one whole report, and as many different ones as hypothesis draws.

Everybody in them is invented.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from txmon.reports.model import (
    Account,
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
    LawEnforcement,
    Mode,
    Money,
    Narrative,
    Organisation,
    Paragraph,
    Party,
    PartyKind,
    Person,
    Phone,
    PriorFiling,
    Question,
    Report,
    Role,
    Side,
    Signature,
    Subject,
    Tip,
    Trace,
    Transaction,
)

FILED = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FIRST = datetime(2026, 1, 5, 12, tzinfo=UTC)
REF = EventRef(source="native", event_id="e-1")

OFFICE = Address(street="1 Example Way", city="Springfield", state="VA", postcode="22150", country="US")
ABROAD = Address(street="Beispielweg 4", city="Musterstadt", postcode="99999", country="DE")
EXAMPLE = Organisation(
    name="Example Payments LLC",
    trade_name="Example Pay",
    kind="money_service",
    identifiers=(
        Identifier(kind="fincen_tin_ein", number="98-7654321"),
        Identifier(kind="fincen_tcc", number="PBSA1234"),
        Identifier(kind="fintrac_reporting_entity", number="1234567"),
        Identifier(kind="fintrac_location", number="LOC-1"),
    ),
    address=OFFICE,
    phone=Phone(number="(703) 555-0100", prefix="1"),
    regulator="IRS",
)
BANK = Organisation(
    name="Invented Bank",
    kind="depository",
    identifiers=(Identifier(kind="tax", number="DE 123 456", country="DE"),),
    address=ABROAD,
    regulator="OCC",
)
DESK = Contact(
    name="Compliance Office",
    first_name="Dana",
    last_name="Desk",
    phone=Phone(number="703-555-0101"),
    email="desk@example.test",
    identifiers=(Identifier(kind="fintrac_contact", number="77"),),
)
SUSPECT = Party(
    party_id="p-1",
    kind=PartyKind.NATURAL_PERSON,
    roles=(Role.SUSPECT,),
    is_client=True,
    person=Person(
        first_name="Ivo", last_name="Invented", aliases=("Ivo the Driver",), gender="male", born_on=date(1980, 4, 2),
        occupation="Driver", residence="US",
    ),
    identifiers=(
        Identifier(kind="social_security", number="900-12-3456", country="US"),
        Identifier(kind="passport", number="X1234567", country="RO"),
    ),
    addresses=(Address(street="99 Nowhere Street", city="Faketown", state="DE", postcode="19901", country="US", use="home"),),
    phones=(Phone(number="302 555 0199", prefix="1", use="home", mobile=True),),
    emails=("ivo@example.test",),
)  # fmt: skip
SHOP = Party(
    party_id="p-2",
    kind=PartyKind.ENTITY,
    roles=(Role.SERVICE_PROVIDER,),
    entity=Entity(
        name="Made-up Models Ltd", trade_names=("models.example",), business="Booking of models for advertising and events",
        registration_number="HRB 1", registration_country="DE", naics="711410", mcc="7333",
    ),
    identifiers=(Identifier(kind="registration", number="HRB 1", country="DE"),),
    addresses=(ABROAD,),
    urls=("https://models.example",),
)  # fmt: skip
VICTIM = Party(
    party_id="p-3",
    kind=PartyKind.NATURAL_PERSON,
    roles=(Role.POSSIBLE_VICTIM,),
    person=Person(first_name="Vera", last_name="Vanished", aliases=("Vee V",)),
    identifiers=(Identifier(kind="passport", number="V7654321", country="MD"),),
)
ACCOUNT = Account(
    account_id="a-1",
    number="ACCT-000017",
    currency="USD",
    is_client=True,
    holders=(Holder(party_id="p-1"),),
    opened_on=date(2024, 5, 1),
    status="active",
)
OTHER_ACCOUNT = Account(
    account_id="a-2",
    number="DE00INVENTED",
    currency="EUR",
    institution=BANK,
    holders=(Holder(party_id="p-2"),),
)
TEXT = (
    "Between 2026-01-05 and 2026-02-27 Ivo Invented sent nine payments of USD 900 to Made-up Models Ltd (events "
    "native/e-1 to native/e-9). The payments follow adverts for services within one day; HUMAN TRAFFICKING "
    "FIN-2020-A008 applies. They were made from one device, at night, by card."
)
TRANSACTION = Transaction(
    transaction_id="t-1",
    at=FIRST,
    amount=Money(minor=90050, currency="USD"),
    from_side=Side(
        account_id="a-1", party_id="p-1", funds="card", country="US", client=True, conductor_id="p-1"
    ),
    to_side=Side(account_id="a-2", party_id="p-2", funds="deposit", country="DE"),
    events=(REF,),
    method="card",
    ip="192.0.2.55",
    device="device-7",
    reference="txn-1",
)


def a_report(**changes: Any) -> Report:
    """Return a whole report that every authority takes, with some fields changed."""
    report = Report(
        report_id="R-2026-000017",
        jurisdiction="US",
        mode=Mode.LIVE,
        kind=Kind.INITIAL,
        local_currency="USD",
        prepared_at=FILED,
        filer=Filer(organisation=EXAMPLE, contact=DESK),
        reporting_person=DESK,
        facts_known_at=Determination(at=datetime(2026, 2, 20, tzinfo=UTC), author="analyst-1"),
        parties=(SUSPECT, SHOP, VICTIM),
        subjects=(
            Subject(kind=PartyKind.NATURAL_PERSON, party_id="p-1", reason="sent the payments"),
            Subject(kind=PartyKind.ENTITY, party_id="p-2", reason="took the payments"),
        ),
        accounts=(ACCOUNT, OTHER_ACCOUNT),
        transactions=(TRANSACTION,),
        activity=Activity(
            first=FIRST,
            last=datetime(2026, 2, 27, tzinfo=UTC),
            total=Money(minor=810050, currency="USD"),
            typologies=("sexual-exploitation",),
        ),
        indicators=(Indicator(text="payments after adverts", rule_id="advert-payments"),),
        traces=(Trace(kind="ip", value="2001:db8::7", at=FIRST + timedelta(days=1)),),
        facts=(Fact(question=Question.WHO, text="Ivo Invented", events=(REF,)),),
        narrative=Narrative(
            paragraphs=(Paragraph(heading="Summary", text=TEXT, events=(REF,)),),
            signed=Signature(signer="mlro-1", at=FILED),
        ),
        codes={"fincen": "SARX"},
    )
    return replace(report, **changes)


# any text that a person may type, without what XML itself cannot hold
words = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00\ufffe\uffff"), max_size=40)
names = st.text(st.characters(categories=("L", "Zs")), min_size=0, max_size=30)
moments = st.datetimes(datetime(2025, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))  # noqa: DTZ001
addresses = st.builds(
    Address,
    street=words,
    city=words,
    state=st.sampled_from(["", "VA", "QC", "Bavaria"]),
    postcode=st.sampled_from(["", "22150", "22150-1234", "H2X 1Y4", "1"]),
    country=st.sampled_from(["", "US", "CA", "DE", "MX", "GB"]),
)
phones = st.builds(
    Phone,
    number=st.text("0123456789 -()", max_size=20),
    prefix=st.sampled_from(["", "1", "49"]),
    mobile=st.booleans(),
)
# the form takes 16 digits, prefix and all
short_phones = phones.filter(lambda p: sum(c.isdigit() for c in p.prefix + p.number) <= 16)
identifiers = st.builds(
    Identifier,
    kind=st.sampled_from(["passport", "national_id", "tax", "social_security", "driving_licence", "other"]),
    number=st.one_of(st.just("900-12-3456"), words),
    country=st.sampled_from(["", "US", "RO", "CA"]),
)
people = st.builds(
    Person,
    first_name=names,
    middle_name=names,
    last_name=names,
    aliases=st.lists(names, max_size=2).map(tuple),
    gender=st.sampled_from(["", "female", "male", "other"]),
    born_on=st.one_of(st.none(), st.dates(date(1930, 1, 1), date(2015, 1, 1))),
    occupation=words,
)
entities = st.builds(
    Entity, name=words, trade_names=st.lists(words, max_size=2).map(tuple), business=st.text(max_size=90)
)


@st.composite
def parties(draw: st.DrawFn, number: int) -> Party:
    """Draw a party of any kind and role."""
    kind = draw(st.sampled_from(list(PartyKind)))
    return Party(
        party_id=f"p-{number}",
        kind=kind,
        roles=tuple(draw(st.lists(st.sampled_from(list(Role)), min_size=1, max_size=2, unique=True))),
        is_client=draw(st.booleans()),
        person=draw(people) if kind is PartyKind.NATURAL_PERSON else None,
        entity=draw(entities) if kind is PartyKind.ENTITY else None,
        identifiers=tuple(draw(st.lists(identifiers, max_size=3))),
        addresses=tuple(draw(st.lists(addresses, max_size=2))),
        phones=tuple(draw(st.lists(phones, max_size=2))),
        emails=tuple(draw(st.lists(st.just("someone@example.test"), max_size=1))),
        urls=tuple(draw(st.lists(st.just("https://site.example"), max_size=1))),
        relationship=draw(st.sampled_from(["", "former agent"])),
        is_filer_staff=draw(st.booleans()),
    )


@st.composite
def transactions(draw: st.DrawFn, number: int) -> Transaction:
    """Draw a transaction between two of four parties and accounts."""
    who = st.sampled_from([None, "p-0", "p-1", "p-2", "p-3"])
    account = st.sampled_from([None, "a-0", "a-1"])
    funds = st.sampled_from(["card", "cash", "crypto", "wallet", "transfer"])
    return replace(
        TRANSACTION,
        transaction_id=f"t-{number}",
        at=draw(moments),
        amount=Money(
            minor=draw(st.integers(1, 10**9)), currency=draw(st.sampled_from(["USD", "USD", "USD", "EUR"]))
        ),
        from_side=Side(
            account_id=draw(account), party_id=draw(who), funds=draw(funds), conductor_id=draw(who)
        ),
        to_side=Side(account_id=draw(account), party_id=draw(who), funds=draw(funds)),
        method=draw(st.sampled_from(["card", "wire", "crypto", "atm", "other"])),
        attempted=draw(st.booleans()),
        suspicious=draw(st.booleans()),
        ip=draw(st.sampled_from(["", "192.0.2.1", "198.51.100.9", "not an address"])),
    )


@st.composite
def activities(draw: st.DrawFn) -> Activity:
    """Draw an activity with one, none or several statements on its amount."""
    amount = st.one_of(
        st.none(), st.builds(Money, minor=st.integers(0, 10**12), currency=st.sampled_from(["USD", "EUR"]))
    )
    return Activity(
        first=draw(st.one_of(st.none(), moments)),
        last=draw(st.one_of(st.none(), st.just(datetime(2026, 3, 1, tzinfo=UTC)))),
        total=draw(amount),
        cumulative=draw(amount),
        amount_unknown=draw(st.integers(0, 5)) == 0,
        no_amount=draw(st.integers(0, 9)) == 0,
        typologies=tuple(draw(st.lists(st.sampled_from([
            "sexual-exploitation", "child-exploitation", "sextortion", "mule-layering", "merchant-laundering", "unheard-of",
        ]), max_size=3, unique=True))),
        products=tuple(draw(st.lists(st.sampled_from(["credit_card", "gift card", "46"]), max_size=2))),
        other_text=draw(st.sampled_from(["", "adverts"])),
    )  # fmt: skip


SAID = "Between January and March one person sent nine payments to a shop; each follows an advert within one day."
PRIOR = PriorFiling(reference="31000055053784", own_reference="R-1", filed_on=date(2025, 11, 20))


def _numbered(person: Person, number: int) -> Person:
    """Nobody in a case has the name of another: that would make a namesake of a victim."""
    return replace(
        person,
        last_name=f"{person.last_name}{'abcde'[number]}",
        aliases=tuple(f"{a} {number}" for a in person.aliases),
    )


@st.composite
def whole_reports(draw: st.DrawFn) -> Report:
    """Draw a report with nothing missing that the authority of the United States wants."""
    kind = draw(st.sampled_from(list(Kind)))
    persons = st.builds(
        Person,
        first_name=st.sampled_from(["", "Ana", "Jean Luc"]),
        last_name=st.text(st.characters(categories=("L",)), min_size=1, max_size=30),
        aliases=st.lists(names, max_size=2).map(tuple),
        gender=st.sampled_from(["", "female", "male", "other"]),
        born_on=st.one_of(st.none(), st.dates(date(1930, 1, 1), date(2015, 1, 1))),
        occupation=words,
    )
    good = [
        OFFICE,
        ABROAD,
        Address(),
        replace(OFFICE, street="", postcode="221501234"),
        Address(city="Ciudad", country="MX"),
    ]
    found = tuple(
        replace(
            party,
            party_id=f"p-{n}",
            person=_numbered(draw(persons), n) if party.person else None,
            entity=replace(party.entity, name=f"Models {n}", trade_names=()) if party.entity else None,
            roles=(draw(st.sampled_from(list(Role))),),
            addresses=tuple(draw(st.lists(st.sampled_from(good), max_size=2))),
            phones=tuple(draw(st.lists(short_phones, max_size=2))),
            identifiers=tuple(
                replace(i, number=f"{i.number}-{n}") for i in party.identifiers if draw(st.booleans())
            ),
            is_client=draw(st.booleans()),
        )
        for n, party in enumerate(
            draw(st.lists(st.sampled_from([SHOP, replace(VICTIM, identifiers=())]), max_size=5))
        )
    )
    total, typologies = (
        draw(st.integers(1, 10**12)),
        ["sexual-exploitation", "child-exploitation", "sextortion", "general-aml"],
    )
    return a_report(
        kind=kind,
        mode=draw(st.sampled_from(list(Mode))),
        parties=found,
        subjects=tuple(Subject(kind=p.kind, party_id=p.party_id) for p in found if draw(st.booleans())),
        accounts=(replace(ACCOUNT, holders=tuple(Holder(party_id=p.party_id) for p in found if draw(st.booleans()))),),
        transactions=tuple(draw(transactions(n)) for n in range(draw(st.integers(0, 3)))),
        activity=replace(
            draw(activities()),
            first=FIRST,
            last=draw(st.one_of(st.none(), moments.filter(lambda t: t > FIRST))),
            total=Money(minor=total, currency="USD"),
            cumulative=Money(minor=2 * total, currency="USD"),
            amount_unknown=False,
            no_amount=False,
            typologies=tuple(draw(st.lists(st.sampled_from(typologies), min_size=1, max_size=3, unique=True))),
        ),
        narrative=Narrative(
            paragraphs=tuple(Paragraph(heading="What", text=f"{SAID} {draw(words)}") for _ in range(draw(st.integers(1, 60))))
        ),
        prior_filing=PRIOR,
        joint_filers=(BANK,) if kind is Kind.JOINT else (),
        law_enforcement=tuple(draw(st.lists(st.builds(LawEnforcement, agency=st.just("Police"), contact=words, at=moments), max_size=2))),
    )  # fmt: skip


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Draw a report: whole or with gaps, and with texts that no form likes."""
    found = tuple(draw(parties(n)) for n in range(draw(st.integers(0, 4))))
    subjects = tuple(Subject(kind=p.kind, party_id=p.party_id) for p in found if draw(st.booleans()))
    accounts = tuple(
        replace(ACCOUNT, account_id=f"a-{n}", number=draw(words), is_client=draw(st.booleans()),
                institution=draw(st.sampled_from([None, BANK])),
                holders=tuple(Holder(party_id=p.party_id) for p in found if draw(st.booleans())))
        for n in range(draw(st.integers(0, 3)))
    )  # fmt: skip
    kind = draw(st.sampled_from(list(Kind)))
    prior = PriorFiling(
        reference=draw(st.sampled_from(["31000055053784", "", "BSA 12"])), own_reference="R-1"
    )
    filer = Filer(
        organisation=draw(st.sampled_from([EXAMPLE, BANK])),
        contact=DESK,
        transmitter=draw(st.sampled_from([None, EXAMPLE])),
    )
    length = draw(st.sampled_from([0, 1, 40, 120]))
    return a_report(
        mode=draw(st.sampled_from(list(Mode))),
        kind=kind,
        filer=filer,
        parties=found,
        subjects=subjects,
        accounts=accounts,
        transactions=tuple(draw(transactions(n)) for n in range(draw(st.integers(0, 4)))),
        activity=draw(activities()),
        traces=tuple(draw(st.lists(st.builds(Trace, kind=st.sampled_from(["ip", "device", "url"]), value=st.sampled_from(["192.0.2.9", "x"]), at=st.none()), max_size=3))),
        narrative=Narrative(paragraphs=tuple(Paragraph(heading=draw(words), text=f"{SAID} {draw(words)}") for _ in range(length and draw(st.integers(1, length))))),
        law_enforcement=tuple(draw(st.lists(st.builds(LawEnforcement, agency=words, contact=words), max_size=2))),
        attachments=tuple(draw(st.lists(st.builds(Attachment, name=st.sampled_from(["t.csv", "t.pdf"]), media_type=st.sampled_from(["text/csv", "application/pdf"]), size_bytes=st.integers(1, 2_000_000), sha256=st.just("0" * 64)), max_size=2))),
        tips=tuple(draw(st.lists(st.builds(Tip, source=words, reference=words), max_size=1))),
        prior_filing=draw(st.sampled_from([None, prior, prior])),
        joint_filers=draw(st.sampled_from([(), (), (BANK,)])),
    )  # fmt: skip
