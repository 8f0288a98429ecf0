"""`txmon keys card ...`: what is refused, what is said, and that no secret is ever among it."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cardkit import Now, Shop, card_numbers, payments, send
from txkit import DAY, START_US, event, table

from txmon.cli import cardkeys, main, running
from txmon.clock import random_bytes
from txmon.model.keychange import begin_change, finish_change
from txmon.model.keys import ensure_key, load_key
from txmon.store import Store, aliases, journal

Run = Callable[..., tuple[int, dict[str, Any], str]]


class Calendar:
    """The commands' clock."""

    time_us = START_US  # 2026-01-05

    def now_us(self) -> int:
        return Calendar.time_us


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys" / "pan.key"
    for name in ("TXMON_STORE", "TXMON_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TXMON_KEY_FILE", str(path))
    monkeypatch.setattr(cardkeys, "SystemClock", Calendar)
    monkeypatch.setattr(Calendar, "time_us", START_US)
    monkeypatch.chdir(tmp_path)
    ensure_key(path)
    return path


@pytest.fixture
def txmon(key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command twice over: gives exit code, JSON, and all that was printed; looks for secrets in it."""

    def run(*words: str | Path, as_json: bool = True) -> tuple[int, dict[str, Any], str]:
        secrets = {key.read_text(encoding="ascii")}
        argv = ["txmon", "keys", "card", *map(str, words), *(["--json"] if as_json else [])]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        secrets.add(key.read_text(encoding="ascii"))
        for text in secrets:
            for word in text.split():
                assert len(word) < 64 or word not in printed.out + printed.err
        lines = printed.out.strip().splitlines()
        found = json.loads(lines[-1]) if as_json and lines else {}
        return int(ended.value.code or 0), found, printed.out + printed.err

    return run


def day(days: float) -> None:
    Calendar.time_us = START_US + int(days * DAY)


def test_a_change_by_command(txmon: Run, key: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path, str(tmp_path / "store"), key)
    numbers = card_numbers(30)
    first = load_key(key).id
    shop.send(payments(numbers, "before", 1))
    code, said, _ = txmon("rotate", "--days", "30")
    second = said["next_key_id"]
    assert (code, said["key_id"], said["alias_until"]) == (0, first, "2026-02-04")
    assert second not in (None, first)
    # nothing has read the file yet
    code, said, text = txmon("status", "--store", shop.place)
    assert (code, said["aliases"]) == (0, [])
    day(30)
    code, _, text = txmon("retire", "--store", shop.place)
    assert code == 2
    assert "restart txmon serve" in text
    day(29.4)
    shop.send(payments(numbers[:20], "during", 2))
    code, _, text = txmon("retire", "--store", shop.place)
    assert code == 2
    assert "from 2026-02-04 on; so far 20 cards" in text
    day(30)
    code, said, text = txmon("status", "--store", shop.place)
    assert [(a["key_id"], a["kept_key_id"], a["cards"]) for a in said["aliases"]] == [(second, first, 20)]
    assert said["aliases"][0]["first"].startswith("2026-01-25")
    code, said, text = txmon("retire", "--store", shop.place)
    assert (code, said["cards"], said["before"], said["key_id"]) == (0, 20, first, second)
    assert load_key(key).id == second
    shop.send(payments(numbers, "after", 3))
    assert shop.cards("after")[:20] == shop.cards("before")[:20]
    assert not set(shop.cards("after")[20:]) & set(shop.cards("before"))
    code, _, text = txmon("retire", "--store", shop.place)
    assert code == 2
    assert "no change of keys is under way" in text


def test_the_store_may_be_served_meanwhile(txmon: Run, key: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path, str(tmp_path / "store"), key)
    txmon("rotate", "--until", "2026-01-06")
    service = shop.open()
    send(service, payments(card_numbers(5), "during", 1))
    assert txmon("status", "--store", shop.place)[1]["aliases"][0]["cards"] == 5
    day(1)
    code, said, _ = txmon("retire", "--store", shop.place)
    assert (code, said["cards"]) == (0, 5)
    send(service, payments(card_numbers(5, seed=8), "later", 1))  # it goes on with both until it is restarted
    service.close()
    shop.send(payments(card_numbers(5) + card_numbers(5, seed=8), "after", 2))
    assert shop.cards("after") == shop.cards("during") + shop.cards("later")


def test_what_people_read(txmon: Run, key: Path, tmp_path: Path) -> None:
    first = load_key(key).id
    _, _, text = txmon("status", as_json=False)
    assert f"key {first} in {key}" in text
    assert "no store was found" in text
    _, _, text = txmon("rotate", as_json=False)
    second = load_key(key).successor
    assert second is not None
    assert f"key {second.id} is beside key {first}" in text
    assert "from 2026-04-05 on" in text  # 90 days
    shop = Shop(tmp_path, str(tmp_path / "store"), key)
    shop.send(payments(card_numbers(3), "during", 1))
    _, _, text = txmon("status", as_json=False)
    assert "in 90 days" in text
    assert f"3 cards of key {second.id} are known by their token of key {first}" in text
    day(90)
    assert "now: txmon keys card retire" in txmon("status", as_json=False)[2]
    _, _, text = txmon("retire", as_json=False)
    assert "3 cards keep their tokens" in text
    _, _, text = txmon("rotate", "--compromised", as_json=False)
    assert f"key {second.id} is out of it" in text
    assert "begins anew" in text
    assert "treat its old tokens as card numbers" in text


def test_a_known_secret_is_out_of_use_at_once_also_in_the_middle_of_a_change(txmon: Run, key: Path) -> None:
    txmon("rotate")
    both = load_key(key)
    code, said, _ = txmon("rotate", "--compromised")
    assert (code, said["before"], said["next_key_id"]) == (0, both.id, None)
    assert both.successor is not None
    assert said["key_id"] not in (both.id, both.successor.id)


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (("rotate", "--until", "2026-01-05"), "name a later day"),
        (("rotate", "--until", "next year"), "write it as 2026-12-31"),
        (("rotate", "--until", "2026-02-01", "--days", "3"), "not both"),
        (("rotate", "--days", "0"), "give 1 to 3660"),
        (("rotate", "--compromised", "--days", "3"), "leave out"),
        (("retire",), "no change of keys is under way"),
        (("retire", "--store", "nowhere"), "holds no store"),
        (("status", "--store", "nowhere"), "holds no store"),
        (("prune", "--store", "nowhere"), "holds no store"),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    txmon: Run, key: Path, words: tuple[str, ...], remedy: str
) -> None:
    before = key.read_bytes()
    code, _, text = txmon(*words)
    assert code == 2
    assert remedy in text
    assert key.read_bytes() == before


def test_without_a_store_a_key_is_retired_only_on_demand(txmon: Run) -> None:
    txmon("rotate", "--days", "1")
    day(1)
    code, _, text = txmon("retire")
    assert code == 2
    assert "--store" in text
    code, said, _ = txmon("retire", "--now")
    assert (code, said["cards"], said["store"]) == (0, 0, None)


@pytest.mark.parametrize("command", ["status", "rotate", "retire"])
def test_a_file_that_cannot_be_used_is_not_touched(txmon: Run, key: Path, command: str) -> None:
    key.chmod(0o644)
    code, _, text = txmon(command)
    assert code == 2
    assert "chmod 600" in text
    key.chmod(0o600)
    half = key.read_bytes()[:30]
    key.write_bytes(half)
    code, _, text = txmon(command)
    assert code == 2
    assert "restore it from its backup" in text
    assert key.read_bytes() == half


def test_pruning_asks_the_rules_how_far_they_look_back(txmon: Run, key: Path, tmp_path: Path) -> None:
    shop = Shop(tmp_path, str(tmp_path / "store"), key)
    assert txmon("prune", "--store", shop.place)[0] == 2
    txmon("rotate")
    shop.send(payments(card_numbers(4), "during", 0))
    code, said, _ = txmon("prune", "--store", shop.place)
    assert (code, said) == (0, {"forgotten": 0, "days": 90})  # twice 30 days of the rule, 30 of lateness
    opened = Store.open(shop.place, clock=Now(), random_bytes=random.Random(5).randbytes)
    with opened as store, store.write() as tx:
        journal.append(tx, "events", table([event("later", START_US + 91 * DAY, card="other")]), 5)
    code, said, _ = txmon("prune", "--store", shop.place)
    assert (code, said["forgotten"]) == (0, 4)
    with (
        Store.open(shop.place, clock=Now(), random_bytes=random.Random(5).randbytes, read_only=True) as store,
        store.read() as conn,
    ):
        assert aliases.counts(conn) == []


def test_a_key_file_that_is_not_the_stores_is_told_at_the_start(
    key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from txmon.settings import Settings

    place = tmp_path / "store"
    settings = Settings(
        store=str(place),
        rules=Shop(tmp_path, str(place), key).rules,
        key_file=key,
        disk_free_bytes=0,
        warehouse=False,
    )

    def serve(*cards: str, tag: str) -> str:
        service = running.open_service(settings, running.doors_of(settings))
        send(service, payments(cards, tag, 1))
        service.close()
        return capsys.readouterr().err

    numbers = card_numbers(3)
    first = load_key(key).id
    assert "is new to this store" not in serve(*numbers, tag="a")
    assert "is new to this store" not in serve(tag="none")
    both = begin_change(key, date(2026, 2, 1), random_bytes)
    assert "is new to this store" not in serve(*numbers, tag="b")
    finish_change(key, both)
    assert "is new to this store" not in serve(*numbers, tag="c")
    key.unlink()  # a start without the file makes a new key
    said = serve(tag="d")
    assert f"known by key {first}" in said
    assert "bring the key file back" in said
    assert "is new to this store" in serve(*numbers, tag="e")
    assert "is new to this store" not in serve(tag="f")
