"""Processes of txmon for benchmarks: started, waited for, stopped. Owns nothing of what is measured."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from txmon.clock import SystemClock, monotonic_s, random_bytes
from txmon.store import Store
from txmon.store.access import Access

READY_S = 300.0  # only an end, never a measure
_LOOK_S = 0.2  # the one who looks must not take the machine from those who are measured


def new_store(store: Path) -> str:
    """Make a store; returns the key of an administrator, who may do everything."""
    with Store.open(store, clock=SystemClock(), random_bytes=random_bytes) as opened, opened.write() as tx:
        first = [("Ana", ("admin", "ingest")), ("Ben", ("admin", "approver"))]
        return Access(opened).bootstrap(tx, first)[0].token


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, str]]:
    """A served store that is new: its address, and the key of an administrator."""
    folder.mkdir(parents=True)
    key = new_store(folder / "store")
    process, url = serve(folder / "store", folder / "serve.log")
    try:
        yield url, key
    finally:
        process.terminate()
        process.wait(30)


def serve(store: Path, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Serve a store; returns once it is ready."""
    port = free_port()
    process = start(["serve", "--store", str(store), "--port", str(port)], log)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: ready(url) or process.poll() is not None, READY_S, "the service is not ready")
        if process.poll() is not None:
            raise ChildProcessError(f"txmon serve ended; see {log}")
    except BaseException:
        process.kill()
        raise
    return process, url


def start(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start txmon with arguments."""
    with log.open("ab") as file:
        command = [sys.executable, "-m", "txmon", *arguments]
        return subprocess.Popen(command, stdout=file, stderr=file)  # noqa: S603 - our own program


def listens(address: str) -> bool:
    """Whether something takes connections at HOST:PORT."""
    host, _, port = address.partition(":")
    try:
        with socket.create_connection((host, int(port)), 1):
            return True
    except OSError:
        return False


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def ready(url: str) -> bool:
    """Whether a service says that it is ready."""
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def until(done: Callable[[], bool], seconds: float, otherwise: str, look_s: float = _LOOK_S) -> None:
    """Wait until something is done, looking so often.

    Raises:
        TimeoutError: it is not, with this text.
    """
    end = monotonic_s() + seconds
    while not done():
        if monotonic_s() > end:
            raise TimeoutError(f"{otherwise} after {seconds:.0f} s")
        time.sleep(look_s)
