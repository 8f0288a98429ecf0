"""Disk, file system, fsync, kernels, open files, memory, processors, clocks: what each says when it is not well."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pgkit
import pytest
from doctorkit import Fixed, Look, Place, made
from txkit import START_US

from txmon.doctor import machine

GIB = 1 << 30


def states(findings: Any) -> list[str]:
    return [finding.status for finding in findings]


@pytest.mark.parametrize(
    ("free", "total", "status"), [(50, 100, "ok"), (10, 100, "warn"), (0.1, 100, "fail"), (0.4, 1, "warn")]
)
def test_room(
    look: Look, place: Place, monkeypatch: pytest.MonkeyPatch, free: float, total: int, status: str
) -> None:
    usage = SimpleNamespace(free=int(free * GIB), total=total * GIB, used=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    [found] = look("disk.free", place.environ)
    assert found.status == status
    if status != "ok":
        assert "txmon store retain" in found.remedy


@pytest.mark.parametrize(
    ("free", "of", "status"), [(9, 100, "ok"), (2000, 10**6, "warn"), (5, 10**6, "fail"), (0, 0, "ok")]
)
def test_inodes(
    look: Look, place: Place, monkeypatch: pytest.MonkeyPatch, free: int, of: int, status: str
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_favail=free, f_files=of))
    assert states(look("disk.inodes", place.environ)) == [status]


@pytest.mark.parametrize(
    ("kind", "options", "environ", "status"),
    [
        ("ext4", "rw", {}, "ok"), ("ext4", "ro,relatime", {}, "fail"), ("nfs4", "rw", {}, "fail"),
        ("tmpfs", "rw", {}, "warn"), ("tmpfs", "rw", {"TXMON_ENV": "production"}, "fail"), ("overlay", "rw", {}, "warn"),
    ],
)  # fmt: skip
def test_file_systems(
    look: Look,
    place: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    options: str,
    environ: dict[str, str],
    status: str,
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        f"20 1 8:1 / / rw shared:1 - ext4 /dev/a rw\n21 20 8:2 / {tmp_path} {options} shared:2 - {kind} /dev/b rw\n"
        f"22 20 8:3 / {tmp_path}/store2 rw - nfs x rw\n"
    )
    found_at = machine.mount_of
    monkeypatch.setattr(machine, "mount_of", lambda path: found_at(path, table))
    [found] = look("disk.filesystem", place.environ | environ)
    assert found.status == status
    assert str(tmp_path) in found.found


def test_a_mount_point_with_a_blank_is_read(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("20 1 8:1 / / rw - ext4 /dev/a rw\n21 20 8:2 / /mnt/my\\040disk rw - xfs /dev/b rw\n")
    assert machine.mount_of(Path("/mnt/my disk/store"), table)[0] == "xfs"
    assert machine.mount_of(Path("/mnt/my disk/store"), tmp_path / "none")[0] == "unknown"


def test_fsync_is_slow_or_fails_and_nothing_is_left(
    look: Look, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(Path(place.url).iterdir())
    assert states(look("disk.fsync", place.environ, monotonic=lambda: 1.0)) == ["ok"]
    ticking = iter(n * 0.2 for n in range(100))
    [found] = look("disk.fsync", place.environ, monotonic=lambda: next(ticking))
    assert found.status == "warn"
    assert "200.00 ms" in found.found

    def failing(_file: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", failing)
    [found] = look("disk.fsync", place.environ)
    assert (found.status, found.found) == ("fail", "Input/output error")
    assert sorted(Path(place.url).iterdir()) == before


def test_kernels_that_are_not_there_or_cannot_be_kept(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kernels"
    monkeypatch.setattr(machine, "cache_folder", lambda: folder)
    assert states(look("machine.kernels")) == ["warn"]
    folder.mkdir()
    (folder / "x.nbi").touch()
    assert states(look("machine.kernels")) == ["ok"]
    monkeypatch.setattr(os, "access", lambda *_: False)
    [found] = look("machine.kernels")
    assert "NUMBA_CACHE_DIR" in found.remedy


@pytest.mark.parametrize(
    ("soft", "status"), [(100, "fail"), (1024, "warn"), (65536, "ok"), (resource.RLIM_INFINITY, "ok")]
)
def test_open_files(look: Look, monkeypatch: pytest.MonkeyPatch, soft: int, status: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
    assert states(look("machine.files")) == [status]


@pytest.mark.parametrize(("gib", "status"), [(16, "ok"), (1.5, "warn"), (1, "fail")])
def test_memory_against_the_newest_snapshot(
    look: Look, place: Place, monkeypatch: pytest.MonkeyPatch, gib: float, status: str
) -> None:
    folder = Path(place.url) / "snapshots"
    folder.mkdir()
    for number, size in enumerate((10, 100)):
        with (folder / f"{number:020d}-0123456789abcdef.arrow").open("wb") as file:
            file.truncate(size << 20)
    monkeypatch.setattr(machine, "memory_bytes", lambda: (int(gib * GIB), GIB))
    assert states(look("machine.memory", place.environ)) == [status]


def test_memory_is_what_the_group_may_have(tmp_path: Path) -> None:
    info, group = tmp_path / "meminfo", tmp_path / "memory.max"
    info.write_text("MemTotal:  8388608 kB\nMemAvailable: 4194304 kB\n")
    assert machine.memory_bytes(info, group) == (8 * GIB, 4 * GIB)
    group.write_text("max\n")
    assert machine.memory_bytes(info, group) == (8 * GIB, 4 * GIB)
    group.write_text(f"{2 * GIB}\n")
    assert machine.memory_bytes(info, group) == (2 * GIB, 2 * GIB)


def test_one_processor(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert states(look("machine.processors")) == ["warn"]


# -- clocks --------------------------------------------------------------------------------------------


class Stepped:
    """A clock that is set back between two looks."""

    def __init__(self) -> None:
        self.looks = 0

    def now_us(self) -> int:
        self.looks += 1
        return time.time_ns() // 1000 - (5_000_000 if self.looks > 2 else 0)


def test_the_wall_clock_is_stepped_or_lies_before_this_program(look: Look) -> None:
    [found] = look("clock.wall", clock=Stepped())
    assert found.status == "warn"
    assert "-5.0" in found.found
    [found] = look("clock.wall", clock=Fixed(0))
    assert found.status == "fail"
    assert "1970" in found.found
    assert states(look("clock.wall")) == ["ok"]


def test_the_journal_is_ahead_of_the_clock(look: Look, place: Place) -> None:
    place.fill()
    assert states(look("clock.journal", place.environ)) == ["ok"]
    [found] = look("clock.journal", place.environ, clock=Fixed(START_US - 90_000_000))
    assert found.status == "fail"
    assert "90.0 s ahead" in found.found


def test_the_clock_of_the_database_server(look: Look, tmp_path: Path) -> None:
    place = made(pgkit.fresh_database(), {"TXMON_STATE_DIR": str(tmp_path)})
    now = time.time_ns() // 1000
    assert states(look("clock.database", place.environ)) == ["ok"]
    assert states(look("clock.database", place.environ, clock=Fixed(now - 10_000_000))) == ["warn"]
    [found] = look("clock.database", place.environ, clock=Fixed(now + 3_600_000_000))
    assert found.status == "fail"
    assert "-3" in found.found


def test_no_such_zone(look: Look) -> None:
    [found] = look("clock.zones", {"TXMON_ENTITY_TZ": "Europe/Atlantis"})
    assert (found.status, "Europe/Atlantis" in found.found) == ("fail", True)
    assert states(look("clock.zones", {"TXMON_ENTITY_TZ": "Europe/Paris"})) == ["ok"]
