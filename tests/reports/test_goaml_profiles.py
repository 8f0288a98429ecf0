"""Profiles are data: read strictly, one a unit; the unit's schema is repaired in memory and told so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reportkit import changed, report

from txmon.errors import ConfigError
from txmon.reports import checks, goaml, goamlprofile
from txmon.reports.formats import Level, Options
from txmon.reports.goamlschema import load_schema
from txmon.reports.goamlshape import load

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "goaml"
SHIPPED = Path(goamlprofile.__file__).parent / "profiles"


@pytest.mark.parametrize("name", goamlprofile.names())
def test_every_profile_maps_to_codes_of_its_own_lists(name: str) -> None:
    made = goamlprofile.profile(name)
    lists = {
        "method": "conduction",
        "funds": "funds",
        "account_kind": "account",
        "account_status": "account_status",
        "identifier": "identifier",
        "address_use": "contact",
        "phone_use": "contact",
        "communication": "communication",
        "gender": "gender",
        "holder_role": "account_person_role",
        "owner_role": "entity_person_role",
    }
    for table, listed in lists.items():
        assert set(made.maps[table].values()) <= made.codes[listed], table
    assert {c for codes in made.typologies.values() for c in codes} <= made.codes["report_indicator"]
    assert made.transaction_reports | made.activity_reports <= made.codes["report"]
    assert made.currency in made.codes["currency"]


@pytest.mark.parametrize("name", goamlprofile.names())
def test_profiles_answer_the_same_questions(name: str) -> None:
    one, other = goamlprofile.profile(name), goamlprofile.profile()
    assert set(one.maps) == set(other.maps)
    assert set(one.constants) == set(other.constants)
    assert set(one.typologies) == set(other.typologies)
    for table in set(one.maps) - {"identifier", "entity_identifier"}:
        assert set(one.maps[table]) == set(other.maps[table]), table


@pytest.mark.parametrize("shape", ["goaml-5.0.2.shape", "goaml-4.x-lk.shape"])
def test_every_type_of_a_grammar_is_there_and_used(shape: str) -> None:
    types = load(shape).types
    used = {i.type for kind in types for i in load(shape).items(kind).values() if i.type}
    assert used <= set(types)
    assert set(types) - used == {"report"}


def test_a_report_of_one_unit_is_refused_for_another() -> None:
    data = goaml.write(report(), Options())
    codes = {f.code for f in goaml.validate(data, Options(profile="lk")) if f.level is Level.ERROR}
    assert codes >= {"unknown", "code", "currency"}
    found = checks.errors(checks.check_for(report(), goaml.FORMAT, Options(profile="lk")))
    assert "filer.organisation.bic" in {f.path for f in found}


def test_a_subject_whom_nothing_shows_is_told_where_no_activity_may_stand_beside() -> None:
    """The reference unit takes an activity beside transactions; the other does not."""
    hidden = changed(report(), "subjects[0].party_id", "p-4")
    hidden = replace(hidden, parties=(*hidden.parties, replace(hidden.parties[0], party_id="p-4")))
    assert b"<report_party>" in goaml.write(hidden, Options())
    found = goaml.check(hidden, Options(profile="lk"))
    assert "subject_unshown" in {f.code for f in found}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version: 1", "version: 2", "only 1 can be read"),
        ("currency: AED\n", "", "missing or unknown: currency"),
        ("title:", "titel:", "missing or unknown: titel, title"),
        ("maps:", "maps: [", "not YAML"),
    ],
)
def test_a_wrong_profile_file_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text((SHIPPED / "goaml-ae.yaml").read_text().replace(old, new, 1))
    with pytest.raises(ConfigError, match=told):
        goamlprofile.profile(str(path))


def test_an_own_profile_file_is_used(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    text = (SHIPPED / "goaml-ae.yaml").read_text().replace("transmode_comment: E", "transmode_comment: M")
    path.write_text(text)
    assert b"<transmode_comment>M<" in goaml.write(report(), Options(profile=str(path)))


def test_a_profile_that_is_not_there_is_told() -> None:
    with pytest.raises(ConfigError, match="there is no profile file"):
        goamlprofile.profile("nowhere.yaml")


@pytest.mark.shared
def test_the_exported_schema_is_repaired_in_memory() -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    assert load_schema(PUBLIC / "goAMLSchema-5.0.2-ae-pristine.xsd").repaired >= 26
    assert load_schema(PUBLIC / "goAMLSchema-5.0.2-ae-strict.xsd").repaired == 0


@pytest.mark.shared
def test_a_second_validator_agrees() -> None:
    """A validator that shares no code with the first finds nothing in what is written."""
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    xmlschema = pytest.importorskip("xmlschema", reason="the second validator is not installed")
    schema = load_schema(PUBLIC / "goAMLSchema-5.0.2-ae-pristine.xsd")
    second = xmlschema.XMLSchema11(schema.source.decode())
    for made in (report(), report(codes={"goaml": "SAR"})):
        assert list(second.iter_errors(goaml.write(made, Options()).decode())) == []
