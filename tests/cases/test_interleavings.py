"""Ten thousand steps of people who read and write one case in any order: no edit is lost, none is told twice."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "store"))

import pytest
from interleavings import run_all
from storekit import add_batch, open_store

from txmon.cases import moves, opening, rows
from txmon.cases.rows import Wanted
from txmon.cases.sight import case_row
from txmon.errors import StoreConflict
from txmon.store import journal
from txmon.store.foureyes import Proposals
from txmon.store.identity import SCOPES, Principal

STEPS, AT_ONCE, PEOPLE = 10_000, 500, 6


def person(number: int) -> Principal:
    name = f"psn_{'abcdefghij'[number] * 16}"
    return Principal(
        f"key_{number}", name, name, "person", frozenset({"analyst"}), SCOPES, None, None, f"person:{name}"
    )


@pytest.mark.slow
def test_a_share_of_the_interleavings(tmp_path: Path) -> None:
    """`interleavings.py` runs ten thousand; here three hundred, each step a transaction."""
    figures, wrong = run_all(tmp_path, 300, 7)
    assert wrong == []
    assert figures["interleavings"] == 300
    assert min(figures["taken"], figures["refused"]) > 300


def test_a_lost_update_would_be_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the version not compared, the run would say so."""
    monkeypatch.setattr(
        rows, "taken", lambda tx, who, wanted, states=(): case_row(tx.conn, who, wanted.case_id)
    )
    monkeypatch.setattr(moves, "taken", rows.taken)
    assert run_all(tmp_path, 20, 7)[1] != []


@pytest.mark.slow
def test_no_edit_is_lost_in_ten_thousand_steps(tmp_path: Path) -> None:
    chance, proposals = random.Random(11), Proposals()
    people = [person(number) for number in range(PEOPLE)]
    with open_store(tmp_path / "store") as store:
        add_batch(store)
        with store.write() as tx:
            (alert,) = tx.conn.exec_driver_sql("select alert_id, version from alerts").all()
            new = opening.Opening("0", "why")
            case_id = opening.open_case(tx, people[0], {alert[0]: alert[1]}, new)
        read = dict.fromkeys(range(PEOPLE), 1)  # the version that each person saw last
        version, title, taken, refused = 1, "0", 0, 0
        for first in range(0, STEPS, AT_ONCE):
            with store.write() as tx:
                for step in range(first, first + AT_ONCE):
                    number = chance.randrange(PEOPLE)
                    if chance.random() < 0.5:
                        row = case_row(tx.conn, people[number], case_id)
                        assert (row["version"], row["title"]) == (version, title)
                        read[number] = row["version"]
                        continue
                    wish = moves.Change("title", f"{number}-{step}", "why")
                    try:
                        made = moves.change(
                            tx, proposals, people[number], Wanted(case_id, read[number]), wish
                        )
                    except StoreConflict:
                        assert read[number] != version
                        refused += 1
                    else:
                        assert (read[number], made["version"]) == (version, version + 1)
                        version, title, taken = version + 1, wish.value, taken + 1
        told = [json.loads(row.document) for row in journal.read(store, kinds=["decision"])]
    edits = [each for each in told if each["decision"] == "case.titled"]
    assert len(edits) == taken == version - 1
    assert min(taken, refused) > 1000
    titles = ["0", *(each["to"]["title"] for each in edits)]
    assert [each["from"]["title"] for each in edits] == titles[:-1]
