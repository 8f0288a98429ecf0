"""Real processes: one is killed between noting an alias and its commit, others read the key file meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from cardkit import RULE, Shop, card_numbers, numbers_in, payments
from txkit import write_pack

from txmon.clock import random_bytes
from txmon.model.keychange import begin_change, finish_change
from txmon.model.keys import ensure_key, load_key
from txmon.store.verify import verify

COMMAND = [sys.executable, "-m", "txmon"]
UNTIL = date(2026, 12, 25)


class Stream:
    """`txmon stream` on a folder of files, and `txmon score` beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inbox = folder, folder / "in"
        self.inbox.mkdir()
        self.key = folder / "keys" / "pan.key"
        ensure_key(self.key)
        self.shop = Shop(folder, str(folder / "store"), self.key)
        self.said = b""
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("TXMON_")} | {
            "TXMON_KEY_FILE": str(self.key),
            "TXMON_RULES": str(write_pack(folder / "rules", RULE)),
            "TXMON_DISK_FREE_BYTES": "0",
            "TXMON_WAREHOUSE": "false",
        }

    def put(self, tag: str, numbers: list[str], day: int) -> None:
        (self.inbox / f"{day}-{tag}.ndjson").write_bytes(b"\n".join([*payments(numbers, tag, day), b""]))

    def run(self, crash: str = "") -> int:
        words = ["stream", "--source", self.inbox.as_uri() + "/", "--feed", "native", "--idle-exit", "1.5"]
        environ = self.environ | ({"TXMON_TEST_CRASH": crash} if crash else {})
        done = subprocess.run(
            [*COMMAND, *words, "--store", self.shop.place],
            env=environ,
            capture_output=True,
            timeout=120,
            check=False,
            cwd=self.folder,
        )
        self.said += done.stdout + done.stderr
        return done.returncode

    def score(self, tag: str, day: int, *words: str) -> set[str]:
        """Cards that hit when a file is scored thrice over by another process."""
        import pyarrow.parquet as pq

        text = (self.inbox / f"{day}-{tag}.ndjson").read_text(encoding="utf-8")
        copies = [text.replace(f"{tag}-", f"{tag}{i}-") for i in range(3)]
        file = self.folder / "scored.ndjson"
        file.write_text("".join(copies), encoding="utf-8")
        out = self.folder / "out"
        rules = self.environ["TXMON_RULES"]
        words = ("score", str(file), "--feed", "native", "--rules", rules, "--out", str(out), *words)
        done = subprocess.run(
            [*COMMAND, *words],
            env=self.environ,
            capture_output=True,
            timeout=120,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, done.stderr
        file.unlink()
        return set(pq.read_table(out / "hits.parquet").column("subject_id").to_pylist())


@pytest.mark.slow
def test_a_process_killed_between_noting_an_alias_and_its_commit(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    numbers = card_numbers(60)
    stream.put("before", numbers, 1)
    assert stream.run() == 0, stream.said
    both = begin_change(stream.key, UNTIL, random_bytes)
    stream.put("during", numbers, 2)
    assert stream.run("aliases_stored:1") == -9
    assert stream.run() == 0, stream.said
    assert [c.cards for c in stream.shop.counts()] == [60]
    finish_change(stream.key, both)
    stream.put("after", numbers, 3)
    assert stream.run() == 0, stream.said
    before = stream.shop.cards("before")
    assert stream.shop.cards("during") == stream.shop.cards("after") == before
    assert sorted(stream.shop.subjects()) == sorted(before)
    assert stream.shop.read(lambda store: verify(store).ok)
    known = frozenset(numbers)
    assert not numbers_in(stream.said, known)
    for path in (p for p in tmp_path.rglob("*") if p.is_file() and p.parent != stream.inbox):
        assert not numbers_in(path.read_bytes(), known), path


@pytest.mark.slow
def test_another_process_scores_files_with_the_same_key_file(tmp_path: Path) -> None:
    stream = Stream(tmp_path)
    numbers = card_numbers(20)
    stream.put("before", numbers, 1)
    assert stream.run() == 0, stream.said
    before = set(stream.shop.cards("before"))
    assert stream.score("before", 1) == before
    both = begin_change(stream.key, UNTIL, random_bytes)
    assert stream.score("before", 1) == before  # the old token is the card's token in all programs
    stream.put("during", numbers, 2)
    assert stream.run() == 0, stream.said
    finish_change(stream.key, both)
    assert stream.score("before", 1, "--store", stream.shop.place) == before
    alone = stream.score("before", 1)  # without the store it cannot know
    assert {token[4:12] for token in alone} == {load_key(stream.key).id}
