"""What no transport lets through, whatever its flag says; and what it lets through is never touched."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import reportkit
import sarkit
from filingkit import NOW, Fixed, filing, fincen, goaml, private_folder, toml, written
from lxml import etree

from txmon.filing import marks
from txmon.filing.config import Config, load
from txmon.filing.errors import FilingRefused
from txmon.filing.filing import Filing
from txmon.filing.send import send
from txmon.reports import formats
from txmon.reports.formats import Options
from txmon.reports.model import Action, Mode


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return private_folder(tmp_path, "out")


@pytest.fixture
def config(tmp_path: Path, out: Path) -> Config:
    one = {
        "name": "drop",
        "kind": "filedrop",
        "jurisdictions": ["AE", "US", "CA", "GB"],
        "formats": list(marks.formats()),
        "folder": str(out),
    }
    receipts = private_folder(tmp_path, "receipts")
    return load(toml(tmp_path / "filing.toml", one, receipts=receipts), lambda _: True)


def refused(one: Filing, config: Config, out: Path) -> FilingRefused:
    """Send, be refused, and leave no trace."""
    with pytest.raises(FilingRefused) as caught:
        send(one, config, Fixed())
    assert not list(out.iterdir())
    return caught.value


def rehashed(one: Filing, content: bytes) -> Filing:
    """The same filing with other bytes, as if these had been released."""
    return replace(one, content=content, sha256=hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
def test_what_is_not_live_by_its_flag_is_refused(mode: Mode, config: Config, out: Path) -> None:
    assert refused(goaml(mode=mode), config, out).reason == "not_live"


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
@pytest.mark.parametrize("form", ["cybertip", "fincen", "fintrac", "goaml", "uk"])
def test_the_bytes_of_a_report_that_is_not_live_are_refused_whatever_the_flag_says(
    form: str, mode: Mode, config: Config, out: Path
) -> None:
    report = reportkit.report(mode=mode) if form == "goaml" else sarkit.a_report(mode=mode)
    made = formats.get(form).write(report, Options())
    assert refused(filing(made, form, mode=Mode.LIVE), config, out).reason == "marked"


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
def test_one_mark_of_a_goaml_report_is_enough(mode: Mode, config: Config, out: Path) -> None:
    made = formats.get("goaml").write(reportkit.report(mode=mode), Options())
    assert marks.marks("goaml", made) == ["comment", "entity_reference", "reason", "additional_info"]
    live = written(reportkit.report(), "goaml")
    for place in ("entity_reference", "reason"):
        root = etree.fromstring(live)
        element = root.find(place)
        assert element is not None
        element.text = f"{mode.value.upper()}{'-' if place == 'entity_reference' else ': '}{element.text}"
        assert refused(filing(etree.tostring(root), "goaml"), config, out).reason == "marked"
    commented = live.replace(b"<report>", f"<!-- {mode.value.upper()} --><report>".encode())
    assert refused(filing(commented, "goaml"), config, out).reason == "marked"


def test_one_mark_of_a_fincen_report_is_enough(config: Config, out: Path) -> None:
    live = fincen()
    assert (
        refused(rehashed(live, live.content.replace(b"PBSA1234", b"TBSATEST")), config, out).reason
        == "marked"
    )
    note = b"FilingInstitutionNotetoFinCEN>"
    assert note in live.content
    noted = live.content.replace(note, note + b"SIMULATED ", 1)
    assert refused(rehashed(live, noted), config, out).reason == "marked"
    start = b"ActivityNarrativeText>"
    told = live.content.replace(start, start + b"SIMULATED TEST ", 1)
    assert refused(rehashed(live, told), config, out).reason == "marked"


@pytest.mark.parametrize(
    "name", ["Simulated Flights Ltd", "Test Pilots Ltd", "TESTA Trading", "DISSIMULATED Ltd", "SIMULATEDX"]
)
def test_words_that_only_look_like_a_mark_are_no_mark(name: str) -> None:
    told = reportkit.report().narrative.paragraphs[0]
    paragraph = replace(told, text=f"{name} was paid. Three TEST payments, then SIMULATED invoices.")
    live = reportkit.changed(reportkit.report(), "narrative.paragraphs", (paragraph,))
    assert marks.marks("goaml", written(live, "goaml")) == []


def test_live_reports_of_every_format_go_out_as_they_are(config: Config, out: Path) -> None:
    sent = [goaml(), fincen()]
    acted = sarkit.a_report(actions=(Action(kind="monitoring", text="The accounts are watched."),))
    sent += [filing(written(acted, form), form) for form in ("fintrac", "uk")]
    for number, one in enumerate(sent):
        named = replace(one, report_id=f"R-{number}", filename=f"R-{number}{Path(one.filename).suffix}")
        receipt = send(named, config, Fixed())
        assert (out / named.filename).read_bytes() == one.content
        assert (receipt.sha256, receipt.sent_at, receipt.transport) == (one.sha256, NOW, "drop")


@pytest.mark.parametrize("byte", [0, 100, -1])
def test_a_changed_byte_is_refused(byte: int, config: Config, out: Path) -> None:
    content = bytearray(goaml().content)
    content[byte] ^= 1
    assert refused(replace(goaml(), content=bytes(content)), config, out).reason == "hash"


@pytest.mark.parametrize("stated", ["", "x", "0" * 64, goaml().sha256.upper(), "é" * 64])
def test_another_hash_is_refused(stated: str, config: Config, out: Path) -> None:
    assert refused(goaml(sha256=stated), config, out).reason == "hash"


def test_what_its_own_validator_rejects_is_refused_with_the_place(config: Config, out: Path) -> None:
    broken = goaml().content.replace(b"<rentity_id>101<", b"<rentity_id>none<")
    error = refused(filing(broken), config, out)
    assert (error.reason, error.findings[0].path) == ("invalid", "report/rentity_id")
    assert "none" not in error.detail


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"<report", b"<html/>", b"[]", b"\xff\xfe", b"{" * 10_000]
)
@pytest.mark.parametrize("form", ["cybertip", "fincen", "fintrac", "goaml", "uk"])
def test_bytes_of_another_kind_are_refused(form: str, content: bytes, config: Config, out: Path) -> None:
    assert refused(filing(content, form), config, out).reason == "invalid"


def test_a_report_of_tomorrow_is_refused(config: Config, out: Path) -> None:
    clock = Fixed(NOW.replace(year=2025))
    with pytest.raises(FilingRefused, match="fincen_") as caught:
        send(fincen(), config, clock)
    assert caught.value.reason == "invalid"
    assert not list(out.iterdir())


@pytest.mark.parametrize("form", ["html", "nope", ""])
def test_pages_for_people_are_no_filings(form: str, config: Config, out: Path) -> None:
    route = replace(config.routes[0], formats=(form,))
    one = goaml(format=form, filename="x.html")
    assert refused(one, replace(config, routes=(route,)), out).reason == "format"


@pytest.mark.parametrize(
    "name",
    [
        "../x.xml",
        "a/b.xml",
        ".hidden.xml",
        "-x.xml",
        "x.txt",
        "x.xml\n",
        "",
        ".xml",
        "é.xml",
        "x" * 120 + ".xml",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str, config: Config, out: Path) -> None:
    assert refused(goaml(filename=name), config, out).reason == "filename"


def test_what_is_not_released_is_refused_and_asked_about_last(config: Config, out: Path) -> None:
    asked: list[Any] = []

    def released(one: Filing) -> bool:
        asked.append(one.sha256)
        return False

    careful = replace(config, released=released)
    assert refused(goaml(), careful, out).reason == "not_released"
    refused(goaml(mode=Mode.TEST), careful, out)
    assert asked == [goaml().sha256]


@pytest.mark.parametrize("answer", [None, 1, "yes", object()])
def test_only_a_clear_yes_is_a_release(answer: Any, config: Config, out: Path) -> None:
    assert refused(goaml(), replace(config, released=lambda _: answer), out).reason == "not_released"


def test_a_vault_that_cannot_say_stops_the_filing(config: Config, out: Path) -> None:
    def broken(_: Filing) -> bool:
        raise OSError("no vault")

    with pytest.raises(OSError, match="no vault"):
        send(goaml(), replace(config, released=broken), Fixed())
    assert not list(out.iterdir())
