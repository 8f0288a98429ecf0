"""Aliases in the store: written once, found again, erased with their card, forgotten when nothing needs them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from cardkit import Now
from txkit import DAY, START_US, event, table

from txmon.model.aliases import Aliases
from txmon.model.keys import key_of
from txmon.model.pan import Tokeniser
from txmon.store import Store, aliases, journal
from txmon.store.aliasuse import prune
from txmon.store.backup import backup, restore
from txmon.store.erase import Why, erase_subjects
from txmon.store.schema import card_aliases
from txmon.store.verify import verify

OLD, NEW = Tokeniser(key_of(b"o" * 32)), Tokeniser(key_of(b"n" * 32))
WHY = Why("request 7", "ana", "ben")


def open_at(place: str, folder: Path) -> Store:
    side = {"heads": folder / "heads.log", "erasures": folder / "erasures.log"}
    return Store.open(place, clock=Now(), random_bytes=random.Random(3).randbytes, **side)


@pytest.fixture
def store(place: str, tmp_path: Path) -> Iterator[Store]:
    with open_at(place, tmp_path) as opened:
        yield opened


def pair(i: int) -> tuple[str, str]:
    return NEW.token(f"4{i:015d}"), OLD.token(f"4{i:015d}")


def add(store: Store, *numbers: int, now_us: int = 5) -> int:
    with store.write() as tx:
        return aliases.add(tx, dict(map(pair, numbers)), now_us)


def rows(store: Store) -> dict[int, tuple[str, str]]:
    with store.read() as conn:
        return {r.id: (r.new_token, r.token) for r in conn.execute(sa.select(card_aliases))}


def pay(store: Store, *cards: str, day: float = 0) -> None:
    first = store.marks.events
    made = [event(f"e{first + i}", START_US + int(day * DAY), card=card) for i, card in enumerate(cards)]
    with store.write() as tx:
        journal.append(tx, "events", table(made), 5)


def test_a_pair_is_stored_once_and_stays_as_it_is(store: Store) -> None:
    assert add(store, *range(1200)) == 1200
    assert add(store, *range(1100, 1300), now_us=9) == 100
    with store.write() as tx:
        assert aliases.add(tx, {pair(0)[0]: pair(99)[1]}, 9) == 0
        assert aliases.add(tx, {}, 9) == 0
    assert sorted(rows(store).values()) == sorted(map(pair, range(1300)))
    with store.read() as conn:
        found = aliases.counts(conn)
        known = Aliases()
        aliases.load(conn, known)
    assert [(c.cards, c.first_us, c.last_us) for c in found] == [(1300, 5, 9)]
    assert (found[0].key_id, found[0].kept_key_id) == (pair(0)[0][4:12], pair(0)[1][4:12])
    assert len(known) == 1300
    assert all(known.kept(pair(i)[0]) == pair(i)[1] for i in range(1300))


def test_many_pairs_are_read_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add(store, *range(10))
    monkeypatch.setattr(aliases, "_PAGE", 4)
    with store.read() as conn:
        assert [len(ids) for ids, _, _ in aliases.pages(conn)] == [4, 4, 2]
        known = Aliases()
        aliases.load(conn, known)
    assert len(known) == 10


def test_a_transaction_that_fails_stores_no_pair(store: Store) -> None:
    with contextlib.suppress(RuntimeError), store.write() as tx:
        aliases.add(tx, dict([pair(1)]), 5)
        raise RuntimeError("broken off")
    assert rows(store) == {}


def test_an_erased_card_has_no_alias_and_no_token_on_disk(place: str, tmp_path: Path) -> None:
    with open_at(place, tmp_path) as store:
        pay(store, *(pair(i)[1] for i in range(40)))
        add(store, *range(40))
        backup(store, tmp_path / "backup")
        gone = [pair(i) for i in range(0, 40, 4)]
        erase_subjects(store, [old for _, old in gone], WHY)
        left = rows(store)
        assert sorted(left.values()) == sorted(pair(i) for i in range(40) if i % 4)
        assert verify(store).ok
    tokens = [token.encode() for both in gone for token in both]
    for path in (p for p in tmp_path.rglob("*") if p.is_file() and "backup" not in p.parts):
        data = path.read_bytes()
        assert not [t for t in tokens if t in data], path
    if "://" not in place:  # an older backup is brought back: what was erased since stays erased
        new = tmp_path / "restored"
        restore(
            tmp_path / "backup",
            str(new),
            clock=Now(),
            random_bytes=random.Random(4).randbytes,
            erasures=tmp_path / "erasures.log",
        )
        with open_at(str(new), tmp_path / "restored") as store:
            assert rows(store) == left
            add(store, 0)  # the number of a row may come again; the pair of before does not
            assert len(rows(store)) == len(left) + 1
            assert verify(store).ok


def test_what_no_window_can_hold_is_forgotten(store: Store) -> None:
    add(store, *range(6))
    assert prune(store, 30 * DAY) == 0  # no event: nothing is known of any
    old = [pair(i)[1] for i in range(6)]
    pay(store, old[0], old[1], day=0)
    pay(store, old[1], day=20)
    pay(store, old[2], day=9.9)
    pay(store, old[3], day=10)
    pay(store, "other", day=40)
    assert prune(store, 40 * DAY) == 2  # 4 and 5 were noted, but no stored event has them
    assert prune(store, 30 * DAY) == 2
    assert sorted(rows(store).values()) == sorted([pair(1), pair(3)])
    assert prune(store, 30 * DAY) == 0
