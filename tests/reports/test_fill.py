"""From the evidence of a case to an authority's file: nothing is told that no event, hit or person said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from reportkit import PREPARED, report

from txmon.reports import checks, goaml
from txmon.reports.formats import Level, Options
from txmon.reports.model import Action, Determination, Fact, Mode, PartyKind, Question, Report, Role
from txmon.reports.modelfill import Evidence, Records, fill

MADE = report()
RECORDS = Records(
    filer=MADE.filer,
    jurisdiction="AE",
    local_currency="AED",
    parties=[replace(p, roles=(Role.UNKNOWN,)) for p in MADE.parties],
    accounts=MADE.accounts,
    reporting_person=MADE.reporting_person,
    typologies={"SE-01": "sexual-exploitation"},
)
ROLES = {"p-1": (Role.RECRUITER,), "p-2": (Role.POSSIBLE_VICTIM,)}


def row(number: int, payer: str | None, payee: str | None, amount: int, **more: Any) -> dict[str, Any]:
    return {
        "source": "cards",
        "event_id": f"e-{number}",
        "event_time": datetime(2026, 1, number, 23, tzinfo=UTC),
        "kind": "transfer",
        "status": "approved",
        "mode": "live",
        "amount_minor": amount,
        "currency": "AED",
        "payer": payer,
        "payee": payee,
        "payer_country": "AE",
        "payee_country": "AE",
        **more,
    }


ROWS = [
    row(3, "a-2", "a-1", 85000, memo="rent"),
    row(1, "a-2", "a-1", 90000),
    row(
        2,
        "a-1",
        None,
        40000,
        kind="payment",
        merchant="m-9",
        merchant_country="GB",
        rail="card",
        descriptor="ROOMS",
    ),
    row(4, "a-1", None, 500, kind="authorization", merchant="m-9"),
    row(5, "a-1", "x-1", 10000, currency="USD", amount_base_minor=36725, base_currency="AED"),
    row(6, "a-2", "a-1", 70000, status="declined"),
    row(7, None, None, 0, kind="account.opened", account="a-1"),
]
HITS = [
    {
        "source": "cards",
        "event_id": f"e-{n}",
        "event_time": datetime(2026, 1, n, 23, tzinfo=UTC),
        "rule_id": "SE-01",
        "rule_version": 3,
        "subject_id": "a-2",
        "features": '{"share": 0.9700, "count": 2}',
        "explanation": "Income leaves within the hour",
    }
    for n in (1, 3)
]


def evidence(**changes: Any) -> Evidence:
    base: dict[str, Any] = {
        "report_id": "STR-1",
        "case_id": "case-1",
        "mode": Mode.SIMULATED,
        "prepared_at": PREPARED,
        "events": ROWS,
        "hits": HITS,
        "roles": ROLES,
        "facts": (Fact(question=Question.HOW, text="Seen at the branch", author="Ana"),),
        "actions": (Action(kind="monitoring", text="Watched more closely"),),
        "facts_known_at": Determination(at=datetime(2026, 2, 1, tzinfo=UTC), author="Ana"),
    }
    return Evidence(**{**base, **changes})


def made(**changes: Any) -> Report:
    return fill(RECORDS, evidence(**changes))


def test_a_case_becomes_a_file_that_validates() -> None:
    data = checks.write(made(), goaml.FORMAT, Options())
    assert [f.code for f in goaml.validate(data, Options()) if f.level is Level.ERROR] == []
    assert b"SIMULATED" in data
    assert data.count(b"<transaction>") == 5


def test_money_that_did_not_move_is_not_counted() -> None:
    filled = made()
    assert [t.events[0].event_id for t in filled.transactions] == ["e-1", "e-2", "e-3", "e-5", "e-6"]
    assert [t.attempted for t in filled.transactions] == [False] * 4 + [True]
    assert filled.activity.total is not None
    assert filled.activity.total.minor == 90000 + 40000 + 85000 + 36725


def test_accounts_that_nobody_keeps_here_are_shown_as_unknown() -> None:
    filled = made()
    assert {a.account_id: a.is_client for a in filled.accounts} == {
        "a-2": True,
        "a-1": True,
        "m-9": False,
        "x-1": False,
    }
    assert [p.party_id for p in filled.parties] == ["p-1", "p-2"]


def test_an_end_that_no_event_names_is_a_party_of_whom_nothing_is_known() -> None:
    """Cash paid in has no payer; the file says that the person is unknown."""
    filled = made(events=[*ROWS, row(8, None, "a-1", 5000, kind="cash_in", payer_country=None)])
    (cash,) = [t for t in filled.transactions if t.method == "cash"]
    assert cash.from_side.party_id == "not-on-record"
    assert [p.kind for p in filled.parties if p.party_id == "not-on-record"] == [PartyKind.UNKNOWN]
    data = checks.write(filled, goaml.FORMAT, Options())
    assert b"<from_funds_code>CASH</from_funds_code>" in data
    assert b"<last_name>UNKNOWN</last_name>" in data


def test_indicators_are_those_of_the_hits_with_exact_values() -> None:
    (seen,) = made().indicators
    assert seen.values == {"share": "0.9700", "count": "2"}
    assert [e.event_id for e in seen.events] == ["e-1", "e-3"]
    assert (seen.rule_id, seen.rule_version, seen.typology) == ("SE-01", "3", "sexual-exploitation")


def test_the_subject_is_whom_people_suspect() -> None:
    assert [s.party_id for s in made().subjects] == ["p-1"]


@pytest.mark.parametrize(
    "roles",
    [
        {},
        {"p-1": (Role.EMPLOYER,)},
        {"p-1": (Role.RECRUITER, Role.POSSIBLE_VICTIM)},
        {"p-1": (Role.POSSIBLE_VICTIM,), "p-2": (Role.IMAGE_VICTIM,)},
    ],
)
def test_where_nobody_may_be_named_the_subject_is_unknown(roles: dict[str, tuple[Role, ...]]) -> None:
    filled = made(roles=roles)
    assert [(s.kind, s.party_id) for s in filled.subjects] == [(PartyKind.UNKNOWN, None)]
    assert checks.errors(checks.check_for(filled, goaml.FORMAT, Options())) == []
    data = checks.write(filled, goaml.FORMAT, Options())
    assert b"_is_suspected>true" not in data


def test_a_country_of_the_users_own_is_unknown_in_a_file() -> None:
    """Simulated streams use codes that ISO 3166 leaves to its users; they name no country."""
    filled = made(events=[{**r, "payee_country": "XB"} for r in ROWS])
    assert b"<to_country>-</to_country>" in checks.write(filled, goaml.FORMAT, Options())


def test_test_events_make_a_test_report() -> None:
    assert made(mode=Mode.LIVE, events=[{**r, "mode": "test"} for r in ROWS]).mode is Mode.TEST
    assert made(mode=Mode.LIVE).mode is Mode.LIVE


def test_order_of_the_rows_changes_nothing() -> None:
    assert made() == made(events=ROWS[::-1], hits=HITS[::-1])


def test_what_is_missing_is_named_not_guessed() -> None:
    thin = fill(replace(RECORDS, reporting_person=None), evidence(facts_known_at=None, hits=()))
    paths = {f.path for f in checks.errors(checks.check_for(thin, goaml.FORMAT, Options()))}
    assert paths >= {"reporting_person", "facts_known_at", "indicators", "activity.typologies"}


def test_an_account_that_people_suspect_is_marked_though_nobody_knows_who_holds_it() -> None:
    """The subject stays unknown and says which account; a possible victim's account is never marked."""
    filled = made(roles={"p-2": (Role.POSSIBLE_VICTIM,)}, suspected=frozenset({"x-1", "a-2"}))
    (subject,) = filled.subjects
    assert (subject.kind, "x-1" in subject.reason) == (PartyKind.UNKNOWN, True)
    sides = [side for moved in filled.transactions for side in (moved.from_side, moved.to_side)]
    assert {side.account_id for side in sides if side.suspected} == {"x-1"}
    data = checks.write(filled, goaml.FORMAT, Options())
    assert data.count(b"is_suspected>true<") == 1
