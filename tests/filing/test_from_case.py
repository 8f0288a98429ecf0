"""A report drafted from a case tells what journal, people and records say, and leaves no trace."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from caseskit import WHY, Desk, ok
from reportkit import report

from txmon.errors import InputError, NotFound
from txmon.filing.fromcase import Sources, in_local, report_of_case
from txmon.filing.records import Institution, RecordBook
from txmon.model.keys import PanKey
from txmon.model.rates import Rate, Rates
from txmon.reports.model import Mode, PartyKind, Report, Role
from txmon.reports.modeljson import part_of
from txmon.store.schema import metadata

MADE = report()
NOW = datetime(2026, 3, 2, tzinfo=UTC)
INSTITUTION = Institution(
    jurisdiction="DE", local_currency="EUR", filer=MADE.filer, reporting_person=MADE.reporting_person
)


def drafted(desk: Desk, case_id: str, sources: Sources | None = None) -> Report:
    given = sources or Sources(institution=INSTITUTION)
    return report_of_case(desk.api.service.store, case_id, given, report_id="R-1", now=NOW)


def on_record(folder: Path, *accounts: str) -> RecordBook:
    """Records in which each account is held by the party `p-` and its name."""
    folder.mkdir()
    kept = [
        part_of(MADE.accounts[0]) | {"account_id": name, "holders": [{"party_id": f"p-{name}"}]}
        for name in accounts
    ]
    parties = [
        part_of(replace(MADE.parties[0], party_id=f"p-{name}", roles=(Role.UNKNOWN,))) for name in accounts
    ]
    for name, rows in (("accounts", kept), ("parties", parties)):
        (folder / f"{name}.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RecordBook(folder)


def test_events_hits_and_what_people_recorded_are_told(desk: Desk, tmp_path: Path) -> None:
    alert = desk.alert(payer="acct-in", payee="acct-out")
    case_id = desk.open(alert)
    suspect = {"kind": "account", "ref": "acct-out", "role": "recruiter", "confidence": "high", "basis": WHY}
    ok(desk.do(case_id, "parties", suspect))
    ok(
        desk.do(
            case_id, "checklist", {"answers": [{"sign": "fear", "answer": "seen", "witness": "the desk"}]}
        )
    )
    ok(desk.do(case_id, "comments", {"text": "my guess is that he knows"}))
    ok(desk.patch(case_id, facts_known_at="2026-01-06T00:00:00Z"))
    asked = desk.do(case_id, "actions", {"ref": "acct-out", "action": "hold", "reason": WHY})
    ok(desk.decide(asked, desk.ben))
    made = drafted(
        desk,
        case_id,
        Sources(institution=INSTITUTION, records=on_record(tmp_path / "r", "acct-in", "acct-out")),
    )
    (moved,) = made.transactions
    assert (moved.from_side.account_id, moved.to_side.account_id) == ("acct-in", "acct-out")
    (hit,) = desk.get(f"/v1/alerts/{alert['alert_id']}", purpose=WHY)["hits"]
    assert moved.events[0].event_id == hit["event_id"]
    assert (moved.from_side.suspected, moved.to_side.suspected) == (False, True)
    assert [s.party_id for s in made.subjects] == ["p-acct-out"]
    assert made.facts_known_at is not None
    assert made.facts_known_at.at == datetime(2026, 1, 6, tzinfo=UTC)
    assert made.facts_known_at.author == desk.id_of(desk.ana), "people are told by the name on record"
    (fact,) = made.facts
    assert "seen by the desk" in fact.text
    assert [action.kind for action in made.actions] == ["hold"]
    assert [i.rule_id for i in made.indicators] == [hit["rule_id"]]
    assert "my guess" not in part_text(made), "comments stay among colleagues"


def part_text(made: Report) -> str:
    return json.dumps(part_of(made))


def test_who_may_be_a_victim_is_never_a_subject(desk: Desk, tmp_path: Path) -> None:
    alert = desk.alert("450.00", payer="acct-v", payee="acct-x")
    case_id = desk.open(alert)
    more = {"kind": "account", "ref": "acct-v", "role": "suspect", "confidence": "low", "basis": WHY}
    ok(desk.do(case_id, "parties", more))
    made = drafted(
        desk, case_id, Sources(institution=INSTITUTION, records=on_record(tmp_path / "r", "acct-v"))
    )
    assert [(s.kind, s.party_id) for s in made.subjects] == [(PartyKind.UNKNOWN, None)]
    assert made.possible_victims == {"p-acct-v"}
    assert not any(side.suspected for m in made.transactions for side in (m.from_side, m.to_side))


def test_others_and_daily_life_stay_out(desk: Desk) -> None:
    """Only what caused a hit, or names a party; a purchase only if its category caused one."""
    alert = desk.alert(payer="acct-d", payee="acct-e")
    case_id = desk.open(alert)
    made = drafted(desk, case_id)
    assert len(made.transactions) == 1
    assert {a.account_id for a in made.accounts} == {"acct-d", "acct-e"}


def test_nothing_in_the_store_tells_that_a_report_was_drafted(desk: Desk) -> None:
    case_id = desk.open(desk.alert())

    def rows() -> dict[str, list[Any]]:
        with desk.api.service.store.read() as conn:
            return {t.name: sorted(map(repr, conn.execute(sa.select(t)))) for t in metadata.sorted_tables}

    before = rows()
    drafted(desk, case_id)
    assert rows() == before


def test_a_case_that_is_none_or_was_merged_is_named(desk: Desk) -> None:
    with pytest.raises(NotFound, match="no case 'cas_x'"):
        drafted(desk, "cas_x")
    first, second = desk.open(desk.alert()), desk.open(desk.alert())
    merging = {"into": second, "version": desk.version(second), "reason": WHY}
    ok(desk.do(first, "merge", merging))
    with pytest.raises(InputError, match=f"merged into {second}"):
        drafted(desk, first)
    assert len(drafted(desk, second).indicators) >= 1


@pytest.mark.parametrize(("mode", "source", "told"), [
    (Mode.LIVE, "gateway", Mode.LIVE), (Mode.SIMULATED, "gateway", Mode.SIMULATED), (Mode.LIVE, "sim", Mode.SIMULATED),
    (Mode.LIVE, "sim7", Mode.SIMULATED), (Mode.LIVE, "simon", Mode.LIVE),
])  # fmt: skip
def test_simulated_events_make_a_simulated_report(desk: Desk, mode: Mode, source: str, told: Mode) -> None:
    case_id = desk.open(desk.alert(source=source))
    made = drafted(desk, case_id, Sources(institution=replace(INSTITUTION, mode=mode)))
    assert made.mode is told


def test_amounts_are_told_in_the_local_currency_by_the_rate_of_the_day() -> None:
    day = MADE.transactions[0].at.date()
    foreign = replace(MADE, local_currency="USD")
    rates = Rates("USD", [Rate(day - timedelta(days=2), "AED", "USD", Decimal("0.25"))])
    made = in_local(foreign, rates)
    assert made.transactions[0].local is not None
    assert made.transactions[0].local.minor == MADE.transactions[0].amount.minor // 4
    assert made.transactions[-1].local is None, "a rate is seven days old at most"
    assert made.activity.total == foreign.activity.total, "no sum of some"
    every = Rates(
        "USD", [Rate(date(2026, 1, 1) + timedelta(days=n), "AED", "USD", Decimal("0.5")) for n in range(90)]
    )
    whole = in_local(foreign, every)
    assert whole.activity.total is not None
    assert whole.activity.total.minor == sum(t.amount.minor for t in MADE.transactions) // 2


def test_addresses_of_the_web_are_hashes_where_children_are_concerned(desk: Desk) -> None:
    """In the events, what a rule says of them, and what staff noted before the case was such a one."""
    memo = "see https://pictures.example/a?b=1 today"
    case_id = desk.open(desk.alert(memo=memo))
    note = {"sign": "fear", "answer": "seen", "witness": "the desk", "note": "she named www.pictures.example"}
    ok(desk.do(case_id, "checklist", {"answers": [note]}))
    assert "pictures.example" in part_text(drafted(desk, case_id))
    ok(desk.patch(case_id, restriction="child_exploitation"))
    sources = Sources(institution=INSTITUTION, key=PanKey("0" * 8, bytes(32)))
    told = part_text(drafted(desk, case_id, sources))
    assert "pictures.example" not in told
    assert told.count("url_00000000_") >= 2
    assert "[address of the web]" in part_text(drafted(desk, case_id)), "without a key a mark"
