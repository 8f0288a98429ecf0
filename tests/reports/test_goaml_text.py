"""The goAML validator finds every planted defect in a text, at its line, and nothing in a sound one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from reportkit import aed, report, transactions

from txmon.reports import goaml
from txmon.reports.formats import Level, Options
from txmon.reports.goamltext import MAX_BYTES
from txmon.reports.model import Money

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "goaml"
NONE = Options()
Edit = Callable[[str], str]


def sound() -> str:
    """A report with all kinds of sides, one in a foreign currency."""
    first, *rest = transactions()
    foreign = replace(
        first,
        amount=Money(minor=24500, currency="USD"),
        local=aed(900),
        from_side=replace(first.from_side, foreign=Money(minor=24500, currency="USD")),
    )
    return goaml.write(report(transactions=(foreign, *rest)), NONE).decode()


SOUND = sound()
ACTIVITY = goaml.write(report(codes={"goaml": "SAR"}), NONE).decode()


def swap(old: str, new: str, nth: int = 1) -> Edit:
    """Replace the nth occurrence of a text."""

    def edit(text: str) -> str:
        parts = text.split(old)
        assert len(parts) > nth, f"{old} does not stand {nth} times"
        return old.join(parts[:nth]) + new + old.join(parts[nth:])

    return edit


def value(name: str, new: str, nth: int = 1) -> Edit:
    """Give the nth element of a name another text."""

    def edit(text: str) -> str:
        found = list(re.finditer(rf"<{name}>[^<]*</{name}>", text))[nth - 1]
        return f"{text[: found.start()]}<{name}>{new}</{name}>{text[found.end() :]}"

    return edit


def drop(name: str, nth: int = 1) -> Edit:
    """Take the nth element of a name out, with all inside."""

    def edit(text: str) -> str:
        found = list(re.finditer(rf"\s*<{name}>.*?</{name}>", text, re.DOTALL))[nth - 1]
        return text[: found.start()] + text[found.end() :]

    return edit


def twice(name: str) -> Edit:
    """Write the first element of a name twice."""

    def edit(text: str) -> str:
        found = re.search(rf"\s*<{name}>.*?</{name}>", text, re.DOTALL)
        assert found is not None
        return text[: found.end()] + found.group() + text[found.end() :]

    return edit


def moved(name: str, behind: str) -> Edit:
    """Move the first element of a name behind the first end tag of another."""

    def edit(text: str) -> str:
        found = re.search(rf"\s*<{name}>.*?</{name}>", text, re.DOTALL)
        assert found is not None
        rest = text[: found.start()] + text[found.end() :]
        return rest.replace(f"</{behind}>", f"</{behind}>{found.group()}", 1)

    return edit


DEFECTS: dict[str, tuple[Edit, str]] = {
    "not well-formed": (swap("</report>", ""), "xml"),
    "doctype": (swap("<report>", "<!DOCTYPE report><report>"), "doctype"),
    "namespace": (swap("<report>", '<report xmlns="urn:x">'), "root"),
    "other root": (lambda t: t.replace("report>", "rapport>"), "root"),
    "reporting entity missing": (drop("rentity_id"), "missing"),
    "reporting entity zero": (value("rentity_id", "0"), "range"),
    "reporting entity a word": (value("rentity_id", "Example"), "type"),
    "branch too long": (value("rentity_branch", "x" * 256), "length"),
    "submission code": (value("submission_code", "X"), "code"),
    "report code": (value("report_code", "UTR"), "code"),
    "reference missing": (drop("entity_reference"), "missing"),
    "reference twice": (twice("entity_reference"), "too_many"),
    "reference blank": (value("entity_reference", " "), "empty"),
    "submission date missing": (drop("submission_date"), "missing"),
    "submission date without time": (value("submission_date", "2026-03-02"), "date"),
    "submission date impossible": (value("submission_date", "2026-02-30T00:00:00"), "date"),
    "local currency unknown": (value("currency_code_local", "XYZ"), "code"),
    "local currency another's": (value("currency_code_local", "EUR"), "currency"),
    "reporting person missing": (drop("reporting_person"), "missing"),
    "location missing": (drop("location"), "missing"),
    "reason missing": (drop("reason"), "missing"),
    "reason too long": (value("reason", "x" * 8001), "length"),
    "reason blank": (value("reason", "  "), "missing"),
    "action missing": (drop("action"), "missing"),
    "reason after action": (moved("reason", "action"), "order"),
    "currency before date": (moved("submission_date", "currency_code_local"), "order"),
    "phone number before its kind": (moved("tph_contact_type", "tph_number"), "order"),
    "unknown element": (swap("<reason>", "<note>x</note><reason>"), "unknown"),
    "element of elsewhere": (swap("<reason>", "<teller>x</teller><reason>"), "unknown"),
    "attribute": (swap("<reason>", '<reason lang="en">'), "attribute"),
    "stray text": (swap("<transaction>", "<transaction>x"), "stray_text"),
    "elements in a value": (swap("<reason>", "<reason><b/>"), "unknown"),
    "transaction number missing": (drop("transactionnumber"), "missing"),
    "transaction number twice": (value("transactionnumber", "t-1", 2), "duplicate"),
    "transaction number too long": (value("transactionnumber", "t" * 101), "length"),
    "transaction date before 1753": (value("date_transaction", "1752-12-31T00:00:00"), "date"),
    "transaction later than the report": (value("date_transaction", "2026-03-03T00:00:00"), "date"),
    "transmode": (value("transmode_code", "IPG"), "code"),
    "transmode comment too long": (value("transmode_comment", "EE"), "length"),
    "amount missing": (drop("amount_local"), "missing"),
    "amount with separators": (value("amount_local", "1,200.00"), "amount"),
    "amount negative": (value("amount_local", "-5.00"), "amount"),
    "amount zero": (value("amount_local", "0"), "amount"),
    "amount too large": (value("amount_local", "7900000000000001"), "amount"),
    "amount too fine": (value("amount_local", "1.00000000000001"), "amount"),
    "funds": (value("from_funds_code", "GOLD"), "code"),
    "foreign currency is local": (value("foreign_currency_code", "AED"), "currency"),
    "foreign amount and rate": (
        swap("</foreign_amount>", "</foreign_amount><foreign_exchange_rate>3.2</foreign_exchange_rate>"),
        "amount",
    ),
    "a side missing": (drop("t_to_my_client"), "missing"),
    "a side twice": (twice("t_from_my_client"), "too_many"),
    "both kinds of a side": (swap("<t_to_my_client>", "<t_from></t_from><t_to_my_client>"), "order"),
    "no side is a client": (lambda t: t.replace("_my_client>", ">"), "no_client"),
    "side without country": (drop("from_country"), "missing"),
    "country": (value("from_country", "UK"), "code"),
    "no transaction in an STR": (
        lambda t: re.sub(r"<transaction>.*</transaction>", "", t, flags=re.S),
        "shape",
    ),
    "SAR with transactions": (value("report_code", "SAR"), "shape"),
    "client without gender": (drop("gender"), "missing"),
    "client without birth date": (drop("birthdate"), "missing"),
    "birth date later than the report": (value("birthdate", "2027-01-01T00:00:00"), "date"),
    "birth date of another century": (value("birthdate", "1788-07-02T00:00:00"), "date"),
    "client without identification": (drop("identifications"), "missing"),
    "identification kind": (value("type", "NIC"), "code"),
    "document expires before issue": (value("expiry_date", "2020-01-01T00:00:00"), "date"),
    "first name too long": (value("first_name", "x" * 101, 2), "length"),
    "first name empty": (value("first_name", "", 2), "empty"),
    "name with an accent": (value("last_name", "Müller", 2), "pattern"),
    "entity without legal form": (drop("incorporation_legal_form"), "missing"),
    "role of a director": (swap("<role>DIR</role>", "<role>BOSS</role>"), "code"),
    "account without number": (drop("account"), "missing"),
    "account kind": (value("personal_account_type", "CHECKING"), "code"),
    "account status": (value("status_code", "OPEN"), "code"),
    "opened after the report": (value("opened", "2026-04-01T00:00:00"), "date"),
    "bic": (value("swift", "EXAMPLE"), "pattern"),
    "iban": (
        swap("<personal_account_type>", "<iban>AE070331234567890123457</iban><personal_account_type>"),
        "pattern",
    ),
    "primary not 1": (value("is_primary", "true"), "type"),
    "phone without digits": (value("tph_number", "none"), "pattern"),
    "e-mail": (value("email", "desk at example"), "pattern"),
    "victim suspected": (value("from_is_suspected", "true"), "victim_as_subject"),
    "victim suspected without the mark": (
        lambda t: value("from_is_suspected", "true")(drop("is_protected")(drop("comments", 1)(t))),
        "victim_as_subject",
    ),
    "boolean": (value("from_is_suspected", "maybe"), "type"),
    "no indicator": (drop("report_indicators"), "missing"),
    "indicator unknown": (value("indicator", "ZZZZZ"), "unknown_indicator"),
    "indicator twice": (twice("indicator"), "duplicate"),
    "card number": (value("transaction_description", "card 4111 1111 1111 1111"), "card_number"),
    "too large": (lambda t: t + " " * MAX_BYTES, "size"),
}


@pytest.mark.parametrize("text", [SOUND, ACTIVITY], ids=["transactions", "activity"])
def test_a_sound_text_has_no_findings(text: str) -> None:
    assert goaml.validate(text.encode(), NONE) == []


@pytest.mark.parametrize("name", DEFECTS)
def test_planted_defect_is_found(name: str) -> None:
    edit, code = DEFECTS[name]
    broken = edit(SOUND)
    assert broken != SOUND
    found = goaml.validate(broken.encode(), NONE)
    assert code in {f.code for f in found if f.level is Level.ERROR}, [str(f) for f in found]
    assert all(f.message and f.remedy for f in found)


def test_there_are_at_least_sixty_defects() -> None:
    assert len(DEFECTS) >= 60


@pytest.mark.parametrize("name", ["rentity_id", "transmode_code", "swift", "indicator", "from_country"])
def test_a_finding_names_the_line(name: str) -> None:
    broken = value(name, "???")(SOUND)
    line = broken[: broken.index("???")].count("\n") + 1
    assert line in {f.line for f in goaml.validate(broken.encode(), NONE)}


def test_a_possible_victim_as_party_of_an_activity_is_found() -> None:
    broken = swap(
        "<tax_reg_number>N</tax_reg_number>",
        "<tax_reg_number>N</tax_reg_number><is_protected>true</is_protected>",
    )
    found = goaml.validate(broken(ACTIVITY).encode(), NONE)
    assert [f.code for f in found] == ["victim_as_subject"]


@pytest.mark.parametrize(
    "bomb", ["<!DOCTYPE r [<!ENTITY a 'x'>]><report>&a;</report>", "\xff\xfe", "", "<report/>"]
)
def test_hostile_text_is_a_finding(bomb: str) -> None:
    assert goaml.validate(bomb.encode("latin-1"), NONE)


def test_a_finding_never_repeats_a_value() -> None:
    secret = value("last_name", "Sécrète", 2)(SOUND)
    for name, (edit, _) in DEFECTS.items():
        if "last_name" not in name and "accent" not in name:
            for found in goaml.validate(edit(secret).encode(), NONE):
                assert "crète" not in str(found)


@pytest.mark.shared
@pytest.mark.parametrize("sample", ["SAR", "STR", "AIF", "AIFT", "ECDD", "ECDDT", "DPMSR"])
def test_public_samples_are_sound(sample: str) -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    data = (PUBLIC / "samples" / f"ae-{sample}.xml").read_bytes()
    found = goaml.validate(data, Options(schema=PUBLIC / "goAMLSchema-5.0.2-ae-pristine.xsd"))
    assert [f for f in found if f.level is Level.ERROR] == []


@pytest.mark.shared
def test_our_grammar_finds_what_the_schema_finds() -> None:
    """Every defect that the schema refuses, the validator refuses without it."""
    if not PUBLIC.is_dir():
        pytest.skip("the public goAML files are not beside the repository")
    schema = Options(schema=PUBLIC / "goAMLSchema-5.0.2-ae-strict.xsd")
    for name, (edit, _) in DEFECTS.items():
        found = goaml.validate(edit(SOUND).encode(), schema)
        if any(f.code == "schema" for f in found):
            assert any(f.code != "schema" and f.level is Level.ERROR for f in found), name
