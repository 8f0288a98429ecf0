"""Another config in force while events go on: it knows the past, and a replay gives the same."""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from txkit import DAY, START_US, write_pack

from txmon.clock import rfc3339
from txmon.errors import StateError
from txmon.metrics import Metrics
from txmon.model.keys import PanKey
from txmon.pipeline.replay import replay
from txmon.pipeline.service import Doors, Service
from txmon.pipeline.work import Outcome, Sender, Work
from txmon.settings import Settings
from txmon.store import journal
from txmon.streams.intake import FeedIntake

KEY = PanKey("0badcafe", bytes(32))


class Now:
    """A clock that stands a day behind the events' last day."""

    def now_us(self) -> int:
        return START_US + 40 * DAY


class Quiet:
    """A log for tests: the standard library's, at debug."""

    def __getattr__(self, level: str) -> Any:
        return lambda event, **_: logging.getLogger("test").debug(event)


def rule(name: str, payments: int, **more: Any) -> dict[str, Any]:
    """So many payments to one payee within 30 days."""
    let = {"n": "count(*) filter (where moved) over payee_30d"}
    return {"id": name, "subject": "payee", "score": 0.6, "let": let, "when": f"n >= {payments}"} | more


def payments(first: int, count: int) -> list[bytes]:
    """Payments to three payees, one an hour."""
    return [
        json.dumps(
            {
                "event_id": f"e{i}",
                "event_time": rfc3339(START_US + i * DAY // 24),
                "payer": f"a{i % 11}",
                "payee": f"b{i % 3}",
                "currency": "USD" if i % 2 else "EUR",
                "amount": 10 + i % 7,
            }
        ).encode()
        for i in range(first, first + count)
    ]


class Bench:
    """A service on a folder of rules that can be written anew."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.rules = folder, folder / "rules"
        self.write(rule("many", 20))
        self.rates = folder / "rates.csv"
        self.rates.write_text("date,currency,base,rate\n2026-01-01,USD,EUR,0.9\n", encoding="utf-8")
        self.service = self.open()

    def write(self, *rules: dict[str, Any]) -> None:
        for old in self.rules.rglob("*.yaml"):
            old.unlink()
        write_pack(self.rules, *rules)

    def open(self) -> Service:
        settings = Settings(
            store=str(self.folder / "store"), rules=self.rules, rates_file=self.rates, disk_free_bytes=0
        )
        doors = Doors(Now(), random.Random(1).randbytes, lambda s: None, Metrics(), Quiet())
        return Service.open(settings, doors, lambda rates: FeedIntake(KEY, rates))

    def restart(self) -> None:
        assert self.service.close()
        self.service = self.open()

    def send(self, payloads: Sequence[bytes]) -> Outcome:
        found: list[Outcome | Exception] = []
        there = threading.Event()

        def done(result: Outcome | Exception) -> None:
            found.append(result)
            there.set()

        self.service.submit(Work(Sender("native"), "http", Now().now_us(), payloads), done)
        assert there.wait(60)
        assert isinstance(found[0], Outcome), found[0]
        return found[0]

    def kinds(self) -> list[str]:
        return [entry.kind for entry in journal.read(self.service.store)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.service.close()


DECISION = {"author": "person:ana", "approver": "person:ben"}


def test_the_first_start_puts_the_files_in_force_by_a_bootstrap_decision(bench: Bench) -> None:
    assert bench.kinds() == ["bootstrap", "config"]
    bench.restart()
    assert bench.kinds() == ["bootstrap", "config"]


def test_changed_files_are_staged_and_change_nothing_until_they_are_activated(bench: Bench) -> None:
    before = bench.service.config.id
    bench.write(rule("many", 2))
    bench.restart()
    assert bench.service.config.id == before
    staged = bench.service.staged
    assert staged is not None
    assert staged.id != before
    assert bench.send(payments(0, 10)).hits == 0


def test_a_new_rule_knows_the_past_and_counts_from_the_switch(bench: Bench) -> None:
    assert bench.send(payments(0, 30)).hits == 0
    bench.write(rule("many", 20), rule("ten", 10, score=0.7))
    staged = bench.service.stage()
    assert staged is not None
    seq = bench.service.activate(staged, DECISION).result(60)
    assert bench.kinds()[seq - 2 : seq] == ["activation", "config"]
    # each payee had ten payments before: the eleventh hits at once, nothing before is hit afterwards
    outcome = bench.send(payments(30, 3))
    assert [hit["rule_id"] for row in outcome.rows for hit in row.hits] == ["ten"] * 3
    assert outcome.alerts == 3
    report = replay(bench.service.store)
    assert (report.differences, report.epochs, report.hits) == (0, 2, 3)


def test_replay_holds_over_rules_rates_and_restarts(bench: Bench) -> None:
    bench.send(payments(0, 60))
    bench.write(rule("many", 20, version=2, when="n >= 21"), rule("ten", 10))
    for step in range(3):
        if step == 1:
            bench.rates.write_text("date,currency,base,rate\n2026-01-01,USD,EUR,0.5\n", encoding="utf-8")
        if step == 2:
            bench.write(rule("ten", 10))  # an alert rests on `many`, which is gone
        staged = bench.service.stage()
        assert staged is not None
        bench.service.activate(staged, DECISION).result(60)
        bench.send(payments(60 + 20 * step, 20))
        bench.restart()
        assert bench.service.config.essence == staged.essence
        assert bench.service.staged is None
    for path in bench.service.snapshots.folder.iterdir():
        path.unlink()
    bench.restart()  # nothing but the journal
    bench.send(payments(120, 20))
    report = replay(bench.service.store)
    assert (report.differences, report.epochs, report.events) == (0, 4, 140)
    assert report.hits > 50


def test_the_config_in_force_cannot_be_activated_again_nor_two_at_once(bench: Bench) -> None:
    with pytest.raises(StateError, match="in force"):
        bench.service.activate(bench.service.config, DECISION)
    bench.write(rule("many", 5))
    staged = bench.service.stage()
    assert staged is not None
    bench.service.activation._running = "another"
    with pytest.raises(StateError, match="under way"):
        bench.service.activate(staged, DECISION)


def test_wrong_files_leave_the_config_in_force(bench: Bench) -> None:
    bench.write(rule("many", 5, when="nonsense >= 1"))
    with pytest.raises(Exception, match="nonsense"):
        bench.service.stage()
    assert bench.send(payments(0, 5)).accepted == 5
