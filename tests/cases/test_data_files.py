"""Texts, signs and organisations: what ships is whole, what is wrong is refused by line, nothing is contacted."""

from __future__ import annotations

from pathlib import Path

import pytest
from apikit import CRITICAL, Api, on_bench
from caseskit import Desk
from servicekit import Bench, simple_rules

from txmon.cases.texts import neutral_texts, organisations, signs
from txmon.errors import RuleErrors

GOOD = """organisations:
  - name: House of Hope
    countries: [NL, BE]
    kinds: [shelter]
    languages: [nl, en]
    phone: "+31 20 000 0000"
    hours: "Mo-Fr 09:00-17:00"
    verified: 2026-01-31
  - {name: Line, countries: [RO], kinds: [helpline], web: "https://line.example.org/", verified: 2026-02-01}
"""


def test_no_organisation_ships_and_what_ships_is_readable() -> None:
    assert organisations() == ()
    assert len(signs()) >= 10
    assert {each.group for each in signs()} == {"at the counter", "records", "channels"}
    forbidden = ("investigat", "suspic", "report", "police", "launder", "victim", "criminal")
    for text in neutral_texts().values():
        assert not any(word in text.lower() for word in forbidden), text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[NL, BE]", "[Netherlands]", "countries"),
        ("[shelter]", "[hotel]", "kinds"),
        ("verified: 2026-01-31", "verified: last year", "verified"),
        ('phone: "+31 20 000 0000"', "note: none", "one of `phone`"),
        ("https://line.example.org/", "http://line.example.org/", "https"),
        ("name: House of Hope", "title: House of Hope", "unknown key"),
        ("    kinds: [shelter]\n", "", "`kinds` is missing"),
        ("languages: [nl, en]", "languages: [dutch]", "languages"),
    ],
)
def test_a_directory_that_is_wrong_is_refused_with_line_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "support.yaml"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(RuleErrors, match=said) as caught:
        organisations(file)
    assert "support.yaml:" in str(caught.value)


def test_a_service_does_not_start_on_a_wrong_file(tmp_path: Path) -> None:
    file = tmp_path / "support.yaml"
    file.write_text("organisations: none\n")
    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    service = bench.open(support_file=file)
    try:
        with pytest.raises(RuleErrors, match="is a list"):
            Api(service)
    finally:
        service.close()


def test_case_workers_see_the_directory_by_country_and_nobody_else_does(tmp_path: Path) -> None:
    file = tmp_path / "support.yaml"
    file.write_text(GOOD)
    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    with on_bench(bench, support_file=file) as api:
        desk = Desk(api)
        assert [each["name"] for each in desk.get("/v1/support")["items"]] == ["House of Hope", "Line"]
        (found,) = desk.get("/v1/support?country=RO&kind=helpline", desk.sara)["items"]
        assert (found["web"], found["verified"]) == ("https://line.example.org/", "2026-02-01")
        for key in (desk.audit, api.person("ingest"), api.person("admin"), api.person("coalition")):
            assert api.get("/v1/support", key).status_code == 403
