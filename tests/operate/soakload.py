"""The load of a soak, a process of its own: events at a steady rate, whose own time runs much faster.

    soakload.py PORT KEY EVENTS STATS RATE BATCH CONNECTIONS SECONDS START DAYS

EVENTS is a simulated stream of DAYS that is sent again and again, each time behind the last one in event time and
under new ids, so that people, accounts and cards stay the same and windows come to hold as much as they ever
will. Once a second a line of JSON goes to STATS. It never looks at the service but at its answers.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

MOST_NAMED = 5
SQUEEZE = 10  # days in one


def rows_of(path: Path) -> list[dict[str, Any]]:
    """Events without marks of time, which a running service makes itself."""
    return [_plain(row) for row in pq.read_table(path).to_pylist() if row["kind"] != "tick"]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    made = {k: v for k, v in row.items() if v is not None}
    if "attributes" in made:
        made["attributes"] = dict(made["attributes"])
    if "holders" in made:
        names = {"party": "party", "role": "role", "valid_from": "from", "valid_to": "to"}
        made["holders"] = [{names[k]: v for k, v in h.items() if v is not None} for h in made["holders"]]
    return made


def parts_of(rows: list[dict[str, Any]], days: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Events before the last `days` days, and those within them."""
    first = _first_of(rows, days)
    return [r for r in rows if r["event_time"] < first], [r for r in rows if r["event_time"] >= first]


def _first_of(rows: list[dict[str, Any]], days: int) -> datetime:
    last = max(row["event_time"] for row in rows).date()
    return datetime.combine(last - timedelta(days=days - 1), datetime.min.time(), UTC)


def bodies(rows: list[dict[str, Any]], start: datetime, days: int) -> Iterator[bytes]:
    """Events for ever; event time begins at `start`.

    The last `days` days are repeated, each time in the first tenth of as many: a warehouse has a file a day of
    events, and would come to as many as a real one has in decades. What lies before them, accounts that were
    opened years ago, comes once.
    """
    first = _first_of(rows, days)
    before, within = parts_of(rows, days)
    by, cycle = start - first, 0
    for row in before:
        yield orjson.dumps(row | {"event_time": start}, default=str)
    while True:
        start_of_cycle = first + by
        for row in within:
            made = _shifted(row, by)
            made["event_time"] = start_of_cycle + (row["event_time"] - first) / SQUEEZE
            made["event_id"] = f"{cycle}-{row['event_id']}"
            yield orjson.dumps(made, default=str)
        by, cycle = by + timedelta(days=days), cycle + 1


def _shifted(value: Any, by: timedelta) -> Any:
    if isinstance(value, datetime):
        return value + by
    if isinstance(value, dict):
        return {k: _shifted(v, by) for k, v in value.items()}
    if isinstance(value, list):
        return [_shifted(v, by) for v in value]
    return value


def _code(text: bytes) -> str:
    try:
        return str(orjson.loads(text)["code"])
    except (ValueError, KeyError):
        return "no problem document"


@dataclass(frozen=True)
class Days:
    """Events before event time begins to pass, and how many days each passes then."""

    before: int
    an_event: float


class Load:
    """Some connections that share one schedule; whoever is behind it sends at once."""

    def __init__(
        self, port: int, key: str, source: Iterator[bytes], rate: float, batch: int, days: Days
    ) -> None:
        self._port, self._key, self._source, self._batch = port, key, source, batch
        self._pause_s, self.days = batch / rate, days
        self._due_s = time.monotonic()
        self.sent = self.acked = 0
        self.errors: Counter[str] = Counter()
        self.slowest_ms = 0.0

    async def connection(self, until_s: float) -> None:
        """Send until the time is over; a broken connection is an error and made again."""
        while time.monotonic() < until_s:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError as error:
                self._failed(f"connect: {error.strerror}")
                await asyncio.sleep(0.2)
                continue
            try:
                while time.monotonic() < until_s:
                    await self._request(reader, writer)
            except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                self._failed(f"connection: {type(error).__name__}")
            finally:
                writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        due, self._due_s = self._due_s, self._due_s + self._pause_s
        some = [next(self._source) for _ in range(self._batch)]
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        body = b"\n".join(some)
        path, kind = ("events", "json") if self._batch == 1 else ("events:bulk", "x-ndjson")
        head = (
            f"POST /v1/{path} HTTP/1.1\r\nHost: soak\r\nAuthorization: Bearer {self._key}\r\n"
            f"Content-Type: application/{kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.sent += len(some)
        started = time.monotonic()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        at = answer.lower().index(b"content-length:")
        text = await reader.readexactly(int(answer[at + 15 : answer.index(b"\r", at)]))
        self.slowest_ms = max(self.slowest_ms, (time.monotonic() - started) * 1e3)
        self._judge(int(answer[9:12]), text, len(some))

    def _judge(self, status: int, text: bytes, count: int) -> None:
        if status != 200:
            self._failed(f"status {status}: {_code(text)}")
            return
        found = orjson.loads(text)
        if self._batch == 1:
            good = not found["duplicate"] and found["reason_code"] != "not_scored"
        else:
            good = found["accepted"] == count
        if good:
            self.acked += count
        else:
            self._failed("duplicate" if found.get("duplicate") else str(found.get("reason_code", "refused")))

    def _failed(self, what: str) -> None:
        self.errors[what] += 1


async def run(load: Load, connections: int, seconds: float, stats: Path) -> None:
    """Send, and say once a second how it goes."""
    until_s = time.monotonic() + seconds
    work = [asyncio.create_task(load.connection(until_s)) for _ in range(connections)]
    with stats.open("a", encoding="utf-8") as file:
        while not all(task.done() for task in work):
            await asyncio.wait(work, timeout=1)
            line: dict[str, Any] = {
                "sent": load.sent,
                "acked": load.acked,
                "slowest_ms": round(load.slowest_ms, 1),
            }
            line["days"] = round(max(0, load.acked - load.days.before) * load.days.an_event, 1)
            line["errors"] = dict(load.errors.most_common(MOST_NAMED))
            load.slowest_ms = 0.0
            file.write(json.dumps(line) + "\n")
            file.flush()
    await asyncio.gather(*work)


def main() -> None:
    """See the module."""
    port, key, events, stats, rate, batch, connections, seconds, start, days = sys.argv[1:]
    rows = rows_of(Path(events))
    source = bodies(rows, datetime.fromisoformat(start), int(days))
    before, within = parts_of(rows, int(days))
    passed = Days(len(before), int(days) / len(within))
    load = Load(int(port), key, source, float(rate), int(batch), passed)
    asyncio.run(run(load, int(connections), float(seconds), Path(stats)))


if __name__ == "__main__":
    main()
