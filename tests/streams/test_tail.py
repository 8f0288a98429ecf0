"""Following files: growing, rotated, truncated and packed ones, and folders of whole files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from txmon.errors import ConfigError, SourceError
from txmon.streams.connect import open_consumer
from txmon.streams.consumer import Message
from txmon.streams.tail import BLOCK_BYTES, TailConsumer
from txmon.streams.tailfiles import folder_address


class Time:
    """A clock that sleeping moves."""

    now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def now_s(self) -> float:
        return self.now


def follow(path: Path, stored: dict[str, int] | None = None, **query: str) -> TailConsumer:
    text = "&".join(f"{k}={v}" for k, v in query.items())
    url = f"file://{path}{'/' if path.is_dir() else ''}" + (f"?{text}" if text else "")
    time = Time()
    return TailConsumer(folder_address(url), stored=lambda: stored or {}, sleep=time.sleep, now_s=time.now_s)


def texts(messages: list[Message]) -> list[bytes]:
    return [m.payload for m in messages]


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(data)


def test_grows_and_the_last_line_waits_for_its_newline(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    c = follow(path)
    assert c.poll(10, 0.5) == []
    append(path, b'{"a":1}\n{"a":')
    assert texts(c.poll(10, 0)) == [b'{"a":1}']
    assert c.poll(10, 1) == []
    append(path, b"2}\r\n\n\n")
    assert texts(c.poll(10, 0)) == [b'{"a":2}']
    assert not c.ended


def test_positions_resume_exactly(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b"".join(b'{"n":%d}\n' % i for i in range(100)))
    done: dict[str, int] = {}
    seen: list[bytes] = []
    for limit in (1, 7, 30, 100, 100):
        c = follow(path, dict(done))
        for m in c.poll(limit, 0):
            seen.append(m.payload)
            done[m.partition] = m.position
    assert seen == [b'{"n":%d}' % i for i in range(100)]
    c = follow(path, done)
    assert c.poll(10, 0) == []
    assert set(c.lag().values()) == {0}


def test_seek_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n":1}\n{"n":2}\n{"n":3}\n')
    c = follow(path)
    found = c.poll(10, 0)
    c.seek({found[0].partition: found[0].position})
    assert texts(c.poll(10, 0)) == texts(found[1:])
    c.seek({})
    assert texts(c.poll(10, 0)) == texts(found)


def test_rotation_by_renaming_loses_and_repeats_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n":1}\n')
    c = follow(path)
    assert texts(c.poll(10, 0)) == [b'{"n":1}']
    append(path, b'{"n":2}\n')
    path.rename(tmp_path / "a.ndjson.1")
    path.write_bytes(b'{"n":3}\n')
    assert sorted(texts(c.poll(10, 0))) == [b'{"n":2}', b'{"n":3}']
    (tmp_path / "a.ndjson.1.gz").write_bytes(b"\x1f\x8b")
    (tmp_path / "other.ndjson").write_bytes(b'{"n":9}\n')
    assert c.poll(10, 0) == []


def test_a_file_begun_anew_in_place_is_another_file(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    c = follow(path)
    assert len(c.poll(10, 0)) == 2
    with path.open("r+b") as stream:
        stream.truncate(0)
        stream.write(b'{"n":3}\n')
    assert texts(c.poll(10, 0)) == [b'{"n":3}']


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    c = follow(path)
    assert len(c.poll(10, 0)) == 2
    with path.open("r+b") as stream:
        stream.truncate(8)
    with pytest.raises(SourceError, match="cut short"):
        c.poll(10, 0)


def test_folder_in_order_of_change_and_to_its_end(tmp_path: Path) -> None:
    for i, name in enumerate(("b.ndjson", "a.ndjson", ".hidden.ndjson", "c.ndjson.tmp", "note.txt")):
        (tmp_path / name).write_bytes(b'{"f":"%s"}\n' % name.encode() + b'{"last":1}')
        os.utime(tmp_path / name, (1000 + i, 1000 + i))
    c = follow(tmp_path, pattern="*.ndjson,*.tmp", follow="no")
    assert texts(c.poll(10, 5)) == [b'{"f":"b.ndjson"}', b'{"last":1}', b'{"f":"a.ndjson"}', b'{"last":1}']
    assert c.poll(10, 5) == []
    assert c.ended


def test_whole_files_are_messages(tmp_path: Path) -> None:
    (tmp_path / "m1.xml").write_bytes(b"<a>\n</a>\n")
    (tmp_path / "m2.xml").write_bytes(b"<b/>")
    c = follow(tmp_path, pattern="*.xml", unit="files")
    found = c.poll(10, 0)
    assert sorted(texts(found)) == [b"<a>\n</a>\n", b"<b/>"]
    assert c.poll(10, 0) == []
    again = follow(tmp_path, {m.partition: m.position for m in found}, pattern="*.xml", unit="files")
    assert again.poll(10, 0) == []


def test_start_latest_skips_what_is_there_but_no_later_file(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b'{"n":1}\n')
    c = follow(tmp_path, start="latest")
    assert c.poll(10, 0) == []
    append(tmp_path / "a.ndjson", b'{"n":2}\n')
    (tmp_path / "b.ndjson").write_bytes(b'{"n":3}\n')
    assert sorted(texts(c.poll(10, 0))) == [b'{"n":2}', b'{"n":3}']


def test_overlong_and_empty_lines_do_not_stop_it(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(
        b'{"n":1}\n' + b"x" * (5 * BLOCK_BYTES) + b'\n{"n":2}\n' + b"\n" * (2 * BLOCK_BYTES) + b'{"n":3}\n'
    )
    c = follow(path)
    found = [m for _ in range(6) for m in c.poll(10, 0)]
    assert [len(m.payload) for m in found] == [7, 65_536, 7, 7]


def test_pause(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n":1}\n')
    c = follow(path)
    c.pause()
    assert c.poll(10, 1) == []
    c.resume()
    assert len(c.poll(10, 0)) == 1


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    c = open_consumer(f"file://{tmp_path}/none/")
    assert c.poll(10, 0) == []
    assert "cannot be read" in (c.problem or "")
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "x.ndjson").write_bytes(b"{}\n")
    assert len(c.poll(10, 0)) == 1
    assert c.problem is None


def test_plain_paths_open(tmp_path: Path) -> None:
    (tmp_path / "x y.ndjson").write_bytes(b"{}\n")
    for path in (tmp_path, tmp_path / "x y.ndjson"):
        assert len(open_consumer(str(path)).poll(10, 0)) == 1


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file://host/x", "file:///path"),
        ("file:///x?unit=rows", "unit 'rows'"),
        ("file:///x?speed=1", "parameter speed"),
        ("file:///nowhere/x?pattern=*", "pattern is for folders"),
        ("ftp://x/y", "source 'ftp'"),
        ("kafka://localhost/topic", "not host:port"),
        ("kafka://u:p@h:1/topic", "holds no user"),
        ("kafka://h:1/", "not a topic's name"),
        ("kafka://h:1/t?acks=0", "parameter acks"),
        ("kafka://h:1/t?group=a&group=b", "given twice"),
        ("kafka://h:1/t?dead_letter=t", "another topic"),
        ("kafka://h:1/t?start=now", "start 'now'"),
        ("kafka://h:1/t?gap=yes", "gap 'yes'"),
        ("kafka://h:1/t?config=/nowhere/x", "cannot be read"),
    ],
)
def test_wrong_addresses(url: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says.replace("*", r"\*")):
        open_consumer(url)


def test_settings_file_of_the_client(tmp_path: Path) -> None:
    path = tmp_path / "k.conf"
    path.write_text("# secret\nsasl.password = a=b\n\nenable.auto.commit=true\n")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="everybody"):
        open_consumer(f"kafka://h:1/t?config={path}")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r":4: enable.auto.commit is set by txmon"):
        open_consumer(f"kafka://h:1/t?config={path}")
    path.write_text("no equals sign\n")
    with pytest.raises(ConfigError, match=":1: not name=value"):
        open_consumer(f"kafka://h:1/t?config={path}")
