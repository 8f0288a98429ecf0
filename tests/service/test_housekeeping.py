"""What is looked after once a second goes on, whatever fails in a round."""

from __future__ import annotations

import pytest
from servicekit import Bench, metric, pay, send, store_away

from txmon.pipeline.housekeeping import Housekeeping


def test_a_chore_that_fails_ends_neither_the_others_nor_the_next_round(
    simple: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = simple.open()
    send(service, [pay("a")])
    done = []

    def late() -> None:
        raise TimeoutError("the writer is waiting for the store")

    housekeeping = Housekeeping(service, [late, lambda: done.append(1)])
    housekeeping.round()
    assert metric(service, "txmon_ready", reason="store") == 1
    back = store_away(monkeypatch)
    housekeeping.round()
    back.set()
    housekeeping.round()
    assert len(done) == 3
    assert simple.log.said("chore.failed") > 3
    assert service.close()
