"""The UK template and the CyberTipline facts sheet: what stands in them, what never does, and what is found broken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from sarkit import PRIOR, SHOP, SUSPECT, TEXT, VICTIM, a_report, reports

from txmon.reports import cybertip, uk
from txmon.reports.cybertip import INCIDENT_TYPES
from txmon.reports.formats import Finding, Format, Level, Options, get
from txmon.reports.model import (
    Attachment,
    Consent,
    Fact,
    Kind,
    Mode,
    Money,
    Narrative,
    Paragraph,
    PartyKind,
    Question,
    Report,
    Subject,
    Tip,
    Trace,
)
from txmon.reports.sheetlines import LINK
from txmon.reports.sheets import read, to_html, to_text

TEXT_FORM, PAGE = Options(), Options(profile="html")
HASH = "ab12" * 16
CHILD = replace(a_report().activity, typologies=("child-exploitation",))
FACTS = (
    Fact(question=Question.WHAT, text="Nine card payments to one shop", events=a_report().facts[0].events),
    Fact(question=Question.WHERE, text="A hotline named the shop's site", author="analyst-1"),
)
TIPPED = a_report(
    activity=CHILD, facts=FACTS, tips=(Tip(source="Hotline", reference="HL-77", url_hash=HASH),)
)
FORMS = [uk.FORMAT, cybertip.FORMAT]


def text(form: Format, report: Report) -> str:
    return form.write(report, TEXT_FORM).decode()


def errors(found: list[Finding]) -> set[str]:
    return {f.code for f in found if f.level is Level.ERROR}


def fields(found: list[Finding]) -> set[str]:
    return {f.path for f in found if f.level is Level.ERROR}


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_a_whole_report_has_no_fault_in_either_form(form: Format) -> None:
    assert form.check(TIPPED, TEXT_FORM) == []
    for options in (TEXT_FORM, PAGE):
        assert form.validate(form.write(TIPPED, options), TEXT_FORM) == []
    assert get(form.name) is form


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
@settings(max_examples=60)
@given(report=reports())
def test_text_and_page_say_the_same_and_name_no_victim_as_subject(form: Format, report: Report) -> None:
    by_text, by_page = read(form.write(report, TEXT_FORM)), read(form.write(report, PAGE))
    shown = [
        [(s.title, one.label, " ".join(one.value.split())) for s in x.sections for one in s.lines]
        for x in (by_text, by_page)
    ]
    assert shown[0] == shown[1]
    victims = {p.name for p in report.parties if p.possible_victim and " " in p.name}
    others = {p.name for p in report.parties if not p.possible_victim}
    subjects = {
        one.value for s in by_text.sections if "SUBJECT" in s.title or "PERSON" in s.title for one in s.lines
    }
    assert not (victims - others) & subjects


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
def test_what_is_not_live_says_so_first(form: Format, mode: Mode) -> None:
    report = replace(TIPPED, mode=mode)
    assert text(form, report).startswith("SIMULATED")
    assert b">SIMULATED" in form.write(report, PAGE)


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_nothing_of_a_report_becomes_markup(form: Format) -> None:
    person = replace(SUSPECT, person=replace(SUSPECT.person, last_name="<script>x</script>"))
    page = form.write(replace(TIPPED, parties=(person, SHOP)), PAGE)
    assert b"<script" not in page
    assert b"&lt;script&gt;" in page
    assert b"default-src 'none'" in page


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_in_a_case_of_children_no_link_is_written(form: Format) -> None:
    site = replace(SHOP, handles=("forum:evil.example.onion",))
    told = Narrative(
        paragraphs=(
            Paragraph(heading="What", text=f"{TEXT} See https://models.example/x and models.example."),
        )
    )
    report = replace(TIPPED, parties=(SUSPECT, site), narrative=told)
    lines = [
        one.value
        for s in read(form.write(report, TEXT_FORM)).sections
        if s.title not in ("SOURCE", "REPORTER")
        for one in s.lines
    ]
    assert not any(LINK.search(v) for v in lines)


@pytest.mark.parametrize(
    "link",
    [
        "http://a.b",
        "HTTPS://A.B/c",
        "www.a.example",
        "hxxps://a[.]b",
        "a.example/x?y=1",
        "shop.example",
        "abc.onion",
        "EVIL.COM",
    ],
)
def test_links_are_seen(link: str) -> None:
    assert LINK.search(f"seen at {link} today")


@pytest.mark.parametrize(
    "words",
    [
        "ivo@example.test",
        "USD 900.50 were sent. Then more",
        "native/e-1",
        "J.Smith",
        "2001:db8::7 and 192.0.2.55",
    ],
)
def test_what_is_no_link_stays(words: str) -> None:
    assert not LINK.search(words)


# ---- the UK template -------------------------------------------------------------------------------------


def test_codes_stand_in_the_reason_and_follow_typologies_and_victims() -> None:
    assert uk.glossary_codes(a_report()) == ("XXMSHTXX", "XXV2XX")
    assert uk.glossary_codes(TIPPED) == ("XXV3XX",)
    assert "Text: XXMSHTXX XXV2XX " in text(uk.FORMAT, a_report())
    chosen = replace(a_report().activity, typologies=(), classifications={"uk": ("XXF9XX",)})
    assert uk.glossary_codes(a_report(activity=chosen, parties=(SUSPECT,))) == ("XXF9XX",)
    none = a_report(activity=replace(chosen, classifications={}), parties=(SUSPECT,))
    assert "No glossary code applies" in text(uk.FORMAT, none)


def test_where_nobody_can_be_named_the_subject_is_unknown() -> None:
    report = a_report(
        parties=(VICTIM,), subjects=(Subject(kind=PartyKind.NATURAL_PERSON, party_id="p-3"),), accounts=()
    )
    sheet = read(uk.FORMAT.write(report, TEXT_FORM))
    assert sheet.section("MAIN SUBJECT").value("Name") == "unknown"


def test_a_request_for_a_defence_names_act_property_and_value() -> None:
    consent = Consent(
        act="pay the balance to the customer",
        property_text="the balance",
        value=Money(minor=100, currency="GBP"),
    )
    assert uk.check(a_report(consent=consent), TEXT_FORM) == []
    lacking = uk.check(a_report(consent=replace(consent, value=None)), TEXT_FORM)
    assert fields(lacking) == {"consent.value"}


def test_an_update_names_the_report_before() -> None:
    assert uk.check(a_report(kind=Kind.CONTINUING, prior_filing=PRIOR), TEXT_FORM) == []
    assert fields(uk.check(a_report(kind=Kind.CONTINUING), TEXT_FORM)) == {"prior_filing.reference"}


def test_a_newer_code_can_be_added() -> None:
    chosen = replace(a_report().activity, classifications={"uk": ("XXNEWXX",)})
    report = a_report(activity=chosen)
    assert [f.level for f in uk.check(report, TEXT_FORM)] == [Level.WARNING]
    assert uk.check(report, Options(extra={"uk_codes": "xxnewxx"})) == []


Change = Callable[[str], str]
UK_DEFECTS: dict[str, tuple[str, str, str]] = {
    "no reporter": ("Reporter: Example Payments LLC\n", "", "uk_missing"),
    "a day that is none": ("Date: 2026-03-02", "Date: 2026-02-30", "uk_date"),
    "parts out of order": ("== DEFENCE ==", "== MAIN SUBJECT ==", "uk_sections"),
    "defence neither yes nor no": ("Requested: no", "Requested: maybe", "uk_defence"),
    "defence without its act": ("Requested: no", "Requested: yes", "uk_defence"),
    "update without reference": ("Report type: new", "Report type: update to an earlier report", "uk_prior"),
    "a code that is not in the text": (
        "Glossary codes: XXMSHTXX",
        "Glossary codes: XXF9XX XXMSHTXX",
        "uk_codes",
    ),
    "no code": ("Glossary codes: XXMSHTXX XXV2XX", "Glossary codes: none", "uk_codes"),
    "no reason": ("Text: ", "Remark: ", "uk_missing"),
    "a victim as subject": (
        "They were made from one device",
        "The possible victim is Ivo Invented",
        "uk_victim",
    ),
}


@pytest.mark.parametrize("name", UK_DEFECTS)
def test_a_defect_planted_in_the_template_is_found(name: str) -> None:
    old, new, code = UK_DEFECTS[name]
    whole = text(uk.FORMAT, a_report())
    assert old in whole
    assert code in errors(uk.validate(whole.replace(old, new, 1).encode(), TEXT_FORM))


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.name)
def test_a_victim_is_found_by_name_where_it_is_known(form: Format) -> None:
    named = Options(extra={"possible_victims": "Ivo Invented"})
    assert f"{form.name}_victim" in errors(form.validate(form.write(TIPPED, TEXT_FORM), named))
    twice = replace(VICTIM, person=SUSPECT.person)
    assert f"{form.name}_victim" in errors(
        form.check(replace(TIPPED, parties=(SUSPECT, SHOP, twice)), TEXT_FORM)
    )


# ---- the CyberTipline sheet ------------------------------------------------------------------------------


def test_a_url_is_its_hash_with_the_reference_of_a_hotline() -> None:
    sheet = read(cybertip.FORMAT.write(TIPPED, TEXT_FORM))
    details = sheet.section("INTERNET DETAILS")
    assert details.value("URL (keyed hash)") == HASH
    assert details.value("Hotline reference") == "Hotline HL-77"
    assert sheet.section("VICTIMS").value("Number known") == "1"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("traces[0].value", {"traces": (Trace(kind="url", value="https://bad.example/a"),)}),
        ("tips[0].url_hash", {"tips": (Tip(source="Hotline", reference="1", url_hash="https://bad.example"),)}),
        ("tips", {"tips": (), "traces": (Trace(kind="url", value=HASH),)}),
        ("facts[0].text", {"facts": (Fact(question=Question.WHERE, text="at bad.example"),)}),
        ("facts", {"facts": ()}),
        ("facts", {"facts": (Fact(question=Question.VICTIM, text="Vera Vanished was seen"),)}),
        ("attachments[0].media_type", {"attachments": (Attachment(name="a.png", media_type="image/png", size_bytes=1, sha256="0"),)}),
        ("activity.classifications", {"activity": replace(CHILD, typologies=())}),
    ],
)  # fmt: skip
def test_what_the_model_lacks_or_must_not_hold_is_named(field: str, changes: dict[str, object]) -> None:
    report = replace(TIPPED, **changes)
    assert field in fields(cybertip.check(report, TEXT_FORM))
    assert "bad.example" not in text(cybertip.FORMAT, report)


def test_a_human_chooses_the_type_of_incident() -> None:
    for choice in ("2", INCIDENT_TYPES[1]):
        report = replace(TIPPED, activity=replace(CHILD, classifications={"cybertip": (choice,)}))
        assert f"Incident type: {INCIDENT_TYPES[1]}" in text(cybertip.FORMAT, report)


TIP_DEFECTS = {
    "a link": ("Fact: Nine", "Fact: https://bad.example Nine", "cybertip_link"),
    "a link instead of a hash": (HASH, "https://bad.example", "cybertip_link"),
    "content": ("Fact: Nine", f"Fact: data:image/png;base64,{'A' * 40} Nine", "cybertip_media"),
    "no reference of a hotline": ("Hotline reference: Hotline HL-77\n", "", "cybertip_hotline"),
    "a type of our own": (INCIDENT_TYPES[0], "Something bad", "cybertip_code_list"),
    "a time without zone": ("12:00:00+00:00\nLast", "12:00:00\nLast", "cybertip_time"),
    "no e-mail": ("E-mail: desk@example.test\n", "", "cybertip_missing"),
    "a part missing": ("== VICTIMS ==\n", "", "cybertip_sections"),
    "a victim reported": ("Fact: Nine", "Fact: Ivo Invented is a possible victim. Nine", "cybertip_victim"),
}


@pytest.mark.parametrize("name", TIP_DEFECTS)
def test_a_defect_planted_in_the_sheet_is_found(name: str) -> None:
    old, new, code = TIP_DEFECTS[name]
    whole = text(cybertip.FORMAT, TIPPED)
    assert old in whole
    assert code in errors(cybertip.validate(whole.replace(old, new, 1).encode(), TEXT_FORM))


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"<!doctype html><p>x", b"no sheet"])
def test_what_is_no_sheet_is_said(data: bytes) -> None:
    for form in FORMS:
        assert f"{form.name}_sections" in errors(form.validate(data, TEXT_FORM))


def test_a_sheet_is_read_back_as_it_was() -> None:
    sheet = cybertip.sheet_of(TIPPED)
    for written in (to_text(sheet), to_html(sheet)):
        assert [(s.title, one.label, one.value) for s in read(written).sections for one in s.lines] == [
            (s.title, one.label, one.value) for s in sheet.sections for one in s.lines
        ]
