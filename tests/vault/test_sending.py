"""A released report goes out once, by its transport; what is not released or not live goes nowhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vaultapi import VaultDesk, vault_desk
from vaultkit import drafted

from txmon.reports.model import Mode, Report


def way_of(folder: Path) -> Path:
    """A file of transports with one folder for goAML in the Emirates."""
    for name in ("receipts", "out"):
        (folder / name).mkdir(mode=0o700)
    path = folder / "filing.toml"
    path.write_text(
        f'version = 1\nreceipts = "{folder / "receipts"}"\n[[transport]]\nname = "drop"\nkind = "filedrop"\n'
        f'jurisdictions = ["AE"]\nformats = ["goaml"]\nfolder = "{folder / "out"}"\n'
    )
    return path


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[VaultDesk]:
    with vault_desk(tmp_path, filing_file=way_of(tmp_path)) as made:
        yield made


def send(desk: VaultDesk, report_id: str, key: str | None = None, form: str = "goaml") -> Any:
    return desk.do(report_id, "sending", {"format": form}, key or desk.release)


def out(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "out").iterdir() if path.suffix == ".xml")


def test_a_released_report_is_dropped_with_its_receipt(desk: VaultDesk, tmp_path: Path) -> None:
    report_id = desk.released()
    answer = send(desk, report_id)
    assert answer.status_code == 200, answer.text
    (file,) = out(tmp_path)
    head = desk.look(report_id)
    (receipt,) = head["sent"]
    assert receipt["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest() == head["files"][0]["sha256"]
    assert (receipt["transport"], head["state"]) == ("drop", "released")
    again = send(desk, report_id)
    assert again.status_code == 200
    assert out(tmp_path) == [file], "it goes out once"


def test_what_is_not_released_stays(desk: VaultDesk, tmp_path: Path) -> None:
    report_id = desk.submitted()
    assert send(desk, report_id).json()["code"] == "transition"
    assert send(desk, desk.released(), desk.mlro).status_code == 403, "who drafts does not send"
    assert out(tmp_path) == []


def test_two_who_read_the_same_version(desk: VaultDesk, tmp_path: Path) -> None:
    report_id = desk.released()
    stale = desk.do(report_id, "sending", {"format": "goaml"}, desk.release, version=1)
    assert stale.status_code == 412
    assert out(tmp_path) == []


def test_a_format_without_a_way_and_one_that_was_not_released(desk: VaultDesk) -> None:
    report_id = desk.released(formats=("goaml", "html"))
    assert send(desk, report_id, form="html").json()["code"] == "state"
    assert send(desk, report_id, form="fincen").status_code == 404


@pytest.mark.parametrize("mode", [Mode.SIMULATED, Mode.TEST])
def test_no_transport_takes_what_is_not_live(tmp_path: Path, mode: Mode) -> None:
    def rehearsed(case_id: str, report_id: str, now_us: int, *_: Any) -> Report:
        return drafted(case_id, report_id, now_us, mode=mode)

    with vault_desk(tmp_path, rehearsed, filing_file=way_of(tmp_path)) as desk:
        report_id = desk.released()
        answer = send(desk, report_id)
        assert (answer.status_code, answer.json()["code"]) == (409, "filing_refused")
        assert out(tmp_path) == []
        assert desk.look(report_id)["sent"] == []


def test_without_a_file_of_transports_it_says_so(tmp_path: Path) -> None:
    with vault_desk(tmp_path) as desk:
        answer = send(desk, desk.released())
        assert answer.json()["code"] == "state"
        assert "TXMON_FILING_FILE" in answer.json()["detail"]
