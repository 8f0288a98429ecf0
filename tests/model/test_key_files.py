"""Key files: whole or not at all, for one reader only, and nothing of a secret in what is said about them."""

from __future__ import annotations

import multiprocessing
import os
import threading
from datetime import date
from pathlib import Path

import pytest

from txmon.clock import random_bytes
from txmon.errors import ConfigError
from txmon.model import keys
from txmon.model.keychange import begin_change, break_with, finish_change
from txmon.model.keys import PanKey, ensure_key, file_text, key_of, load_key

UNTIL = date(2026, 12, 25)
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "deep" / "pan.key"
    ensure_key(place)
    return place


def bits(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_key_of_before_is_read_as_before(tmp_path: Path) -> None:
    place = tmp_path / "pan.key"
    place.write_text("ab" * 32 + "\n", encoding="ascii")
    place.chmod(0o600)
    assert load_key(place) == key_of(b"\xab" * 32)
    assert load_key(place).successor is None


def test_a_change_from_beginning_to_end(path: Path) -> None:
    first = load_key(path)
    both = begin_change(path, UNTIL, random_bytes)
    assert load_key(path) == both
    assert (both.id, both.secret, both.alias_until) == (first.id, first.secret, UNTIL)
    assert both.successor is not None
    assert both.successor.id != first.id
    assert bits(path) == 0o600
    last = finish_change(path, both)
    assert last == both.successor == load_key(path)
    assert first.secret.hex() not in path.read_text(encoding="ascii")
    assert bits(path) == 0o600
    assert os.listdir(path.parent) == [path.name]


def test_one_change_at_a_time(path: Path) -> None:
    both = begin_change(path, UNTIL, random_bytes)
    with pytest.raises(ConfigError, match="is under way"):
        begin_change(path, UNTIL, random_bytes)
    assert load_key(path) == both
    finish_change(path, both)
    with pytest.raises(ConfigError, match="no change of keys is under way"):
        finish_change(path, both)


def test_what_another_process_changed_meanwhile_is_not_finished(path: Path) -> None:
    seen = begin_change(path, UNTIL, random_bytes)
    finish_change(path, seen)
    other = begin_change(path, UNTIL, random_bytes)
    with pytest.raises(ConfigError, match="changed meanwhile"):
        finish_change(path, seen)
    assert load_key(path) == other


@pytest.mark.parametrize("under_way", [False, True])
def test_a_known_secret_leaves_at_once_and_so_does_the_one_beside_it(path: Path, under_way: bool) -> None:
    if under_way:
        begin_change(path, UNTIL, random_bytes)
    before, now = break_with(path, random_bytes)
    text = path.read_text(encoding="ascii")
    assert load_key(path) == now
    assert now.successor is None
    for gone in (before, before.successor):
        assert gone is None or gone.secret.hex() not in text


def refusal(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(ConfigError) as refused:
        load_key(path)
    chain, error = [str(refused.value)], refused.value.__cause__
    while error is not None:
        chain.append(str(error))
        error = error.__cause__
    return " ".join(chain)


@pytest.mark.parametrize("under_way", [False, True])
def test_a_cut_file_is_refused_wherever_it_was_cut(path: Path, under_way: bool) -> None:
    key = begin_change(path, UNTIL, random_bytes) if under_way else load_key(path)
    whole = path.read_bytes()
    for size in range(len(whole) - (0 if under_way else 1)):  # one key may lack the end of its line
        said = refusal(path, whole[:size])
        assert str(path) in said
        assert key.secret.hex()[:8] not in said
        assert "backup" in said


def test_a_change_of_any_byte_is_found(path: Path) -> None:
    key = begin_change(path, UNTIL, random_bytes)
    assert key.successor is not None
    whole = path.read_bytes()
    for i in range(len(whole)):
        said = refusal(path, whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
        assert key.secret.hex()[:8] not in said
        assert key.successor.secret.hex()[:8] not in said
    for more in (b"x", b"\n", b"current " + b"0" * 64 + b"\n"):
        refusal(path, whole + more)


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\xff\xfe", b"zz" * 32, b"ab" * 31, b"ab" * 33, b"txmon card keys 2\n", bytes(5000)],
)
def test_what_is_no_key_is_refused_with_a_remedy(path: Path, data: bytes) -> None:
    assert "restore it from its backup" in refusal(path, data)


def test_a_day_that_is_none_is_refused(path: Path) -> None:
    key = begin_change(path, UNTIL, random_bytes)
    text = file_text(key).rpartition(b"check ")[0].replace(b"2026-12-25", b"2026-13-25")
    assert "is no date" in refusal(path, text + b"check " + keys._check(text))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("change", [begin_change, break_with])
def test_a_file_that_others_may_read_is_used_for_nothing(path: Path, mode: int, change: object) -> None:
    path.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key(path)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="chmod 600"):
        begin_change(path, UNTIL, random_bytes) if change is begin_change else break_with(path, random_bytes)
    assert path.read_bytes() == before


def test_an_absent_file_is_told_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="txmon keys init"):
        load_key(tmp_path / "pan.key")
    with pytest.raises(ConfigError, match="txmon keys init"):
        begin_change(tmp_path / "pan.key", UNTIL, random_bytes)
    (tmp_path / "file").write_text("", encoding="ascii")
    with pytest.raises(ConfigError, match="TXMON_KEY_FILE"):
        ensure_key(tmp_path / "file" / "pan.key")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_file_as_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    before = path.read_bytes()

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fsync", broken) if step == "fsync" else (Path, "replace", broken)))
        with pytest.raises(ConfigError, match="No space left"):
            begin_change(path, UNTIL, random_bytes)
    assert path.read_bytes() == before
    assert begin_change(path, UNTIL, random_bytes) == load_key(path)  # what was left over is no hindrance
    assert os.listdir(path.parent) == [path.name]


def test_a_killed_writer_leaves_a_usable_file(path: Path) -> None:
    for step in ("fsync", "replace"):
        before = load_key(path)
        process = SPAWN.Process(target=_killed_at, args=(str(path), step))
        process.start()
        process.join(60)
        assert process.exitcode == -9
        assert load_key(path) == before
    both = begin_change(path, UNTIL, random_bytes)
    assert finish_change(path, both) == load_key(path)


def _killed_at(path: str, step: str) -> None:
    def end(*_: object) -> None:
        os.kill(os.getpid(), 9)

    if step == "fsync":
        os.fsync = end  # type: ignore[assignment]
    else:
        Path.replace = end  # type: ignore[assignment,method-assign]
    begin_change(Path(path), UNTIL, random_bytes)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "vault" / "secret.key"
    ensure_key(real)
    link = tmp_path / "pan.key"
    link.symlink_to(real)
    both = begin_change(link, UNTIL, random_bytes)
    assert link.is_symlink()
    assert load_key(real) == both


def test_processes_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    place = tmp_path / "new" / "pan.key"
    with SPAWN.Pool(4) as pool:
        found = pool.map(ensure_key, [place] * 8)
    assert len({key.id for key in found}) == 1
    assert bits(place) == 0o600


def _try(path: Path) -> str:
    try:
        return begin_change(path, UNTIL, random_bytes).successor.id  # type: ignore[union-attr]
    except ConfigError as error:
        return "refused" if "is under way" in str(error) else str(error)


def test_of_two_processes_that_begin_one_is_refused(path: Path) -> None:
    with SPAWN.Pool(2) as pool:
        found = pool.map(_try, [path] * 6, chunksize=1)
    successor = load_key(path).successor
    assert successor is not None
    assert sorted(found) == sorted([successor.id] + ["refused"] * 5)


def test_a_reader_never_sees_half_a_file(path: Path) -> None:
    stop = threading.Event()
    faults: list[Exception] = []

    def read() -> None:
        while not stop.is_set():
            try:
                load_key(path)
            except ConfigError as error:
                faults.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(30):
        finish_change(path, begin_change(path, UNTIL, random_bytes))
    stop.set()
    reader.join()
    assert not faults


def test_no_text_of_a_key_shows_its_secret() -> None:
    key = PanKey("0123abcd", b"k" * 32, PanKey("4567cdef", b"n" * 32), UNTIL)
    assert "kkk" not in repr(key) + str(key)
    assert "nnn" not in repr(key)
