"""What is released and what comes back: bytes and digests, marks, FinCEN's file, what a transport is handed."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sarkit import a_report
from vaultapi import VaultDesk
from vaultkit import DAY_US, Desk, caller, drafted

from txmon.errors import Forbidden, InputError, NotFound, WrongState
from txmon.filing.filing import Receipt
from txmon.reports import formats
from txmon.reports.checks import errors
from txmon.reports.formats import Options
from txmon.reports.model import EventRef, Mode
from txmon.vault.head import moment
from txmon.vault.sources import copy_events
from txmon.vault.writing import NotReleasable

ACKNOWLEDGED = """<EFilingBatchXML StatusCode="A" SeqNum="1"><EFilingSubmissionXML SeqNum="2" StatusCode="A">
<EFilingActivityXML SeqNum="3"><BSAID>31000000000001</BSAID><EFilingActivityErrorXML SeqNum="4">
<ErrorContextText>EFilingBatchXML/Activity[1]/Party[{party}]/PartyName[{name}]/RawIndividualFirstName</ErrorContextText>
<ErrorElementNameText>RawIndividualFirstName</ErrorElementNameText><ErrorLevelText>{level}</ErrorLevelText>
<ErrorText>not recorded</ErrorText><ErrorTypeCode>C4</ErrorTypeCode></EFilingActivityErrorXML></EFilingActivityXML>
</EFilingSubmissionXML></EFilingBatchXML>"""
NS = {"f": "www.fincen.gov/base"}


def fincen(desk: Desk) -> Any:
    """A report in the United States, released."""
    report = a_report()

    def draft(case_id: str, report_id: str, now_us: int, *_: Any) -> Any:
        return replace(report, report_id=report_id, case_id=case_id, prepared_at=moment(now_us))

    desk.office._drafter = draft
    head = desk.draft(formats=("fincen", "html"))
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    return desk.release(desk.office.submit(desk.ana, head.report_id, head.version))


def test_released_bytes_are_kept_as_written_and_valid(desk: Desk) -> None:
    head = desk.released(formats=("goaml", "html"))
    assert [each["format"] for each in head.files] == ["goaml", "html"]
    for name in ("goaml", "html"):
        about, content = desk.releases.file(desk.ben, head.report_id, name)
        assert about["sha256"] == sha256(content).hexdigest()
        assert (about["size"], about["round"]) == (len(content), head.version)
        assert errors(formats.get(name).validate(content, Options())) == []
    with pytest.raises(NotFound):
        desk.releases.file(desk.ben, head.report_id, "fincen")


def test_an_error_in_one_format_stops_the_release_of_all(desk: Desk) -> None:
    head = desk.signed(formats=("goaml", "fincen"))  # the report is none of FinCEN's
    with pytest.raises(NotReleasable) as error:
        desk.office.submit(desk.ana, head.report_id, head.version)
    assert set(error.value.findings) == {"fincen"}
    assert error.value.more["findings"]["fincen"][0]["remedy"]
    with desk.vault.file.write() as tx:  # as if it had been handed over before a check knew better
        found = desk.office.load(tx, desk.ana, head.report_id)
        desk.office.store(
            tx, replace(found, head=replace(found.head, state="pending_release")), head.version + 1
        )
        tx.log({"action": "test", "by": "test"})
    before = desk.office.show(desk.ana, head.report_id).head
    with pytest.raises(NotReleasable):
        desk.release(before)
    assert desk.office.show(desk.ana, head.report_id).head == before
    assert desk.vault.kept(head.report_id) == []


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
def test_what_is_not_live_is_rehearsed_and_marked(desk: Desk, mode: Mode) -> None:
    desk.changes = {"mode": mode}
    head = desk.released()
    assert (head.state, head.mark) == ("released", mode.value.upper())
    (file,) = head.files
    assert file["filename"].startswith(f"{head.mark}-")
    filing = desk.releases.filing(desk.ben, desk.doing(head, "send"), "goaml")
    assert filing.mode is mode
    assert head.mark.encode() in filing.content


def test_a_transport_is_handed_what_was_released_and_its_receipt_noted(desk: Desk) -> None:
    with pytest.raises(WrongState):
        desk.releases.filing(desk.ben, desk.doing(desk.submitted(case_id="cas_2"), "send"), "goaml")
    head = desk.released()
    filing = desk.releases.filing(desk.ben, desk.doing(head, "send"), "goaml")
    assert (filing.sha256, filing.jurisdiction) == (sha256(filing.content).hexdigest(), "AE")
    with pytest.raises(Forbidden):
        desk.releases.filing(desk.ana, desk.doing(head, "send"), "goaml")
    receipt = Receipt(
        report_id=head.report_id, format="goaml", filename=filing.filename, sha256=filing.sha256, jurisdiction="AE",
        transport="filedrop", reference="17", sent_at=moment(desk.clock.time_us),
    )  # fmt: skip
    head = desk.releases.sent(desk.ben, head.version, receipt)
    assert [(each["transport"], each["reference"]) for each in head.sent] == [("filedrop", "17")]


@pytest.mark.parametrize(("level", "state"), [("WARN", "acknowledged"), ("FATAL", "rejected")])
def test_fincens_file_is_read_and_its_errors_shown_at_the_fields(desk: Desk, level: str, state: str) -> None:
    head = fincen(desk)
    _, sent = desk.releases.file(desk.ben, head.report_id, "fincen")
    subject = etree.fromstring(sent).xpath(
        "//f:Party[f:ActivityPartyTypeCode='33']/f:PartyName", namespaces=NS
    )[0]
    text = ACKNOWLEDGED.format(
        party=subject.getparent().get("SeqNum"), name=subject.get("SeqNum"), level=level
    )
    with pytest.raises(InputError):
        desk.releases.acknowledge(desk.ana, desk.doing(head, "acknowledge"), b"<other/>")
    head = desk.releases.acknowledge(desk.ana, desk.doing(head, "acknowledge"), text.encode())
    assert (head.state, head.authority_id) == (state, "31000000000001")
    (noted,) = head.acknowledgements
    assert [(e["path"], e["code"]) for e in noted["errors"]] == [
        ("parties[0].person.first_name", "fincen_ack_c4")
    ]


def test_a_correction_carries_the_authoritys_id_and_can_be_released(desk: Desk) -> None:
    head = fincen(desk)
    desk.clock.time_us += 2 * DAY_US
    from txmon.vault.release import generic

    head = desk.releases.acknowledge(
        desk.ana, desk.doing(head, "acknowledge"), generic("fincen", True, "31000000000001", [])
    )
    new = desk.releases.correct(desk.ana, desk.doing(head, "correct"))
    new = desk.office.sign(desk.ana, new.report_id, new.version)
    new = desk.release(desk.office.submit(desk.ana, new.report_id, new.version))
    _, content = desk.releases.file(desk.ben, new.report_id, "fincen")
    assert b"31000000000001" in content
    assert b"CorrectsAmendsPriorReportIndicator" in content


def test_an_answer_that_contradicts_itself_is_none() -> None:
    from txmon.vault.release import generic

    for accepted, faults in ((True, [("a", "b")]), (False, [])):
        with pytest.raises(InputError, match="correct the answer"):
            generic("goaml", accepted, "", faults)


def test_events_are_copied_whether_or_not_a_rule_hit_and_what_is_not_there_is_named(
    either_api: VaultDesk,
) -> None:
    from apikit import pay

    either_api.alert()
    either_api.api.send(
        pay("quiet", 1, source="cards", payer="calm", amount="3.00"),
        pay("loud", 2, source="cards", payer="x", amount="950.00"),
    )
    store = either_api.api.service.store
    refs = [EventRef(source="cards", event_id=name) for name in ("quiet", "loud", "gone")]
    refs.append(EventRef(source="native", event_id="quiet"))  # another source's
    copied = copy_events(store, refs)
    assert {item["event_id"] for item in copied.items} == {"quiet", "loud"}
    assert copied.missing == ("cards/gone", "native/quiet")


def test_a_report_of_a_case_of_either_kind_of_store(either_api: VaultDesk) -> None:
    case_id = either_api.open(either_api.alert())
    report_id = either_api.released(case_id=case_id)
    assert either_api.look(report_id)["state"] == "released"
    assert either_api.patch(case_id, restriction="police_hold").status_code == 200
    assert either_api.ask("GET", f"/reports/{report_id}").status_code == 404


def test_who_had_a_part_is_an_author_for_good(desk: Desk, tmp_path: Path) -> None:
    from txmon.errors import FourEyes

    head = desk.draft()
    cem = caller("cem", "mlro", "mlro_release")
    head = desk.office.edit(
        cem, head.report_id, head.version, drafted("cas_1", head.report_id, desk.clock.time_us)
    )
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    head = desk.office.submit(desk.ana, head.report_id, head.version)
    head = desk.office.send_back(desk.ben, desk.doing(head, "return"))
    assert dict(head.returned or {})["by"] == "psn_ben"
    head = desk.office.edit(
        desk.ana, head.report_id, head.version, drafted("cas_1", head.report_id, desk.clock.time_us)
    )
    head = desk.office.sign(desk.ana, head.report_id, head.version)
    head = desk.office.submit(desk.ana, head.report_id, head.version)
    with pytest.raises(FourEyes):
        desk.releases.release(cem, desk.doing(head, "release"))
    assert desk.release(head).state == "released"
