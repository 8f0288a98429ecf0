"""A real Prometheus and Alertmanager beside a real `txmon serve`, all of processes of their own, for a drill."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import httpx
from boardkit import ROOT, tool

from txmon.clock import SystemClock, random_bytes
from txmon.dashboards import Addresses, Made, Tuning, build
from txmon.store import Store
from txmon.store.access import Access, KeySpec

T = TypeVar("T")
LONG_S = 180.0  # for what must come; never a measure
TXMON = [sys.executable, "-m", "txmon"]


def until(what: str, find: Callable[[], T], seconds: float = LONG_S) -> T:
    """Wait until `find` returns something; a failure says what never came."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(httpx.HTTPError, OSError):
            found = find()
            if found:
                return found
        time.sleep(0.3)
    raise AssertionError(f"never came: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def process(words: list[str], log: Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is gone behind this."""
    with log.open("ab") as file:
        started = subprocess.Popen(words, stdout=file, stderr=file, stdin=subprocess.DEVNULL, **more)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


class Hook:
    """What Alertmanager's receivers were told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                hook.told.append((self.path.strip("/"), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Drill:
    """Ports, files and questions of one drill."""

    def __init__(self, folder: Path, tuning: Tuning, rules: Mapping[str, str]) -> None:
        self.folder, self.store = folder, folder / "store"
        self.port, self.prometheus_port, self.manager_port = free_port(), free_port(), free_port()
        self.hook = Hook()
        self.followed = folder / "followed.ndjson"
        self.followed.touch()
        addresses = Addresses(
            f"127.0.0.1:{self.port}", f"127.0.0.1:{self.prometheus_port}", f"127.0.0.1:{self.manager_port}", self.hook.url
        )  # fmt: skip
        for name, text in build(Made(tuning, addresses, every="1s")).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        shutil.copytree(ROOT / "rules", folder / "rules")
        (folder / "rules" / "lock.json").unlink()
        (folder / "rules" / "drill").mkdir()
        for name, text in rules.items():
            (folder / "rules" / "drill" / f"{name}.yaml").write_text(text)
        self.analyst, self.sender = self._keys()
        self.http = httpx.Client(timeout=30)

    def close(self) -> None:
        self.http.close()
        self.hook.close()

    def _keys(self) -> tuple[str, str]:
        clock = SystemClock()
        with Store.open(self.store, clock=clock, random_bytes=random_bytes) as store:
            access = Access(store)
            with store.write() as tx:
                people = access.bootstrap(tx, [("Ana", ["analyst"]), ("Ben", [])])
            access.refresh()
            ana, ben = (access.authenticate(p.token, clock.now_us()) for p in people)
            spec = KeySpec("drill", frozenset({"ingest"}), roles=frozenset({"ingest"}))
            with store.write() as tx:
                made = access.create_key(tx, ana, spec)
                assert made.grant_id is not None
                access.decide_grant(tx, made.grant_id, ben)
        return people[0].token, made.token

    # -- processes -------------------------------------------------------------------------------------

    @contextmanager
    def service(self) -> Iterator[subprocess.Popen[bytes]]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("TXMON_")} | {
            "TXMON_KEY_FILE": str(self.folder / "pan.key"),
            "TXMON_RULES": str(self.folder / "rules"),
            "TXMON_SOURCE_URL": self.followed.as_uri(),
            "TXMON_SNAPSHOT_EVENTS": "2000",
            "TXMON_QUEUE_EVENTS": "500",
            "TXMON_BATCH_EVENTS": "500",
            "TXMON_DECISION_TIMEOUT_MS": "1000",
            "TXMON_DISK_FREE_BYTES": "0",
        }
        (self.folder / "pan.key").write_text("0badcafe" * 8)
        (self.folder / "pan.key").chmod(0o600)
        words = [*TXMON, "serve", "--store", str(self.store), "--port", str(self.port)]
        with process(words, self.folder / "txmon.log", env=environment) as started:
            until("a service that is ready", lambda: self.ready() or started.poll() is not None)
            assert started.poll() is None, (self.folder / "txmon.log").read_text()[-2000:]
            yield started

    @contextmanager
    def watchers(self) -> Iterator[None]:
        """Prometheus and Alertmanager, as the committed configuration starts them."""
        folder = self.folder
        prometheus = [
            tool("prometheus"), f"--config.file={folder}/prometheus/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb", f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
        ]  # fmt: skip
        manager = [
            tool("prometheus-alertmanager"), f"--config.file={folder}/alertmanager/alertmanager.yml",
            f"--storage.path={folder}/alertmanager-data", f"--web.listen-address=127.0.0.1:{self.manager_port}",
            "--cluster.listen-address=",
        ]  # fmt: skip
        with process(prometheus, folder / "prometheus.log"), process(manager, folder / "alertmanager.log"):
            for port in (self.prometheus_port, self.manager_port):
                until("a watcher", lambda p=port: self.http.get(f"http://127.0.0.1:{p}/-/ready").is_success)  # type: ignore[misc]
            yield

    # -- questions -------------------------------------------------------------------------------------

    def ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return self.http.get(f"http://127.0.0.1:{self.port}/readyz").is_success
        return False

    def ask(self, expr: str) -> list[dict[str, Any]]:
        """What Prometheus answers to a query now."""
        answer = self.http.post(f"http://127.0.0.1:{self.prometheus_port}/api/v1/query", data={"query": expr})
        found = answer.json()
        assert found["status"] == "success", (expr, found)
        result: list[dict[str, Any]] = found["data"]["result"]
        return result

    def alerts(self) -> dict[str, list[dict[str, str]]]:
        """Alerts that Alertmanager holds: name -> labels of each."""
        got: dict[str, list[dict[str, str]]] = {}
        for alert in self.http.get(f"http://127.0.0.1:{self.manager_port}/api/v2/alerts").json():
            got.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return got

    def arrive(self, *names: str) -> None:
        """Wait until Alertmanager has held alerts of all these names."""
        left = set(names)

        def none_left() -> bool:
            left.difference_update(self.alerts())
            return not left

        try:
            until(" ".join(names), none_left)
        except AssertionError:
            raise AssertionError(f"never arrived: {left}") from None

    def api(self, method: str, path: str, token: str, **more: Any) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"} | more.pop("headers", {})
        return self.http.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers, **more)


class Traffic:
    """Single events, sent one after the other from several threads until it is stopped."""

    def __init__(self, drill: Drill, event: Callable[[int], bytes], threads: int = 3) -> None:
        self._drill, self._event = drill, event
        self._stop, self._turn, self._next = threading.Event(), threading.Lock(), 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        self.statuses: set[int] = set()

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with httpx.Client(timeout=30) as client:
            headers = {"authorization": f"Bearer {self._drill.sender}", "content-type": "application/json"}
            while not self._stop.wait(0.1):
                with self._turn:
                    self._next += 1
                    number = self._next
                with suppress(httpx.HTTPError):
                    url = f"http://127.0.0.1:{self._drill.port}/v1/events"
                    answer = client.post(url, headers=headers, content=self._event(number))
                    self.statuses.add(answer.status_code)
