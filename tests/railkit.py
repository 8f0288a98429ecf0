"""Starts real servers of JetStream and Redis for tests; both keep what they hold over a restart."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nats
import pytest
import redis

START_S = 120.0


class Server:
    """A server process in a folder of its own, which may be stopped and started on the same port."""

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary, self.folder = binary, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it listens."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"{self._binary} did not start; see {self.folder / 'server.log'}")

    def stop(self) -> None:
        """End it as a crash would not: what it holds is on its disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None


class Nats(Server):
    """`nats-server -js`."""

    def command(self) -> list[str]:
        return [self._binary, "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.folder / "js")]

    def do(self, work: Callable[[Any], Any]) -> Any:
        """Run a coroutine function of a JetStream context."""

        async def inside() -> Any:
            client = await nats.connect(f"nats://127.0.0.1:{self.port}")
            try:
                return await work(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(inside())

    def stream(self, name: str, *subjects: str, **more: Any) -> str:
        """Make a stream and return its name."""
        self.do(lambda js: js.add_stream(name=name, subjects=list(subjects) or [f"{name}.>"], **more))
        return name

    def send(self, subject: str, payloads: Iterable[bytes]) -> None:
        """Append messages and wait until they are there."""

        async def work(js: Any) -> None:
            for payload in payloads:
                await js.publish_async(subject, payload)
            await js.publish_async_completed()

        self.do(work)

    def url(self, stream: str, **query: str) -> str:
        return f"nats://127.0.0.1:{self.port}/{stream}" + _query(query)


class Redis(Server):
    """`redis-server` with an append-only file."""

    def command(self) -> list[str]:
        given = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), "appendonly": "yes"}
        return [self._binary, *(part for k, v in given.items() for part in (f"--{k}", v)), "--save", ""]

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, protocol=2, legacy_responses=True)

    def send(self, stream: str, payloads: Iterable[bytes], field: str = "data") -> None:
        """Append messages."""
        client = self.client()
        pipe = client.pipeline(transaction=False)
        for payload in payloads:
            pipe.xadd(stream, {field: payload})
        pipe.execute()
        client.close()

    def url(self, stream: str, **query: str) -> str:
        return f"redis://127.0.0.1:{self.port}/{stream}" + _query(query)


def _query(query: dict[str, str]) -> str:
    text = "&".join(f"{k}={v}" for k, v in query.items())
    return f"?{text}" if text else ""


@contextmanager
def running(kind: type[Nats] | type[Redis], folder: Path) -> Iterator[Any]:
    """A running server, or a skipped test where there is none; in CI that is a failure."""
    package = "nats-server" if issubclass(kind, Nats) else "redis-server"
    binary = shutil.which(package)
    if binary is None:
        if os.environ.get("CI") == "true":
            raise RuntimeError(f"{package} is missing; install Debian's package {package}")
        pytest.skip(f"no {package}; Debian has it as package {package}")
    folder.mkdir(exist_ok=True)
    server = kind(binary, folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def drain(poll: Callable[[], Sequence[Any]], want: int, seconds: float = 30.0) -> list[Any]:
    """Call `poll()` until it gave `want` messages in all."""
    out: list[Any] = []
    until = time.monotonic() + seconds
    while len(out) < want and time.monotonic() < until:
        out += poll()
    return out
