"""A long way to the journal's end is gone in steps, and may end after any of them; a closed one says so."""

from __future__ import annotations

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
from warehousekit import add, assert_equal, everything, fill, random_events

from txmon.errors import StoreUnavailable
from txmon.store import Store
from txmon.store.erase import Why, erase_subjects
from txmon.store.warehouse import Warehouse, split, swap


def test_it_stops_between_two_steps(
    store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split, "STEP_EVENTS", 1)
    for _ in range(6):
        add(store, random_events(random.Random(4), 5, store.marks.events))
    asked: list[int] = []

    def enough() -> bool:
        asked.append(warehouse.mark.seq)
        return len(asked) == 3

    steps: list[int] = []
    applied = lambda: steps.append(warehouse.mark.seq)  # noqa: E731
    assert warehouse.catch_up(store, enough=enough, applied=applied).seq == 3
    assert asked == steps == [1, 2, 3]
    warehouse.catch_up(store)
    assert_equal(warehouse, store)


def test_a_closed_one_says_so(store: Store, folder: Path) -> None:
    warehouse = Warehouse.open(folder)
    warehouse.close()
    for use in (lambda: warehouse.catch_up(store), warehouse.check):
        with pytest.raises(StoreUnavailable, match="closed"):
            use()
    with pytest.raises(StoreUnavailable, match="closed"), warehouse.read():
        pass


def test_an_exchange_that_fails_leaves_the_old_one(
    store: Store, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, random.Random(1), 8)
    warehouse.catch_up(store)
    before = everything(warehouse)
    erase_subjects(store, ["person-1"], Why("r", "ana", "ben"))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for name in ("copy", "exchange", "sync"):
        with monkeypatch.context() as patched:
            patched.setattr(swap, name, full)
            with pytest.raises((StoreUnavailable, OSError)):
                warehouse.catch_up(store)
        assert everything(warehouse) == before
        assert warehouse.check() == []
    warehouse.catch_up(store)
    assert_equal(warehouse, store)
