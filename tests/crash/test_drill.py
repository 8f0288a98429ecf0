"""The crash drill of `make crash`, a few rounds of it, and that it would see what it looks for."""

from __future__ import annotations

import itertools
import json
import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from drill import KINDS, STEPS, kill_points

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("TXMON_CRASH_ROUNDS", "5"))


@pytest.mark.slow
def test_a_few_rounds(tmp_path: Path) -> None:
    report = tmp_path / "crash.ndjson"
    command = [sys.executable, str(HERE / "drill.py"), str(ROUNDS), "--out", str(report)]
    done = subprocess.run([*command, "--keep", str(tmp_path / "stores")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    *lines, total = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert json.loads(done.stdout.splitlines()[-1]) == total
    assert (total["rounds"], total["lost"], total["duplicated"], total["breaches"]) == (ROUNDS, 0, 0, 0)
    assert {"seed", "kill_point", "acked", "found", "lost", "duplicated"} <= set(lines[0])
    assert total["acked"] > 0


def test_every_step_of_the_pipeline_is_a_point_at_which_it_is_killed() -> None:
    root = HERE.parents[1] / "txmon" / "pipeline"
    named = {m for path in root.glob("*.py") for m in re.findall(r'point\("(\w+)"\)', path.read_text())}
    # reached only while the key of card tokens is changed: tests/cardkeys kills it there
    assert named == {*STEPS, "aliases_stored"}
    points = list(itertools.islice(kill_points(1), 100))
    assert {p.partition(":")[0] for p in points if ":" in p} == set(STEPS)
    assert {p.partition("+")[0] for p in points if ":" not in p} == {"random", "start", "disk_full", "engine"}
    assert {"http", "kafka", "file"} == set(KINDS)


def verdict(kind: str, store: Path, log: Path, stream: Path) -> dict[str, int]:
    command = [sys.executable, str(HERE / "verifier.py"), kind, str(store), str(log), str(stream)]
    found: dict[str, int] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def test_the_verifier_sees_what_was_lost_and_what_is_there_twice(tmp_path: Path) -> None:
    sys.path.append(str(HERE.parent / "service"))
    from servicekit import Bench, pay, send, simple_rules

    bench = Bench(tmp_path, simple_rules(tmp_path), str(tmp_path / "store"))
    service = bench.open()
    lines = [pay(f"e{i}", i, source="s0") for i in range(10)]
    send(
        service, lines[:8], consumer="file", positions={"0": sum(len(x) + 1 for x in lines[:8])}, kind="file"
    )
    assert service.close()
    stream, log = tmp_path / "s.ndjson", tmp_path / "log"
    stream.write_bytes(b"".join(line + b"\n" for line in lines))
    place = tmp_path / "store"
    log.write_text("0 3\n0 8\n0 9", encoding="utf-8")  # the last line is half written
    assert verdict("http", place, log, stream) == {"acked": 8, "found": 8, "lost": 0, "duplicated": 0}
    log.write_text("0 10\n", encoding="utf-8")
    assert verdict("http", place, log, stream)["lost"] == 2
    size = len(lines[0]) + 1
    log.write_text(f"0 {size * 5}\n", encoding="utf-8")
    assert verdict("file", place, log, stream) == {"acked": 5, "found": 8, "lost": 0, "duplicated": 0}
    log.write_text(f"0 {size * 9}\n", encoding="utf-8")  # others saw a position that is gone
    assert verdict("file", place, log, stream)["lost"] == 1
    with sqlite3.connect(place / "txmon.db") as db:
        db.execute("update offsets set position = ?", (size * 7,))  # more is stored than the position says
    db.close()
    log.write_text(f"0 {size * 7}\n", encoding="utf-8")
    assert verdict("file", place, log, stream)["duplicated"] == 1
    with sqlite3.connect(place / "txmon.db") as db:
        db.execute("update offsets set position = ?", (size * 8,))
        db.execute("drop index if exists hits_identity")
        row = db.execute("select * from hits limit 1").fetchone()
        names = [c[1] for c in db.execute("pragma table_info(hits)")]
        changed = {**dict(zip(names, row, strict=True)), "hit_id": 999, "ingest_seq": 999}
        db.execute(f"insert into hits values ({','.join('?' * len(names))})", list(changed.values()))
    db.close()
    assert verdict("file", place, log, stream)["duplicated"] == 1
