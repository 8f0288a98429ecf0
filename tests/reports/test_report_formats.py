"""Each format by the command line: written, judged, and refused where something is missing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sarkit import DESK, EXAMPLE, FILED, FIRST, TRANSACTION, a_report
from typer.testing import CliRunner

from txmon.cli.report import app
from txmon.errors import ConfigError
from txmon.reports import checks, modeljson
from txmon.reports.fincen import protected
from txmon.reports.fincen_write import write
from txmon.reports.formats import Options, get, names
from txmon.reports.model import Action, Filer, Holder, Mode, Paragraph, Report, Role
from txmon.reports.modelfill import Evidence, Records, fill

SCHEMA = Path(__file__).parents[3] / "shared" / "formats" / "fincen" / "EFL_SARXBatchSchema.xsd"
RUN = CliRunner()
OURS = ("fincen", "fintrac", "uk", "cybertip")


def whole(mode: Mode = Mode.LIVE) -> Report:
    base = a_report()
    paragraph = base.narrative.paragraphs[0]
    return replace(
        base,
        mode=mode,
        filer=Filer(organisation=EXAMPLE, contact=DESK),
        transactions=(TRANSACTION,),
        actions=(Action(kind="hold", text="The account was put on hold.", at=FIRST),),
        activity=replace(base.activity, classifications={"cybertip": ("2",)}),
        narrative=replace(
            base.narrative, paragraphs=(Paragraph(heading="", text=paragraph.text, events=paragraph.events),)
        ),
    )


def saved(report: Report, folder: Path) -> Path:
    path = folder / "model.json"
    path.write_bytes(modeljson.dumps(report))
    return path


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("name", OURS)
def test_a_report_is_written_and_what_was_written_has_no_error(name: str, mode: Mode, tmp_path: Path) -> None:
    out = tmp_path / "report.out"
    done = RUN.invoke(app, ["export", str(saved(whole(mode), tmp_path)), "--format", name, "--out", str(out)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert RUN.invoke(app, ["validate", str(out), "--format", name]).exit_code == 0
    assert (b"SIMULATED" in out.read_bytes()) == (mode is not Mode.LIVE)


@pytest.mark.shared
@pytest.mark.skipif(not SCHEMA.exists(), reason="the public schemas are not beside the repository")
def test_the_authority_s_schema_is_asked_where_it_is_given(tmp_path: Path) -> None:
    out = tmp_path / "sar.xml"
    done = RUN.invoke(
        app,
        [
            "export",
            str(saved(whole(), tmp_path)),
            "--format",
            "fincen",
            "--out",
            str(out),
            "--schema",
            str(SCHEMA),
        ],
    )
    assert done.exit_code == 0, (done.output, done.exception)
    out.write_bytes(out.read_bytes().replace(b'SeqNum="9"', b'SeqNum="8"'))
    found = RUN.invoke(app, ["validate", str(out), "--schema", str(SCHEMA), "--json"])
    assert {"fincen_seqnum", "fincen_schema"} <= {f["code"] for f in json.loads(found.output)["findings"]}


@pytest.mark.parametrize("name", OURS)
def test_a_victim_as_subject_is_written_by_no_format(name: str) -> None:
    report = whole()
    party = replace(report.parties[0], roles=(Role.POSSIBLE_VICTIM,))
    with pytest.raises(checks.ReportIncomplete):
        checks.write(replace(report, parties=(party, *report.parties[1:])), get(name), Options())


@pytest.mark.parametrize("name", OURS)
def test_a_written_report_is_held_against_the_victims_of_its_model(name: str, tmp_path: Path) -> None:
    out = tmp_path / "report.out"
    out.write_bytes(get(name).write(whole(), Options()))
    report = whole()
    now_known = replace(report.parties[0], roles=(Role.POSSIBLE_VICTIM,))
    model = saved(replace(report, parties=(now_known, *report.parties[1:])), tmp_path)
    asked = ["validate", str(out), "--format", name, "--json"]
    assert RUN.invoke(app, asked).exit_code == 0
    found = json.loads(RUN.invoke(app, [*asked, "--model", str(model)]).output)["findings"]
    assert f"{name}_victim" in {f["code"] for f in found}


def test_the_account_of_a_victim_is_no_subject_s() -> None:
    report = whole()
    xml = get("fincen").write(report, Options())
    options = Options(extra={"possible_victims": "acct 000017"})
    assert "fincen_victim" in {f.code for f in get("fincen").validate(xml, options)}
    own = replace(report.accounts[0], holders=(Holder(party_id="p-3"),))
    assert own.number in set(protected(replace(report, accounts=(own,))))


@pytest.mark.parametrize(("day", "found"), [("2026-03-02", False), ("2026-03-01", True)])
def test_nothing_is_filed_after_the_day_of_checking(day: str, found: bool) -> None:
    xml = get("fincen").write(whole(), Options())
    assert (
        "fincen_date" in {f.code for f in get("fincen").validate(xml, Options(extra={"today": day}))}
    ) is found
    with pytest.raises(ConfigError, match="today"):
        get("fintrac").validate(xml, Options(extra={"today": "soon"}))


def test_an_acknowledgement_is_shown_at_the_fields_of_the_report(tmp_path: Path) -> None:
    xml = write(whole()).xml.decode()
    number = (
        xml.split("<fc2:RawIndividualFirstName>")[0]
        .rpartition('<fc2:PartyName SeqNum="')[2]
        .partition('"')[0]
    )
    ack = tmp_path / "ack.xml"
    ack.write_text(
        '<EFilingBatchXML StatusCode="A"><EFilingSubmissionXML StatusCode="A"><EFilingActivityXML><BSAID>31000000000001</BSAID>'
        "<EFilingActivityErrorXML><ErrorContextText>EFilingBatchXML/Activity[1]/Party[2]/PartyName"
        f"[{number}]/RawIndividualFirstName</ErrorContextText><ErrorElementNameText>RawIndividualFirstName</ErrorElementNameText>"
        "<ErrorLevelText>FATAL</ErrorLevelText><ErrorText>not recorded</ErrorText><ErrorTypeCode>B7</ErrorTypeCode>"
        "</EFilingActivityErrorXML></EFilingActivityXML></EFilingSubmissionXML></EFilingBatchXML>"
    )
    model = saved(whole(), tmp_path)
    shown = RUN.invoke(app, ["acknowledged", str(ack), "--model", str(model), "--json"])
    assert shown.exit_code == 1
    (answer,) = json.loads(shown.output)["reports"]
    assert (answer["accepted"], answer["bsa_id"]) == (False, "31000000000001")
    assert [f["path"] for f in answer["findings"]] == ["parties[0].person.first_name"]
    assert "rejected 31000000000001" in RUN.invoke(app, ["acknowledged", str(ack)]).output


def a_case() -> Report:
    """A report as it is filled from events, hits and what people recorded."""
    row = {
        "source": "cards", "kind": "transfer", "status": "approved", "mode": "live", "currency": "USD",
        "payer": "a-1", "payee": "a-2", "payer_country": "US", "payee_country": "DE", "ip": "192.0.2.7",
    }  # fmt: skip
    events = [
        {**row, "event_id": f"e:{n}", "event_time": FIRST + timedelta(days=n), "amount_minor": 90_000 + n}
        for n in range(30)
    ]
    hit = {"source": "cards", "event_id": "e:29", "event_time": FIRST + timedelta(days=29), "rule_id": "r-1", "rule_version": 1,
           "subject_id": "a-1", "features": '{"fees": 30}', "explanation": "30 payments follow adverts"}  # fmt: skip
    base = whole()
    records = Records(
        filer=base.filer, jurisdiction="US", local_currency="USD", parties=base.parties, accounts=base.accounts,
        reporting_person=DESK, typologies={"r-1": "sexual-exploitation"},
    )  # fmt: skip
    return fill(
        records,
        Evidence(
            report_id="R-9", case_id="case-9", mode=Mode.SIMULATED, prepared_at=FILED, events=events, hits=[hit],
            roles={"p-1": (Role.RECRUITER,), "p-3": (Role.POSSIBLE_VICTIM,)}, facts=base.facts[:0], actions=base.actions,
            facts_known_at=base.facts_known_at,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["fincen", "fintrac", "uk"])
def test_a_report_filled_from_a_case_is_written_and_valid(name: str) -> None:
    data = checks.write(a_case(), get(name), Options())
    assert checks.errors(get(name).validate(data, Options())) == []
    assert b"SIMULATED" in data
    assert b"Vanished" not in data


def test_all_formats_are_listed() -> None:
    assert set(OURS) < set(names())
    assert all(name in RUN.invoke(app, ["formats"]).output for name in OURS)
