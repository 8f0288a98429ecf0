"""Logs: what a line may hold, and that nothing from outside gets into one."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import random
import threading
from typing import Any

import pytest

from txmon import logs
from txmon.errors import StoreFatal
from txmon.logs import AllowList, LibraryLogs, LogFieldError, make_logger, new_request_id, request


class At:
    def now_us(self) -> int:
        return 1_767_614_400_000_000


def logger(*, strict: bool = True, level: str = "debug", **more: Any) -> tuple[logs.Logger, io.BytesIO]:
    stream = io.BytesIO()
    return make_logger(At(), strict=strict, level=level, stream=stream, **more), stream


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def luhn(digits: str) -> str:
    total = sum(sum(divmod(2 * int(d), 10)) if i % 2 == 0 else int(d) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


def test_a_line_is_one_json_object_with_time_level_event_and_fields() -> None:
    log, stream = logger()
    log.info("batch.committed", events=64, seconds=0.25, stage="commit", journal_seq=None)
    log.debug("request.done", route="/v1/alerts/{alert_id}", method="GET", status=200)
    assert lines(stream)[1]["route"] == "/v1/alerts/{alert_id}"
    stream.seek(0)
    stream.truncate()
    log.info("batch.committed", events=64, seconds=0.25, stage="commit", journal_seq=None)
    log.bind(component="engine").warning("queue.full", queue=50_000)
    assert lines(stream) == [
        {
            "time": "2026-01-05T12:00:00.000000Z",
            "level": "info",
            "event": "batch.committed",
            "events": 64,
            "seconds": 0.25,
            "stage": "commit",
            "journal_seq": None,
        },
        {
            "time": "2026-01-05T12:00:00.000000Z",
            "level": "warning",
            "event": "queue.full",
            "component": "engine",
            "queue": 50_000,
        },
    ]


def test_levels() -> None:
    log, stream = logger(level="warning")
    log.info("a")
    log.warning("b")
    log.error("c")
    assert [line["event"] for line in lines(stream)] == ["b", "c"]


REFUSED: list[tuple[str, Any]] = [
    ("payer", "NL91ABNA0417164300"),
    ("memo", "anna"),
    ("amount", 12),
    ("payload", {"a": 1}),
    ("reason", "Anna Smith"),
    ("reason", "anna@example.org"),
    ("reason", "q" * 81),
    ("reason", "NL91ABNA0417164300"),
    ("reason", "a4111-1111-1111-1111"),
    ("reason", "q\nb"),
    ("reason", ["qq"]),
    ("reason", b"qq"),
    ("reason", 5),
    ("count", 4111111111111111),
    ("count", -4111111111111111),
    ("count", 4111111111111111.0),
    ("count", "12"),
    ("key_id", "key_4111111111111111"),
    ("key_id", "key_4111-1111-1111-1111"),
    ("key_id", "anna"),
    ("pack_hash", "4111111111111111"),
    ("request_id", "4111111111111111"),
    ("request_id", "req_anna"),
    ("4111111111111111", 1),
]


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_what_is_not_listed_or_does_not_fit_is_never_written(key: str, value: Any) -> None:
    log, stream = logger()
    with pytest.raises(LogFieldError) as caught:
        log.info("x", **{key: value})
    assert str(value) not in str(caught.value)
    assert stream.getvalue() == b""
    dropped: list[int] = []
    log, stream = logger(strict=False, refused=dropped.append)
    log.info("x", count=1, **({} if key == "count" else {key: value}))
    log.info("y", **{key: value})
    for line in lines(stream)[key == "count" :]:
        assert key not in line
        assert line["refused"] == ["?" if key.isdigit() else key]
    assert "4111" not in stream.getvalue().decode()
    assert dropped == [1] * (1 if key == "count" else 2)


def test_an_event_is_a_fixed_word() -> None:
    for text in ("Hello Anna", "paid 4111111111111111", "", 5):
        log, _ = logger()
        with pytest.raises(LogFieldError):
            log.info(text)
        log, stream = logger(strict=False)
        log.info(text, count=1)
        assert lines(stream)[0]["event"] == "unnamed"


def test_ten_thousand_card_numbers_in_any_field_leave_no_trace() -> None:
    draw = random.Random(4)
    log, stream = logger(strict=False)
    keys = [
        *logs.WORDS, *logs.NUMBERS, *logs.IDS, *logs.HASHES,
        "request_id", "memo", "error", "where", "level", "time", "refused", "exc_info",
    ]  # fmt: skip
    for _ in range(10_000):
        digits = luhn("4" + "".join(draw.choices("0123456789", k=draw.randrange(12, 18))))
        shown = draw.choice(["{}", "a{}", "a-{}", "key_{}", "{} x", "card:{}"]).format(digits)
        value = draw.choice([shown, int(digits), [shown], {shown: shown}, "-".join(digits)])
        log.warning(draw.choice(["card.seen", shown]), **{draw.choice(keys): value})
    text = stream.getvalue().decode()
    assert len(text.splitlines()) == 10_000
    for line in text.splitlines():
        line = line.replace("2026-01-05T12:00:00.000000Z", "")
        assert sum(c.isdigit() for c in line) == 0, line


def test_an_exception_is_its_type_code_and_place_and_never_its_text() -> None:
    log, stream = logger()
    try:
        raise StoreFatal("disk full while storing anna 4111111111111111")
    except StoreFatal:
        log.exception("store.failed")
    log.error("store.failed", exc_info=ValueError("anna"))
    first, second = lines(stream)
    assert (first["error"], first["error_code"]) == ("StoreFatal", "store_fatal")
    assert first["where"][-1].startswith("access/test_logs.py:")
    assert second["error"] == "ValueError"
    assert b"anna" not in stream.getvalue()
    assert b"4111" not in stream.getvalue()


def test_a_request_id_is_in_every_line_of_its_task_and_in_no_other() -> None:
    log, stream = logger()
    ids = [new_request_id(random.Random(i).randbytes) for i in range(3)]

    async def serve(request_id: str) -> None:
        with request(request_id):
            await asyncio.sleep(0)
            log.info("request.done", status=200)

    async def all_of_them() -> None:
        await asyncio.gather(*(serve(i) for i in ids))

    asyncio.run(all_of_them())
    log.info("request.none")
    assert [line.get("request_id") for line in lines(stream)] == [*ids, None]


def test_lines_of_threads_do_not_mix() -> None:
    log, stream = logger()
    threads = [
        threading.Thread(target=lambda: [log.info("a.line", count=i) for i in range(200)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(stream)) == 800


def test_lines_of_libraries_keep_where_and_lose_what() -> None:
    log, stream = logger()
    handler = LibraryLogs(log)
    library = logging.Logger("uvicorn.error")
    library.addHandler(handler)
    library.warning("GET /v1/entities/%s", "anna")
    library.critical("x", exc_info=ValueError("anna"))
    handler.emit(logging.LogRecord("name with anna", 5, "x.py", 1, "anna", None, None))
    found = lines(stream)
    assert [(line["level"], line["component"]) for line in found] == [
        ("warning", "uvicorn.error"),
        ("error", "uvicorn.error"),
        ("info", "library"),
    ]
    assert found[1]["error"] == "ValueError"
    assert b"anna" not in stream.getvalue()


def test_ids_of_our_own_are_written() -> None:
    log, stream = logger()
    log.info("x", alert_id="al-" + "0" * 24, decision_id="d_" + "a2" * 13, identity="person:psn_" + "a2" * 8)
    log.info("x", alert_id=None, head="0" * 64, pack_hash="123456789012")
    assert len(lines(stream)) == 2


def test_the_lists_do_not_overlap() -> None:
    lists = [logs.NUMBERS, logs.WORDS, logs.IDS, logs.HASHES]
    assert sum(map(len, lists)) == len(frozenset().union(*lists))
    assert AllowList(strict=True)(None, "info", {"event": "x", "count": 1}) == {"event": "x", "count": 1}


class _Full(io.BytesIO):
    """A file on a full disk."""

    full = True

    def write(self, line: object) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(line)  # type: ignore[arg-type]


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    stream = _Full()
    log = make_logger(At(), stream=stream)
    log.info("batch.committed", events=1)
    stream.full = False
    log.info("batch.committed", events=2)
    assert [json.loads(line)["events"] for line in stream.getvalue().splitlines()] == [2]
