"""A service behind its real port, run as `txmon serve` runs it, in a thread of the test."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest
from servicekit import WAIT_S, until

from txmon.cli import hosting
from txmon.cli.port import Port
from txmon.pipeline.service import Service
from txmon.store.access import Access, KeySpec


class Process:
    """`txmon serve` in a thread, with the port that it found."""

    def __init__(self, service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stop = threading.Event()
        self.summary: dict[str, Any] = {}
        self.token, self.reader = _keys(service)
        ports: list[Port] = []
        start = Port.start

        def started(port: Port) -> None:
            start(port)
            ports.append(port)

        monkeypatch.setattr(Port, "start", started)
        self._thread = threading.Thread(target=self._run, args=(service,))
        self._thread.start()
        until(lambda: bool(ports))
        self.address = urlsplit(ports[0].address)

    def _run(self, service: Service) -> None:
        self.summary = hosting.run(service, self.stop, http=True)

    def ended(self) -> dict[str, Any]:
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        return self.summary

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a route that needs no key."""
        with closing(
            HTTPConnection(str(self.address.hostname), self.address.port, timeout=WAIT_S)
        ) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def ready(self) -> tuple[int, list[str]]:
        """What `/readyz` says."""
        status, body = self.get("/readyz")
        return status, json.loads(body)["reasons"]

    def sample(self, line: str) -> float:
        """A sample of `/metrics`, named as it stands there; 0 where there is none."""
        found = [text for text in self.get("/metrics")[1].splitlines() if text.startswith(line + " ")]
        return float(found[0].split()[-1]) if found else 0.0

    def post(self, body: bytes) -> tuple[int, dict[str, Any]]:
        with closing(
            HTTPConnection(str(self.address.hostname), self.address.port, timeout=WAIT_S)
        ) as connection:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request("POST", "/v1/events", body, headers)
            try:
                answer = connection.getresponse()
                text = answer.read()
                known = "json" in (answer.getheader("content-type") or "")
                found = json.loads(text) if known else {}
                return answer.status, found | {"retry_after": answer.getheader("retry-after")}
            except HTTPException:  # cut off: the sender cannot know, and sends it again
                return 0, {}

    @contextmanager
    def listening(self) -> Iterator[HTTPResponse]:
        """The stream of alerts, as someone hears it who may read."""
        with closing(
            HTTPConnection(str(self.address.hostname), self.address.port, timeout=WAIT_S)
        ) as connection:
            connection.request("GET", "/v1/alerts/stream", headers={"Authorization": f"Bearer {self.reader}"})
            yield connection.getresponse()


def _keys(service: Service) -> tuple[str, str]:
    """The key of a service that sends, and that of a person who reads."""
    access = Access(service.store)
    now = service.doors.clock.now_us()
    people = service.change(lambda tx: access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", [])])).result()
    access.refresh()
    ana, ben = (access.authenticate(p.token, now) for p in people)

    def make(tx: Any) -> str:
        spec = KeySpec("test", frozenset({"ingest"}), roles=frozenset({"ingest"}))
        made = access.create_key(tx, ana, spec)
        assert made.grant_id is not None
        access.decide_grant(tx, made.grant_id, ben)
        return made.token

    return service.change(make).result(), people[0].token
