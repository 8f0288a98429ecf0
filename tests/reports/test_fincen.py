"""FinCEN's SAR: what is written is taken by the schema and by our own rules; what is broken is found."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from sarkit import (
    BANK,
    DESK,
    EXAMPLE,
    FIRST,
    SHOP,
    SUSPECT,
    TEXT,
    TRANSACTION,
    VICTIM,
    a_report,
    reports,
    whole_reports,
)

from txmon.errors import ConfigError
from txmon.reports import fincen
from txmon.reports.fincen_ack import read_acknowledgement
from txmon.reports.fincen_rules import faults_of, schema_findings
from txmon.reports.fincen_shape import items
from txmon.reports.fincen_terms import continuing_due_on, due_on
from txmon.reports.fincen_text import blocks
from txmon.reports.fincen_write import write, write_batch
from txmon.reports.formats import Finding, Level, Options, get
from txmon.reports.model import (
    Activity,
    Attachment,
    Filer,
    Kind,
    LawEnforcement,
    Mode,
    Money,
    Narrative,
    Paragraph,
    Party,
    PartyKind,
    Person,
    Phone,
    PriorFiling,
    Report,
    Role,
    Side,
    Subject,
)

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "fincen"
SCHEMA = PUBLIC / "EFL_SARXBatchSchema.xsd"
NS = {"f": "www.fincen.gov/base"}
PLAIN = Options()
shared = pytest.mark.skipif(not SCHEMA.exists(), reason="the public schemas are not beside the repository")


def xml(report: Report) -> str:
    return write(report).xml.decode()


def errors(text: str | bytes) -> set[str]:
    found = faults_of(text.encode() if isinstance(text, str) else text)
    return {f.code for f in found if f.level is Level.ERROR}


def tree(report: Report) -> etree._Element:
    return etree.fromstring(write(report).xml)


def values(report: Report, path: str) -> list[str]:
    return [str(e.text) for e in tree(report).xpath(path, namespaces=NS)]


def told(text: str, heading: str = "") -> Narrative:
    return Narrative(paragraphs=(Paragraph(heading=heading, text=text),))


def paths(found: list[Finding]) -> set[str]:
    return {f.path for f in found if f.level is Level.ERROR}


# ---- what is written -------------------------------------------------------------------------------------


def test_a_whole_report_has_no_fault() -> None:
    assert fincen.check(a_report(), PLAIN) == []
    assert fincen.validate(write(a_report()).xml, PLAIN) == []
    assert get("fincen").name == "fincen"


@pytest.mark.shared
@shared
def test_the_public_samples_are_judged_as_their_makers_say() -> None:
    good = (PUBLIC / "samples" / "own-sar_batch-valid.xml").read_bytes()
    assert errors(good) == set()
    assert schema_findings(good, SCHEMA) == []
    lacking = (PUBLIC / "samples" / "own-sar_batch-two-activities-valid.xml").read_bytes()
    assert errors(lacking) == {"other_text"}  # the text of 9999 is missing on purpose
    no_namespace = (PUBLIC / "samples" / "moov-sar_batch-INVALID.xml").read_bytes()
    assert errors(no_namespace) == {"root"}
    given_one = no_namespace.replace(b'xmlns:fc2="www.fincen.gov/base"', b'xmlns="www.fincen.gov/base"')
    assert {"attribute", "count", "order"} <= errors(given_one)


@pytest.mark.shared
@shared
def test_the_shape_is_that_of_the_schema() -> None:
    schema = etree.parse(SCHEMA)
    xs = {"x": "http://www.w3.org/2001/XMLSchema"}
    for name in ("Address", "PartyName", "PartyIdentification", "PhoneNumber", "ActivityAssociation", "Account",
                 "AssetsAttribute", "CyberEventIndicators", "OrganizationClassificationTypeSubtype", "ActivityIPAddress",
                 "PartyOccupationBusiness", "SuspiciousActivityClassification", "ActivityNarrativeInformation"):  # fmt: skip
        wanted = schema.xpath(
            f"//x:complexType[@name='{name}Type']/x:sequence/x:element/@name", namespaces=xs
        )
        ours = [i.name for i in items(name)]
        assert ours[: len(wanted)] == wanted, name
    party = schema.xpath("//x:complexType[@name='PartyType']/x:sequence/x:element/@name", namespaces=xs)
    for shape in ("Party", "BranchParty", "AccountParty"):
        assert [i.name for i in items(shape)][: len(party)] == party
    codes = schema.xpath(
        "//x:simpleType[@name='ValidateSuspiciousActivitySubtypeID']//x:enumeration/@value", namespaces=xs
    )
    assert set(codes) == fincen_codes("subactivity")


def fincen_codes(name: str) -> frozenset[str]:
    from txmon.reports.fincen_codes import CODES

    return CODES[name]


@pytest.mark.shared
@shared
@settings(max_examples=150)
@given(reports())
def test_a_report_without_finding_is_valid_and_every_other_names_its_field(report: Report) -> None:
    written = write(report)
    found = fincen.check(report, PLAIN)
    if paths(found):
        assert all(f.path and f.message and f.remedy for f in found)
        assert all(re.fullmatch(r"[a-z_]+(\[\d+\])?(\.[a-z_]+(\[\d+\])?)*", p) for p in paths(found)), paths(
            found
        )
    else:
        assert schema_findings(written.xml, SCHEMA) == []
    # our rules are at least as strict as the schema
    if schema_findings(written.xml, SCHEMA):
        assert paths(found)


@pytest.mark.shared
@shared
@settings(max_examples=150)
@given(whole_reports())
def test_a_report_that_lacks_nothing_is_valid_whatever_people_typed(report: Report) -> None:
    assert paths(fincen.check(report, PLAIN)) == set()
    assert schema_findings(write(report).xml, SCHEMA) == []


@pytest.mark.shared
@shared
def test_a_second_validator_is_of_the_same_opinion() -> None:
    xmlschema = pytest.importorskip("xmlschema", reason="the second validator is not installed")
    second = xmlschema.XMLSchema11(str(SCHEMA))  # of version 1.1: a reader of 1.0 skips the whole schema
    assert second.is_valid(WHOLE)
    assert not second.is_valid(WHOLE.replace('SeqNum="9"', 'SeqNum="8"'))


@pytest.mark.shared
@shared
@settings(max_examples=300)
@given(st.data())
def test_what_the_schema_refuses_our_rules_refuse(data: st.DataObject) -> None:
    root = etree.fromstring(WHOLE.encode())
    everything = [e for e in root.iter() if e is not root]
    for _ in range(data.draw(st.integers(1, 2))):
        one = data.draw(st.sampled_from(everything))
        parent = one.getparent()
        if parent is None:
            continue
        match data.draw(st.sampled_from(["remove", "copy", "move", "text", "number", "rename"])):
            case "remove":
                parent.remove(one)
            case "copy":
                parent.append(deepcopy(one))
            case "move":
                parent.insert(data.draw(st.integers(0, len(parent))), one)
            case "text" if not len(one):
                one.text = data.draw(
                    st.sampled_from(["", " x", "x" * 600, "20260231", "Y", "N", "999", "2", "a\tb", "5"])
                )
            case "number" if one.get("SeqNum"):
                one.set("SeqNum", data.draw(st.sampled_from(["1", "x", "", "5", "1000"])))
            case "rename":
                one.tag = data.draw(st.sampled_from([e.tag for e in everything]))
            case _:
                pass
    broken = etree.tostring(root)
    if schema_findings(broken, SCHEMA):
        assert errors(broken)


@settings(max_examples=100)
@given(reports())
def test_no_possible_victim_is_ever_a_subject(report: Report) -> None:
    names = [p.name for p in report.parties if p.possible_victim and len(p.name.split()) > 1]
    others = {p.name for p in report.parties if not p.possible_victim}
    subjects = [
        " ".join("".join(e.itertext()).split())
        for e in tree(report).xpath("//f:Party[f:ActivityPartyTypeCode='33']/f:PartyName", namespaces=NS)
    ]
    for name in names:
        if name not in others:
            assert not any(" ".join(name.split()) in s for s in subjects)


def test_numbers_stand_once_and_in_the_order_of_the_document() -> None:
    numbers = [int(e.get("SeqNum")) for e in tree(a_report()).iter() if e.get("SeqNum")]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_root_counts_what_is_in_the_file() -> None:
    two = write_batch([a_report(), a_report(report_id="R-2", subjects=())])
    root = etree.fromstring(two.xml)
    assert (root.get("ActivityCount"), root.get("PartyCount"), root.get("TotalAmount")) == ("2", "3", "16202")
    assert errors(two.xml) == set()


def test_amounts_are_whole_dollars_a_fraction_counts_as_one() -> None:
    assert values(a_report(), "//f:TotalSuspiciousAmountText") == ["8101"]


def test_another_currency_needs_a_rate_on_record_which_is_told() -> None:
    euros = replace(a_report().activity, total=Money(minor=100_000, currency="EUR"))
    report = a_report(activity=euros, transactions=(), codes={"usd_per_EUR": "1.0801"})
    assert values(report, "//f:TotalSuspiciousAmountText") == ["1081"]
    assert "EUR 1000.00 was converted at USD 1.0801" in values(report, "//f:ActivityNarrativeText")[0]
    assert errors(xml(report)) == set()
    for rate in ("", "nan", "-1", "one", "0"):
        assert "activity.total" in paths(fincen.check(replace(report, codes={"usd_per_EUR": rate}), PLAIN))


def test_the_one_holder_of_an_account_stands_on_its_side() -> None:
    moved = replace(TRANSACTION, from_side=Side(account_id="a-1"), to_side=Side(account_id="a-2"))
    report = a_report(transactions=(moved,))
    assert values(report, "//f:PurchaserSenderIndicator") == ["Y"]
    assert values(report, "//f:PayeeReceiverIndicator") == ["Y"]


def test_where_everybody_may_be_a_victim_the_subject_is_unknown() -> None:
    report = a_report(
        parties=(VICTIM,),
        subjects=(Subject(kind=PartyKind.NATURAL_PERSON, party_id="p-3"),),
        accounts=(),
        narrative=told(
            TEXT.replace("Ivo Invented", "An unknown person").replace("Made-up Models Ltd", "a shop")
        ),
    )
    assert "Vanished" not in xml(report)
    assert values(report, "//f:AllCriticalSubjectInformationUnavailableIndicator") == ["Y"]
    assert errors(xml(report)) == set()


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    nobody = Party(party_id="p-1", kind=PartyKind.NATURAL_PERSON, person=Person(last_name="Invented"))
    report = a_report(
        parties=(nobody,), accounts=(), subjects=(Subject(kind=PartyKind.NATURAL_PERSON, party_id="p-1"),)
    )
    text = xml(report)
    for name in ("FirstNameUnknownIndicator", "BirthDateUnknownIndicator", "CityUnknownIndicator", "UnknownGenderIndicator",
                 "TINUnknownIndicator", "StreetAddressUnknownIndicator", "IdentificationPresentUnknownIndicator",
                 "NoKnownAccountInvolvedIndicator", "NoRelationshipToInstitutionIndicator"):  # fmt: skip
        assert f"<fc2:{name}>Y<" in text, name
    assert errors(text) == set()


@pytest.mark.parametrize(
    ("typology", "box", "other", "term"),
    [
        ("sexual-exploitation", "927", [], "HUMAN TRAFFICKING FIN-2020-A008"),
        ("child-exploitation", "9999", ["OCSE"], "OCSE-FIN-2021-NTC3"),
        ("sextortion", "9999", ["SEXTORTION"], "FIN-2025-SEXTORTION"),
    ],
)
def test_an_advisory_has_its_box_its_note_and_its_term_in_the_narrative(
    typology: str, box: str, other: list[str], term: str
) -> None:
    report = a_report(
        activity=replace(a_report().activity, typologies=(typology,)),
        narrative=told(TEXT.replace("HUMAN TRAFFICKING FIN-2020-A008 applies.", "")),
    )
    assert box in values(report, "//f:SuspiciousActivitySubtypeID")
    assert values(report, "//f:OtherSuspiciousActivityTypeText") == other
    assert values(report, "//f:FilingInstitutionNotetoFinCEN") == [term]
    assert term in values(report, "//f:ActivityNarrativeText")[0]
    assert errors(xml(report)) == set()


def test_two_advisories_share_the_box_for_others() -> None:
    report = a_report(activity=replace(a_report().activity, typologies=("child-exploitation", "sextortion")))
    assert values(report, "//f:OtherSuspiciousActivityTypeText") == ["OCSE; SEXTORTION"]


def test_in_a_case_of_child_exploitation_no_link_is_written() -> None:
    child = replace(a_report().activity, typologies=("child-exploitation",))
    assert "https://models.example" in xml(a_report())
    assert "https://models.example" not in xml(a_report(activity=child))


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
def test_what_is_not_live_goes_under_the_test_code_and_says_so(mode: Mode) -> None:
    report = a_report(mode=mode)
    assert "TBSATEST" in xml(report)
    assert "PBSA1234" not in xml(report)
    assert values(report, "//f:ActivityNarrativeText")[0].startswith("SIMULATED")
    assert "SIMULATED" in values(report, "//f:FilingInstitutionNotetoFinCEN")[0]
    assert errors(xml(report)) == set()


def test_a_simulated_report_under_a_real_code_is_refused() -> None:
    assert "simulated" in errors(xml(a_report(mode=Mode.SIMULATED)).replace("TBSATEST", "PBSA1234"))


def test_corrections_and_continuing_reports_name_the_one_before() -> None:
    prior = PriorFiling(reference="31000055053784", filed_on=date(2025, 11, 20))
    more = replace(a_report().activity, cumulative=Money(minor=1_200_000, currency="USD"))
    continuing = a_report(kind=Kind.CONTINUING, prior_filing=prior, activity=more)
    assert values(continuing, "//f:EFilingPriorDocumentNumber") == ["31000055053784"]
    assert values(continuing, "//f:CumulativeTotalViolationAmountText") == ["12000"]
    correction = a_report(kind=Kind.CORRECTION, prior_filing=prior)
    assert values(correction, "//f:CorrectsAmendsPriorReportIndicator") == ["Y"]
    for report in (continuing, correction):
        assert errors(xml(report)) == set()
        assert "prior_filing.reference" in paths(fincen.check(replace(report, prior_filing=None), PLAIN))
    assert "activity.cumulative" in paths(
        fincen.check(replace(continuing, activity=a_report().activity), PLAIN)
    )


def test_a_joint_report_names_who_else_files() -> None:
    report = a_report(kind=Kind.JOINT, joint_filers=(BANK,))
    assert values(report, "//f:JointReportIndicator") == ["Y"]
    assert "Invented Bank" in values(report, "//f:ActivityNarrativeText")[0]
    assert errors(xml(report)) == set()


def test_clocks_of_filing() -> None:
    assert due_on(date(2026, 1, 1), subject_known=True) == date(2026, 1, 31)
    assert due_on(date(2026, 1, 1), subject_known=False) == date(2026, 3, 2)
    assert continuing_due_on(date(2026, 1, 1)) == date(2026, 5, 1)


def test_a_late_report_is_told_and_not_stopped() -> None:
    known = a_report().facts_known_at
    late = fincen.check(a_report(facts_known_at=replace(known, at=datetime(2026, 1, 29, tzinfo=UTC))), PLAIN)
    assert [(f.code, f.level, f.path) for f in late] == [("fincen_late", Level.WARNING, "facts_known_at")]
    more = replace(a_report().activity, cumulative=Money(minor=1_200_000, currency="USD"))
    for days, expected in ((120, []), (121, ["fincen_late"])):
        filed_on = a_report().prepared_at.date() - timedelta(days=days)
        prior = PriorFiling(reference="31000055053784", filed_on=filed_on)
        report = a_report(kind=Kind.CONTINUING, prior_filing=prior, activity=more)
        assert [f.code for f in fincen.check(report, PLAIN)] == expected


@pytest.mark.parametrize("length", [1, 3999, 4000, 4001, 8000, 16_999, 17_000])
def test_a_narrative_is_cut_into_blocks_that_give_it_again(length: int) -> None:
    text = ("payments of one account, " * 700)[:length].strip() or "x"
    found = blocks(text)
    assert "".join(found) == text
    assert all(len(b) <= 4000 and b == b.strip() for b in found)
    assert len(found) <= 5


def test_a_narrative_of_more_than_17000_characters_is_told_at_its_field() -> None:
    full = f"{TEXT} " + "x" * (17_000 - len(TEXT) - 1)
    assert errors(xml(a_report(narrative=told(full)))) == set()
    assert "narrative" in paths(fincen.check(a_report(narrative=told(full + "x")), PLAIN))


def test_contacts_with_authorities_and_a_table_have_their_place() -> None:
    police = LawEnforcement(
        agency="Example Police", contact="Inspector Invented", phone=Phone(number="7035550188"), at=FIRST
    )
    table = Attachment(name="events.csv", media_type="text/csv", size_bytes=900, sha256="0" * 64)
    report = a_report(law_enforcement=(police,), attachments=(table,))
    assert values(report, "//f:OriginalAttachmentFileName") == ["events.csv"]
    assert tree(report).get("AttachmentCount") == "1"
    assert values(report, "//f:Party[f:ActivityPartyTypeCode='18']//f:RawPartyFullName") == ["Example Police"]
    assert errors(xml(report)) == set()


def test_a_branch_is_a_party_of_its_own() -> None:
    place = replace(EXAMPLE, branch="Main Street")
    report = a_report(filer=Filer(organisation=EXAMPLE, contact=DESK, activity_at=(place,)))
    assert values(report, "//f:PartyAssociation/f:Party/f:ActivityPartyTypeCode") == ["46"]
    assert errors(xml(report)) == set()


@pytest.mark.parametrize(("currency", "asset"), [("USD", "39"), ("EUR", "32")])
def test_cash_is_of_the_country_or_foreign(currency: str, asset: str) -> None:
    side = Side(account_id="a-1", party_id="p-1", funds="cash")
    moved = replace(
        TRANSACTION, amount=Money(minor=100, currency=currency), method="cash", from_side=side, to_side=side
    )
    report = a_report(transactions=(moved,))
    found = values(report, "//f:AssetSubtypeID")
    assert asset in found
    assert len({"32", "39"} & set(found)) == 1
    assert errors(xml(report)) == set()


def test_a_human_can_choose_boxes() -> None:
    chosen = replace(
        a_report().activity, classifications={"fincen": ("805", "8999=layering by cards", "1/114")}
    )
    report = a_report(activity=chosen)
    assert values(report, "//f:SuspiciousActivitySubtypeID") == ["114", "805", "927", "8999"]
    assert errors(xml(report)) == set()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("filer.organisation.identifiers", {"filer": Filer(organisation=replace(EXAMPLE, identifiers=()), contact=DESK)}),
        ("filer.organisation.address.city", {"filer": Filer(organisation=replace(EXAMPLE, address=replace(EXAMPLE.address, city="")), contact=DESK)}),
        ("activity.total", {"activity": replace(a_report().activity, total=Money(minor=100, currency="EUR")), "transactions": ()}),
        ("activity.first", {"activity": Activity(amount_unknown=True, typologies=("general-aml",)), "transactions": ()}),
        ("activity.typologies", {"activity": replace(a_report().activity, typologies=())}),
        ("parties[0].person.last_name", {"parties": (replace(SUSPECT, person=Person(last_name="N" * 151)), SHOP)}),
        ("activity.last", {"activity": replace(a_report().activity, last=datetime(2026, 4, 1, tzinfo=UTC))}),
        ("report_id", {"report_id": "R" * 26}),
    ],
)  # fmt: skip
def test_what_the_model_lacks_is_named_by_its_field(field: str, changes: dict[str, object]) -> None:
    assert field in paths(fincen.check(a_report(**changes), PLAIN))


# ---- planted defects ------------------------------------------------------------------------------------

WHOLE = xml(
    a_report(
        kind=Kind.CONTINUING,
        prior_filing=PriorFiling(reference="31000055053784"),
        activity=replace(a_report().activity, cumulative=Money(minor=1_200_000, currency="USD"),
                         typologies=("sexual-exploitation", "child-exploitation")),
        narrative=told(f"{TEXT} OCSE-FIN-2021-NTC3 applies. " + "The payments repeat. " * 250),
        attachments=(Attachment(name="t.csv", media_type="text/csv", size_bytes=9, sha256="0" * 64),),
    )
)  # fmt: skip


def swap(old: str, new: str, count: int = 1) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, count)

    return change


def resub(pattern: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        changed, count = re.subn(pattern, new, text, count=1, flags=re.DOTALL)
        assert count == 1
        return changed

    return change


def element(name: str) -> str:
    return rf"\s*<fc2:{name}[ >].*?</fc2:{name}>"


DEFECTS: dict[str, tuple[Callable[[str], str], str]] = {
    "no namespace": (swap('"www.fincen.gov/base"', '"www.fincen.gov/other"'), "root"),
    "entity in a DTD": (swap("<fc2:EFiling", '<!DOCTYPE a [<!ENTITY e "x">]>\n<fc2:EFiling'), "doctype"),
    "cut short": (lambda t: t[:-30], "xml"),
    "form type of another form": (swap(">SARX<", ">CTRX<"), "value"),
    "form type last": (lambda t: resub(r"</fc2:EFilingBatchXML>", "<fc2:FormTypeCode>SARX</fc2:FormTypeCode></fc2:EFilingBatchXML>")(resub(element("FormTypeCode"), "")(t)), "order"),
    "wrong total": (resub(r'TotalAmount="\d+"', 'TotalAmount="8102"'), "count"),
    "parties counted wrong": (resub(r'PartyCount="\d+"', 'PartyCount="7"'), "count"),
    "activities counted wrong": (resub(r' ActivityCount="\d+"', ' ActivityCount="2"'), "count"),
    "no attachment count": (resub(r' AttachmentCount="\d+"', ""), "count"),
    "a number twice": (swap('SeqNum="9"', 'SeqNum="8"'), "seqnum"),
    "a number missing": (swap(' SeqNum="12"', ""), "seqnum"),
    "numbers out of order": (lambda t: t.replace('SeqNum="12"', "#").replace('SeqNum="13"', 'SeqNum="12"').replace("#", 'SeqNum="13"'), "seqnum"),
    "country before city": (swap("<fc2:RawCityText>Springfield</fc2:RawCityText>\n        <fc2:RawCountryCodeText>US</fc2:RawCountryCodeText>", "<fc2:RawCountryCodeText>US</fc2:RawCountryCodeText><fc2:RawCityText>Springfield</fc2:RawCityText>"), "order"),
    "unknown element": (swap("<fc2:FilingDateText>", "<fc2:Remark>x</fc2:Remark><fc2:FilingDateText>"), "element"),
    "no filing date": (resub(element("FilingDateText"), ""), "missing"),
    "a day that is none": (resub(r"<fc2:FilingDateText>\d+", "<fc2:FilingDateText>20260231"), "date"),
    "activity after filing": (swap(">20260105</fc2:SuspiciousActivityFrom", ">20260401</fc2:SuspiciousActivityFrom"), "date"),
    "ends before it begins": (swap(">20260227</fc2:SuspiciousActivityTo", ">20250227</fc2:SuspiciousActivityTo"), "date"),
    "born in the future": (swap(">19800402<", ">20270402<"), "date"),
    "first name neither known nor unknown": (resub(element("RawIndividualFirstName"), ""), "unknown"),
    "known and unknown": (swap("<fc2:PartyNameTypeCode>L</fc2:PartyNameTypeCode>\n        <fc2:RawEntityIndividualLastName>", "<fc2:EntityLastNameUnknownIndicator>Y</fc2:EntityLastNameUnknownIndicator><fc2:PartyNameTypeCode>L</fc2:PartyNameTypeCode>\n        <fc2:RawEntityIndividualLastName>"), "unknown"),
    "empty instead of unknown": (swap(">Faketown<", "><"), "unknown"),
    "unlisted activity": (swap(">927</fc2:SuspiciousActivitySubtypeID>", ">929</fc2:SuspiciousActivitySubtypeID>"), "code_list"),
    "subtype of another type": (swap("<fc2:SuspiciousActivityTypeID>9<", "<fc2:SuspiciousActivityTypeID>8<"), "classification"),
    "a subtype twice": (resub(r"(<fc2:SuspiciousActivityClassification SeqNum=\")(\d+)(\".*?</fc2:SuspiciousActivityClassification>)", r"\1\2\3\g<1>9999\3"), "duplicate"),
    "other without its text": (resub(element("OtherSuspiciousActivityTypeText"), ""), "other_text"),
    "a country that is none": (swap("<fc2:RawCountryCodeText>DE<", "<fc2:RawCountryCodeText>ZZ<"), "code_list"),
    "a state that is none": (swap("<fc2:RawStateCodeText>VA<", "<fc2:RawStateCodeText>QQ<"), "code_list"),
    "blank around a name": (swap(">Made-up Models Ltd<", "> Made-up Models Ltd<"), "value"),
    "line break in a name": (swap(">Ivo the Driver<", ">Ivo&#10;the Driver<"), "value"),
    "a city too long": (swap(">Musterstadt<", f">{'M' * 51}<"), "length"),
    "a block too long": (swap("<fc2:ActivityNarrativeText>", "<fc2:ActivityNarrativeText>" + "y" * 4001), "length"),
    "narrative over 17,000": (resub(r"(?s)<fc2:ActivityNarrativeInformation.*</fc2:ActivityNarrativeInformation>", "".join(f'<fc2:ActivityNarrativeInformation SeqNum="{900 + n}"><fc2:ActivityNarrativeSequenceNumber>{n}</fc2:ActivityNarrativeSequenceNumber><fc2:ActivityNarrativeText>{"z" * 3500}</fc2:ActivityNarrativeText></fc2:ActivityNarrativeInformation>' for n in range(1, 6))), "narrative"),
    "blocks out of order": (swap("SequenceNumber>1<", "SequenceNumber>3<"), "narrative"),
    "no narrative": (resub(r"(?s)\s*<fc2:ActivityNarrativeInformation.*</fc2:ActivityNarrativeInformation>", ""), "missing"),
    "amount with cents": (swap(">8101<", ">8101.00<"), "amount"),
    "amount and unknown": (swap("<fc2:CumulativeTotal", "<fc2:AmountUnknownIndicator>Y</fc2:AmountUnknownIndicator><fc2:CumulativeTotal"), "amount"),
    "continuing without sum": (resub(element("CumulativeTotalViolationAmountText"), ""), "amount"),
    "continuing without the prior number": (resub(element("EFilingPriorDocumentNumber"), ""), "prior"),
    "initial and continuing": (swap("</fc2:ContinuingActivityReportIndicator>", "</fc2:ContinuingActivityReportIndicator><fc2:InitialReportIndicator>Y</fc2:InitialReportIndicator>"), "association"),
    "no transmitter contact": (swap("PartyTypeCode>37<", "PartyTypeCode>33<"), "party"),
    "no control code": (swap(">28</fc2:PartyIdentificationType", ">4</fc2:PartyIdentificationType"), "transmitter_id"),
    "an employer number of 8 digits": (swap(">987654321<", ">98765432<"), "tin"),
    "no regulator": (resub(element("PrimaryRegulatorTypeCode"), ""), "regulator"),
    "two genders": (swap("<fc2:MaleGender", "<fc2:FemaleGenderIndicator>Y</fc2:FemaleGenderIndicator><fc2:MaleGender"), "gender"),
    "term without its box": (swap(">927</fc2:SuspiciousActivitySubtypeID>", ">925</fc2:SuspiciousActivitySubtypeID>"), "key_term"),
    "an entity with a birth date": (swap("<fc2:PartyAsEntityOrganizationIndicator>", "<fc2:IndividualBirthDateText>19800101</fc2:IndividualBirthDateText><fc2:PartyAsEntityOrganizationIndicator>"), "entity"),
    "an attachment that is no table": (swap(">t.csv<", ">t.exe<"), "attachment"),
    "an address that is none": (swap(">192.0.2.55<", ">192.0.2.555<"), "ip"),
    "an asset of the wrong type": (swap("<fc2:AssetTypeID>5<", "<fc2:AssetTypeID>6<"), "asset"),
    "an indicator with N": (swap("<fc2:CustomerIndicator>Y<", "<fc2:CustomerIndicator>N<"), "value"),
    "less in all than in this report": (swap(">12000<", ">800<"), "amount"),
    "an address seen after filing": (swap("DateText>20260105</fc2:ActivityIP", "DateText>20260401</fc2:ActivityIP"), "date"),
    "a time without a day": (resub(element("ActivityIPAddressDateText"), ""), "date"),
    "another cyber sign without its text": (swap("<fc2:Assets ", '<fc2:CyberEventIndicators SeqNum="5000"><fc2:CyberEventIndicatorsTypeCode>999</fc2:CyberEventIndicatorsTypeCode><fc2:EventValueText>x</fc2:EventValueText></fc2:CyberEventIndicators><fc2:Assets '), "other_text"),
    "a product twice": (swap("<fc2:AssetSubtypeID>46<", "<fc2:AssetSubtypeID>5<"), "duplicate"),
    "a block that begins with a blank": (swap("<fc2:ActivityNarrativeText>", "<fc2:ActivityNarrativeText> "), "narrative"),
    "a narrative that tells nothing": (resub(r"(?s)<fc2:ActivityNarrativeInformation.*</fc2:ActivityNarrativeInformation>", '<fc2:ActivityNarrativeInformation SeqNum="900"><fc2:ActivityNarrativeSequenceNumber>1</fc2:ActivityNarrativeSequenceNumber><fc2:ActivityNarrativeText>See attached table.</fc2:ActivityNarrativeText></fc2:ActivityNarrativeInformation>'), "narrative"),
    "no subject": (lambda t: t.replace("PartyTypeCode>33<", "PartyTypeCode>34<"), "party"),
    "the keeper of an account as a party": (swap("PartyTypeCode>34<", "PartyTypeCode>41<"), "party"),
    "a subject instead of a keeper": (swap("PartyTypeCode>41<", "PartyTypeCode>33<"), "party"),
    "no telephone": (resub(element("PhoneNumber"), ""), "missing"),
    "a telephone with signs": (swap(">7035550100<", ">703-555-0100<"), "phone"),
    "a contact without legal name": (swap(">L</fc2:PartyNameTypeCode>", ">AKA</fc2:PartyNameTypeCode>"), "name"),
    "no kind of institution": (resub(element("OrganizationClassificationTypeSubtype"), ""), "missing"),
    "a kind of institution without its subtype": (swap("<fc2:OrganizationTypeID>4<", "<fc2:OrganizationTypeID>1<"), "organization"),
    "a subtype of another institution": (swap("<fc2:OrganizationTypeID>4<", "<fc2:OrganizationSubtypeID>503</fc2:OrganizationSubtypeID><fc2:OrganizationTypeID>4<"), "organization"),
    "another institution without its text": (swap("<fc2:OrganizationTypeID>4<", "<fc2:OrganizationTypeID>999<"), "other_text"),
    "neither branch nor none": (resub(element("NoBranchActivityInvolvedIndicator"), ""), "branch"),
    "two tax numbers of the filer": (swap(">29</fc2:PartyIdentificationType", ">2</fc2:PartyIdentificationType"), "institution_id"),
    "all unknown and yet named": (swap("PartyTypeCode>33</fc2:ActivityPartyTypeCode>", "PartyTypeCode>33</fc2:ActivityPartyTypeCode><fc2:AllCriticalSubjectInformationUnavailableIndicator>Y</fc2:AllCriticalSubjectInformationUnavailableIndicator>"), "unknown"),
    "an entity with a first name": (swap("Made-up Models Ltd</fc2:RawEntityIndividualLastName>", "Made-up Models Ltd</fc2:RawEntityIndividualLastName><fc2:RawIndividualFirstName>x</fc2:RawIndividualFirstName>"), "entity"),
    "no relation and a relation": (swap("<fc2:CustomerIndicator>Y</fc2:CustomerIndicator>", "<fc2:CustomerIndicator>Y</fc2:CustomerIndicator><fc2:NoRelationshipToInstitutionIndicator>Y</fc2:NoRelationshipToInstitutionIndicator>"), "relationship"),
    "accounts and no account": (swap("<fc2:PartyAsEntityOrganizationIndicator>", "<fc2:NoKnownAccountInvolvedIndicator>Y</fc2:NoKnownAccountInvolvedIndicator><fc2:PartyAsEntityOrganizationIndicator>"), "account"),
    "an account without number": (resub(element("AccountNumberText"), ""), "account"),
    "accounts in another role": (swap("AssociationTypeCode>7<", "AssociationTypeCode>5<"), "account"),
    "a state where FinCEN knows none": (swap("<fc2:RawCountryCodeText>DE</fc2:RawCountryCodeText>", "<fc2:RawCountryCodeText>DE</fc2:RawCountryCodeText><fc2:RawStateCodeText>BY</fc2:RawStateCodeText>"), "code_list"),
    "a ZIP of four digits": (swap(">22150<", ">2215<"), "zip"),
    "another document without its text": (swap("IdentificationTypeCode>6<", "IdentificationTypeCode>999<"), "other_text"),
    "a number without type": (resub(element("PartyIdentificationTypeCode"), ""), "identification"),
    "joint with nobody": (swap("</fc2:ContinuingActivityReportIndicator>", "</fc2:ContinuingActivityReportIndicator><fc2:JointReportIndicator>Y</fc2:JointReportIndicator>"), "joint"),
    "neither initial nor later": (resub(element("ContinuingActivityReportIndicator"), ""), "association"),
    "elderly beyond belief": (swap(">19800402<", ">19000102<"), "date"),
    "a month of thirteen": (swap(">19800402<", ">19801300<"), "date"),
    "a flag on an element of text": (swap("<fc2:RawCityText>", '<fc2:RawCityText lang="en">'), "attribute"),
    "text beside elements": (swap("<fc2:ActivityAssociation SeqNum=\"2\">", "<fc2:ActivityAssociation SeqNum=\"2\">x"), "text"),
    "a victim by relation": (swap("<fc2:CustomerIndicator>Y</fc2:CustomerIndicator>", "<fc2:OtherPartyAssociationTypeText>possible victim</fc2:OtherPartyAssociationTypeText><fc2:OtherRelationshipIndicator>Y</fc2:OtherRelationshipIndicator>"), "victim"),
    "a victim by the narrative": (swap("They were made from one device", "Ivo Invented is a possible victim"), "victim"),
}  # fmt: skip


def test_the_report_before_the_defects_has_none() -> None:
    assert errors(WHOLE) == set()


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found(name: str) -> None:
    plant, code = DEFECTS[name]
    broken = plant(WHOLE)
    assert broken != WHOLE
    assert code in errors(broken), faults_of(broken.encode())


@pytest.mark.parametrize(
    "said",
    [
        "The possible victim, Ivo Invented, was seen.",
        "Invented, Ivo may be a trafficking victim.",
        "Potential victim: IVO  INVENTED.",
    ],
)
def test_a_narrative_that_calls_a_subject_a_victim_is_refused(said: str) -> None:
    assert "victim" in errors(xml(a_report(narrative=told(f"{TEXT} {said}"))))


@pytest.mark.parametrize(
    "said", ["Ivo Invented recruited a possible victim.", "A possible victim was sent money by Ivo Invented."]
)
def test_telling_of_a_victim_is_no_defect(said: str) -> None:
    assert "victim" not in errors(xml(a_report(narrative=told(f"{TEXT} {said}"))))


def test_a_victim_is_found_by_name_and_number_where_they_are_known() -> None:
    options = Options(extra={"possible_victims": "Ivó INVENTED\nnobody"})
    assert "fincen_victim" in {f.code for f in fincen.validate(write(a_report()).xml, options)}
    same_person = replace(VICTIM, person=SUSPECT.person)
    found = fincen.check(a_report(parties=(SUSPECT, SHOP, same_person)), PLAIN)
    assert "fincen_victim" in {f.code for f in found}


def test_a_party_who_is_suspect_and_victim_is_no_subject() -> None:
    both = replace(SUSPECT, roles=(Role.SUSPECT, Role.POSSIBLE_VICTIM))
    report = a_report(parties=(both, SHOP))
    assert "<fc2:RawIndividualFirstName>Ivo<" not in xml(report)


def test_no_finding_repeats_a_value() -> None:
    broken = WHOLE.replace(">987654321<", ">98765432A<").replace(">Ivo<", ">Ivo <").replace(">US<", ">QX<")
    assert not any("98765432A" in str(f) or "Ivo" in str(f) for f in fincen.validate(broken.encode(), PLAIN))


def test_a_schema_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="XML schema"):
        schema_findings(write(a_report()).xml, tmp_path / "none.xsd")


# ---- acknowledgement ------------------------------------------------------------------------------------

ACKNOWLEDGED = """<EFilingBatchXML StatusCode="A" SeqNum="1"><EFilingSubmissionXML SeqNum="2" StatusCode="A">
<EFilingActivityXML SeqNum="3"><BSAID>31000000000001</BSAID><EFilingActivityErrorXML SeqNum="4">
<ErrorContextText>EFilingBatchXML/Activity[1]/Party[{party}]/PartyName[{name}]/RawIndividualFirstName</ErrorContextText>
<ErrorElementNameText>RawIndividualFirstName</ErrorElementNameText><ErrorLevelText>{level}</ErrorLevelText>
<ErrorText>not recorded</ErrorText><ErrorTypeCode>C4</ErrorTypeCode></EFilingActivityErrorXML></EFilingActivityXML>
</EFilingSubmissionXML></EFilingBatchXML>"""


@pytest.mark.parametrize(("level", "accepted"), [("WARN", True), ("FATAL", False)])
def test_an_acknowledged_error_is_shown_at_the_field_of_the_model(level: str, accepted: bool) -> None:
    sent = write(a_report())
    subject = etree.fromstring(sent.xml).xpath(
        "//f:Party[f:ActivityPartyTypeCode='33']/f:PartyName", namespaces=NS
    )[0]
    text = ACKNOWLEDGED.format(
        party=subject.getparent().get("SeqNum"), name=subject.get("SeqNum"), level=level
    )
    (one,) = read_acknowledgement(text.encode(), sent)
    assert (one.accepted, one.bsa_id) == (accepted, "31000000000001")
    assert [(f.path, f.code) for f in one.findings] == [("parties[0].person.first_name", "fincen_ack_c4")]


@pytest.mark.shared
@shared
def test_the_public_acknowledgement_is_read() -> None:
    found = read_acknowledgement((PUBLIC / "samples" / "moov-sar_acknowledgement.xml").read_bytes())
    assert [a.bsa_id for a in found] == ["31000055053784", "31000055053785", "31000055053786"]
    assert [f.code for f in found[0].findings] == ["fincen_ack_c21", "fincen_ack_c4"]
    assert all(a.accepted for a in found)


def test_a_refused_batch_and_what_is_no_acknowledgement() -> None:
    refused = b'<EFilingBatchXML StatusCode="R"><EFilingSubmissionXML StatusCode="R"/></EFilingBatchXML>'
    assert [a.accepted for a in read_acknowledgement(refused)] == [False]
    for text in (b"<x/>", b"no xml", write(a_report()).xml):
        with pytest.raises(Exception, match="acknowledgement"):
            read_acknowledgement(text)
