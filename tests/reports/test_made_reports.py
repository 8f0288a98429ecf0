"""Made reports: each can be released and then validates, or the check names the field that stops it."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reportkit import LAST, aed, changed, person, report, transactions

from txmon.reports import checks, goaml, modeljson
from txmon.reports.formats import Options
from txmon.reports.goamlparty import VICTIM_REMARK
from txmon.reports.model import (
    Activity,
    Identifier,
    Kind,
    Mode,
    Money,
    Narrative,
    PartyKind,
    PriorFiling,
    Report,
    Role,
    Side,
    Subject,
)

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "goaml"
SCHEMA = PUBLIC / "goAMLSchema-5.0.2-ae-pristine.xsd"
MINE = report()
UNKNOWN = (Subject(kind=PartyKind.UNKNOWN, reason="Nobody can be named"),)

# fields and what may stand there; the first value is a sound one
CHOICES: dict[str, tuple[Any, ...]] = {
    "mode": (Mode.LIVE, Mode.SIMULATED, Mode.TEST),
    "kind": (Kind.INITIAL, Kind.CORRECTION, Kind.JOINT),
    "prior_filing": (None, PriorFiling(reference="FIU-9"), PriorFiling(reference="FIU-9", rejected=True)),
    "local_currency": ("AED", "EUR", "XXX"),
    "jurisdiction": ("AE", ""),
    "reporting_person": (MINE.reporting_person, None),
    "facts_known_at": (MINE.facts_known_at, None),
    "codes": ({}, {"goaml": "SAR"}, {"goaml": "STR"}, {"goaml": "UTR"}),
    "actions": (MINE.actions, ()),
    "subjects": (MINE.subjects, UNKNOWN, (), (replace(MINE.subjects[0], party_id="p-2"),)),
    "transactions": (MINE.transactions, (), MINE.transactions[:1]),
    "activity": (
        MINE.activity,
        Activity(),
        replace(MINE.activity, total=aed(1)),
        replace(MINE.activity, last=None),
    ),
    "indicators": (MINE.indicators, (), (replace(MINE.indicators[0], codes={"goaml": "NOPE"}),)),
    "narrative": (MINE.narrative, Narrative(), replace(MINE.narrative, signed=None)),
    "filer.organisation.identifiers": (MINE.filer.organisation.identifiers, ()),
    "filer.organisation.address": (MINE.filer.organisation.address, None),
    "filer.organisation.bic": ("EXMPAEAD", ""),
    "filer.organisation.branch": ("Main", "", "b" * 300),
    "parties[0].person.born_on": (date(1988, 7, 2), None, date(2030, 1, 1)),
    "parties[0].person.first_name": ("Layla", "Zoë", "علي", "", "x" * 120),
    "parties[0].person.last_name": ("Example", "O’Brien-Łuk", "Иванова", ""),
    "parties[0].person.gender": ("female", ""),
    "parties[0].person.residence": ("AE", "", "UK"),
    "parties[0].person.nationalities": (("AE",), (), ("GB", "FR", "DE", "IT")),
    "parties[0].identifiers": (MINE.parties[0].identifiers, (), (Identifier(kind="passport", number="P1"),)),
    "parties[0].phones": (MINE.parties[0].phones, ()),
    "parties[0].addresses": (
        MINE.parties[0].addresses,
        (),
        (replace(MINE.parties[0].addresses[0], city=""),),
    ),
    "parties[0].roles": ((Role.RECRUITER,), (Role.RECRUITER, Role.POSSIBLE_VICTIM), ()),
    "parties[0].emails": (
        (),
        ("a@example.com",),
        ("a@example",),
        tuple(f"a{i}@example.com" for i in range(7)),
    ),
    "parties[1].roles": ((Role.POSSIBLE_VICTIM,), (Role.UNKNOWN,)),
    "parties[2].entity.business": ("Lodging", ""),
    "parties[2].entity.owners": (MINE.parties[2].entity.owners if MINE.parties[2].entity else (), ()),
    "parties[2].entity.registered_on": (date(2019, 5, 6), None),
    "parties[2].roles": ((Role.SERVICE_PROVIDER,), (Role.POSSIBLE_VICTIM,)),
    "accounts[0].holders": (MINE.accounts[0].holders, ()),
    "accounts[0].opened_on": (date(2024, 2, 1), None),
    "accounts[0].status": ("active", "odd"),
    "accounts[0].kind": ("current", "prepaid", "odd"),
    "accounts[0].currency": ("AED", "", "ZZZ"),
    "accounts[0].balance": (None, aed(10)),
    "accounts[1].number": ("AC002", "", "4111111111111111"),
}


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """A sound report with up to five fields changed and up to four transactions more."""
    wild = draw(st.booleans())
    made = MINE
    for path in draw(st.lists(st.sampled_from(sorted(CHOICES)), max_size=5 if wild else 2, unique=True)):
        made = changed(made, path, draw(st.sampled_from(CHOICES[path])))
    more = []
    for i in range(draw(st.integers(0, 4))):
        currency = draw(st.sampled_from(["AED", "AED", "USD", "KWD", "JPY"]))
        low = 0 if wild else 1
        change: dict[str, Any] = {
            "transaction_id": f"m-{i}",
            "amount": Money(minor=draw(st.integers(low, 10**6)), currency=currency),
            "local": None if currency == "AED" and not (wild and draw(st.booleans())) else aed(50),
            "method": draw(st.sampled_from(["card", "wire", "cash", "wallet", "odd" if wild else "atm"])),
            "attempted": draw(st.booleans()),
            "description": draw(
                st.sampled_from(["", "Rent & <cash>", "日本 payment", "x" * (9000 if wild else 8000)])
            ),
        }
        if draw(st.booleans()):
            ends = [Side(), Side(party_id="p-1", client=True), Side(party_id="p-2"), Side(account_id="a-9")]
            change["to_side"] = draw(st.sampled_from(ends if wild else ends[1:3]))
        more.append(replace(transactions()[i % 3], **change))
    if more and made.activity.total is not None and (not wild or draw(st.booleans())):
        made = changed(made, "activity.total", aed(10**8))
    return replace(made, transactions=(*made.transactions, *more))


def is_field(path: str, kind: Any = Report) -> bool:
    """Whether a path leads to a field of the model, whatever stands there."""
    if not path:
        return True
    if typing.get_origin(kind) is types.UnionType:
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is Mapping:
        return True
    if path.startswith("["):
        rest = path.partition("]")[2].lstrip(".")
        return typing.get_origin(kind) is tuple and is_field(rest, typing.get_args(kind)[0])
    name = path.replace("[", ".[").partition(".")[0]
    if not dataclasses.is_dataclass(kind):
        return False
    hints = typing.get_type_hints(kind)
    return name in hints and is_field(path[len(name) :].lstrip("."), hints[name])


@pytest.mark.shared
@pytest.mark.slow
@given(reports())
@settings(max_examples=1000)
def test_a_report_validates_or_the_field_is_named(made: Report) -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    options = Options(schema=SCHEMA)
    found = checks.errors(checks.check_for(made, goaml.FORMAT, options))
    for one in found:
        assert is_field(one.path), one
        assert one.message
        assert one.remedy
    if found:
        with pytest.raises(checks.ReportIncomplete):
            checks.write(made, goaml.FORMAT, options)
        return
    data = goaml.write(made, options)
    assert checks.errors(goaml.validate(data, options)) == []
    assert made.mark.encode() in data


@pytest.mark.shared
@pytest.mark.slow
@given(reports())
@settings(max_examples=300)
def test_another_jurisdiction_validates_or_the_field_is_named(made: Report) -> None:
    """The same reports with the profile of Sri Lanka: another version, other codes, narrower texts."""
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    options = Options(profile="lk", schema=PUBLIC / "goAMLSchema-4x-lk.xsd")
    text = modeljson.dumps(made).decode().replace('"AED"', '"LKR"').replace("EXMPAEAD", "EXMPLKLX")
    moved = modeljson.loads(text.replace("SAR", "AIFA"))
    found = checks.errors(checks.check_for(moved, goaml.FORMAT, options))
    assert [one for one in found if not (is_field(one.path) and one.message and one.remedy)] == []
    if not found:
        assert checks.errors(goaml.validate(goaml.write(moved, options), options)) == []


@given(reports())
@settings(max_examples=200)
def test_json_gives_the_same_report(made: Report) -> None:
    assert modeljson.loads(modeljson.dumps(made)) == made


@given(reports())
@settings(max_examples=200)
def test_a_possible_victim_is_never_suspected(made: Report) -> None:
    """Whatever the model says, the written text marks no possible victim; even where a check was passed over."""
    if any(f.code in ("currency", "control") for f in checks.check(made)):
        return
    data = goaml.write(made, Options())
    assert "victim_as_subject" not in {f.code for f in goaml.validate(data, Options())}
    assert (VICTIM_REMARK.encode() in data) >= (b"is_protected" in data)


def test_every_party_a_possible_victim_leaves_the_subject_unknown() -> None:
    made = report(
        parties=(person("p-1", "Layla", "Example", "784198512345600", roles=(Role.POSSIBLE_VICTIM,)),),
        accounts=MINE.accounts[:1],
        transactions=(),
        codes={"goaml": "SAR"},
        activity=replace(MINE.activity, total=None, amount_unknown=True, last=LAST),
        narrative=changed(MINE.narrative, "paragraphs[0].events", MINE.indicators[0].events),
    )
    assert {f.code for f in checks.check(made)} >= {"victim_as_subject"}
    unknown = replace(made, subjects=UNKNOWN)
    found = checks.errors(checks.check(unknown))
    assert [f.path for f in found] == []
    data = checks.write(unknown, goaml.FORMAT, Options()).decode()
    assert "<last_name>UNKNOWN</last_name>" in data
    assert "Layla" not in data


def test_prepared_now_is_not_needed() -> None:
    """The same report is written the same way: nothing reads a clock."""
    assert goaml.write(MINE, Options()) == goaml.write(MINE, Options())
    assert MINE.prepared_at == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
