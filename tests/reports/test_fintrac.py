"""FINTRAC's suspicious transaction report: what is written is whole, what is broken is found in the text alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from sarkit import ACCOUNT, DESK, EXAMPLE, PRIOR, SHOP, SUSPECT, TEXT, TRANSACTION, VICTIM, a_report, reports

from txmon.reports import fintrac
from txmon.reports.fintrac_codes import CODES, FUNDS_IN, FUNDS_OUT
from txmon.reports.fintrac_rules import findings_of
from txmon.reports.fintrac_shape import fields
from txmon.reports.formats import Finding, Level, Options, get
from txmon.reports.model import (
    Action,
    Filer,
    Holder,
    Kind,
    Mode,
    Narrative,
    Paragraph,
    Report,
    Role,
    Side,
)

PLAIN = Options()
FILER = Filer(organisation=EXAMPLE, contact=DESK)
MOVES = (
    replace(TRANSACTION),
    replace(
        TRANSACTION, transaction_id="t-2", reference="txn-2", method="wire",
        from_side=Side(party_id="p-2", country="DE"), to_side=Side(account_id="a-1", party_id="p-1", client=True),
    ),
    replace(
        TRANSACTION, transaction_id="t-3", reference="txn-3", attempted=True, method="crypto",
        status_text="refused by a limit", wallet_to="bc1qinvented", channel="pos",
    ),
)  # fmt: skip


def whole(**changes: Any) -> Report:
    base = a_report(
        jurisdiction="CA",
        filer=FILER,
        transactions=MOVES,
        actions=(Action(kind="hold", text="The account was held."),),
    )
    return replace(base, **changes)


def written(report: Report) -> dict[str, Any]:
    return json.loads(fintrac.to_json(report, PLAIN))


def codes_of(document: Any) -> set[str]:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return {f.code.removeprefix("fintrac_") for f in findings_of(text) if f.level is Level.ERROR}


def errors(found: list[Finding]) -> set[str]:
    return {f.path for f in found if f.level is Level.ERROR}


def test_a_whole_report_has_no_fault() -> None:
    assert fintrac.check(whole(), PLAIN) == []
    assert fintrac.validate(fintrac.to_json(whole(), PLAIN), PLAIN) == []
    assert get("fintrac").suffix == ".json"


def test_every_object_is_closed_and_its_lists_are_there() -> None:
    document = written(whole())
    assert list(document) == [
        "reportDetails",
        "detailsOfSuspicion",
        "relatedReports",
        "actionTaken",
        "definitions",
        "transactions",
    ]
    starting = document["transactions"][0]["startingActions"][0]
    assert starting["details"]["virtualCurrencyTransactionIds"] == []
    assert starting["sourcesOfFundsOrVirtualCurrency"] == []
    assert starting["conductors"][0]["onBehalfOfs"] == []
    assert fields("Transaction")["startingActions"].required


def test_amounts_are_text_and_directions_follow_the_customer() -> None:
    document = written(whole())
    out, incoming, attempt = (t["startingActions"][0]["details"] for t in document["transactions"])
    assert (out["amount"], out["direction"], out["conductorIndicator"]) == ("900.50", 2, True)
    assert (incoming["direction"], incoming["fundAssetVirtualCurrencyTypeCode"]) == (1, 8)
    assert incoming["sourcesOfFundsOrVirtualCurrencyIndicator"] is True
    assert attempt["receivingVirtualCurrencyAddresses"] == ["bc1qinvented"]
    assert document["transactions"][2]["completingActions"] == []
    assert (
        document["transactions"][2]["suspiciousTransactionDetails"]["reasonNotCompleted"]
        == "refused by a limit"
    )


def test_the_projects_of_the_partnership_are_named_by_code_and_hashtag() -> None:
    said = written(whole())["detailsOfSuspicion"]
    assert said["publicPrivatePartnershipProjectNameCodes"] == [7]
    assert "#ProjectPROTECT" in said["descriptionOfSuspiciousActivity"]
    shadow = whole(activity=replace(whole().activity, typologies=("child-exploitation", "mule-layering")))
    assert written(shadow)["detailsOfSuspicion"]["publicPrivatePartnershipProjectNameCodes"] == [8]


def test_a_possible_victim_takes_no_part_by_name() -> None:
    victim_acts = replace(MOVES[0], from_side=replace(MOVES[0].from_side, party_id="p-3", conductor_id="p-3"))
    shared_account = replace(ACCOUNT, holders=(Holder(party_id="p-1"), Holder(party_id="p-3")))
    report = whole(transactions=(victim_acts,), accounts=(shared_account,))
    assert b"Vanished" not in fintrac.to_json(report, PLAIN)
    assert errors(fintrac.check(report, PLAIN)) == set()
    named = Options(extra={"possible_victims": "ivo invented"})
    assert "fintrac_victim" in {f.code for f in fintrac.validate(fintrac.to_json(whole(), PLAIN), named)}
    twice = replace(VICTIM, person=SUSPECT.person)
    assert "fintrac_victim" in {f.code for f in fintrac.check(whole(parties=(SUSPECT, SHOP, twice)), PLAIN)}


def test_corrections_replace_and_continuing_reports_relate() -> None:
    update = written(whole(kind=Kind.CORRECTION, prior_filing=PRIOR))["reportDetails"]
    assert (update["submitTypeCode"], update["reportingEntityReportReference"]) == (2, "R-1")
    more = written(whole(kind=Kind.CONTINUING, prior_filing=PRIOR))
    assert more["relatedReports"][0]["reportingEntityReportReference"] == "R-1"


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
def test_what_is_not_live_says_so_first(mode: Mode) -> None:
    text = written(whole(mode=mode))["detailsOfSuspicion"]["descriptionOfSuspiciousActivity"]
    assert text.startswith("SIMULATED")


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("actions", {"actions": ()}),
        ("narrative", {"narrative": Narrative()}),
        ("transactions", {"transactions": ()}),
        ("transactions[0].status_text", {"transactions": (replace(MOVES[2], status_text=""),)}),
        ("filer.organisation.identifiers", {"filer": Filer(organisation=replace(EXAMPLE, identifiers=()), contact=DESK)}),
        ("filer.contact.identifiers", {"filer": Filer(organisation=EXAMPLE, contact=replace(DESK, identifiers=()))}),
        ("report_id", {"report_id": "R 1/2"}),
        ("parties[1]", {"parties": (SUSPECT, replace(SHOP, entity=replace(SHOP.entity, name="")))}),
        ("prior_filing.own_reference", {"kind": Kind.CONTINUING, "prior_filing": replace(PRIOR, own_reference="")}),
    ],
)  # fmt: skip
def test_what_the_model_lacks_is_named_by_its_field(field: str, changes: dict[str, Any]) -> None:
    assert field in errors(fintrac.check(whole(**changes), PLAIN))


@settings(max_examples=100)
@given(reports())
def test_whatever_is_in_a_report_it_is_written_and_its_faults_have_a_field(report: Report) -> None:
    text = fintrac.to_json(report, PLAIN)
    found = fintrac.check(report, PLAIN)
    assert all(re.fullmatch(r"[a-z_]+(\[\d+\])?(\.[a-z_]+(\[\d+\])?)*", p) for p in errors(found)), errors(
        found
    )
    assert bool(errors(found)) or not errors(fintrac.validate(text, PLAIN))
    victims = {p.name for p in report.parties if p.possible_victim} - {
        p.name for p in report.parties if not p.possible_victim
    }
    defined = {
        f"{d.get('givenName', '')} {d.get('surname', '')}".strip() for d in json.loads(text)["definitions"]
    }
    assert not {v for v in victims if v.strip()} & defined


# ---- planted defects ------------------------------------------------------------------------------------

GOOD = written(whole())
Change = Callable[[dict[str, Any]], Any]


def first(document: dict[str, Any]) -> dict[str, Any]:
    return document["transactions"][0]["startingActions"][0]


def details(document: dict[str, Any]) -> dict[str, Any]:
    return document["transactions"][0]["suspiciousTransactionDetails"]


DEFECTS: dict[str, tuple[Change, str]] = {
    "unknown field": (lambda d: d.update(remark="x"), "unknown_field"),
    "required list missing": (lambda d: d.pop("relatedReports"), "missing"),
    "required list of an action missing": (lambda d: first(d).pop("sourcesOfFundsOrVirtualCurrency"), "missing"),
    "another report type": (lambda d: d["reportDetails"].update(reportTypeCode=101), "code_list"),
    "entity number of eight digits": (lambda d: d["reportDetails"].update(reportingEntityNumber=12345678), "value"),
    "reference with blanks": (lambda d: d["reportDetails"].update(reportingEntityReportReference="R 1"), "value"),
    "no description": (lambda d: d["detailsOfSuspicion"].pop("descriptionOfSuspiciousActivity"), "missing"),
    "markup in the description": (lambda d: d["detailsOfSuspicion"].update(descriptionOfSuspiciousActivity="<b>x</b>"), "value"),
    "no suspicion": (lambda d: d["detailsOfSuspicion"].pop("suspicionTypeCode"), "missing"),
    "an unlisted project": (lambda d: d["detailsOfSuspicion"].update(publicPrivatePartnershipProjectNameCodes=[4]), "code_list"),
    "no action taken": (lambda d: d.pop("actionTaken"), "missing"),
    "no transaction": (lambda d: d.update(transactions=[]), "missing"),
    "amount as a number": (lambda d: first(d)["details"].update(amount=900.5), "value"),
    "amount with one decimal": (lambda d: first(d)["details"].update(amount="900.5"), "value"),
    "amount of zero": (lambda d: first(d)["details"].update(amount="0.00"), "value"),
    "amount without currency": (lambda d: first(d)["details"].pop("currencyCode"), "missing"),
    "a currency that is none": (lambda d: first(d)["details"].update(currencyCode="XYZ"), "value"),
    "funds against the direction": (lambda d: first(d)["details"].update(direction=1, fundAssetVirtualCurrencyTypeCode=7, fundAssetVirtualCurrencyTypeOther="x"), "funds"),
    "other without its text": (lambda d: first(d)["details"].pop("fundAssetVirtualCurrencyTypeOther"), "other_text"),
    "indicator against the list": (lambda d: first(d)["details"].update(conductorIndicator=False), "indicator"),
    "reference to nobody": (lambda d: first(d)["conductors"][0].update(refId="nobody"), "reference"),
    "reference of another type": (lambda d: first(d)["conductors"][0].update(typeCode=6), "reference"),
    "conductor of a type that may not": (lambda d: first(d)["conductors"][0].update(typeCode=1), "value"),
    "a definition twice": (lambda d: d["definitions"].append(deepcopy(d["definitions"][0])), "reference"),
    "a definition without name": (lambda d: [d["definitions"][0].pop(n) for n in ("surname", "givenName")], "name"),
    "address of another type": (lambda d: d["definitions"][0].update(addressTypeCode=2), "address"),
    "a day that is none": (lambda d: details(d).update(dateOfTransaction="2026-02-30"), "value"),
    "a time without offset": (lambda d: details(d).update(timeOfTransaction="12:00:00"), "value"),
    "posted before done": (lambda d: details(d).update(dateOfPosting="2025-01-01"), "date"),
    "an attempt without reason": (lambda d: d["transactions"][2]["suspiciousTransactionDetails"].pop("reasonNotCompleted"), "missing"),
    "done and yet no end": (lambda d: d["transactions"][0].update(completingActions=[]), "missing"),
    "a transaction reference twice": (lambda d: details(d).update(reportingEntityTransactionReference="txn-2"), "duplicate"),
    "a placeholder": (lambda d: details(d).update(purpose="N/A"), "value"),
    "a purpose too long": (lambda d: details(d).update(purpose="p" * 201), "length"),
    "no direction": (lambda d: first(d)["details"].pop("direction"), "missing"),
    "no kind of end": (lambda d: d["transactions"][0]["completingActions"][0]["details"].pop("dispositionCode"), "missing"),
    "nothing started it": (lambda d: d["transactions"][0].update(startingActions=[]), "missing"),
    "a reason for what was done": (lambda d: details(d).update(reasonNotCompleted="refused"), "attempt"),
    "an account without number": (lambda d: first(d)["details"]["account"].pop("number"), "account"),
    "closed before it was opened": (lambda d: first(d)["details"]["account"].update(dateClosed="2020-01-01"), "date"),
    "a document of another kind without its text": (lambda d: d["definitions"][0]["identifications"][0].update(identifierTypeCode=3), "other_text"),
    "registered and no registration": (lambda d: next(x for x in d["definitions"] if x["typeCode"] == 4).update(registrationsIncorporations=[]), "indicator"),
    "a session without offset": (lambda d: first(d)["conductors"][0]["details"].update(dateTimeOfOnlineSession="2026-01-05T12:00:00"), "value"),
    "a country that is none": (lambda d: d["definitions"][0]["address"].update(countryCode="ZZ"), "value"),
    "an object instead of a list": (lambda d: d.update(definitions={}), "type"),
    "text instead of an object": (lambda d: d.update(actionTaken="held"), "type"),
    "true as a code": (lambda d: details(d).update(methodCode=True), "code_list"),
    "a victim by the description": (lambda d: d["detailsOfSuspicion"].update(descriptionOfSuspiciousActivity=f"{TEXT} Ivo Invented is a possible victim."), "victim"),
}  # fmt: skip


@pytest.mark.parametrize("name", DEFECTS)
def test_a_planted_defect_is_found(name: str) -> None:
    plant, code = DEFECTS[name]
    broken = deepcopy(GOOD)
    plant(broken)
    assert codes_of(GOOD) == set()
    assert code in codes_of(broken), findings_of(json.dumps(broken).encode())


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{", b'{"a": 1, "a": 2}', b"\xff", b"[" * 100_000, b'{"definitions": {}}']
)
def test_what_is_no_report_is_said(text: bytes) -> None:
    assert codes_of(text) & {"json", "type", "missing"}


def test_no_finding_repeats_a_value() -> None:
    broken = json.dumps(GOOD).replace("Ivo", "Ivo\\u0001").encode()
    assert codes_of(broken) == {"value"}
    assert not any("Ivo" in str(f) for f in findings_of(broken))


def test_nothing_lies_after_the_day_of_checking() -> None:
    text = json.dumps(GOOD).encode()
    assert "fintrac_date" in {f.code for f in findings_of(text, today=date(2026, 1, 4))}
    assert findings_of(text, today=date(2026, 1, 5)) == []


def test_each_kind_of_funds_has_a_direction() -> None:
    assert CODES["funds"] == FUNDS_IN | FUNDS_OUT


def test_a_party_with_two_roles_is_protected() -> None:
    both = replace(SUSPECT, roles=(Role.SUSPECT, Role.IMAGE_VICTIM))
    report = whole(
        parties=(both, SHOP), narrative=Narrative(paragraphs=(Paragraph(heading="", text="Told elsewhere."),))
    )
    assert b"Invented" not in fintrac.to_json(report, PLAIN).replace(b"DE00INVENTED", b"")
