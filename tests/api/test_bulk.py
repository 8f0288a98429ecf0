"""POST /v1/events:bulk: long streams, read no faster than they are stored, and hostile ones."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from apikit import Api, decoders, lines, on_bench, opened, pay, problem
from servicekit import Bench, events_stored, simple_rules

from txmon.api.arrowframes import Frames
from txmon.api.problems import Problem

ARROW = {"content-type": "application/vnd.apache.arrow.stream"}
NDJSON = {"content-type": "application/x-ndjson"}


def table(count: int, first: int = 0, **more: Any) -> pa.Table:
    """Events in the native feed's columns."""
    rows = [
        json.loads(pay(f"b-{i}", i % 60, payer=f"p{i % 7}", amount="1.00"))
        for i in range(first, first + count)
    ]
    found = pa.Table.from_pylist(rows)
    for name, column in more.items():
        found = found.append_column(name, column)
    return found


def stream(*tables: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, tables[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for each in tables:
            writer.write_table(each)
    return sink.getvalue()


def in_pieces(body: bytes, size: int) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for i in range(0, len(body), size):
            yield body[i : i + size]

    return pieces()


def bulk(
    api: Api, body: bytes, headers: dict[str, str], key: str | None = None, size: int = 65_536, **more: str
) -> Any:
    key = key or api.worker("ingest")
    return api.post("/v1/events:bulk", key, content=in_pieces(body, size), headers=headers | more)


@pytest.mark.parametrize("beside", [False, True], ids=["decoded by the writer", "decoded beside it"])
def test_arrow_and_lines_say_what_was_stored(tmp_path: Path, beside: bool) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path), str(tmp_path / "store"))
    with on_bench(bench, batch_events=64) as api:
        if beside:
            api = Api(api.service, decode=decoders(api.service))
        try:
            found = bulk(api, stream(table(300), table(20, 300)), ARROW, size=777).json()
            seq = found.pop("last_seq")
            assert found == {"rows": 320, "accepted": 320, "duplicates": 0, "quarantined": 0}
            assert 0 < seq <= api.service.store.marks.seq
            body = lines(
                *(json.dumps(row).encode() for row in table(50, 310).to_pylist()),
                b"",
                b'{"event_id": "x"}',
                b"no json",
            )
            found = bulk(api, body, NDJSON, size=100).json()
            assert {k: found[k] for k in ("rows", "accepted", "duplicates", "quarantined")} == {
                "rows": 52, "accepted": 40, "duplicates": 10, "quarantined": 2
            }  # fmt: skip
            assert [name for _, name in events_stored(api.service)] == [f"b-{i}" for i in range(360)]
            explained = api.worker("ingest", scopes=("ingest", "explain"))
            assert {"hits", "alerts"} <= bulk(api, stream(table(3, 900)), ARROW, explained).json().keys()
        finally:
            if beside:
                api.close()


def test_dictionaries_and_packed_buffers_are_read(api: Api) -> None:
    words = pa.array(["Utrecht", "Gent", "Utrecht"]).dictionary_encode()
    for number, options in enumerate(
        ({}, {"compression": "zstd"}, {"compression": "lz4"}, {"emit_dictionary_deltas": True})
    ):
        first, second = (table(3, number * 6 + i, city=words) for i in (0, 3))
        found = bulk(api, stream(first, second, **options), ARROW).json()
        assert found["accepted"] == 6, options
    from txmon.pipeline.history import runs

    cities = [city for run in runs(api.service.store, 1, None) for city in run.events["city"].to_pylist()]
    assert cities == ["Utrecht", "Gent", "Utrecht"] * 8


def test_an_empty_stream_stores_nothing(api: Api) -> None:
    for body, headers in ((stream(table(1)[:0]), ARROW), (b"", NDJSON), (b"\n\n", NDJSON)):
        assert bulk(api, body, headers).json()["rows"] == 0


def damaged(change: Callable[[bytearray], None]) -> bytes:
    body = bytearray(stream(table(5)))
    change(body)
    return bytes(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense and more nonsense",
        b"ARROW1\0\0" + bytes(64),
        damaged(lambda b: b.__delitem__(slice(len(b) // 2, None))),
        damaged(lambda b: b.extend(b"tail")),
        damaged(lambda b: b.__setitem__(slice(4, 8), struct.pack("<i", 1 << 30))),
        damaged(lambda b: b.__setitem__(slice(4, 8), struct.pack("<i", -5))),
        damaged(lambda b: b.__setitem__(slice(8, 40), b"\xff" * 32)),
        damaged(lambda b: b.__setitem__(slice(8, 40), bytes(32))),
        stream(table(3))[struct.unpack_from("<i", stream(table(3)), 4)[0] + 8 :],
    ],
    ids=["empty", "text", "file", "cut", "tail", "huge metadata", "negative", "bits", "zeros", "no schema"],
)
def test_what_is_no_stream_is_told(shared_api: Api, body: bytes) -> None:
    found = problem(bulk(shared_api, body, ARROW), 400, "malformed_arrow")
    assert found["stored"]["rows"] in (0, 5)


def test_every_flipped_byte_is_an_answer_and_never_a_crash(shared_api: Api) -> None:
    whole = stream(table(4, 5000))
    key = shared_api.worker("ingest")
    for place in range(0, len(whole), 29):
        body = bytearray(whole)
        body[place] ^= 0xFF
        answer = bulk(shared_api, bytes(body), ARROW, key)
        assert answer.status_code in (200, 400, 413), (place, answer.text)


def test_small_bodies_that_would_grow_are_refused_unread() -> None:
    zeros = pa.table({"memo": ["\0" * (100 << 20)]})
    with pytest.raises(Problem) as caught:
        list(Frames().feed(stream(zeros, compression="zstd")))
    assert caught.value.code == "too_large"
    many = pa.table({"nothing": pa.nulls(2_000_000)})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, many.schema) as writer:
        writer.write_table(many)
    with pytest.raises(Problem) as caught:
        list(Frames().feed(sink.getvalue()))
    assert caught.value.code == "too_large"


def test_offsets_outside_their_buffers_are_found(shared_api: Api) -> None:
    body = stream(pa.table({"event_id": ["a", "bb", "ccc"]}))
    place = body.index(struct.pack("<iiii", 0, 1, 3, 6))
    hostile = body[:place] + struct.pack("<iiii", 0, 1, 1 << 28, 6) + body[place + 16 :]
    problem(bulk(shared_api, hostile, ARROW), 400, "malformed_arrow")


def test_limits_of_a_body_and_a_line(tmp_path: Path) -> None:
    with opened(tmp_path, bulk_max_bytes=3 << 20, request_max_bytes=1 << 20) as api:
        problem(bulk(api, b"x" * (2 << 20), NDJSON), 413, "too_large")
        rows = lines(*(pay(f"l-{i}", memo="x" * 900) for i in range(3500)))
        assert len(rows) > 3 << 20
        found = problem(bulk(api, rows, NDJSON), 413, "too_large")
        assert 0 < found["stored"]["accepted"] < 3500
        assert found["stored"]["accepted"] == len(events_stored(api.service))
        problem(bulk(api, b'{"a":' * 30 + b"1" + b"}" * 30 + b"\n", NDJSON), 422, "too_deep")
        problem(bulk(api, b"\xff\xff\xff\xff....\n", NDJSON), 400, "malformed_json")
        problem(bulk(api, b"{}", {"content-type": "application/json"}), 415, "unsupported_media_type")
        problem(bulk(api, b"{}", NDJSON, **{"content-encoding": "gzip"}), 415, "unsupported_media_type")


def test_the_body_is_read_no_faster_than_it_is_stored(api: Api) -> None:
    real, held, read = api.service.submit, [], []

    def submit(work: Any, done: Any) -> None:
        held.append((work, done))

    api.service.submit = submit  # type: ignore[method-assign]

    async def pieces() -> AsyncIterator[bytes]:
        for i in range(12):
            read.append(i)
            yield lines(*(pay(f"s-{i}-{j}", memo="x" * 900) for j in range(1100)))

    import asyncio
    import threading

    key = api.worker("ingest")
    waiting = asyncio.run_coroutine_threadsafe(
        api.acall("POST", "/v1/events:bulk", key, content=pieces(), headers=NDJSON), api._loop
    )
    pause = threading.Event()
    for _ in range(500):
        if len(held) >= 3:
            break
        pause.wait(0.02)
    pause.wait(0.3)
    assert len(held) == 3
    assert len(read) <= 5
    api.service.submit = real  # type: ignore[method-assign]
    for work, done in held:
        real(work, done)
    assert waiting.result(120).json()["accepted"] == 12 * 1100


def test_the_same_key_gives_the_same_sums(api: Api) -> None:
    key, again = api.worker("ingest"), {"idempotency-key": "bulk-1"}
    first = bulk(api, stream(table(10)), ARROW, key, **again)
    second = bulk(api, stream(table(10)), ARROW, key, **again)
    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"
    problem(bulk(api, stream(table(11)), ARROW, key, **again), 422, "idempotency_mismatch")
    assert len(events_stored(api.service)) == 10


def test_busy_waits_and_stopping_tells_what_is_stored(api: Api) -> None:
    from txmon.errors import Busy, Stopping

    real, calls = api.service.submit, []

    def submit(work: Any, done: Any) -> None:
        calls.append(1)
        if len(calls) in (1, 2):
            raise Busy("full", 1)
        if len(calls) > 3:
            raise Stopping("going down")
        real(work, done)

    api.service.submit = submit  # type: ignore[method-assign]
    answer = bulk(api, stream(table(10), table(10, 10)), ARROW)
    found = problem(answer, 503, "unavailable")
    assert found["stored"]["accepted"] == 10
    assert answer.headers["retry-after"]
