"""The crash drill: a service of its own process is killed again and again, and judged by what it acknowledged.

    drill.py ROUNDS [--seed N] [--out crash.ndjson] [--keep FOLDER]

Every round starts `txmon serve` or `txmon stream` on a real folder and a load generator beside it; the service
dies by SIGKILL at a random moment, while it starts, or at a named step; sometimes its disk is full for a
second before. The verifier, a third process, reads the log of acknowledgements and the reopened store. A store
lives for several rounds; at its end the rest is sent, the service is stopped by SIGTERM, and its hits and alerts
must be those that `txmon score` finds in one go. Exit code 1 on any breach.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from crashkit import TXMON, acknowledged, make_streams

HERE = Path(__file__).parent
STEPS = (
    "submitted", "applied", "journaled", "hits_stored", "offsets_stored", "before_commit", "after_commit",
    "snapshot_copied", "snapshot_saved", "warehouse_applied",
)  # fmt: skip
RARE = ("snapshot_copied", "snapshot_saved", "warehouse_applied")
KINDS = ("http", "kafka", "http", "file")
ROUNDS_A_STORE = 10
EVENTS_A_STORE = 12_000
STEP_S = 15.0  # a step that is not reached until then will not be: the streams are short
LONG_S = 120.0  # for what must come; never a measure
TOPIC = "payments"


@dataclass
class Line:
    """A round's line of the report."""

    round: int
    source: str
    seed: int
    kill_point: str
    acked: int = 0
    found: int = 0
    lost: int = 0
    duplicated: int = 0
    ready_s: float | None = None
    breaches: list[str] = field(default_factory=list)


class Life:
    """A store, from its first start to its judgement."""

    def __init__(self, folder: Path, kind: str, streams: list[Path], broker: Any) -> None:
        self.folder, self.kind, self.streams, self.broker = folder, kind, streams, broker
        self.store, self.log = folder / "store", folder / "acknowledged.log"
        self.source = folder / "in.ndjson"
        self.port = _free_port()
        self.token = ""
        if kind == "http":
            self.token = _key(folder)
        elif kind == "file":
            self.source.touch()
        elif broker is not None:
            broker.topic(TOPIC)

    def command(self) -> list[str]:
        more = ["--store", str(self.store), "--port", str(self.port)]
        if self.kind == "http":
            return [*TXMON, "serve", *more]
        url = self.broker.url(TOPIC) if self.broker is not None else self.source.as_uri()
        return [*TXMON, "stream", "--feed", "native", "--source", url, *more]

    def environment(self) -> dict[str, str]:
        """The variables of every process of txmon: nothing of whoever runs the drill."""
        return {k: v for k, v in os.environ.items() if not k.startswith("TXMON_")} | {
            "TXMON_KEY_FILE": str(self.folder.parent / "pan.key"),
            "TXMON_BATCH_EVENTS": "64",
            "TXMON_SNAPSHOT_EVENTS": "400",
            "TXMON_DISK_FREE_BYTES": "0",
        }

    @contextmanager
    def service(self, crash: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """The service's process; it is dead behind this, whatever happens."""
        environment = self.environment()
        if crash is not None:
            environment["TXMON_TEST_CRASH"] = crash
        with (self.folder / "service.log").open("ab") as log, (self.folder / "service.out").open("wb") as out:
            process = subprocess.Popen(
                self.command(), stdout=out, stderr=log, stdin=subprocess.DEVNULL, env=environment
            )
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    @contextmanager
    def load(self, seed: int, *, last: bool = False) -> Iterator[subprocess.Popen[bytes]]:
        """The load generator's process; stopped behind this, as a sender that may finish its line."""
        if self.kind == "http":
            where, second = f"http://127.0.0.1:{self.port}", self.token
        elif self.broker is not None:
            where, second = f"{self.broker.servers}/{TOPIC}", str(self.store)
        else:
            where, second = str(self.source), str(self.store)
        command = [sys.executable, str(HERE / "loadgen.py"), self.kind, where, second, str(self.log)]
        command += [str(seed), str(int(last)), *map(str, self.streams)]
        with (self.folder / "load.log").open("ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(LONG_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Wait until the service says that it is ready; false if it ends before."""
        return _until(lambda: self.reasons() == [], process)

    def reasons(self) -> list[str] | None:
        """Why the service is not ready; None while nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        with closing(connection), suppress(OSError, http.client.HTTPException, ValueError):
            connection.request("GET", "/readyz")
            found: list[str] = json.loads(connection.getresponse().read())["reasons"]
            return found
        return None

    def logged(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def judge(self, line: Line) -> None:
        """Let the verifier look."""
        command = [sys.executable, str(HERE / "verifier.py"), self.kind, str(self.store), str(self.log)]
        done = subprocess.run([*command, *map(str, self.streams)], capture_output=True, timeout=600)
        if done.returncode:
            line.breaches.append("verifier: " + done.stderr.decode(errors="replace")[-400:])
            return
        found = json.loads(done.stdout)
        line.acked, line.found = found["acked"], found["found"]
        line.lost, line.duplicated = found["lost"], found["duplicated"]
        complaints = (self.folder / "load.log").read_text(errors="replace")
        if complaints:
            line.breaches.append("load: " + complaints[-400:])


def _until(condition: Any, process: subprocess.Popen[bytes], seconds: float = LONG_S) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.02)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _key(folder: Path) -> str:
    """A key that may send, made by two people before the service ever starts."""
    from txmon.clock import SystemClock, random_bytes
    from txmon.store import Store
    from txmon.store.access import Access, KeySpec

    clock = SystemClock()
    with Store.open(folder / "store", clock=clock, random_bytes=random_bytes) as store:
        access = Access(store)
        with store.write() as tx:
            people = access.bootstrap(tx, [("Ana", []), ("Ben", [])])
        access.refresh()
        ana, ben = (access.authenticate(p.token, clock.now_us()) for p in people)
        with store.write() as tx:
            made = access.create_key(
                tx, ana, KeySpec("drill", frozenset({"ingest"}), roles=frozenset({"ingest"}))
            )
            assert made.grant_id is not None
            access.decide_grant(tx, made.grant_id, ben)
    return made.token


# -- rounds ----------------------------------------------------------------------------------------------


def kill_points(seed: int) -> Iterator[str]:
    """How each round ends: many anywhere, every step in turn, while starting, behind a full disk, and behind
    the end of the engine's process alone."""
    chance, steps = random.Random(seed), itertools.cycle(STEPS)
    for number in itertools.count():
        how = number % 10
        if how in (1, 3, 5, 8):
            step = next(steps)
            yield f"{step}:{chance.randint(1, 2 if step in RARE else 25)}"
        elif how == 6:
            yield f"start+{chance.random() * 4:.2f}s"
        elif how == 9:
            yield "disk_full"
        elif how == 2:
            yield f"engine+{chance.random():.2f}s"
        else:
            yield f"random+{chance.random() * 2.0:.2f}s"


def one_round(life: Life, line: Line) -> None:
    """Start, load, kill, judge."""
    how, _, rest = line.kill_point.partition("+")
    step = line.kill_point if how.partition(":")[0] in STEPS else None
    with life.service(step) as process:
        started = time.monotonic()
        if how == "start":
            with suppress(subprocess.TimeoutExpired):
                process.wait(float(rest.rstrip("s")))
        else:
            if life.ready(process):
                line.ready_s = round(time.monotonic() - started, 2)
            elif step is None:
                line.breaches.append(f"not ready: {process.poll()}")
            with life.load(line.seed) as load:
                before = life.logged()
                _until(lambda: life.logged() > before or load.poll() is not None, process)
                if step is not None:
                    _wait_for_step(process, line)
                elif how == "disk_full":
                    _fill_disk(life, process, line)
                elif how == "engine":
                    time.sleep(float(rest.rstrip("s")))
                    _kill_engine(life, process, line)
                else:
                    time.sleep(float(rest.rstrip("s")))
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
        process.kill()
        process.wait()
    life.judge(line)


def _wait_for_step(process: subprocess.Popen[bytes], line: Line) -> None:
    try:
        process.wait(STEP_S)
    except subprocess.TimeoutExpired:
        line.kill_point += " (not reached)"
    else:
        if process.returncode != -signal.SIGKILL:
            line.breaches.append(f"ended by itself: {process.returncode}")


def _fill_disk(life: Life, process: subprocess.Popen[bytes], line: Line) -> None:
    """No file of the service may grow for a moment; then it must go on by itself."""
    unlimited = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
    seen = _until(lambda: "store" in (life.reasons() or []), process, 10)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, unlimited)
    line.kill_point += "" if seen else " (not noticed)"
    if not life.ready(process):
        line.breaches.append(f"did not recover from a full disk: {process.poll()} {life.reasons()}")
    before = life.logged()
    if not _until(lambda: life.logged() > before, process, 20) and not _all_sent(life):
        line.breaches.append("acknowledged nothing behind a full disk")


def _kill_engine(life: Life, process: subprocess.Popen[bytes], line: Line) -> None:
    """The engine's process dies; the service must go on by itself."""
    engines = [engine for nursery in _children(process.pid) for engine in _children(nursery)]
    for engine in engines:
        os.kill(engine, signal.SIGKILL)
    if not engines:
        line.breaches.append("there is no process of an engine")
    before = life.logged()
    if not _until(lambda: life.logged() > before, process, 20) and not _all_sent(life):
        line.breaches.append(f"acknowledged nothing behind the end of its engine: {process.poll()}")


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return []


def _all_sent(life: Life) -> bool:
    return sum(acknowledged(life.log, life.streams)) >= sum(1 for p in life.streams for _ in p.open("rb"))


def last_round(life: Life, line: Line) -> None:
    """Send the rest, stop by SIGTERM, and compare with one uninterrupted run."""
    with life.service() as process, life.load(line.seed, last=True) as load:
        if not life.ready(process):
            line.breaches.append(f"not ready: {process.poll()}")
        try:
            load.wait(600)
        except subprocess.TimeoutExpired:
            line.breaches.append("the rest was never acknowledged")
        process.terminate()
        try:
            code = process.wait(LONG_S)
        except subprocess.TimeoutExpired:
            code = None
        if code != 0:
            line.breaches.append(f"SIGTERM ended it with {code}, not cleanly")
    life.judge(line)
    _compare(life, line)
    for name, command in (("replay", ["replay", "--json"]), ("verify", ["store", "verify", "--json"])):
        asked = [*TXMON, *command, "--store", str(life.store)]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=600, env=life.environment())
        if done.returncode:
            line.breaches.append(f"{name}: {(done.stdout + done.stderr)[-400:]}")


def _compare(life: Life, line: Line) -> None:
    """Hits and alerts against `txmon score` of each stream."""
    hits: list[tuple[Any, ...]] = []
    alerts: list[tuple[Any, ...]] = []
    for stream in life.streams:
        out = stream.with_suffix("")
        if not out.exists():
            command = [*TXMON, "score", str(stream), "--feed", "native", "--out", str(out), "--json"]
            subprocess.run(
                command, check=True, stdout=subprocess.DEVNULL, env=life.environment(), timeout=600
            )
        hits += _plain(pq.read_table(out / "hits.parquet"))
        columns = ["alert_id", "subject_id", "severity", "score", "hit_count"]
        alerts += [
            tuple(r.values()) for r in pq.read_table(out / "alerts.parquet", columns=columns).to_pylist()
        ]
        names = pq.read_schema(out / "hits.parquet").names
    with closing(sqlite3.connect(life.store / "txmon.db")) as db:
        found = db.execute(f"select {', '.join(names)} from hits").fetchall()
        shown = db.execute("select alert_id, subject_id, severity, score, hit_count from alerts").fetchall()
    for what, expected, got in (("hits", hits, found), ("alerts", alerts, shown)):
        missing, more = len(set(expected) - set(got)), len(set(got) - set(expected))
        if missing or more or len(got) != len(expected):
            line.breaches.append(f"{what}: {missing} of {len(expected)} missing, {more} that should not be")


def _plain(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = []
    for name in table.column_names:
        column = table.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
        values = column.to_pylist()
        columns.append([v or "" for v in values] if name == "leg" else values)
    return list(zip(*columns, strict=True))


# -- the drill -------------------------------------------------------------------------------------------


def drill(rounds: int, seed: int, folder: Path, report: Path) -> dict[str, Any]:
    """Run rounds, writing a line each; returns the figures."""
    sys.path.append(str(HERE.parent))
    from brokerkit import running_broker

    started, points = time.monotonic(), kill_points(seed)
    figures = {"rounds": 0, "stores": 0, "acked": 0, "lost": 0, "duplicated": 0, "breaches": 0}
    each = min(ROUNDS_A_STORE, max(1, -(-rounds // len(KINDS))))
    slowest = 0.0
    with report.open("w", encoding="utf-8") as out, ExitStack() as stack:
        broker = stack.enter_context(running_broker(folder))
        streams = {
            kind: make_streams(folder, http=kind == "http", count=EVENTS_A_STORE, seed=seed)
            for kind in ("http", "one")
        }

        def tell(line: Line) -> None:
            nonlocal slowest
            out.write(json.dumps(asdict(line)) + "\n")
            out.flush()
            sys.stdout.write(f"{json.dumps(asdict(line))}\n")
            sys.stdout.flush()
            slowest = max(slowest, line.ready_s or 0.0)
            figures["lost"] += line.lost
            figures["duplicated"] += line.duplicated
            figures["breaches"] += len(line.breaches) + (line.lost > 0) + (line.duplicated > 0)

        number = 0
        for kind in itertools.cycle(KINDS):
            if number >= rounds:
                break
            place = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=folder))
            if kind == "kafka":
                broker.stop()  # a topic that is empty again
                broker.start()
            life = Life(
                place, kind, streams["http" if kind == "http" else "one"], broker if kind == "kafka" else None
            )
            for _ in range(min(each, rounds - number)):
                line = Line(number, kind, seed * 1000 + number, next(points))
                one_round(life, line)
                tell(line)
                number += 1
            line = Line(number - 1, kind, seed * 1000 + number, "sigterm")
            last_round(life, line)
            tell(line)
            figures["rounds"], figures["stores"] = number, figures["stores"] + 1
            figures["acked"] += line.acked
            if not line.breaches:
                shutil.rmtree(place)
        total = figures | {"slowest_ready_s": slowest, "seconds": round(time.monotonic() - started, 1)}
        out.write(json.dumps(total) + "\n")
    return total


def main() -> None:
    """Run the drill of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("crash.ndjson"))
    parser.add_argument("--keep", type=Path, help="work here, and keep the stores that broke a promise")
    chosen = parser.parse_args()
    if chosen.keep is not None:
        chosen.keep.mkdir(parents=True, exist_ok=True)
        total = drill(chosen.rounds, chosen.seed, chosen.keep.absolute(), chosen.out)
    else:
        with tempfile.TemporaryDirectory(prefix="txmon-crash-") as folder:
            total = drill(chosen.rounds, chosen.seed, Path(folder), chosen.out)
    sys.stdout.write(json.dumps(total) + "\n")
    sys.exit(1 if total["breaches"] else 0)


if __name__ == "__main__":
    main()
