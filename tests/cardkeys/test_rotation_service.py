"""The key of cards changes under a service: one card stays one card, and no number is anywhere."""

from __future__ import annotations

import contextlib
import json
import unicodedata
from datetime import date
from pathlib import Path

import pytest
from cardkit import Now, Shop, card_numbers, numbers_in, payments, send

from txmon.clock import random_bytes
from txmon.errors import CommitUnknown, StoreFatal
from txmon.model.keychange import begin_change, break_with, finish_change
from txmon.model.keys import ensure_key, load_key
from txmon.pipeline.replay import replay
from txmon.store import Store, journal
from txmon.store.verify import verify

UNTIL = date(2026, 12, 25)
COUNT = 10_000


@pytest.fixture
def shop(tmp_path: Path, place: str) -> Shop:
    return shop_at(tmp_path, place)


def shop_at(folder: Path, place: str) -> Shop:
    key = folder / "keys" / "pan.key"
    ensure_key(key)
    return Shop(folder, place, key)


def everything_stored(store: Store) -> str:
    """All texts of the journal, decoded."""
    parts = []
    for entry in journal.read(store):
        whole = (
            entry.document.decode()
            if isinstance(entry.payload, bytes)
            else json.dumps(entry.table.to_pylist(), default=str, ensure_ascii=False)
        )
        parts.append(unicodedata.normalize("NFKC", whole))
    return "\n".join(parts)


@pytest.mark.slow
def test_ten_thousand_cards_over_a_change_of_keys(tmp_path: Path) -> None:
    shop = shop_at(tmp_path, str(tmp_path / "store"))
    key = shop.key
    numbers = card_numbers(COUNT)
    halves = numbers[: COUNT // 2], numbers[COUNT // 2 :]
    first = load_key(key)
    # before; in the alias period, over two runs of the service; after, also a third key
    assert shop.send(payments(halves[0], "beforea", 1), payments(halves[1], "beforeb", 1)) == 0
    both = begin_change(key, UNTIL, random_bytes)
    assert shop.send(payments(halves[0], "duringa", 2)) == 0
    assert shop.send(payments(halves[0][:1000], "again", 2), payments(halves[1], "duringb", 2)) == 1000
    assert [c.cards for c in shop.counts()] == [COUNT]
    second = finish_change(key, both)
    strangers = card_numbers(500, seed=99)
    third = payments(halves[0], "aftera", 3), payments(halves[1], "afterb", 3), payments(strangers, "new", 3)
    assert shop.send(*third) == COUNT - 1000  # those had their third payment before
    tokens = shop.cards("beforea") + shop.cards("beforeb")
    assert len(set(tokens)) == COUNT
    assert {t[4:12] for t in tokens} == {first.id}
    assert shop.cards("duringa") + shop.cards("duringb") == tokens
    assert shop.cards("aftera") + shop.cards("afterb") == tokens
    assert {t[4:12] for t in shop.cards("new")} == {second.id}
    assert sorted(shop.subjects()) == sorted(tokens)
    again = begin_change(key, UNTIL, random_bytes)
    shop.send(payments(numbers[:50] + strangers, "next", 4))
    finish_change(key, again)
    shop.send(payments(numbers[:50] + strangers, "last", 5))
    assert shop.cards("next") == shop.cards("last") == tokens[:50] + shop.cards("new")
    with Store.open(
        shop.place,
        clock=Now(),
        random_bytes=random_bytes,
        read_only=True,
    ) as store:
        assert verify(store).ok
        found = replay(store)
        assert (found.differences, found.hits) == (0, COUNT + len(strangers))
        assert not numbers_in(everything_stored(store).encode(), frozenset(numbers + strangers))
    known = frozenset(numbers + strangers)
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert any(p.name == "txmon.db" for p in files)
    for path in files:
        assert not numbers_in(path.read_bytes(), known), path
    assert not numbers_in("\n".join(shop.log.lines).encode(), known)


def test_a_card_not_seen_in_the_alias_period_is_another_one_after_it(shop: Shop) -> None:
    numbers = card_numbers(20)
    shop.send(payments(numbers, "before", 1))
    both = begin_change(shop.key, UNTIL, random_bytes)
    shop.send(payments(numbers[:10], "during", 2))
    finish_change(shop.key, both)
    shop.send(payments(numbers, "after", 3))
    before, after = shop.cards("before"), shop.cards("after")
    assert after[:10] == before[:10]
    assert not set(after[10:]) & set(before)


def test_after_a_compromise_no_old_token_comes_again(shop: Shop) -> None:
    numbers = card_numbers(20)
    shop.send(payments(numbers, "before", 1))
    begin_change(shop.key, UNTIL, random_bytes)
    shop.send(payments(numbers, "during", 2))
    _, now = break_with(shop.key, random_bytes)
    assert shop.send(payments(numbers, "after", 3)) == 0
    assert shop.cards("during") == shop.cards("before")
    assert {t[4:12] for t in shop.cards("after")} == {now.id}


def test_cards_in_rows_that_are_refused_or_repeated_are_noted_too(shop: Shop) -> None:
    numbers = card_numbers(30)
    run = payments(numbers[:10], "before", 1)
    shop.send(run)
    both = begin_change(shop.key, UNTIL, random_bytes)
    bad = [row.replace(b'"EUR"', b'"QQQ"') for row in payments(numbers[10:20], "bad", 2)]
    ahead = payments(numbers[20:], "ahead", 300)
    shop.send(run, bad, ahead)  # none of them is a new event
    assert [c.cards for c in shop.counts()] == [30]
    finish_change(shop.key, both)
    shop.send(payments(numbers, "after", 3))
    assert {t[4:12] for t in shop.cards("after")} == {both.id}


def test_an_event_sent_again_after_the_change_is_the_same_event(shop: Shop) -> None:
    run, unseen = payments(card_numbers(10), "e", 1), payments(card_numbers(10, seed=8), "unseen", 1)
    shop.send(run, unseen)
    both = begin_change(shop.key, UNTIL, random_bytes)
    shop.send(run)
    finish_change(shop.key, both)
    service = shop.open()
    outcomes = [send(service, run), send(service, unseen)]
    service.close()
    # a card that was not seen in between is another one, so its event is not what was stored
    assert [(o.accepted, o.duplicates, o.quarantined) for o in outcomes] == [(0, 10, 0), (0, 0, 10)]


class Broken(Exception):
    """What a drill raises."""


@pytest.mark.parametrize(
    ("step", "error"),
    [
        ("applied", Broken),
        ("aliases_stored", StoreFatal),
        ("aliases_stored", Broken),
        ("before_commit", CommitUnknown),
        ("after_commit", CommitUnknown),
        ("after_commit", Broken),
    ],
)
def test_a_failure_at_any_step_leaves_no_event_without_its_alias(
    tmp_path: Path, step: str, error: type[Exception]
) -> None:
    shop = shop_at(tmp_path, str(tmp_path / "store"))
    numbers = card_numbers(40)
    shop.send(payments(numbers, "before", 1))
    both = begin_change(shop.key, UNTIL, random_bytes)
    left = [0]

    def point(name: str) -> None:
        if name == step and left[0]:
            left[0] = 0
            raise error("drill")

    service = shop.open(point)
    left[0] = 1
    run = payments(numbers, "during", 2)
    with contextlib.suppress(error):
        send(service, run)
    send(service, run)  # what senders do after an error; has no effect where it was stored
    send(service, payments(numbers[:5], "more", 3))
    assert not left[0]
    service.close()
    assert [c.cards for c in shop.counts()] == [40]
    finish_change(shop.key, both)
    shop.send(payments(numbers, "after", 4))
    assert shop.cards("before") == shop.cards("during") == shop.cards("after")
    assert shop.read(lambda store: verify(store).ok)


def test_aliases_are_written_once_a_card(shop: Shop) -> None:
    numbers = card_numbers(50)
    begin_change(shop.key, UNTIL, random_bytes)
    points: list[str] = []
    shop.send(
        payments(numbers, "a", 1), payments(numbers, "b", 2), payments(numbers, "c", 3), point=points.append
    )
    assert points.count("aliases_stored") == 1
    points.clear()
    shop.send(payments(numbers, "d", 4), point=points.append)  # a restarted service knows them
    assert "aliases_stored" not in points
