"""The filer's file and the customer records: strict, exact about the place, silent about values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reportkit import report

from txmon.errors import ConfigError
from txmon.filing.records import RecordBook, Wanted, read_institution
from txmon.reports.model import Mode
from txmon.reports.modeljson import part_of

MADE = report()


def folder_of(path: Path, *, parties: Any = MADE.parties, accounts: Any = MADE.accounts) -> Path:
    for name, rows in (("parties", parties), ("accounts", accounts)):
        lines = (json.dumps(part_of(row)) + "\n" for row in rows)
        (path / f"{name}.ndjson").write_text("".join(lines), encoding="utf-8")
    return path


def test_an_entry_is_read_as_it_was_written(filer: Path) -> None:
    found = read_institution(filer, Wanted("AE"))
    assert (found.filer, found.reporting_person) == (MADE.filer, MADE.reporting_person)
    assert found.mode is Mode.LIVE
    assert read_institution(filer, Wanted()) == found


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "version must be 1"),
        ({"institutions": []}, "one entry of AE is wanted; it has none"),
        ({"instituions": []}, "did you mean institutions?"),
        ({"institutions": [{"jurisdiction": "AE"}]}, "institutions[0].filer: is missing"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(filer: Path, change: dict[str, Any], told: str) -> None:
    given = json.loads(filer.read_text()) | change
    filer.write_text(json.dumps(given))
    with pytest.raises(ConfigError, match=r"filer\.json") as error:
        read_institution(filer, Wanted("AE"))
    assert told in str(error.value)


def test_two_entries_need_a_word(filer: Path) -> None:
    given = json.loads(filer.read_text())
    filer.write_text(json.dumps(given | {"institutions": [*given["institutions"], given["institutions"][0]]}))
    for jurisdiction in (None, "AE"):
        with pytest.raises(ConfigError, match="AE, AE"):
            read_institution(filer, Wanted(jurisdiction))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(ConfigError, match="is no JSON file"):
            read_institution(path, Wanted("AE"))


def test_only_who_is_asked_for_is_read_with_holders_and_owners(tmp_path: Path) -> None:
    book = RecordBook(folder_of(tmp_path))
    parties, accounts = book.find({"a-3", "elsewhere"}, ())
    assert [a.account_id for a in accounts] == ["a-3"]
    assert [p.party_id for p in parties] == ["p-1", "p-3"], "who holds the account, and who owns the firm"
    assert book.find((), {"p-2"})[0][0] == MADE.parties[1]
    assert RecordBook(None).find({"a-1"}, {"p-1"}) == ((), ())


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"party_id": "p-1", "kind"', "parties.ndjson:2: is no JSON"),
        ('["p-1"]', "parties.ndjson:2: party_id must be text"),
        ('{"party_id": "p-1", "kind": "secret-7"}', "parties.ndjson:2: kind: is none of the values"),
    ],
)
def test_a_broken_line_is_named_and_not_repeated(tmp_path: Path, line: str, told: str) -> None:
    folder_of(tmp_path, parties=MADE.parties[1:2])
    with (tmp_path / "parties.ndjson").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ConfigError) as error:
        RecordBook(tmp_path).find((), {"p-1"})
    assert told in str(error.value)
    assert "secret-7" not in str(error.value)


def test_without_a_jurisdiction_the_formats_choose(filer: Path) -> None:
    given = json.loads(filer.read_text())
    (one,) = given["institutions"]
    both = [
        one | {"formats": ["goaml"]},
        one | {"formats": ["fincen"], "jurisdiction": "US", "local_currency": "USD"},
    ]
    filer.write_text(json.dumps(given | {"institutions": both}))
    assert read_institution(filer, Wanted(None, ("fincen", "pdf"))).jurisdiction == "US"
    assert read_institution(filer, Wanted("AE", ("fincen",))).jurisdiction == "AE"
    for formats in ((), ("html",), ("goaml", "fincen")):
        with pytest.raises(ConfigError, match="say which jurisdiction; it has AE, US"):
            read_institution(filer, Wanted(None, formats))
