"""A service on a real socket that keeps what it is sent, and misbehaves as it is told.

`script` holds what happens to the next requests, in order; an empty one means that all is well. Events are kept by their
identity and answers by their Idempotency-Key, as the real service does; `raw` counts what a service without
either would have stored.
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa

KEY = "txm_live_abcd1234_" + "k" * 43


@dataclass
class State:
    """What the server saw and what it shall do."""

    script: deque[Any] = field(default_factory=deque)
    events: dict[str, Any] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    raw: Counter[str] = field(default_factory=Counter)
    keys: list[str] = field(default_factory=list)
    answers: dict[str, bytes] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    alerts: list[dict[str, Any]] = field(default_factory=list)
    streams: deque[bytes] = field(default_factory=deque)
    always: Any = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> Any:
        with self.lock:
            return self.script.popleft() if self.script else self.always or "ok"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: State

    def log_message(self, *_: Any) -> None:
        """Tests read what they need from `state`."""

    def do_GET(self) -> None:
        self._note()
        path = urlsplit(self.path).path
        if path == "/v1/alerts/stream":
            self._stream()
            return
        if self._misbehaves(lambda: b""):
            return
        if path == "/v1/alerts":
            self._page()
        elif path == "/v1/status":
            self._json(200, {"seq": len(self.state.order)})
        else:
            found = [a for a in self.state.alerts if a["alert_id"] == path.rpartition("/")[2]]
            self._json(200, found[0]) if found else self._problem(404, "not_found")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self._note()
        if self._misbehaves(lambda: self._take(body)):
            return
        self._bytes(200, self._take(body))

    def _note(self) -> None:
        with self.state.lock:
            self.state.requests.append(
                (self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
            )

    def _misbehaves(self, work: Any) -> bool:
        told = self.state.next()
        name, *rest = told if isinstance(told, tuple) else (told,)
        if name == "ok":
            return False
        if name == "drop":
            self.close_connection = True
        elif name == "store_and_drop":
            work()
            self.close_connection = True
        elif name == "cut":  # half an answer
            self.wfile.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"decision_id":')
            self.close_connection = True
        elif name == "status":
            self._problem(rest[0], f"code_{rest[0]}", rest[1] if len(rest) > 1 else {})
        elif name == "slow":
            answer = work()
            time.sleep(rest[0])
            self._bytes(200, answer)
        elif name == "drip":
            work()
            with contextlib.suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                for i in range(100):
                    self.wfile.write(f"x-{i}: y\r\n".encode())
                    time.sleep(0.05)
            self.close_connection = True
        elif name == "garbage":
            work()
            self._bytes(200, b"<html>proxy</html>")
        elif name == "shape":
            work()
            self._bytes(200, b'{"recommendation":"decline"}')
        elif name == "redirect":
            self.send_response(307)
            self.send_header("location", rest[0])
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            raise AssertionError(name)
        return True

    def _take(self, body: bytes) -> bytes:
        state = self.state
        key = self.headers["idempotency-key"]
        with state.lock:
            state.keys.append(key)
            if key in state.answers:
                return state.answers[key]
            state.answers[key] = answer = self._answer(body)
            return answer

    def _answer(self, body: bytes) -> bytes:
        kind = self.headers["content-type"]
        if kind == "application/vnd.apache.arrow.stream":
            rows = pa.ipc.open_stream(io.BytesIO(body)).read_all().to_pylist()
        elif kind == "application/x-ndjson":
            rows = [json.loads(line) for line in body.splitlines()]
        else:
            parsed = json.loads(body)
            rows = parsed if isinstance(parsed, list) else [parsed]
        results = [self._store(row) for row in rows]
        if urlsplit(self.path).path == "/v1/events:bulk":
            new = sum(r["status"] == "accepted" for r in results)
            return json.dumps({"rows": len(rows), "accepted": new, "duplicates": len(rows) - new, "quarantined": 0, "last_seq": len(self.state.order)}).encode()  # fmt: skip
        return json.dumps({"results": results} if body.startswith(b"[") else results[0]).encode()

    def _store(self, row: dict[str, Any]) -> dict[str, Any]:
        state, name = self.state, row["event_id"]
        known = name in state.events
        state.raw[name] += 1
        if not known:
            state.events[name] = row
            state.order.append(name)
        answer = {"decision_id": f"d_{name}", "recommendation": row.get("want", "allow"), "reason_code": "none", "late": False, "warming": True}  # fmt: skip
        return answer | {"duplicate": known, "status": "duplicate" if known else "accepted"}

    def _page(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        start, limit = int(query.get("cursor", ["0"])[0]), int(query["limit"][0])
        found = self.state.alerts[start : start + limit]
        more = start + limit < len(self.state.alerts)
        self._json(200, {"items": found, "next_cursor": str(start + limit) if more else None})

    def _stream(self) -> None:
        told = self.state.next()
        if told != "ok":
            self._problem(told[1], f"code_{told[1]}")
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        if self.state.streams:
            for byte in self.state.streams.popleft():
                self.wfile.write(bytes([byte]))

    def _problem(self, status: int, code: str, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(
            {"type": "about:blank", "status": status, "code": code, "detail": "about Anna Example"}
        )
        self._bytes(status, body.encode(), {"content-type": "application/problem+json"} | (headers or {}))

    def _json(self, status: int, value: Any) -> None:
        self._bytes(status, json.dumps(value).encode())

    def _bytes(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in ({"content-type": "application/json"} | (headers or {})).items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)


class Server:
    """A running server; `stop` and `start` may be called any number of times, the port stays."""

    def __init__(self) -> None:
        self.state = State()
        self._port = 0
        self.start()

    def start(self) -> None:
        handler = type("Handler", (Handler,), {"state": self.state})
        self._http = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._http.daemon_threads = True
        self._port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"


@contextlib.contextmanager
def running() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.stop()
