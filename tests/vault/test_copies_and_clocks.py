"""Copies stay as long as they are to and leave no byte; clocks start at the determination and are counted in days."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaultkit import DAY_US, NOW_US, Desk, drafted

from txmon.errors import RuleErrors
from txmon.reports.model import Determination, Kind
from txmon.vault import jurisdictions
from txmon.vault.clocks import Clock, clocks_of
from txmon.vault.copies import bundle
from txmon.vault.head import Head, moment
from txmon.vault.release import generic

ITEM: dict[str, Any] = {
    "what": "event",
    "ingest_seq": 7,
    "salt": "ab" * 16,
    "content": "a wire of 900 to nobody",
}


# -- copies --------------------------------------------------------------------------------------------------


def test_copies_are_kept_once_and_stay_longer_if_asked(desk: Desk) -> None:
    until = NOW_US + 90 * DAY_US
    assert (
        desk.vault.keep(
            "preservation", "ord_1", [ITEM, {"what": "row", "row": {"x": 1}}], until, "order 5", "psn_x"
        )
        == 2
    )
    assert desk.vault.keep("preservation", "ord_1", [ITEM], until + DAY_US, "renewed", "psn_x") == 0
    assert desk.vault.kept("ord_1") == [ITEM, {"what": "row", "row": {"x": 1}}]
    assert desk.vault.kept("ord_2") == []
    assert [row["reason"] for row in desk.log() if row["action"] == "copies.kept"] == ["order 5", "renewed"]
    desk.clock.time_us = until
    assert desk.vault.retain() == 1  # the row; the event stays a day longer
    assert desk.vault.kept("ord_1") == [ITEM]
    desk.clock.time_us = until + DAY_US
    assert desk.vault.retain() == 1
    assert desk.vault.retain() == 0
    assert desk.vault.kept("ord_1") == []
    assert desk.vault.verify().ok


def test_what_was_taken_out_leaves_no_byte_in_the_file(desk: Desk) -> None:
    desk.vault.keep("preservation", "ord_1", [ITEM], NOW_US + 1, "order", "psn_x")
    with desk.vault.file.read() as reader:
        from txmon.vault.db import records

        query = records.select().where(records.c.kind == "copy")
        sealed = [bytes(row.sealed) for row in reader.conn.execute(query)]
    desk.clock.time_us = NOW_US + 1
    desk.vault.retain()
    desk.vault.close()
    for path in desk.file.parent.iterdir():
        assert not [part for part in sealed if part[20:60] in path.read_bytes()], path


def test_a_release_keeps_the_events_and_the_bundle_for_the_years_of_its_jurisdiction(desk: Desk) -> None:
    head = desk.submitted()
    released = desk.release(head, bundle("proof.zip", b"bundle of proof"))
    items = desk.vault.kept(released.report_id)
    assert [item["event_id"] for item in items if item["what"] == "event"] == ["e-1", "e-2", "e-3"]
    assert [item["name"] for item in items if item["what"] == "bundle"] == ["proof.zip"]
    assert desk.log()[-1]["facts"]["missing"] == []
    desk.clock.time_us = NOW_US + 1825 * DAY_US - 1
    assert desk.vault.retain() == 0
    desk.clock.time_us += 1
    assert desk.vault.retain() == 4


def test_a_release_that_breaks_off_keeps_and_releases_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = desk.submitted()
    with monkeypatch.context() as patch:
        patch.setattr("txmon.vault.release.copies.keep", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            desk.release(head)
    assert desk.office.show(desk.ana, head.report_id).head == head
    assert desk.vault.kept(head.report_id) == []
    assert desk.release(head).state == "released"


def test_an_event_that_the_journal_lost_is_named_in_the_log(desk: Desk) -> None:
    desk.missing = ("cards/e-9",)
    desk.released()
    assert [row["facts"]["missing"] for row in desk.log() if row["action"] == "release"] == [["cards/e-9"]]


# -- clocks --------------------------------------------------------------------------------------------------


def us_head(desk: Desk, known_days_ago: int, *, subject: bool = True) -> Head:
    known = Determination(at=moment(NOW_US - known_days_ago * DAY_US), author="Ana Lyst")
    desk.changes = {"jurisdiction": "US", "facts_known_at": known} | ({} if subject else {"subjects": ()})
    return desk.draft()


def clocks(desk: Desk, head: Head, now_us: int | None = None) -> list[Clock]:
    return clocks_of(head, desk.office.rules, now_us or desk.clock.now_us())


@pytest.mark.parametrize(
    ("days", "subject", "state", "left"),
    [
        (0, True, "running", 30), (22, True, "running", 8), (23, True, "due", 7), (30, True, "due", 0),
        (31, True, "overdue", -1), (31, False, "running", 29), (53, False, "due", 7), (61, False, "overdue", -1),
    ],
)  # fmt: skip
def test_the_days_to_file_count_from_the_determination(
    desk: Desk, days: int, subject: bool, state: str, left: int
) -> None:
    (found,) = clocks(desk, us_head(desk, days, subject=subject))
    assert (found.clock, found.state, found.left_days, found.age_days) == ("file", state, left, days)


def test_as_soon_as_practicable_is_an_age_without_an_end(desk: Desk) -> None:
    (found,) = clocks(desk, desk.draft())  # a jurisdiction that is not listed
    assert (found.state, found.due_us, found.left_days) == ("open", None, None)
    assert found.age_days == (NOW_US - found.since_us) // DAY_US > 0


def test_no_clock_runs_before_anybody_knew_the_facts(desk: Desk) -> None:
    desk.changes = {"facts_known_at": None}
    assert clocks(desk, desk.draft()) == []


def test_what_goes_on_is_reviewed_at_90_days_and_reported_by_120(desk: Desk) -> None:
    known = Determination(at=moment(NOW_US), author="Ana Lyst")
    desk.changes = {"jurisdiction": "US", "facts_known_at": known}
    head = desk.draft(formats=("html",))
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    head = desk.release(desk.office.submit(desk.ana, head.report_id, head.version))
    answer = generic("html", True, "BSA-1", [])
    head = desk.releases.acknowledge(desk.ana, desk.doing(head, "acknowledge"), answer)
    assert {c.clock: (c.state, c.left_days) for c in clocks(desk, head)} == {
        "review": ("running", 90), "continue": ("running", 120),
    }  # fmt: skip
    desk.clock.time_us += 121 * DAY_US
    assert {c.clock: c.state for c in clocks(desk, head)} == {"review": "overdue", "continue": "overdue"}
    later = desk.releases.go_on(desk.ana, desk.doing(head, "continue"))
    now = desk.office.show(desk.ana, head.report_id).head
    assert (clocks(desk, now), now.next) == ([], (later.report_id,))
    (found,) = clocks(desk, later)  # it is the continuing report that is late now
    assert (found.clock, found.state, found.left_days) == ("continue", "overdue", -1)
    model = desk.model(later)
    assert (model.kind, model.prior_filing and model.prior_filing.reference) == (Kind.CONTINUING, "BSA-1")


def test_a_correction_has_no_days_and_leaves_the_clocks_of_what_goes_on(desk: Desk) -> None:
    known = Determination(at=moment(NOW_US), author="Ana Lyst")
    desk.changes = {"jurisdiction": "US", "facts_known_at": known}
    head = desk.draft(formats=("html",))
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    head = desk.release(desk.office.submit(desk.ana, head.report_id, head.version))
    answer = generic("html", True, "BSA-1", [])
    head = desk.releases.acknowledge(desk.ana, desk.doing(head, "acknowledge"), answer)
    desk.clock.time_us += 40 * DAY_US
    new = desk.releases.correct(desk.ana, desk.doing(head, "correct"))
    (found,) = clocks(desk, new)
    assert (found.clock, found.state, found.age_days) == ("file", "open", 0)
    now = desk.office.show(desk.ana, head.report_id).head
    assert {c.clock for c in clocks(desk, now)} == {"review", "continue"}
    new = desk.office.sign(desk.ana, new.report_id, new.version)
    new = desk.release(desk.office.submit(desk.ana, new.report_id, new.version))
    assert clocks(desk, new) == []


def test_a_review_that_finds_nothing_ends_the_clocks_of_what_goes_on(desk: Desk) -> None:
    desk.changes = {"jurisdiction": "US", "facts_known_at": Determination(at=moment(NOW_US), author="A")}
    head = desk.draft(formats=("html",))
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    head = desk.release(desk.office.submit(desk.ana, head.report_id, head.version))
    assert len(clocks(desk, head)) == 2
    assert clocks(desk, desk.releases.reviewed(desk.ana, desk.doing(head, "review"))) == []


@given(st.integers(-(10**6), 10**6), st.integers(0, 4000))
def test_a_clock_is_late_exactly_when_its_days_are_over(offset: int, days: int) -> None:
    head = Head(
        report_id="r", version=1, state="draft", case_id="c", mode="live", entity="e", formats=("goaml",), created_us=0,
        changed_us=0, drafted_by="p", authors=("p",), jurisdiction="US", known_us=NOW_US, known_subject=True,
    )  # fmt: skip
    now = NOW_US + days * DAY_US + offset
    (found,) = clocks_of(head, jurisdictions.load(), now)
    assert (found.state == "overdue") == (now - NOW_US > 30 * DAY_US)
    assert found.since_us == NOW_US


def test_the_determination_of_a_draft_is_never_moved_to_a_later_time(desk: Desk) -> None:
    from txmon.errors import InputError

    head = us_head(desk, 5)
    report = drafted(head.case_id, head.report_id, NOW_US, jurisdiction="US")
    later = Determination(at=moment(NOW_US - 4 * DAY_US), author="A")
    earlier = Determination(at=moment(NOW_US - 6 * DAY_US), author="A")
    from dataclasses import replace

    for known in (later, None):
        with pytest.raises(InputError, match="facts_known_at"):
            desk.office.edit(desk.ana, head.report_id, 1, replace(report, facts_known_at=known))
    head = desk.office.edit(desk.ana, head.report_id, 1, replace(report, facts_known_at=earlier))
    assert head.known_us == NOW_US - 6 * DAY_US


# -- the data file -------------------------------------------------------------------------------------------


def test_a_file_of_jurisdictions_replaces_the_one_that_ships(tmp_path: Path) -> None:
    file = tmp_path / "days.yaml"
    file.write_text(
        "default: {keep_days: 10}\nXX:\n  file_days: 3\n  profiles: {goaml: lk}\n  schemas: {goaml: unit/goAML.xsd}\n"
    )
    found = jurisdictions.load(file)
    assert found.of("XX").days_to_file(False) == found.of("XX").days_to_file(True) == 3
    assert found.of("XX").schemas["goaml"] == tmp_path / "unit/goAML.xsd"
    assert (found.of("YY").keep_days, found.of("YY").file_days) == (10, None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("US: {file_days: 30}", ":1:1: `default` is missing"), ("default: {keep_days: 0}", ":1:22:"),
        ("default: {file_day: 3}", "did you mean `file_days`"), ("default: {}\nusa: {}", ":2:1: a jurisdiction is two"),
        ("default: {profiles: [a]}", "is a map"), ("[]", "the file is a map"), ("default: {schemas: {a: 3}}", "a text of"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_by_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "days.yaml"
    file.write_text(text)
    with pytest.raises(RuleErrors) as error:
        jurisdictions.load(file)
    assert told in str(error.value)
