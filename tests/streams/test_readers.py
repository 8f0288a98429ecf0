"""Lines that cannot be read are quarantined by number; every other line goes through."""

from __future__ import annotations

import gzip
import json

import pytest
from feedkit import EVENT, event, ndjson, read

from txmon.streams.readers import lines

GOOD = json.dumps(EVENT).encode()
HEAD = b"event_id,event_time,amount,currency,memo\n"
ROW = b"%s,2026-01-05T12:00:00Z,1.00,EUR,%s\n"


def good(name: str) -> bytes:
    return json.dumps(event(event_id=name)).encode()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "bad_json"),
        (b"{", "bad_json"),
        (b"[1,2]", "bad_json"),
        (b"7", "bad_json"),
        (b'"text"', "bad_json"),
        (GOOD + GOOD, "bad_json"),
        (GOOD + b",", "bad_json"),
        (b'{"event_id":NaN}', "bad_json"),
        (b'{"event_id":"a","event_id":"b"}', "bad_json"),
        (b'{"event_id":"\\ud800"}', "bad_json"),
        (b'{"event_id":"' + b"9" * 5000 + b"\x01" + b'"}', "bad_json"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "bad_json"),
        (b'{"event_id":"\xff"}', "bad_utf8"),
        (b"\xfe\xff", "bad_utf8"),
        (b"\0\0\0", "bad_json"),
    ],
)
def test_a_bad_json_line_is_alone(tmp_path, line, reason):
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", [good("a"), b"", line, good("b")]))
    assert [e["event_id"] for e in events] == ["a", "b"]
    assert [(q["line"], q["reason"], q["event_id"]) for q in quarantine] == [(3, reason, None)]
    assert quarantine[0]["raw"].replace("\\x00", "\0").encode()[:2] in (line[:2], b"\\x")


def test_a_row_means_the_same_in_any_company(tmp_path):
    """Deep nesting and repeated unknown keys: the block parser and the line parser agree."""
    deep = b'{"x":' + b"[" * 100 + b"]" * 100 + b"," + good("deep")[1:]
    twice = b'{"x":1,"x":2,' + good("twice")[1:]
    for company in ([], [b"broken"]):
        events, quarantine = read(ndjson(tmp_path / "in.ndjson", [deep, twice, *company]))
        assert [e["event_id"] for e in events] == ["twice"]
        assert (quarantine[0]["line"], quarantine[0]["reason"]) == (1, "bad_json")


def test_objects_over_several_lines_are_not_ndjson(tmp_path):
    text = json.dumps(EVENT, indent=1).encode()
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", [good("a"), text, good("b")]))
    assert [e["event_id"] for e in events] == ["a", "b"]
    assert {q["reason"] for q in quarantine} == {"bad_json"}


def test_windows_line_ends_a_mark_and_no_last_newline(tmp_path):
    path = tmp_path / "in.ndjson"
    path.write_bytes(b"\xef\xbb\xbf" + good("a") + b"\r\n\r\n" + good("b"))
    assert [e["event_id"] for e in read(path)[0]] == ["a", "b"]
    path = tmp_path / "in.csv"
    path.write_bytes(
        (b"\xef\xbb\xbf" + HEAD + ROW % (b"a", b"x") + ROW % (b"b", b"y")).replace(b"\n", b"\r\n")
    )
    assert [e["event_id"] for e in read(path)[0]] == ["a", "b"]


def test_empty_files(tmp_path):
    for name, content in (("in.ndjson", b""), ("in.csv", HEAD)):
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path / name) == ([], [])


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_a_line_beyond_the_limit(tmp_path, form, monkeypatch):
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 20_000)
    monkeypatch.setattr(lines, "BLOCK_BYTES", 4_000)
    monkeypatch.setattr(lines.read_blocks, "__defaults__", (4_000,))
    path = tmp_path / f"in.{form}"
    if form == "ndjson":
        ndjson(path, [good("a"), b'{"memo":"' + b"x" * 50_000 + b'"}', good("b")])
    else:
        path.write_bytes(HEAD + ROW % (b"a", b"") + b"x" * 50_000 + b"\n" + ROW % (b"b", b""))
    events, quarantine = read(path)
    assert [e["event_id"] for e in events] == ["a", "b"]
    assert [q["reason"] for q in quarantine] == ["too_long"]
    assert quarantine[0]["line"] == (2 if form == "ndjson" else 3)


def test_blocks_never_change_what_is_read(tmp_path, monkeypatch):
    rows = [good(f"e{i}") for i in range(300)]
    rows[50] = b"broken"
    json_path = ndjson(tmp_path / "in.ndjson", rows)
    memos = [b'"two\nlines, and ""quotes"""' if i % 7 == 0 else b"plain" for i in range(300)]
    csv_path = tmp_path / "in.csv"
    csv_path.write_bytes(HEAD + b"".join(ROW % (b"e%d" % i, m) for i, m in enumerate(memos)))
    whole = read(json_path), read(csv_path)
    assert len(whole[0][0]) == 299
    assert len(whole[1][0]) == 300
    assert whole[1][0][0]["memo"] == 'two\nlines, and "quotes"'
    for size in (301, 1_000, 5_000):
        monkeypatch.setattr(lines.read_blocks, "__defaults__", (size,))
        assert (read(json_path), read(csv_path)) == whole


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"too,few\n", "bad_csv"),
        (b"a,2026-01-05T12:00:00Z,1,EUR,memo,more\n", "bad_csv"),
        (b'a,2026-01-05T12:00:00Z,1,EUR,"open\n', "bad_csv"),
        (b'a,2026-01-05T12:00:00Z,1,EUR,"shut"x"\n', "bad_csv"),
        (b"a,2026-01-05T12:00:00Z,1,EUR,\xff\n", "bad_utf8"),
        (b"a,2026-01-05T12:00:00Z,1,EUR,x\0y\n", "nul"),
    ],
)
def test_a_bad_csv_line_is_alone(tmp_path, line, reason):
    path = tmp_path / "in.csv"
    path.write_bytes(
        HEAD + ROW % (b"a1", b"x") + b"\n" + line + ROW % (b"b1", b'"q, r"') + ROW % (b"c1", b"")
    )
    events, quarantine = read(path)
    assert [e["event_id"] for e in events] == ["a1", "b1", "c1"]
    assert [(q["line"], q["reason"]) for q in quarantine] == [(4, reason)]


def test_a_stray_quote_takes_no_other_record_with_it(tmp_path):
    path = tmp_path / "in.csv"
    stray = b'bad,2026-01-05T12:00:00Z,1,EUR,5" pipe\n'
    rows = [ROW % (b"e%d" % i, b"plain") for i in range(1200)]
    path.write_bytes(HEAD + b"".join([*rows[:10], stray, *rows[10:1100], stray, *rows[1100:]]))
    events, quarantine = read(path)
    assert len(events) == 1200
    assert [q["line"] for q in quarantine] == [12, 1103]


def test_packed_files(tmp_path):
    path = tmp_path / "in.ndjson.gz"
    path.write_bytes(gzip.compress(good("a") + b"\n" + good("b") + b"\n"))
    assert [e["event_id"] for e in read(path)[0]] == ["a", "b"]
    path = tmp_path / "in.csv.gz"
    path.write_bytes(gzip.compress(HEAD + ROW % (b"a", b"")))
    assert [e["event_id"] for e in read(path)[0]] == ["a"]
