"""The PDF holds what the page holds: every fact, its mark on every page, nothing that acts, no empty boxes."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from typing import Any

import pypdf
import pytest
import sarkit
from hypothesis import given, settings
from hypothesis import strategies as st
from reportkit import changed, event, report, transactions

from txmon.reports import checks, formats, pdf, render
from txmon.reports.formats import Options
from txmon.reports.model import Mode, Report, Trace
from txmon.reports.pagecontent import Findings, Pairs, Part, Table, parts, title
from txmon.reports.pdftext import shown, undrawn

MADE = report()


def reader(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data), strict=True)


def solid(text: str) -> str:
    """A text without blanks and line breaks, which paper has elsewhere."""
    return re.sub(r"\s+", "", text)


def text_of(data: bytes, name: str, mark: str = "") -> str:
    """All that is printed, one page after the other, without what is on every page."""
    out = []
    for page in reader(data).pages:
        text = solid(page.extract_text())
        if mark:
            assert solid(mark) in text
            text = text.replace(solid(mark), "", 1)
        foot = re.search(rf"{re.escape(solid(shown(name)))}?,page\d+of\d+", text)
        assert foot, "each page says what it is of"
        out.append(text.replace(foot.group(), "", 1))
    return "".join(out)


def said(part: Part) -> list[str]:
    """Every text of a part."""
    if isinstance(part, Findings):
        return [text for _, text in part.lines]
    if isinstance(part, Pairs):
        return [part.caption, *(text for row in part.rows for text in row)]
    if isinstance(part, Table):
        return [part.caption, *part.columns, *(cell for row in part.rows for cell in row)]
    return [part.text]


def told(made: Report, findings: Any = ()) -> None:
    """Hold the PDF against the page's parts: each text is printed, in order."""
    printed = text_of(pdf.page(made, findings), title(made))
    at = 0
    for part in parts(made, findings):
        for text in said(part):
            wanted = solid(shown(text))
            found = printed.find(wanted, at)
            assert found >= 0, f"{text!r} is not printed, or not in its place"
            at = found + len(wanted)


@pytest.mark.parametrize("made", [MADE, sarkit.a_report(), report(subjects=(), narrative=MADE.narrative)])
def test_every_fact_of_the_model_is_printed_in_order(made: Report) -> None:
    told(made, checks.check(made))


LETTERS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@given(LETTERS, LETTERS, LETTERS)
@settings(max_examples=20)
def test_whatever_is_written_is_printed_or_stands_as_its_number(a: str, b: str, c: str) -> None:
    made = changed(MADE, "narrative.paragraphs[0].text", f"start {a} end")
    made = changed(made, "parties[0].person.last_name", f"x{b}")
    told(changed(made, "transactions[0].description", f"y{c}z"))


def test_latin_cyrillic_and_greek_are_drawn_and_others_stand_as_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drawn = "Zoë Łukaszewicz Đặng Şükran Ιωάννης Παπαδόπουλος Щукина Ґалаґан € – “x” ½ ₽"
    assert shown(drawn) == drawn
    assert not undrawn(drawn)
    assert shown("علي 日本") == "[U+0639 U+0644 U+064A] [U+65E5 U+672C]"
    assert shown("a\u202eb\u200bc\x00") == "a[U+202E]b[U+200B]c[U+0000]"
    assert shown("e\u0301") == "é"
    made = changed(MADE, "parties[0].person.last_name", "علي 日本 ✂ देव \U0001f600")
    with caplog.at_level(logging.WARNING):
        told(made)
    assert not caplog.records, "no letter is missing in the font"
    (found,) = formats.get("pdf").check(made, Options())
    assert (found.path, found.level) == ("parties[0].person.last_name", formats.Level.WARNING)


@pytest.mark.parametrize(("mode", "mark"), [(Mode.SIMULATED, "SIMULATED"), (Mode.TEST, "TEST")])
def test_every_page_carries_the_mark_and_its_number(mode: Mode, mark: str) -> None:
    many = tuple(replace(transactions()[0], transaction_id=f"m-{i}", events=(event(i),)) for i in range(120))
    made = report(mode=mode, transactions=many)
    data = pdf.page(made)
    pages = reader(data).pages
    assert len(pages) > 5
    for number, page in enumerate(pages, 1):
        text = page.extract_text()
        assert f"{mark}: made from {mode} events; not for submission" in text
        assert f"page {number} of {len(pages)}" in text
    assert "not for submission" not in reader(pdf.page(MADE)).pages[0].extract_text()


def test_a_cell_higher_than_a_page_goes_on_over_pages() -> None:
    long = " ".join(f"word{i}" for i in range(4000))
    told(changed(MADE, "facts[0].text", long))
    made = changed(MADE, "transactions[1].description", f"{long.replace('word', 'cell')} end")
    printed = text_of(pdf.page(made), title(made))
    cells = [int(n) for n in re.findall(r"cell(\d+)(?=cell|\D|$)", printed)]
    assert cells == list(range(4000)), "of a row the other cells stand on its first page"


def test_words_that_look_like_commands_are_printed() -> None:
    told(
        changed(
            MADE,
            "narrative.paragraphs[0].text",
            "{nb} **b** __u__ <b> \\( ) %%EOF endstream /URI [x](https://y)",
        )
    )


def test_the_same_report_gives_the_same_bytes_in_any_process() -> None:
    script = "import sys, reportkit; from txmon.reports import pdf; sys.stdout.buffer.write(pdf.page(reportkit.report()))"
    made = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert made == {pdf.page(MADE)}
    assert pdf.page(MADE) != pdf.page(changed(MADE, "case_id", "case-2"))


# tags


def elements(node: Any, out: list[Any]) -> list[Any]:
    """All elements below a node, in the order of reading."""
    kids = node.get("/K", [])
    for kid in kids if isinstance(kids, list) else [kids]:
        inner = kid.get_object()
        if inner.get("/Type") == "/StructElem":
            out.append(inner)
            elements(inner, out)
    return out


def test_headings_paragraphs_lists_and_tables_are_tagged() -> None:
    made = report(subjects=())
    found = checks.check(made)
    root = reader(pdf.page(made, found)).trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    every = elements(root["/StructTreeRoot"], [])
    counts = Counter(str(one["/S"]) for one in every)
    wanted = parts(made, found)
    assert counts["/H1"] == 1
    assert counts["/Table"] == sum(isinstance(p, (Pairs, Table)) for p in wanted) == counts["/Caption"]
    assert counts["/LI"] == len(found)
    rows = sum(len(p.rows) for p in wanted if isinstance(p, Pairs))
    assert counts["/TR"] == rows + 1 + len(made.transactions)
    assert counts["/TH"] == rows + 7
    assert all(one["/P"].get_object() is not None for one in every)
    scopes = {str(one["/A"]["/Scope"]) for one in every if one["/S"] == "/TH"}
    assert scopes == {"/Row", "/Column"}


def test_every_printed_line_belongs_to_one_element_or_is_an_artifact() -> None:
    long = " ".join(f"word{i}" for i in range(1500))
    made = reader(pdf.page(changed(MADE, "transactions[1].description", long)))
    tree = made.trailer["/Root"]["/StructTreeRoot"]
    owned: dict[tuple[int, int], str] = {}
    for one in elements(tree, []):
        for kid in one["/K"]:
            if isinstance(kid, pypdf.generic.DictionaryObject) and kid.get("/Type") == "/MCR":
                place = (kid.raw_get("/Pg").idnum, int(kid["/MCID"]))
                assert place not in owned
                owned[place] = str(one["/S"])
    nums = tree["/ParentTree"]["/Nums"]
    parents = {int(nums[i]): nums[i + 1].get_object() for i in range(0, len(nums), 2)}
    seen = 0
    for page in made.pages:
        content = page.get_contents()
        assert content is not None
        stream = content.get_data().decode("latin-1")
        numbers = [int(n) for n in re.findall(r"/MCID (\d+)>> BDC", stream)]
        assert numbers == list(range(len(numbers)))
        assert page.indirect_reference is not None
        kinds = [owned[page.indirect_reference.idnum, n] for n in numbers]
        listed = parents[int(page["/StructParents"])]
        assert [str(one.get_object()["/S"]) for one in listed] == kinds
        assert stream.count("BDC") + stream.count("BMC") == stream.count("EMC")
        outside = re.sub(r"(BDC|BMC).*?EMC", "", stream, flags=re.DOTALL)
        assert not re.search(r"T[jJ]", outside)
        seen += len(numbers)
    assert seen == len(owned)


# nothing that acts


def test_nothing_in_it_leads_elsewhere() -> None:
    made = report(
        traces=(Trace(kind="url", value="https://example.com/x", text="www.example.com", events=(event(1),)),)
    )
    data = pdf.page(made)
    assert pdf.FORMAT.validate(data, Options()) == []
    for page in reader(data).pages:
        assert "/Annots" not in page
    assert "https://example.com/x" in "".join(p.extract_text() for p in reader(data).pages)


@pytest.mark.parametrize(
    "address",
    [
        "https://bad.example/a?b",
        "HXXPS://bad.example/a",
        "www.bad.example/a",
        "bad123.onion/a",
        "ftp: bad.example",
    ],
)
@pytest.mark.parametrize(
    "where", ["traces", "narrative.paragraphs[0].text", "parties[0].urls", "parties[0].person.aliases"]
)
def test_no_address_is_shown_in_a_case_about_children(where: str, address: str) -> None:
    value: Any = {
        "traces": (Trace(kind="url", value=address, events=(event(1),)),),
        "narrative.paragraphs[0].text": f"Seen at ({address}), then left.",
        "parties[0].urls": (address,),
        "parties[0].person.aliases": (address,),
    }[where]
    made = changed(MADE, where, value)
    made = replace(made, activity=replace(made.activity, typologies=("child-exploitation",)))
    for text in (text_of(pdf.page(made), title(made)), solid(render.page(made).decode())):
        assert "[addresswithheld]" in text
        assert not re.search(r"(?i)https?:|hxxp|www\.|\.onion|ftp:", text.replace("ftp:[", ""))
    assert checks.errors(checks.check(made)), "and it is not released"


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-20],
        lambda data: data[10:],
        lambda data: data.replace(b"/Type /Catalog", b"/Type /Catalog /AA <</O 1 0 R>>"),
        lambda data: data.replace(b"/Type /Page\n", b"/Type /Page /Annots [1 0 R]\n"),
        lambda data: data.replace(b"/OpenAction", b"/OpenAction <</S /J#61vaScript>> /X"),
        lambda data: data.replace(b"/OpenAction", b"/X <</S /URI /URI (https://x)>> /Y"),
        lambda data: data.replace(b"/Type /Pages", b"/Type /Leaves").replace(b"/Pages 1", b"/Leaves 1"),
        lambda data: data.replace(b"/StructTreeRoot", b"/StrctTreeRoot"),
        lambda data: data.replace(b"trailer\n<<", b"trailer\n<< /Encrypt 1 0 R"),
    ],
)
def test_what_acts_or_is_not_whole_is_found(change: Any) -> None:
    data = pdf.page(MADE)
    assert change(data) != data
    assert pdf.FORMAT.validate(change(data), Options())


def test_it_is_written_like_any_format_and_is_no_filing() -> None:
    form = formats.get("pdf")
    assert checks.write(MADE, form, Options()) == pdf.page(MADE)
    assert reader(pdf.page(MADE)).metadata is not None
    made = reader(pdf.page(MADE)).metadata
    assert made is not None
    assert made.creation_date == MADE.prepared_at
    assert made.title == "Report STR-2026-0007"
