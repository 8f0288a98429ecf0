"""Every defect planted in a report of the model is found at its field, in plain words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from reportkit import FIRST, PREPARED, aed, changed, event, report

from txmon.reports import checks, goaml, modeljson
from txmon.reports.formats import Level, Options
from txmon.reports.model import (
    Attachment,
    Entity,
    Fact,
    Holder,
    Identifier,
    Kind,
    Mode,
    Money,
    Owner,
    PartyKind,
    PriorFiling,
    Question,
    Role,
    Side,
    Subject,
    Trace,
)

LATER = PREPARED + timedelta(days=1)
HASH = "ab" * 32
SUBJECT = Subject(kind=PartyKind.NATURAL_PERSON, party_id="p-1", reason="Why")


def picture(media: str) -> tuple[Attachment, ...]:
    return (Attachment(name="a", media_type=media, size_bytes=1, sha256=HASH),)


# name -> field changed, its value, where the finding is, its code
DEFECTS: dict[str, tuple[str, Any, str, str]] = {
    "no reference": ("report_id", " ", "report_id", "missing"),
    "live says simulated": ("report_id", "SIMULATED-1", "report_id", "contradiction"),
    "no jurisdiction": ("jurisdiction", "", "jurisdiction", "missing"),
    "jurisdiction in words": ("jurisdiction", "Emirates", "jurisdiction", "country"),
    "local currency": ("local_currency", "AEDX", "local_currency", "currency"),
    "correction of nothing": ("kind", Kind.CORRECTION, "prior_filing.reference", "missing"),
    "continues nothing": ("kind", Kind.CONTINUING, "prior_filing.reference", "missing"),
    "joint with nobody": ("kind", Kind.JOINT, "joint_filers", "missing"),
    "first with a prior": ("prior_filing", PriorFiling(reference="9"), "prior_filing", "contradiction"),
    "nobody found the facts": ("facts_known_at", None, "facts_known_at", "missing"),
    "facts without author": ("facts_known_at.author", "", "facts_known_at.author", "missing"),
    "facts known later": ("facts_known_at.at", LATER, "facts_known_at.at", "date"),
    "no filer": ("filer.organisation.name", "", "filer.organisation.name", "missing"),
    "filer without address": ("filer.organisation.address", None, "filer.organisation.address", "missing"),
    "no officer": ("reporting_person", None, "reporting_person", "missing"),
    "party twice": ("parties[1].party_id", "p-1", "parties[1].party_id", "duplicate"),
    "person without record": ("parties[0].person", None, "parties[0].person", "missing"),
    "person and entity": ("parties[0].entity", Entity(name="X"), "parties[0].kind", "contradiction"),
    "no role": ("parties[0].roles", (), "parties[0].roles", "missing"),
    "nationality": (
        "parties[0].person.nationalities",
        ("Emirati",),
        "parties[0].person.nationalities[0]",
        "country",
    ),
    "born tomorrow": ("parties[0].person.born_on", LATER.date(), "parties[0].person.born_on", "date"),
    "born long ago": ("parties[0].person.born_on", date(1850, 1, 1), "parties[0].person.born_on", "date"),
    "document expired before issue": (
        "parties[0].identifiers[0].expires_on",
        date(2001, 1, 1),
        "parties[0].identifiers[0].expires_on",
        "date",
    ),
    "owner unknown": (
        "parties[2].entity.owners",
        (Owner(party_id="p-9"),),
        "parties[2].entity.owners[0].party_id",
        "reference",
    ),
    "no subject": ("subjects", (), "subjects", "missing"),
    "victim as subject": (
        "subjects",
        (replace(SUBJECT, party_id="p-2"),),
        "subjects[0].party_id",
        "victim_as_subject",
    ),
    "subject who turns out a victim": (
        "parties[0].roles",
        (Role.RECRUITER, Role.POSSIBLE_VICTIM),
        "subjects[0].party_id",
        "victim_as_subject",
    ),
    "subject of the victims' images": (
        "parties[0].roles",
        (Role.IMAGE_VICTIM,),
        "subjects[0].party_id",
        "victim_as_subject",
    ),
    "subject not in the report": ("subjects[0].party_id", "p-9", "subjects[0].party_id", "reference"),
    "subject twice": ("subjects", (SUBJECT, SUBJECT), "subjects[1].party_id", "duplicate"),
    "subject without reason": ("subjects[0].reason", "", "subjects[0].reason", "missing"),
    "known subject without party": ("subjects[0].party_id", None, "subjects[0].party_id", "missing"),
    "unknown subject with a party": (
        "subjects[0].kind",
        PartyKind.UNKNOWN,
        "subjects[0].party_id",
        "contradiction",
    ),
    "subject of another kind": ("subjects[0].kind", PartyKind.ENTITY, "subjects[0].kind", "contradiction"),
    "account twice": ("accounts[1].account_id", "a-1", "accounts[1].account_id", "duplicate"),
    "account without number": ("accounts[0].number", "", "accounts[0].number", "missing"),
    "account without holder": ("accounts[0].holders", (), "accounts[0].holders", "missing"),
    "holder unknown": (
        "accounts[0].holders",
        (Holder(party_id="p-9"),),
        "accounts[0].holders[0].party_id",
        "reference",
    ),
    "account closed before opened": (
        "accounts[0].closed_on",
        date(2020, 1, 1),
        "accounts[0].closed_on",
        "date",
    ),
    "active and closed": ("accounts[0].closed_on", date(2025, 1, 1), "accounts[0].status", "contradiction"),
    "balance without time": ("accounts[0].balance", aed(1), "accounts[0].balance_at", "missing"),
    "card number as account": ("accounts[0].number", "4111111111111111", "accounts[0].number", "card_number"),
    "transaction twice": (
        "transactions[1].transaction_id",
        "t-1",
        "transactions[1].transaction_id",
        "duplicate",
    ),
    "transaction on no event": ("transactions[0].events", (), "transactions[0].events", "missing"),
    "amount zero": ("transactions[0].amount", aed(0), "transactions[0].amount.minor", "amount"),
    "amount negative": ("transactions[0].amount", aed(-5), "transactions[0].amount.minor", "amount"),
    "currency unknown": (
        "transactions[0].amount",
        Money(minor=1, currency="DEX"),
        "transactions[0].amount.currency",
        "currency",
    ),
    "no local amount": (
        "transactions[0].amount",
        Money(minor=1, currency="USD"),
        "transactions[0].local",
        "missing",
    ),
    "local amount another": ("transactions[0].local", aed(7), "transactions[0].local", "contradiction"),
    "transaction tomorrow": ("transactions[0].at", LATER, "transactions[0].at", "date"),
    "transaction before the activity": (
        "transactions[0].at",
        FIRST - timedelta(days=1),
        "transactions[0].at",
        "contradiction",
    ),
    "side of nobody": ("transactions[0].to_side", Side(), "transactions[0].to_side", "missing"),
    "side of an unknown account": (
        "transactions[0].to_side.account_id",
        "a-9",
        "transactions[0].to_side.account_id",
        "reference",
    ),
    "no own customer": (
        "transactions[0]",
        changed(
            changed(report(), "transactions[0].from_side.client", False),
            "transactions[0].to_side.client",
            False,
        ).transactions[0],
        "transactions[0]",
        "no_client",
    ),
    "one account on both sides": (
        "transactions[0].to_side.account_id",
        "a-2",
        "transactions[0].to_side.account_id",
        "contradiction",
    ),
    "conductor unknown": (
        "transactions[0].from_side.conductor_id",
        "p-9",
        "transactions[0].from_side.conductor_id",
        "reference",
    ),
    "victim suspected on a side": (
        "transactions[0].from_side",
        Side(party_id="p-2", client=True, suspected=True),
        "transactions[0].from_side.suspected",
        "victim_as_subject",
    ),
    "activity without beginning": ("activity.first", None, "activity.first", "missing"),
    "activity without end": ("activity.last", None, "activity.last", "missing"),
    "activity backwards": ("activity.last", FIRST - timedelta(days=9), "activity.last", "date"),
    "no total": ("activity.total", None, "activity.total", "missing"),
    "total and unknown": ("activity.amount_unknown", True, "activity.total", "contradiction"),
    "total below the sum": ("activity.total", aed(10), "activity.total", "contradiction"),
    "no typology": ("activity.typologies", (), "activity.typologies", "missing"),
    "sum of a first report": ("activity.cumulative", aed(9), "activity.cumulative", "contradiction"),
    "no indicator": ("indicators", (), "indicators", "missing"),
    "no narrative": ("narrative.paragraphs", (), "narrative.paragraphs", "missing"),
    "narrative on no event": (
        "narrative.paragraphs[0].events",
        (),
        "narrative.paragraphs[0].events",
        "missing",
    ),
    "narrative on another event": (
        "narrative.paragraphs[0].events",
        (event(99),),
        "narrative.paragraphs[0].events",
        "reference",
    ),
    "narrative unsigned": ("narrative.signed", None, "narrative.signed", "unsigned"),
    "signed by nobody": ("narrative.signed.signer", "", "narrative.signed.signer", "missing"),
    "signed before the facts": (
        "narrative.signed.at",
        datetime(2026, 2, 1, tzinfo=UTC),
        "narrative.signed.at",
        "date",
    ),
    "card number in the narrative": (
        "narrative.paragraphs[0].text",
        "paid with 4111-1111-1111-1111",
        "narrative.paragraphs[0].text",
        "card_number",
    ),
    "fact on nothing": ("facts", (Fact(question=Question.WHO, text="x"),), "facts[0].events", "unfounded"),
    "picture attached": ("attachments", picture("image/png"), "attachments[0].media_type", "media"),
    "film attached": ("attachments", picture("video/mp4"), "attachments[0].media_type", "media"),
    "archive attached": ("attachments", picture("application/zip"), "attachments[0].media_type", "media"),
    "attachment without hash": ("attachments[0].sha256", "abc", "attachments[0].sha256", "hash"),
    "control characters": ("actions[0].text", "a\x07b", "actions[0].text", "control"),
    "not registered with the unit": (
        "filer.organisation.identifiers",
        (),
        "filer.organisation.identifiers",
        "missing",
    ),
    "narrative too long": ("narrative.paragraphs[0].text", "x" * 8001, "narrative.paragraphs", "length"),
    "name in another script": (
        "parties[0].person.last_name",
        "Иванова",
        "parties[0].person.last_name",
        "pattern",
    ),
    "customer without birth date": (
        "parties[0].person.born_on",
        None,
        "parties[0].person.born_on",
        "missing",
    ),
    "customer without document": ("parties[0].identifiers", (), "parties[0].identifiers", "missing"),
    "document without day of issue": (
        "parties[0].identifiers[0]",
        Identifier(kind="passport", number="P1", country="AE"),
        "parties[0].identifiers[0].issued_on",
        "missing",
    ),
    "account without day of opening": ("accounts[0].opened_on", None, "accounts[0].opened_on", "missing"),
    "entity without business": ("parties[2].entity.business", "", "parties[2].entity.business", "missing"),
    "report code of another unit": ("codes", {"goaml": "UTR"}, "codes.goaml", "code"),
    "unknown indicator": (
        "indicators[0].codes",
        {"goaml": "ZZZ"},
        "indicators[0].codes",
        "unknown_indicator",
    ),
}


def test_a_sound_report_has_no_findings() -> None:
    assert checks.check_for(report(), goaml.FORMAT, Options()) == []


@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defect_is_found_at_its_field(name: str) -> None:
    path, value, where, code = DEFECTS[name]
    found = checks.check_for(changed(report(), path, value), goaml.FORMAT, Options())
    assert (where, code) in {(f.path, f.code) for f in checks.errors(found)}, [str(f) for f in found]
    assert all(f.message and f.remedy for f in found)


def test_a_link_in_a_case_of_child_exploitation_is_refused() -> None:
    made = report(traces=(Trace(kind="url", value="https://bad.example/x"),))
    assert checks.errors(checks.check(made)) == []
    child = changed(made, "activity.typologies", ("child-exploitation",))
    assert [(f.code, f.path) for f in checks.errors(checks.check(child))] == [("link", "traces[0].value")]


def test_a_victim_named_in_the_narrative_is_a_warning() -> None:
    made = changed(report(), "narrative.paragraphs[0].text", "Mona Invented sent money")
    assert [(f.code, f.level) for f in checks.check(made)] == [("victim_named", Level.WARNING)]


def test_a_simulated_report_may_be_unsigned_and_carries_its_mark() -> None:
    made = changed(report(mode=Mode.SIMULATED), "narrative.signed", None)
    data = checks.write(made, goaml.FORMAT, Options())
    assert data.count(b"SIMULATED") >= 4
    assert b"<!-- SIMULATED: not for submission -->" in data


def test_an_incomplete_report_is_not_written() -> None:
    with pytest.raises(checks.ReportIncomplete) as refused:
        checks.write(changed(report(), "subjects", ()), goaml.FORMAT, Options())
    assert [f.path for f in refused.value.findings] == ["subjects"]


def test_a_finding_never_repeats_a_value() -> None:
    for path, value, _, _ in DEFECTS.values():
        made = changed(changed(report(), "parties[0].person.last_name", "Sécrète"), path, value)
        for found in checks.check_for(made, goaml.FORMAT, Options()):
            assert "crète" not in str(found)
            assert "4111" not in str(found)


WRONG_JSON: dict[str, tuple[str, Any, str]] = {
    "unknown field": (
        "report.subject",
        [],
        "report: subject: is no field of the model; did you mean subjects?",
    ),
    "amount as number": ("report.transactions.0.amount.minor", 1.5, "must be a whole number"),
    "time without zone": ("report.prepared_at", "2026-03-02T09:30:00", "prepared_at: is no time"),
    "impossible day": ("report.accounts.0.opened_on", "2026-02-30", "accounts[0].opened_on: is no date"),
    "unknown mode": ("report.mode", "real", "mode: is none of the values; use one of live, simulated, test"),
    "text as list": ("report.report_id", ["x"], "report_id: must be text"),
    "list as text": ("report.parties", "p-1", "parties: must be a list"),
    "object as null": ("report.filer", None, "filer: must be an object"),
    "truth as text": ("report.parties.0.is_client", "yes", "parties[0].is_client: must be true or false"),
    "control": ("report.case_id", "a\x00", "case_id: has control characters"),
    "rate as float": ("report.transactions.0.from_side.rate", 3.67, "rate: must be text"),
    "version": ("version", 2, "version: only version 1 can be read"),
}


@pytest.mark.parametrize("name", WRONG_JSON)
def test_json_errors_name_the_field(name: str) -> None:
    path, value, told = WRONG_JSON[name]
    document = json.loads(modeljson.dumps(report()))
    *parents, last = path.split(".")
    inner = document
    for key in parents:
        inner = inner[int(key)] if key.isdigit() else inner[key]
    inner[last] = value
    with pytest.raises(modeljson.ReportModelError) as refused:
        modeljson.loads(json.dumps(document))
    assert told.removeprefix("report: ") in str(refused.value)


def test_json_tells_all_faults_at_once() -> None:
    document = json.loads(modeljson.dumps(report()))
    del document["report"]["mode"], document["report"]["filer"]["contact"]["name"]
    document["report"]["jurisdiction"] = 5
    with pytest.raises(modeljson.ReportModelError) as refused:
        modeljson.loads(json.dumps(document))
    assert len(refused.value.faults) == 3


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": 1}', '{"version":1,"version":1,"report":{}}', b"\xff", "[" * 10**5]
)
def test_what_is_no_report_is_refused(text: str | bytes) -> None:
    with pytest.raises(modeljson.ReportModelError):
        modeljson.loads(text)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("4111111111111111", True),
        ("4111 1111 1111 1111", True),
        ("4111-1111-1111-1111", True),
        ("4111.1111.1111.1111", True),
        ("card 4111111111111111.", True),
        ("0.4111111111111111", False),
        ("4111111111111.111", False),
        ("784199012345601", False),
        ("pan_k1_411111111111111", False),
        ("4111111111111112", False),
    ],
)
def test_card_numbers_are_told_from_other_digits(text: str, holds: bool) -> None:
    assert checks.card_number(text) == holds


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("Layla Example may be a victim.", True),
        ("The possible victim, Example, Layla, was seen.", True),
        ("Layla Example, a victim of human trafficking, paid.", True),
        ("Layla Example controls a possible victim.", False),
        ("It went to Layla Example. Possible victims are among the parties.", False),
        ("Mona Invented may be a victim.", False),
    ],
)
def test_a_subject_whom_the_narrative_calls_a_possible_victim_stops_release(said: str, named: bool) -> None:
    found = checks.errors(checks.check(changed(report(), "narrative.paragraphs[0].text", said)))
    assert [f.path for f in found if f.code == "victim_as_subject"] == (["subjects[0]"] if named else [])
