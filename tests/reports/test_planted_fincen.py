"""FinCEN files with one defect each, planted in the text: the validator, without a schema, finds every one."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree
from sarkit import a_report

from txmon.reports import fincen
from txmon.reports.formats import Finding, Level, Options

Change = Callable[[str], str]


def plain(xml: bytes) -> str:
    """A file without sequence numbers and prefixes, for changes by its text."""
    text = re.sub(r' SeqNum="\d+"', "", xml.decode()).replace("fc2:", "")
    return text.replace('xmlns:fc2="www.fincen.gov/base"', 'xmlns="www.fincen.gov/base"')


def numbered(text: str) -> bytes:
    """The file with its sequence numbers, so that nothing is wrong but what was planted."""
    root = etree.fromstring(text.encode())
    number = 0
    for one in root.iter(etree.Element):
        if one is not root and len(one):
            number += 1
            one.set("SeqNum", str(number))
    return etree.tostring(root)


WHOLE = plain(fincen.to_xml(a_report(), Options()))


def edit(pattern: str, put: str | Callable[[re.Match[str]], str], count: int = 1) -> Change:
    def change(text: str) -> str:
        made, found = re.subn(pattern, put, text, count=count, flags=re.DOTALL)
        assert found, pattern
        return made

    return change


def every(old: str, new: str) -> Change:
    return edit(re.escape(old), lambda _: new, 0)


def value(name: str, text: str) -> Change:
    return edit(rf"<{name}>[^<]*</{name}>", lambda _: f"<{name}>{text}</{name}>")


def lacking(name: str) -> Change:
    return edit(rf"\s*<{name}>.*?</{name}>", "")


def doubled(name: str) -> Change:
    return edit(rf"(<{name}>.*?</{name}>)", r"\1\1")


def swapped(first: str, second: str) -> Change:
    return edit(rf"(<{first}>[^<]*</{first}>)(\s*)(<{second}>[^<]*</{second}>)", r"\3\2\1")


def both(*changes: Change) -> Change:
    def change(text: str) -> str:
        for one in changes:
            text = one(text)
        return text

    return change


def party(kind: int, change: Change) -> Change:
    """A change within the first party of a kind."""

    def changed(text: str) -> str:
        start = text.rindex("<Party>", 0, text.index(f"<ActivityPartyTypeCode>{kind}<"))
        depth = 0
        for tag in re.finditer("</?Party>", text[start:]):
            depth += 1 if tag.group() == "<Party>" else -1
            if depth == 0:
                return text[:start] + change(text[start : start + tag.end()]) + text[start + tag.end() :]
        raise AssertionError("the party does not end")

    return changed


def without(kind: int) -> Change:
    def change(text: str) -> str:
        while f"<ActivityPartyTypeCode>{kind}<" in text:
            text = party(kind, lambda _: "")(text)
        return text.replace('PartyCount="2"', 'PartyCount="0"') if kind == 33 else text

    return change


def moved(name: str, before: str) -> Change:
    """The first element of a name, put before another."""

    def change(text: str) -> str:
        found = re.search(f"<{name}>.*?</{name}>", text, re.DOTALL)
        assert found
        return text.replace(found.group(), "", 1).replace(f"<{before}>", f"{found.group()}<{before}>", 1)

    return change


def told(text: str) -> Change:
    return every("SUMMARY: ", f"SUMMARY: {text} ")


def total(amount: str) -> Change:
    return both(
        value("TotalSuspiciousAmountText", amount), every('TotalAmount="8101"', f'TotalAmount="{amount}"')
    )


def blocks(count: int, text: str) -> Change:
    made = "".join(
        f"<ActivityNarrativeInformation><ActivityNarrativeSequenceNumber>{i}</ActivityNarrativeSequenceNumber>"
        f"<ActivityNarrativeText>{text}</ActivityNarrativeText></ActivityNarrativeInformation>"
        for i in range(1, count + 1)
    )
    return edit("<ActivityNarrativeInformation>.*</ActivityNarrativeInformation>", lambda _: made)


def corrected(prior: str) -> Change:
    return both(
        edit(
            "<FilingDateText>",
            f"<EFilingPriorDocumentNumber>{prior}</EFilingPriorDocumentNumber><FilingDateText>",
        ),
        edit(
            "<InitialReportIndicator>Y</InitialReportIndicator>",
            "<CorrectsAmendsPriorReportIndicator>Y</CorrectsAmendsPriorReportIndicator>",
        ),
    )


def before(name: str, text: str) -> Change:
    return edit(f"<{name}>", f"{text}<{name}>")


ATTACHED = "<ActivitySupportDocument><OriginalAttachmentFileName>a.exe</OriginalAttachmentFileName></ActivitySupportDocument>"
CUSTOMER = "<CustomerIndicator>Y</CustomerIndicator>"

DEFECTS: dict[str, Change] = {
    # the root's counts
    **{f"no {n}": edit(rf' {n}="\d+"', "") for n in ("TotalAmount", "PartyCount", "ActivityCount", "ActivityAttachmentCount", "AttachmentCount")},
    **{f"one more {n}": edit(rf'{n}="(\d+)"', lambda m: m.group().replace(m.group(1), str(int(m.group(1)) + 1))) for n in ("TotalAmount", "PartyCount", "ActivityCount", "ActivityAttachmentCount", "AttachmentCount")},
    **{f"{n} is no number": edit(rf'{n}="\d+"', f'{n}="x"') for n in ("TotalAmount", "PartyCount", "ActivityCount", "ActivityAttachmentCount", "AttachmentCount")},
    # form, namespace, order
    "another form": value("FormTypeCode", "CTRX"),
    "no form": lacking("FormTypeCode"),
    "the form last": edit("(<FormTypeCode>.*?</FormTypeCode>)(.*)(</EFilingBatchXML>)", r"\2\1\3"),
    "no namespace": every(' xmlns="www.fincen.gov/base"', ""),
    "another namespace": every('xmlns="www.fincen.gov/base"', 'xmlns="urn:x"'),
    "an unknown attribute": edit("<Activity>", '<Activity x="1">'),
    "an unknown element": edit("</Activity>", "<Bogus>1</Bogus></Activity>"),
    **{
        f"order of {a} and {b}": swapped(a, b)
        for a, b in (
            ("RawCityText", "RawCountryCodeText"), ("RawCountryCodeText", "RawStateCodeText"),
            ("PartyIdentificationNumberText", "PartyIdentificationTypeCode"),
            ("SuspiciousActivityFromDateText", "SuspiciousActivityToDateText"),
            ("SuspiciousActivitySubtypeID", "SuspiciousActivityTypeID"), ("AssetSubtypeID", "AssetTypeID"),
            ("ActivityNarrativeSequenceNumber", "ActivityNarrativeText"),
            ("ActivityPartyTypeCode", "PrimaryRegulatorTypeCode"),
            ("FilingDateText", "FilingInstitutionNotetoFinCEN"),
        )
    },
    "the activity before the parties": moved("SuspiciousActivity", "Party"),
    "a subject's address before the name": party(33, moved("Address", "PartyName")),
    # parties
    **{f"no party {kind}": without(kind) for kind in (35, 37, 30, 8, 34, 33)},
    **{f"two parties {kind}": party(kind, lambda text: text * 2) for kind in (35, 37, 30, 8)},
    "a party of an unknown kind": party(8, every(">8<", ">99<")),
    "a subject as contact office": party(33, edit("<ActivityPartyTypeCode>33<", "<ActivityPartyTypeCode>8<")),
    "one subject twice": both(party(33, lambda text: text * 2), every('PartyCount="2"', 'PartyCount="3"')),
    "no TCC": party(35, edit(r"<PartyIdentification>\s*<PartyIdentificationNumberText>PBSA1234.*?</PartyIdentification>", "")),
    "no TIN of the transmitter": party(35, edit(r"<PartyIdentification>\s*<PartyIdentificationNumberText>9876.*?</PartyIdentification>", "")),
    "no regulator": party(30, lacking("PrimaryRegulatorTypeCode")),
    "one kind of organisation twice": party(30, doubled("OrganizationClassificationTypeSubtype")),
    **{
        f"party {kind} without {name}": party(kind, lacking(name))
        for kind, name in (
            (30, "PartyName"), (30, "Address"), (8, "PhoneNumber"), (37, "PartyName"), (33, "Address"),
            (33, "RawStateCodeText"), (33, "RawIndividualFirstName"), (33, "MaleGenderIndicator"),
            (33, "IndividualBirthDateText"), (33, "RawCityText"), (33, "AccountNumberText"),
        )
    },
    "a subject without legal name": party(33, every("<PartyNameTypeCode>L<", "<PartyNameTypeCode>AKA<")),
    "two legal names": party(33, every("<PartyNameTypeCode>AKA<", "<PartyNameTypeCode>L<")),
    "a subject without taxpayer number": party(33, edit(r"<PartyIdentification>\s*<PartyIdentificationNumberText>9001.*?</PartyIdentification>", "")),
    "neither accounts nor none": party(33, edit("<PartyAccountAssociation>.*</PartyAccountAssociation>", "")),
    "a gender of an entity": every("<PartyAsEntityOrganizationIndicator>", "<MaleGenderIndicator>Y</MaleGenderIndicator><PartyAsEntityOrganizationIndicator>"),
    "a first name of an entity": every("Made-up Models Ltd</RawEntityIndividualLastName>", "Made-up Models Ltd</RawEntityIndividualLastName><RawIndividualFirstName>X</RawIndividualFirstName>"),
    # values, code lists, lengths
    **{
        f"party {kind}: {name}={text[:16]!r} ({len(text)})": party(kind, value(name, text))
        for kind, name, text in (
            (30, "PartyIdentificationNumberText", "98765"), (30, "PartyIdentificationNumberText", "98-7654321"),
            (30, "PartyIdentificationTypeCode", "6"), (33, "PartyIdentificationTypeCode", "77"),
            (30, "PrimaryRegulatorTypeCode", "8"), (30, "OrganizationTypeID", "99"), (33, "PartyNameTypeCode", "ZZ"),
            (8, "PhoneNumberText", "CALL ME"), (8, "PhoneNumberText", "+17035550101"), (8, "PhoneNumberText", "1" * 17),
            (33, "PhoneNumberTypeCode", "Q"), (33, "RawCountryCodeText", "UK"), (33, "RawStateCodeText", "XX"),
            (33, "RawZIPCode", "ABCDE"), (33, "RawZIPCode", "1990"), (33, "RawZIPCode", "19901-1234"),
            (33, "RawIndividualFirstName", ""), (33, "RawEntityIndividualLastName", ""),
            (33, "IndividualBirthDateText", "20300101"), (33, "IndividualBirthDateText", "1980-04-02"),
            (33, "IndividualBirthDateText", "19800230"), (33, "IndividualBirthDateText", "17500101"),
            (33, "IndividualBirthDateText", "00000000"), (33, "PartyAccountAssociationTypeCode", "6"),
            (33, "AccountNumberText", "x" * 41), (33, "AccountNumberText", "4111111111111111"),
            (33, "OtherIssuerCountryText", "XX"), (33, "ElectronicAddressTypeCode", "Q"),
            (33, "OccupationBusinessText", "x" * 51), (33, "RawEntityIndividualLastName", "x" * 151),
            (33, "RawStreetAddress1Text", "x" * 101), (33, "RawCityText", "x" * 51),
            (33, "RawEntityIndividualLastName", " Invented"), (33, "RawEntityIndividualLastName", "Inv\nented"),
            (33, "RawEntityIndividualLastName", "Inv\tented"), (33, "RawEntityIndividualLastName", "Inv&#x85;ented"),
            (33, "MaleGenderIndicator", "y"), (34, "PartyIdentificationNumberText", ""), (35, "RawPartyFullName", ""),
        )
    },
    **{
        f"{name}={text[:16]!r} ({len(text)})": value(name, text)
        for name, text in (
            ("NAICSCode", "ABCDEF"), ("NAICSCode", "7"), ("FilingDateText", "20260231"), ("FilingDateText", "2026-03-02"),
            ("SuspiciousActivityFromDateText", "20260228"), ("SuspiciousActivityToDateText", "20260303"),
            ("SuspiciousActivityFromDateText", "20260230"), ("ActivityIPAddressDateText", "20270101"),
            ("IPAddressText", "192.0.2.999"), ("IPAddressText", "host"), ("ActivityIPAddressTimeStampText", "25:00:00"),
            ("TotalSuspiciousAmountText", "8101.00"), ("TotalSuspiciousAmountText", "8,101"),
            ("TotalSuspiciousAmountText", "$8101"), ("TotalSuspiciousAmountText", "-1"),
            ("SuspiciousActivitySubtypeID", "998"), ("SuspiciousActivityTypeID", "8"), ("SuspiciousActivityTypeID", "99"),
            ("SuspiciousActivitySubtypeID", "9999"), ("SuspiciousActivitySubtypeID", "928"), ("AssetTypeID", "6"),
            ("AssetSubtypeID", "99"), ("FilingInstitutionNotetoFinCEN", "x" * 51), ("ActivityNarrativeText", ""),
            ("ActivityNarrativeText", "word " * 800 + "x"), ("ActivityNarrativeSequenceNumber", "2"),
            ("ActivityNarrativeSequenceNumber", "0"), ("ActivityNarrativeText", "Between\ntwo lines " * 10),
            ("ActivityNarrativeText", "Between&#x9;two lines " * 10), ("ActivityNarrativeText", "See attached."),
            ("ActivityNarrativeText", "x"),
        )
    },
    **{f"no {name}": lacking(name) for name in ("FilingDateText", "SuspiciousActivityFromDateText", "SuspiciousActivityClassification", "ActivityNarrativeInformation")},
    **{f"two of {name}": doubled(name) for name in ("SuspiciousActivityClassification", "Assets", "ActivityNarrativeInformation")},
    # known against unknown
    "a name given and unknown": party(33, before("RawEntityIndividualLastName", "<EntityLastNameUnknownIndicator>Y</EntityLastNameUnknownIndicator>")),
    "a birthday given and unknown": party(33, before("IndividualBirthDateText", "<BirthDateUnknownIndicator>Y</BirthDateUnknownIndicator>")),
    "a street given and unknown": party(33, before("RawStreetAddress1Text", "<StreetAddressUnknownIndicator>Y</StreetAddressUnknownIndicator>")),
    "all unavailable, and given": party(33, edit("</ActivityPartyTypeCode>", "</ActivityPartyTypeCode><AllCriticalSubjectInformationUnavailableIndicator>Y</AllCriticalSubjectInformationUnavailableIndicator>")),
    "two genders": party(33, before("MaleGenderIndicator", "<FemaleGenderIndicator>Y</FemaleGenderIndicator>")),
    **{f"unknown is {text!r}": every("<TINUnknownIndicator>Y", f"<TINUnknownIndicator>{text}") for text in ("N", "X", "")},
    "a relation and none": party(33, every(CUSTOMER, f"{CUSTOMER}<NoRelationshipToInstitutionIndicator>Y</NoRelationshipToInstitutionIndicator>")),
    "another relation without text": party(33, every(CUSTOMER, f"{CUSTOMER}<OtherRelationshipIndicator>Y</OtherRelationshipIndicator>")),
    "another document without text": edit("<OtherPartyIdentificationTypeText>[^<]*</OtherPartyIdentificationTypeText>", ""),
    "a text of another activity without one": before("SuspiciousActivitySubtypeID", "<OtherSuspiciousActivityTypeText>x</OtherSuspiciousActivityTypeText>"),
    # kind of report, amounts
    "a first report that corrects": before("InitialReportIndicator", "<CorrectsAmendsPriorReportIndicator>Y</CorrectsAmendsPriorReportIndicator>"),
    "no kind of report": lacking("InitialReportIndicator"),
    "a continuing report without the one before": every("InitialReportIndicator", "ContinuingActivityReportIndicator"),
    "a first report with one before": before("FilingDateText", "<EFilingPriorDocumentNumber>31000055053784</EFilingPriorDocumentNumber>"),
    "a report before of letters": corrected("BSA-1"),
    "a report before of 15 digits": corrected("310000550537841"),
    "no money at all": total("0"),
    "money beyond 15 digits": total("1" * 16),
    "no amount": both(lacking("TotalSuspiciousAmountText"), every('TotalAmount="8101"', 'TotalAmount="0"')),
    "an amount given and unknown": before("SuspiciousActivityFromDateText", "<AmountUnknownIndicator>Y</AmountUnknownIndicator>"),
    "a cumulative amount of a first report": before("SuspiciousActivityFromDateText", "<CumulativeTotalViolationAmountText>99999</CumulativeTotalViolationAmountText>"),
    # narrative, attachments, marks
    "a box without its key term": both(value("FilingInstitutionNotetoFinCEN", "NOTHING"), every("HUMAN TRAFFICKING FIN-2020-A008 applies", "it applies")),
    "six blocks": blocks(6, "The narrative goes on and on in this block."),
    "20,000 characters": blocks(5, f"{('word ' * 800)[:3999]}x"),
    "a card number": told("Card 4111 1111 1111 1111."),
    "a file that is not counted": edit("</ActivityAssociation>", f"</ActivityAssociation>{ATTACHED}"),
    "a program as a file": both(
        edit("</ActivityAssociation>", f"</ActivityAssociation>{ATTACHED}"),
        every('ActivityAttachmentCount="0" AttachmentCount="0"', 'ActivityAttachmentCount="1" AttachmentCount="1"'),
    ),
    "marked, and not under the test code": every("SUMMARY: ", "SIMULATED SUMMARY: "),
    # a possible victim is no subject
    "a victim by relation": party(33, every(CUSTOMER, f"{CUSTOMER}<OtherPartyAssociationTypeText>Victim</OtherPartyAssociationTypeText><OtherRelationshipIndicator>Y</OtherRelationshipIndicator>")),
    **{
        f"a victim: {text}": told(text)
        for text in (
            "Ivo Invented is a possible victim.", "The possible victim Invented, Ivo was seen.",
            "Ivo Invented may be a victim.", "Ivo the Driver is an identified victim.",
            "Mr Invented is believed to be a victim of trafficking.", "IVO INVENTED, a victim of human trafficking, paid.",
            "Made-up Models Ltd, a possible victim, paid.", "The image victim is Ivo Invented.",
        )
    },
}  # fmt: skip

# what a human has to look at
ODD: dict[str, Change] = {
    "a taxpayer number of zeros": party(30, value("PartyIdentificationNumberText", "000000000")),
    "an e-mail address that is none": party(33, value("ElectronicAddressText", "not an address")),
    "a report before of two digits": corrected("12"),
    "the test code without a mark": every("PBSA1234", "TBSATEST"),
}

RAW: dict[str, Callable[[bytes], bytes]] = {
    "one sequence number twice": lambda xml: xml.replace(b'SeqNum="9"', b'SeqNum="8"'),
    "no sequence number": lambda xml: xml.replace(b' SeqNum="9"', b""),
    "a sequence number of letters": lambda xml: xml.replace(b'SeqNum="9"', b'SeqNum="x"'),
    "the sequence number zero": lambda xml: xml.replace(b'SeqNum="9"', b'SeqNum="0"'),
    "a DOCTYPE": lambda xml: b"<!DOCTYPE x>" + xml,
    "cut off": lambda xml: xml[:-100],
    "UTF-16": lambda xml: xml.decode().encode("utf-16"),
    "another encoding, declared": lambda xml: (
        b"<?xml version='1.0' encoding='ISO-8859-1'?>" + xml.replace(b"Faketown", "Fakét".encode("latin-1"))
    ),
    "another encoding, hidden": lambda xml: xml.replace(b"Faketown", "Fakét".encode("latin-1")),
}


def found(xml: bytes, **extra: Any) -> list[Finding]:
    return fincen.validate(xml, Options(extra=extra))


def test_without_a_defect_nothing_is_found() -> None:
    assert found(numbered(WHOLE)) == []


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(name: str) -> None:
    broken = DEFECTS[name](WHOLE)
    assert broken != WHOLE
    errors = {one.code for one in found(numbered(broken)) if one.level is Level.ERROR}
    assert errors, name
    assert "a victim" not in name or errors == {"fincen_victim"}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_told(name: str) -> None:
    broken = ODD[name](WHOLE)
    assert broken != WHOLE
    assert found(numbered(broken)), name


@pytest.mark.parametrize("name", RAW)
def test_a_defect_of_the_file_is_found(name: str) -> None:
    broken = RAW[name](numbered(WHOLE))
    assert broken != numbered(WHOLE)
    assert [one for one in found(broken) if one.level is Level.ERROR], name


@pytest.mark.parametrize(
    "named", ["Ivo Invented", "INVENTED, Ivo", "Ivo the Driver", "900123456", "X1234567", "ACCT-000017"]
)
def test_who_is_named_as_a_possible_victim_must_be_no_subject(named: str) -> None:
    assert {one.code for one in found(numbered(WHOLE), possible_victims=f"Somebody\n{named}")} == {
        "fincen_victim"
    }


@pytest.mark.parametrize(
    "said",
    [
        "Ivo Invented controls a possible victim.",
        "Ivo Invented may be a victim's employer.",
        "Ivo Invented is no possible victim.",
        "Among the parties may be victims (possible victim A).",
        "The money came from Ivo Invented. Possible victims are among the parties.",
        "It was passed on by Ivo Invented. Victims of trafficking are often paid so.",
    ],
)
def test_words_about_other_victims_stop_nothing(said: str) -> None:
    assert found(numbered(told(said)(WHOLE))) == []
