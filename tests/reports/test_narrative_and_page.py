"""The drafted narrative states recorded facts alone and names no victim; the page is safe to open."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from reportkit import FIRST, changed, event, report, transactions

from txmon.reports import checks, render, rendernarrative
from txmon.reports.checksbase import known_events
from txmon.reports.formats import Options
from txmon.reports.model import Fact, Mode, PartyKind, Question, Role, Side, Subject

MADE = report()
DRAFT = rendernarrative.draft(MADE)


def test_a_draft_is_unsigned_and_cites_events_of_the_report() -> None:
    assert DRAFT.signed is None
    cited = {e for p in DRAFT.paragraphs for e in p.events}
    assert cited
    assert cited <= known_events(MADE)
    assert set(re.findall(r"cards/e-\d+", DRAFT.text)) == {e.text for e in cited}


def test_the_draft_passes_the_checks() -> None:
    found = checks.check(replace(MADE, narrative=DRAFT))
    assert [f.code for f in found] == ["unsigned"]


def test_each_question_is_answered() -> None:
    headings = [p.heading for p in DRAFT.paragraphs]
    expected = [
        "Summary",
        "Who",
        "Accounts",
        "What and when",
        "Why it is suspicious",
        "How",
        "Possible victims",
    ]
    assert headings[:7] == expected


def test_a_possible_victim_is_never_named() -> None:
    assert "Mona" not in DRAFT.text
    assert "possible victim A" in DRAFT.text
    unknown = (Subject(kind=PartyKind.UNKNOWN, reason="Nobody can be named"),)
    all_victims = changed(
        report(subjects=unknown), "parties[0].roles", (Role.RECRUITER, Role.POSSIBLE_VICTIM)
    )
    told = rendernarrative.draft(all_victims).text
    assert "Layla" not in told
    assert "The subject is unknown." in told


def test_a_victim_left_among_the_subjects_is_not_told_as_one() -> None:
    wrong = changed(MADE, "subjects[0].party_id", "p-2")
    told = rendernarrative.draft(wrong).text
    assert "Mona" not in told
    assert "The subject is unknown." in told


@given(st.lists(st.sampled_from(list(Question)), max_size=6))
def test_every_recorded_fact_is_repeated_word_for_word(questions: list[Question]) -> None:
    facts = tuple(
        Fact(question=q, text=f"Fact number {i} stands", author="A") for i, q in enumerate(questions)
    )
    told = rendernarrative.draft(replace(MADE, facts=facts)).text
    for fact in facts:
        assert told.count(f"{fact.text} (recorded by A).") == 1


def test_numbers_of_the_draft_are_numbers_of_the_report() -> None:
    """Every amount that is told is an amount of a transaction or the total."""
    told = set(re.findall(r"AED [\d.]+\d", DRAFT.text))
    assert told == {t.amount.text for t in MADE.transactions} | {"AED 2150.00"}


def test_many_transactions_are_added_up_by_their_ends() -> None:
    base = transactions()[0]
    many = tuple(
        replace(base, transaction_id=f"m-{i}", at=FIRST + timedelta(hours=i), events=(event(i),))
        for i in range(50)
    )
    told = rendernarrative.draft(replace(MADE, transactions=many))
    part = next(p for p in told.paragraphs if p.heading == "What and when")
    assert "50 transactions, AED 45000.00 in all" in part.text
    assert len(part.events) == 50
    assert len(told.text) < 8000


@given(st.integers(1, 400), st.integers(1, 60), st.integers(1, 120))
@settings(max_examples=30)
def test_a_long_story_is_told_within_the_limit_and_nothing_is_left_out_silently(
    n: int, ends: int, seen: int
) -> None:
    """Whatever the size of a case: every event is cited, every sum is that of its transactions."""
    base = transactions()[0]
    sides = [Side(party_id=f"x-{i}") for i in range(ends)]
    many = tuple(
        replace(
            base,
            transaction_id=f"m-{i}",
            at=FIRST + timedelta(minutes=i),
            events=(event(i),),
            to_side=sides[i % ends],
        )
        for i in range(n)
    )
    indicators = tuple(
        replace(MADE.indicators[0], text=f"Seen {i} " + "w" * 60, events=(event(i % n),)) for i in range(seen)
    )
    told = rendernarrative.draft(replace(MADE, transactions=many, indicators=indicators, facts=()))
    assert len(told.text) <= rendernarrative.LIMIT
    assert {e for p in told.paragraphs for e in p.events} == {event(i) for i in range(n)}
    part = next(p for p in told.paragraphs if p.heading == "What and when").text
    counted = sum(int(c) for c in re.findall(r": (\d+) transactions?", part))
    assert counted in (0, n)
    if counted:
        amounts = [int(a) for a in re.findall(r"AED (\d+)\.00 in all", part)]
        assert sum(amounts) == 900 * n


def test_what_was_only_tried_is_told_as_tried() -> None:
    tried = changed(MADE, "transactions[0].attempted", True)
    assert "an attempt was made to move AED 900.00 from account AC002" in rendernarrative.draft(tried).text


def test_the_mark_of_a_simulated_report_comes_first() -> None:
    told = rendernarrative.draft(replace(MADE, mode=Mode.SIMULATED)).text
    assert told.startswith("Summary: SIMULATED.")


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;b&gt;",
    "javascript:alert(1)",
    "\x00",
]


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize(
    "path", ["report_id", "narrative.paragraphs[0].text", "parties[0].person.last_name", "case_id"]
)
def test_nothing_of_a_report_is_markup(path: str, text: str) -> None:
    page = render.page(changed(MADE, path, text), checks.check(MADE))
    assert render.FORMAT.validate(page, Options()) == []
    root = etree.HTML(page)
    assert not root.xpath("//script | //img | //@onerror | //@src | //@href")
    shown = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    assert shown in "".join(root.itertext())


def test_the_page_shows_everything_and_what_is_missing() -> None:
    broken = changed(MADE, "subjects", ())
    page = render.page(broken, checks.check(broken)).decode()
    for text in (
        "STR-2026-0007",
        "AC001",
        "AED 2150.00",
        "cards/e-1",
        "error: subjects: is missing",
        "events.csv",
    ):
        assert text in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("mode", "mark"), [(Mode.SIMULATED, "SIMULATED"), (Mode.TEST, "TEST"), (Mode.LIVE, "")]
)
def test_the_page_carries_the_mark(mode: Mode, mark: str) -> None:
    page = render.page(replace(MADE, mode=mode)).decode()
    assert (f"<title>{mark} Report" in page) == bool(mark)
    assert ("not for submission" in page) == bool(mark)
