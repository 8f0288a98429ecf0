"""goAML files with one defect each, planted in the text: the validator, without a schema, finds every one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from reportkit import report

from txmon.reports import goaml
from txmon.reports.formats import Finding, Level, Options

Change = Callable[[str], str]
STR = goaml.write(report(), Options()).decode()
SAR = goaml.write(report(codes={"goaml": "SAR"}), Options()).decode()


def edit(pattern: str, put: str | Callable[[re.Match[str]], str], count: int = 1) -> Change:
    def change(text: str) -> str:
        made, found = re.subn(pattern, put, text, count=count, flags=re.DOTALL)
        assert found, pattern
        return made

    return change


def every(old: str, new: str) -> Change:
    return edit(re.escape(old), lambda _: new, 0)


def value(name: str, text: str) -> Change:
    return edit(rf"<{name}>[^<]*</{name}>", lambda _: f"<{name}>{text}</{name}>")


def lacking(name: str) -> Change:
    return edit(rf"\s*<{name}>.*?</{name}>", "")


def doubled(name: str) -> Change:
    return edit(rf"(<{name}>.*?</{name}>)", r"\1\1")


def swapped(first: str, second: str) -> Change:
    return edit(rf"(<{first}>.*?</{first}>)(\s*)(<{second}>.*?</{second}>)", r"\3\2\1")


def both(*changes: Change) -> Change:
    def change(text: str) -> str:
        for one in changes:
            text = one(text)
        return text

    return change


def foreign(currency: str, amount: str, rate: str) -> Change:
    inner = (
        f"<foreign_currency_code>{currency}</foreign_currency_code><foreign_amount>{amount}</foreign_amount>"
        f"<foreign_exchange_rate>{rate}</foreign_exchange_rate>"
    )
    return edit("(</from_funds_code>)", rf"\1<from_foreign_currency>{inner}</from_foreign_currency>")


SUSPECTED = every("<from_is_suspected>false", "<from_is_suspected>true")
REMARK = "May be a victim. Not a subject of this report."
UNPROTECTED = every("<is_protected>true</is_protected>", "")
UNREMARKED = every(f"<comments>{REMARK}</comments>", "")
LONG = "x" * 8001

DEFECTS: dict[str, Change] = {
    # order
    **{
        f"order of {a} and {b}": swapped(a, b)
        for a, b in (
            ("schema_version", "rentity_id"), ("report_code", "entity_reference"), ("reason", "action"),
            ("entity_reference", "submission_date"), ("reporting_person", "location"),
            ("transmode_code", "transmode_comment"), ("date_transaction", "transmode_code"),
            ("first_name", "last_name"), ("from_funds_code", "from_is_suspected"), ("account", "currency_code"),
            ("is_primary", "t_person"), ("tph_contact_type", "tph_communication_type"), ("city", "zip"),
            ("type", "number"), ("opened", "status_code"),
        )
    },
    "indicators before transactions": edit(
        r"(<transaction>.*</transaction>)(\s*)(<report_indicators>.*?</report_indicators>)", r"\3\2\1"
    ),
    # counts
    **{
        f"no {name}": lacking(name)
        for name in ["rentity_id", "submission_code", "report_code", "entity_reference", "submission_date", "currency_code_local", "reason", "action", "location", "reporting_person", "transaction_description", "transmode_code", "date_transaction", "amount_local", "t_from_my_client", "t_to_my_client", "from_funds_code", "from_country", "from_account", "institution_name", "account", "signatory", "t_person", "gender", "first_name", "last_name", "birthdate", "tax_reg_number", "id_number", "report_indicators", "indicator", "tph_number", "address_type", "city", "opened", "status_code"]
    },
    **{
        f"two of {name}": doubled(name)
        for name in ["rentity_id", "report_code", "reason", "transaction", "t_from_my_client", "from_country", "amount_local", "first_name", "indicator", "t_person", "account", "to_country", "from_account"]
    },
    "one number for two transactions": every("<transactionnumber>t-2<", "<transactionnumber>t-1<"),
    "a transaction report without transactions": edit("<transaction>.*</transaction>", ""),
    # code lists
    **{
        f"code {name}={text}": value(name, text)
        for name, text in (
            ("submission_code", "X"), ("report_code", "UTR"), ("report_code", "str"), ("gender", "female"),
            ("currency_code_local", "USD"), ("currency_code_local", "XXX"), ("transmode_code", "IPG"),
            ("transmode_code", "elcft"), ("from_funds_code", "ZZ"), ("from_country", "UK"), ("from_country", "XX"),
            ("nationality1", "ARE"), ("residence", "ZZ"), ("tph_contact_type", "HOME"), ("role", "X"),
            ("tph_communication_type", "Q"), ("address_type", "HOME"), ("country_code", "uae"),
            ("currency_code", "DHS"), ("personal_account_type", "9"), ("status_code", "Z"), ("type", "NATID"),
            ("indicator", "NOPE"), ("indicator", "struc"), ("issue_country", "XX"), ("is_primary", "yes"),
            ("institution_country", "Dubai"), ("transaction_status", "Q"), ("from_is_suspected", "maybe"),
            ("transaction_is_suspicious", "si"), ("non_bank_institution", "oui"), ("schema_version", "4.0"),
            ("schema_version", "5.0.1"),
        )
    },
    # lengths and forms
    **{
        f"value {name}={text[:16]!r} ({len(text)})": value(name, text)
        for name, text in (
            ("rentity_id", "0"), ("rentity_id", "-1"), ("rentity_id", "101.0"), ("rentity_id", ""),
            ("rentity_id", " "), ("entity_reference", "x" * 256), ("entity_reference", ""), ("reason", LONG),
            ("action", LONG), ("reason", ""), ("transactionnumber", ""), ("transactionnumber", "x" * 101),
            ("transaction_description", LONG), ("amount_local", "-900.00"), ("amount_local", "0"),
            ("amount_local", "900,00"), ("amount_local", "AED 900"), ("amount_local", "9e2"),
            ("amount_local", "8000000000000000"), ("amount_local", "0.12345678901234"), ("amount_local", ""),
            ("first_name", ""), ("first_name", "x" * 101), ("last_name", "Пример"), ("swift", "EXMP"),
            ("institution_name", "x" * 256), ("swift", "exmpaead"), ("tph_number", "none"), ("email", "desk@"),
            ("tph_number", "1" * 60), ("email", "desk example"), ("city", "x" * 300), ("zip", "x" * 80),
            ("account", ""), ("account", "4111111111111111"), ("comments", LONG), ("id_number", ""),
            ("comments", "card 4111 1111 1111 1111"), ("rentity_branch", "x" * 256), ("id_number", "x" * 300),
            ("occupation", "x" * 300),
        )
    },
    # dates
    **{
        f"date {name}={text}": value(name, text)
        for name, text in (
            ("submission_date", "2026-03-02"), ("submission_date", "02/03/2026"),
            ("submission_date", "2026-13-02T00:00:00"), ("date_transaction", "2026-02-30T00:00:00"),
            ("date_transaction", "2027-01-01T00:00:00"), ("date_transaction", "1752-12-31T00:00:00"),
            ("date_transaction", "0000-00-00T00:00:00"), ("birthdate", "2030-01-01T00:00:00"),
            ("birthdate", "1850-01-01T00:00:00"), ("birthdate", "1988-07-02"),
            ("issue_date", "2032-01-01T00:00:00"), ("issue_date", "2031-04-01T00:00:00"),
            ("expiry_date", "2020-01-01T00:00:00"), ("opened", "2026-12-01T00:00:00"),
        )
    },
    # shape
    "a side of two kinds": every("<t_to_my_client>", "<t_to><to_funds_code>ELCFT</to_funds_code></t_to><t_to_my_client>"),
    "no side of ours": every("_my_client", ""),
    "an account and a person": edit("(</from_account>)", r"\1<from_person><first_name>A</first_name></from_person>"),
    "an unknown element": edit("(</from_account>)", r"<bogus>1</bogus>\1"),
    "an unknown attribute": edit("<report>", '<report x="1">'),
    "a namespace": edit("<report>", '<report xmlns="urn:x">'),
    "a DOCTYPE": edit("<report>", "<!DOCTYPE report><report>"),
    "an entity of a file": edit("<report>", '<!DOCTYPE report [<!ENTITY e SYSTEM "file:///etc/passwd">]><report>'),
    "another root": both(every("<report>", "<reports>"), every("</report>", "</reports>")),
    "text between elements": edit("<report_indicators>", "hello<report_indicators>"),
    "cut off": lambda text: text[:-200],
    "the local currency as foreign": foreign("AED", "900", "1"),
    "a rate that does not fit": foreign("USD", "100", "3.67"),
    # a possible victim is no subject
    "a victim's side is suspected": SUSPECTED,
    "a victim's side is suspected, as 1": every("<from_is_suspected>false", "<from_is_suspected>1"),
    "a victim by the remark alone": both(UNPROTECTED, SUSPECTED),
    "a victim by somebody's words": both(
        UNPROTECTED, every(REMARK, "Possible victim of trafficking"), SUSPECTED
    ),
    "a victim by somebody's other words": both(UNPROTECTED, every(REMARK, "She may be a victim here"), SUSPECTED),
    "a victim's number on the suspect": every("784198512345600", "784199012345601"),
    "a victim's document on the suspect": every("<number>784198512345600", "<number>784199012345601"),
    "a victim's name and birthday on the suspect": both(
        every("<first_name>Layla<", "<first_name>Mona<"), every("<last_name>Example<", "<last_name>Invented<")
    ),
    "a victim's name, written otherwise, on the suspect": both(
        every("<first_name>Layla<", "<first_name>INVENTED<"), every("<last_name>Example<", "<last_name>mona<")
    ),
    "a victim's name on a suspect without a birthday": both(
        every("<first_name>Layla<", "<first_name>Mona<"), every("<last_name>Example<", "<last_name>Invented<"),
        every("_my_client>", ">"), every("<t_from>", "<t_from_my_client>"), every("</t_from>", "</t_from_my_client>"),
        every("<birthdate>1988-07-02T00:00:00</birthdate>", ""),
    ),
    "the narrative calls the suspect a possible victim": both(
        UNPROTECTED, UNREMARKED, SUSPECTED,
        every("Three transfers were made.", "Mona Invented may be a victim."),
    ),
    "a transaction's text calls the suspect a possible victim": both(
        UNPROTECTED, UNREMARKED, SUSPECTED,
        every("Transfer between accounts", "The possible victim, Mona Invented, paid"),
    ),
}  # fmt: skip

# what a human has to look at, since it may be true
ODD: dict[str, Change] = {
    "one account on both sides": edit("<account>AC001", "<account>AC002"),
    "nobody is suspected": edit(r"<(from|to)_is_suspected>(true|false)</(from|to)_is_suspected>", "", 0),
    "born after the transaction": value("birthdate", "2026-01-06T00:00:00"),
    "a transaction before the account was opened": value("date_transaction", "2020-01-01T00:00:00"),
    "a transaction after the account was closed": edit(
        "(<opened>2024-02-01T00:00:00</opened>)", r"\1<closed>2025-01-01T00:00:00</closed>"
    ),
}

IN_ACTIVITY: dict[str, Change] = {
    "a victim as the party of an activity": edit(
        "(</tax_reg_number>)(?!.*</tax_reg_number>)", r"\1<is_protected>true</is_protected>"
    ),
    "a victim as a party about whom nothing is said": both(
        edit("(</tax_reg_number>)(?!.*</tax_reg_number>)", rf"\1<comments>{REMARK}</comments>"),
        lacking("is_suspected"),
    ),
    "an activity without parties": lacking("report_parties"),
    "an activity report without an activity": lacking("activity"),
    "an activity report with a transaction": lambda text: text.replace(
        "<activity>",
        re.search("<transaction>.*?</transaction>", STR, re.DOTALL).group() + "<activity>",  # type: ignore[union-attr]
    ),
    "a significance beyond ten": edit(
        "(<is_suspected>true</is_suspected>)", r"<significance>11</significance>\1"
    ),
    "a person and an entity as one party": edit(
        "(<is_suspected>true</is_suspected>)", r"<entity><name>X</name></entity>\1"
    ),
}


def found(text: str, options: Options | None = None) -> list[Finding]:
    return goaml.validate(text.encode(), options or Options())


def test_without_a_defect_nothing_is_found() -> None:
    assert found(STR) == []
    assert found(SAR) == []


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_found(name: str) -> None:
    broken = DEFECTS[name](STR)
    assert broken != STR
    errors = {one.code for one in found(broken) if one.level is Level.ERROR}
    assert errors, name
    assert "victim" not in name or "victim_as_subject" in errors


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_told(name: str) -> None:
    broken = ODD[name](STR)
    assert broken != STR
    assert found(broken), name


@pytest.mark.parametrize("name", IN_ACTIVITY)
def test_a_defect_of_an_activity_is_found(name: str) -> None:
    broken = IN_ACTIVITY[name](SAR)
    assert broken != SAR
    assert [one for one in found(broken) if one.level is Level.ERROR], name


@pytest.mark.parametrize(
    "named", ["Layla Example", "EXAMPLE, Layla", "784198512345600", "784-1985-1234560-0", "AC001"]
)
@pytest.mark.parametrize("text", [STR, SAR], ids=["transactions", "activity"])
def test_who_is_named_as_a_possible_victim_must_not_be_suspected(named: str, text: str) -> None:
    """Whoever checks may know the victims of the case, whatever the file says of them."""
    if named == "AC001" and text is SAR:
        pytest.skip("an activity names no account here")
    codes = {one.code for one in found(text, Options(extra={"possible_victims": f"Nobody Else\n{named}\n"}))}
    assert codes == {"victim_as_subject"}


@pytest.mark.parametrize("named", ["", "Layla", "Mona Invented", "784199012345601", "AC002", "Somebody Else"])
def test_whoever_is_not_suspected_may_be_named_as_a_possible_victim(named: str) -> None:
    assert found(STR, Options(extra={"possible_victims": named})) == []


@pytest.mark.parametrize(
    "said",
    [
        "Layla Example is no possible victim's friend.",
        "Layla Example controls a possible victim.",
        "Among the parties may be victims (possible victim A).",
    ],
)
def test_words_about_other_victims_stop_nothing(said: str) -> None:
    assert found(STR.replace("Three transfers were made.", said)) == []


@pytest.mark.parametrize("coding", ["utf-16", "utf-16-le", "iso-8859-1", "cp1252"])
def test_another_encoding_is_found(coding: str) -> None:
    text = STR.replace("Harbour", "Härbour")
    undeclared = text.partition("?>")[2]
    declared = f"<?xml version='1.0' encoding='{coding}'?>{undeclared}"
    for made in (undeclared, declared):
        assert [f for f in goaml.validate(made.encode(coding), Options()) if f.level is Level.ERROR]
