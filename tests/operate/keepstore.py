"""Keeps a store as the program at hand writes it, so that later programs are tested on it.

    python tests/operate/keepstore.py EVENTS RULES stores/0004.tar.xz

Run it with the last program of a revision, before the next revision of the tables is added; EVENTS is native
JSON, RULES a folder of packs. What is kept is the whole folder of the store: database, log of heads,
snapshots, warehouse. It uses commands only, so that it runs with older programs, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PEOPLE = ("Ana=admin,analyst,ingest", "Ben=admin,approver")
TXMON = [sys.executable, "-m", "txmon"]


def keep(events: Path, rules: Path, target: Path, folder: Path) -> None:
    """Let `txmon stream` make a store of the events, with two people, and pack its folder."""
    store = folder / "store"
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TXMON_")}
    settings = clean | {
        "TXMON_KEY_FILE": str(folder / "pan.key"), "TXMON_RULES": str(rules), "TXMON_BATCH_EVENTS": "64",
        "TXMON_SNAPSHOT_EVENTS": "100", "TXMON_DISK_FREE_BYTES": "0", "TXMON_STORE": str(store),
    }  # fmt: skip

    def run(*words: str) -> str:
        return subprocess.run(
            [*TXMON, *words], env=settings, check=True, capture_output=True, text=True
        ).stdout

    run("keys", "init")
    run(
        "stream",
        "--source",
        events.absolute().as_uri(),
        "--feed",
        "native",
        "--store",
        str(store),
        "--idle-exit",
        "1",
    )
    said = run("keys", "bootstrap", *PEOPLE, "--store", str(store), "--json")
    (store / "keys.json").write_text(json.dumps(json.loads(said.splitlines()[-1])), encoding="utf-8")
    (store / "txmon.lock").unlink(missing_ok=True)
    with tarfile.open(target, "w:xz") as archive:
        archive.add(store, ".")


def main() -> None:
    """See the module."""
    events, rules, target = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="txmon-keep-") as folder:
        keep(events, rules, target, Path(folder))


if __name__ == "__main__":
    main()
