"""What is queued is neither lost nor doubled nor reordered, whatever happens to the process or the disk."""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import subprocess
import sys
from collections import deque
from pathlib import Path

import pytest

from txmon.client import spool as module
from txmon.client.spool import Bounds, FileSpool, MemorySpool, open_spool
from txmon.client.sse import Parser
from txmon.client.wire import Call
from txmon.errors import ConfigError, StateError

ALL = Bounds()


def call(number: int, size: int = 20) -> Call:
    return Call(
        "POST",
        "/v1/events",
        (f'{{"n":{number},"é\\n":"' + "x" * size + '"}').encode(),
        key=f"k{number}",
        events=1,
    )


def test_a_file_holds_what_memory_holds(tmp_path: Path) -> None:
    """Random puts, takes and restarts against a plain deque."""
    rng = random.Random(5)
    path = tmp_path / "spool"
    file, memory, model = FileSpool(path, ALL), MemorySpool(ALL), deque[Call]()
    for number in range(1500):
        step = rng.random()
        if step < 0.5:
            made = call(number, rng.randrange(3000))
            assert file.put(made) == memory.put(made) is True
            model.append(made)
        elif step < 0.95 and model:
            for spool in (file, memory):
                assert spool.first() == model[0]
                spool.done()
            model.popleft()
        else:
            file.close()
            file = FileSpool(path, ALL)
        assert file.waiting == memory.waiting == file.events == memory.events == len(model)
    file.close()


def test_a_file_is_written_anew_when_much_of_it_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_COMPACT_BYTES", 2000)
    path = tmp_path / "spool"
    spool = FileSpool(path, ALL)
    for i in range(100):
        spool.put(call(i))
    full = path.stat().st_size
    for _ in range(80):
        spool.done()
    assert path.stat().st_size < full / 2
    spool.close()
    again = FileSpool(path, ALL)
    assert [again.waiting, again.first()] == [20, call(80)]
    for _ in range(20):
        again.done()
    assert path.stat().st_size < 100
    again.close()


def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "spool", ALL)
    spool.put(call(1))
    spool.done(refused="bad_amount")
    spool.close()
    for name in ("spool", "spool.refused", "spool.lock"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_bounds_hold(tmp_path: Path) -> None:
    for spool in (MemorySpool(Bounds(events=3)), FileSpool(tmp_path / "a", Bounds(events=3))):
        assert [spool.put(call(i)) for i in range(5)] == [True] * 3 + [False] * 2
        spool.done()
        assert spool.put(call(9))
        spool.close()
    for small in (MemorySpool(Bounds(bytes=1000)), FileSpool(tmp_path / "b", Bounds(bytes=1000))):
        assert [small.put(call(i, 300)) for i in range(4)].count(True) in (
            2,
            3,
        )  # a file also counts the keys
        small.done()
        assert small.put(call(9, 300))
        small.close()


def test_a_record_that_was_not_finished_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = FileSpool(path, ALL)
    for i in range(3):
        spool.put(call(i))
    spool.close()
    whole = path.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    for end in range(last, len(whole)):
        path.write_bytes(whole[:end])
        cut = FileSpool(path, ALL)
        assert cut.waiting == 2
        cut.put(call(7))
        assert cut.waiting == 3
        cut.close()
        assert content_of(path) == ["k0", "k1", "k7"]
    for end in range(40):
        path.write_bytes(whole[:end])
        if end < 34:  # not even the head
            empty = FileSpool(path, ALL)
            assert empty.waiting == 0
            empty.close()


def content_of(path: Path) -> list[str | None]:
    spool = FileSpool(path, ALL)
    keys = []
    while (found := spool.first()) is not None:
        keys.append(found.key)
        spool.done()
    spool.close()
    return keys


def test_a_damaged_or_foreign_file_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_text("my notes, which are longer than the head of a spool\n")
    with pytest.raises(StateError, match="not a spool"):
        FileSpool(path, ALL)
    assert "my notes" in path.read_text()
    path.unlink()
    spool = FileSpool(path, ALL)
    for i in range(3):
        spool.put(call(i))
    spool.close()
    damaged = bytearray(path.read_bytes())
    damaged[40] = 0
    path.write_bytes(damaged)
    with pytest.raises(StateError, match="record 1 is damaged"):
        FileSpool(path, ALL)
    assert path.read_bytes() == damaged


def test_a_file_belongs_to_one_client(tmp_path: Path) -> None:
    first = open_spool(tmp_path / "spool", ALL)
    with pytest.raises(ConfigError, match="another client"):
        FileSpool(tmp_path / "spool", ALL)
    first.close()
    FileSpool(tmp_path / "spool", ALL).close()
    with pytest.raises(ConfigError):
        FileSpool(tmp_path / "no" / "spool", ALL)
    assert isinstance(open_spool(None, ALL), MemorySpool)


def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = FileSpool(tmp_path / "spool", ALL)
    spool.put(call(1))
    real = os.pwrite

    def failing(file: int, content: bytes, offset: int) -> int:
        if len(content) > 40:
            return real(file, content[:10], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "pwrite", failing)
    with pytest.raises(OSError, match="No space"):
        spool.put(call(2))
    monkeypatch.undo()
    assert spool.waiting == 1
    spool.put(call(3))
    spool.close()
    assert content_of(tmp_path / "spool") == ["k1", "k3"]


WRITER = """
import sys
from pathlib import Path
from txmon.client.spool import Bounds, FileSpool
from txmon.client.wire import Call
spool = FileSpool(Path(sys.argv[1]), Bounds())
for i in range(100000):
    spool.put(Call("POST", "/v1/events", b'{"n":%d}' % i, key=f"k{i}", events=1))
    sys.stdout.write(f"{i}\\n"); sys.stdout.flush()
"""


def test_a_killed_process_loses_nothing_that_was_queued(tmp_path: Path) -> None:
    for round in range(3):
        path = tmp_path / f"spool{round}"
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(20 + 30 * round)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split(b"\n")
        process.wait()
        process.stdout.close()
        promised = len(lines) + len([r for r in rest if r]) - (1 if rest[-1] else 0)
        found = content_of(path)
        assert found == [f"k{i}" for i in range(len(found))]
        assert len(found) >= promised


def test_server_sent_events_are_read_as_the_standard_says() -> None:
    text = (
        ": comment\n\n\nid: 7\nevent: a\ndata: one\ndata:two\ndata:  three\n\n"
        "data\n\nid\ndata: x\u2028y\r\rretry: 1500\nretry: x\nid: bad\0id\nunknown: 1\ndata: z\r\n\r\nevent: lost\n\ndata: not finished"
    ).encode()
    whole = Parser().feed(text)
    assert [(m.id, m.kind, m.data) for m in whole] == [
        ("7", "a", "one\ntwo\n three"),
        ("7", "message", ""),
        (None, "message", "x\u2028y"),
        (None, "message", "z"),
    ]
    rng = random.Random(3)
    for _ in range(200):
        parser, found, rest = Parser(), [], text
        while rest:
            size = rng.randrange(1, 9)
            found += parser.feed(rest[:size])
            rest = rest[size:]
        assert found == whole
        assert parser.retry_s == 1.5
