"""The API in front of a real service, asked in the test's own process.

People and keys are said in words (`person("analyst")`, `service("ingest")`): who they are is given to the gate
directly, so that a test names what it is about. `test_people_and_keys` goes the whole way through grants.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

sys.path.append(str(Path(__file__).parents[1] / "service"))

from servicekit import KEY, Bench, pay, simple_rules

from txmon.api import App, create_app
from txmon.errors import AuthError
from txmon.pipeline.service import Service
from txmon.store.access import Access
from txmon.store.audit import AuditLog
from txmon.store.identity import SCOPES, Principal
from txmon.streams.decode import Decoder
from txmon.streams.feedfile import load_feed

T = TypeVar("T")
_numbers = itertools.count(1)
CRITICAL: dict[str, Any] = {
    "id": "grave", "subject": "payer", "score": 0.9, "severity": "critical", "typology": "mule-layering",
    "let": {"n": "count(*) filter (where amount >= 900) over payer_3d"}, "when": "n >= 1", "explain": "{n} large ones to {payee}",
}  # fmt: skip
THREE: dict[str, Any] = {
    "id": "three", "subject": "payer", "score": 0.7, "let": {"n": "count(*) over payer_3d"}, "when": "n >= 3", "explain": "{n} payments",
}  # fmt: skip


class KnownAccess(Access):
    """Keys of the store, and besides those that a test says are known."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.known: dict[str, Principal] = {}

    def authenticate(self, token: str, now_us: int, *, noted: bool = True) -> Principal:
        found = self.known.get(token)
        return found if found is not None else super().authenticate(token, now_us, noted=noted)

    def check(self, token: str) -> bool:
        try:
            self.authenticate(token, 0)
        except AuthError:
            return False
        return True


class Api:
    """A service, its app, and a loop in a thread of its own that the app runs in."""

    def __init__(self, service: Service, **parts: Any) -> None:
        self.service = service
        self.access = KnownAccess(service.store)
        self.audit = AuditLog(service.store)
        usual: dict[str, Any] = {
            "settings": service.settings, "metrics": service.metrics, "access": self.access, "audit": self.audit,
            "clock": service.doors.clock, "log": service.doors.log,
        }  # fmt: skip
        self.app: App = create_app(service, **(usual | parts))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url="http://txmon")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def close(self) -> None:
        self.run(self.app.aclose())
        self.run(self.client.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # -- who asks --------------------------------------------------------------------------------------

    def person(self, *roles: str, scopes: frozenset[str] = SCOPES, **more: Any) -> str:
        """The key of a new person with these roles and, unless said otherwise, every scope."""
        number = next(_numbers)
        name = f"psn_{number:016d}".translate(str.maketrans("0189", "abcd"))
        return self._known(
            Principal(f"key_{name[4:]}", name, "Somebody", "person", frozenset(roles), scopes, more.get("mode"), more.get("entities"), f"person:{name}")
        )  # fmt: skip

    def worker(self, *roles: str, scopes: tuple[str, ...] = ("ingest",), **more: Any) -> str:
        """The key of a new service."""
        name = f"key_{next(_numbers):016d}".translate(str.maketrans("0189", "abcd"))
        return self._known(
            Principal(name, None, "a service", "service", frozenset(roles), frozenset(scopes), more.get("mode"), more.get("entities"), f"service:{name}")
        )  # fmt: skip

    def _known(self, who: Principal) -> str:
        token = f"token-{who.key_id}"
        self.access.known[token] = who
        return token

    # -- asking ----------------------------------------------------------------------------------------

    async def acall(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        if "purpose" in more:
            headers["x-purpose"] = more.pop("purpose")
        return await self.client.request(method, path, headers=headers, **more)

    def call(self, method: str, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        return self.run(self.acall(method, path, key, **more))

    def get(self, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        return self.call("GET", path, key, **more)

    def post(self, path: str, key: str | None = None, **more: Any) -> httpx.Response:
        return self.call("POST", path, key, **more)

    def send(self, *payloads: bytes, key: str | None = None) -> list[dict[str, Any]]:
        """Send events; returns their results."""
        answer = self.post(
            "/v1/events", key or self.person("ingest"), content=b"[" + b",".join(payloads) + b"]",
            headers={"content-type": "application/json"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        results: list[dict[str, Any]] = answer.json()["results"]
        return results


@contextmanager
def opened(folder: Path, *rules: Mapping[str, Any], **settings: Any) -> Iterator[Api]:
    """An API over a service with these rules."""
    bench = Bench(folder, simple_rules(folder, *(rules or (THREE, CRITICAL))), str(folder / "store"))
    with on_bench(bench, **settings) as api:
        yield api


@contextmanager
def on_bench(bench: Bench, **settings: Any) -> Iterator[Api]:
    """An API over a bench."""
    parts = settings.pop("parts", {})
    service = bench.open(**({"decision_timeout_ms": 60_000} | settings))
    api = Api(service, **parts)
    try:
        yield api
    finally:
        api.close()
        service.close()


def hook_key(folder: Path) -> Path:
    """A key file of webhooks."""
    file = folder / "webhooks.key"
    file.write_text("cd" * 32)
    file.chmod(0o600)
    return file


def decoders(service: Service) -> Any:
    """Makes decoders beside the writer, as `txmon serve` does."""

    def make(sender: Any) -> Any:
        decoder = Decoder(
            load_feed(sender.feed), KEY, service.config.rates, entity=sender.entity, mode=sender.mode
        )
        return decoder.decode_payloads

    return make


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Check that an answer is this problem, in the one shape that problems have."""
    assert answer.status_code == status, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert (found["code"], found["status"]) == (code, status), found
    assert {"type", "title", "detail", "instance"} <= found.keys()
    assert found["instance"].endswith(answer.headers["x-request-id"])
    return found


def large(event_id: str, minute: int = 0, **columns: Any) -> bytes:
    """A payment that opens a critical alert."""
    return pay(event_id, minute, amount="950.00", **columns)


def lines(*payloads: bytes) -> bytes:
    return b"\n".join(payloads) + b"\n"


def text(value: Any) -> str:
    return json.dumps(value)
