"""A folder gets whole reports, once, whatever is killed, full or in the way; answers are taken whole."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filingkit import NOW, Fixed, fincen, goaml, private_folder, toml

from txmon.errors import ConfigError, StateError
from txmon.filing.config import Config, load
from txmon.filing.errors import FilingFailed, FilingRefused
from txmon.filing.send import acknowledgements, outcome, send, settle, taken

# every way by which a hand-over changes what lies on the disk
STEPS = (("os", "link"), ("os", "fsync"), ("os", "open"), ("Path", "replace"), ("Path", "unlink"))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return private_folder(tmp_path, "out")


@pytest.fixture
def back(tmp_path: Path) -> Path:
    return private_folder(tmp_path, "back")


@pytest.fixture
def config(tmp_path: Path, out: Path, back: Path) -> Config:
    one = {
        "name": "drop", "kind": "filedrop", "jurisdictions": ["AE", "US"], "formats": ["goaml", "fincen"],
        "folder": str(out), "acknowledgements": str(back),
    }  # fmt: skip
    receipts = private_folder(tmp_path, "receipts")
    return load(toml(tmp_path / "filing.toml", one, receipts=receipts), lambda _: True)


def whole(out: Path) -> None:
    """The folder holds the one report, its hash, and nothing else."""
    assert sorted(entry.name for entry in out.iterdir()) == ["STR-2026-0007.xml", "STR-2026-0007.xml.sha256"]
    assert (out / "STR-2026-0007.xml").read_bytes() == goaml().content
    done = subprocess.run(
        ["sha256sum", "-c", "STR-2026-0007.xml.sha256"], cwd=out, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_report_lies_there_whole_with_its_hash_for_its_owner_alone(config: Config, out: Path) -> None:
    receipt = send(goaml(), config, Fixed())
    whole(out)
    assert {entry.stat().st_mode & 0o777 for entry in out.iterdir()} == {0o600}
    assert {entry.stat().st_nlink for entry in out.iterdir()} == {1}
    assert (receipt.reference, receipt.sent_at, receipt.repeated) == ("STR-2026-0007.xml", NOW, False)
    assert outcome(receipt, config, Fixed()).words == "in the folder"


def test_the_same_report_again_is_the_same_receipt_and_nothing_is_sent(config: Config, out: Path) -> None:
    first = send(goaml(), config, Fixed())
    for entry in out.iterdir():
        entry.unlink()  # the other program took it
    again = send(goaml(), config, Fixed(NOW.replace(hour=23)))
    assert again == replace(first, repeated=True)
    assert not list(out.iterdir())
    assert outcome(again, config, Fixed()).words == "taken"


def test_nothing_is_ever_overwritten(config: Config, out: Path) -> None:
    (out / "STR-2026-0007.xml").write_bytes(b"another report")
    with pytest.raises(FilingRefused, match="nothing is overwritten"):
        send(goaml(), config, Fixed())
    assert (out / "STR-2026-0007.xml").read_bytes() == b"another report"
    (out / "STR-2026-0007.xml").unlink()
    send(goaml(), config, Fixed())
    whole(out)


@pytest.mark.parametrize("place", ["dangling", "real"])
def test_a_link_in_the_way_is_not_followed(place: str, config: Config, out: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    if place == "real":
        target.write_bytes(b"precious")
    (out / "STR-2026-0007.xml").symlink_to(target)
    with pytest.raises(FilingRefused if place == "real" else FilingFailed):
        send(goaml(), config, Fixed())
    assert not target.exists() or target.read_bytes() == b"precious"


def killed_at(at: int, after: bool) -> None:
    """In this process, end before or after the `at`-th change on the disk."""
    counted = [0]

    def ending(real: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*args: Any, **more: Any) -> Any:
            counted[0] += 1
            here = counted[0] == at
            if here and not after:
                os._exit(9)
            found = real(*args, **more)
            if here:
                os._exit(9)
            return found

        return stand_in

    for owner, name in STEPS:
        holder: Any = os if owner == "os" else Path
        setattr(holder, name, ending(getattr(holder, name)))


@pytest.mark.parametrize("after", [False, True])
def test_a_kill_at_any_step_loses_nothing_and_doubles_nothing(
    after: bool, config: Config, out: Path, tmp_path: Path
) -> None:
    """Killed before or after each change on the disk, then sent again."""
    killed = 0
    for at in range(1, 60):
        child = os.fork()
        if child == 0:
            killed_at(at, after)
            try:
                send(goaml(), config, Fixed())
            finally:
                os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        receipt = send(goaml(), config, Fixed())
        whole(out)
        assert receipt.reference == "STR-2026-0007.xml"
        if ended == 0:
            assert receipt.repeated
            break
        killed += 1
        for folder in (out, tmp_path / "receipts"):
            for entry in folder.iterdir():
                entry.unlink()
    assert killed > 15
    assert ended == 0


def test_a_full_disk_is_told_and_over_when_there_is_room(
    config: Config, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        with pytest.raises(FilingFailed, match="No space left"):
            send(goaml(), config, Fixed())
    assert not (out / "STR-2026-0007.xml").exists()
    send(goaml(), config, Fixed())
    whole(out)


def test_many_at_once_hand_over_once(config: Config, out: Path) -> None:
    ended: list[Any] = []

    def one() -> None:
        try:
            ended.append(send(goaml(), config, Fixed()))
        except FilingFailed as error:
            ended.append(error)

    threads = [threading.Thread(target=one) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole(out)
    fresh = [e for e in ended if not isinstance(e, FilingFailed) and not e.repeated]
    assert len(fresh) == 1
    assert all("another process" in e.detail for e in ended if isinstance(e, FilingFailed))


def test_two_reports_of_one_name_never_mix(config: Config, out: Path) -> None:
    """Whoever comes second is refused, and the hash stays that of what lies there."""
    send(goaml(), config, Fixed())
    with pytest.raises(FilingRefused, match="another file"):
        send(fincen(filename="STR-2026-0007.xml"), config, Fixed())
    whole(out)


@pytest.mark.parametrize("what", ["open", "missing", "file"])
def test_a_folder_that_is_not_private_gets_nothing(what: str, config: Config, out: Path) -> None:
    if what == "open":
        out.chmod(0o750)
    else:
        out.rmdir()
    if what == "file":
        out.write_bytes(b"")
    with pytest.raises(ConfigError, match="700"):
        send(goaml(), config, Fixed())


def test_receipts_are_the_owners_alone_and_say_when_they_are_damaged(config: Config, tmp_path: Path) -> None:
    send(goaml(), config, Fixed())
    receipts = sorted((tmp_path / "receipts").iterdir())
    assert {entry.stat().st_mode & 0o777 for entry in receipts} == {0o600}
    assert not any("STR" in entry.name for entry in receipts)
    (path,) = (entry for entry in receipts if entry.suffix == ".json")
    for damage in (b"", b"{", b"[]", b'{"version": 2}', path.read_bytes()[:-20]):
        path.write_bytes(damage)
        with pytest.raises(StateError, match="damaged"):
            send(goaml(), config, Fixed())


def test_a_hand_over_without_an_end_is_settled_by_a_person(config: Config, out: Path) -> None:
    with pytest.raises(FilingRefused, match="without an end"):
        settle(goaml(), config, Fixed(), "x")
    with config.receipts.turn(goaml()) as turn:
        turn.begin()
    settled = settle(goaml(), config, Fixed(), "AUTHORITY-9")
    assert settled is not None
    assert send(goaml(), config, Fixed()) == replace(settled, repeated=True)
    assert not list(out.iterdir())


# answers


def left(back: Path, name: str, content: bytes, age_s: float = 60, **hashes: str) -> Path:
    path = back / name
    path.write_bytes(content)
    if hashes:
        (back / f"{name}.sha256").write_text(f"{hashes['sha256']}  {name}\n")
    then = NOW.timestamp() - age_s
    os.utime(path, (then, then))
    return path


def test_answers_are_taken_whole_and_stay_until_they_are_kept(config: Config, back: Path) -> None:
    left(back, "ack-1.xml", b"<ack/>")
    for _ in range(2):
        (found,) = acknowledgements(config, Fixed())
        assert (found.filename, found.content, found.transport) == ("ack-1.xml", b"<ack/>", "drop")
        assert found.sha256 == hashlib.sha256(b"<ack/>").hexdigest()
    taken(found, config, Fixed())
    assert acknowledgements(config, Fixed()) == []
    assert (back / "taken" / "ack-1.xml").read_bytes() == b"<ack/>"


def test_a_second_answer_of_the_same_name_replaces_none(config: Config, back: Path) -> None:
    for content in (b"<first/>", b"<second/>"):
        left(back, "ack.xml", content)
        (found,) = acknowledgements(config, Fixed())
        taken(found, config, Fixed())
    assert {entry.read_bytes() for entry in (back / "taken").iterdir()} == {b"<first/>", b"<second/>"}


def test_half_written_answers_wait(config: Config, back: Path) -> None:
    left(back, "young.xml", b"<ack", age_s=5)
    left(back, "empty.xml", b"")
    left(back, "half.xml", b"<ack", sha256=hashlib.sha256(b"<ack/>").hexdigest())
    left(back, "strange.xml", b"<ack/>", sha256="é")
    left(back, "x.xml.part", b"<ack/>")
    left(back, "x.tmp", b"<ack/>")
    left(back, ".hidden", b"<ack/>")
    assert acknowledgements(config, Fixed()) == []
    left(back, "half.xml", b"<ack/>", age_s=0, sha256=hashlib.sha256(b"<ack/>").hexdigest())
    assert [one.filename for one in acknowledgements(config, Fixed())] == ["half.xml"]


def test_links_and_folders_are_no_answers(config: Config, back: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (back / "link.xml").symlink_to(tmp_path / "secret")
    (back / "folder.xml").mkdir()
    os.mkfifo(back / "pipe.xml")
    assert acknowledgements(config, Fixed()) == []


def test_an_answer_that_is_too_long_is_told(config: Config, back: Path) -> None:
    with left(back, "long.xml", b"x").open("r+b") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(FilingFailed, match="over 16777216 bytes"):
        acknowledgements(config, Fixed())
