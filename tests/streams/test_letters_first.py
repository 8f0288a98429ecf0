"""What is no event is set aside before its message counts as read, and a place that takes nothing stops nothing."""

from __future__ import annotations

import json
from typing import Any

from feedkit import KEY, event

from txmon.clock import SystemClock
from txmon.errors import SourceError
from txmon.metrics import Metrics
from txmon.model.rates import Rates
from txmon.pipeline.work import Outcome, Refused, Sender
from txmon.streams import load_feed
from txmon.streams.decode import Decoder
from txmon.streams.feeding import Feeding, Source
from txmon.streams.scripted import EOF, ScriptedConsumer

GOOD = json.dumps(event()).encode()


class Log:
    def __init__(self) -> None:
        self.said: list[str] = []

    def _say(self, name: str, **_: Any) -> None:
        self.said.append(name)

    info = warning = error = _say


class Pipeline:
    """Commits what it gets; notes what was set aside by then. The engine refuses `late` rows of each work."""

    def __init__(self, consumer: ScriptedConsumer, late: int = 0) -> None:
        self.consumer, self.late = consumer, late
        self.seen: list[list[tuple[int, str]]] = []

    def submit(self, work: Any, done: Any) -> None:
        self.seen.append([(m.position, reason) for m, reason, _ in self.consumer.dead])
        table = work.decoded.quarantine
        refused = [
            Refused(int(line), reason, "raw")
            for line, reason in zip(work.decoded.refused, table.column("reason").to_pylist(), strict=True)
        ] + [Refused(0, "too_late", "raw")] * self.late
        done(Outcome(1, 1, 0, len(refused), 0, 0, list, lambda: refused))


def run(consumer: ScriptedConsumer, late: int = 0) -> tuple[Pipeline, Log]:
    pipeline, log = Pipeline(consumer, late), Log()
    decoder = Decoder(load_feed("native"), KEY, Rates("EUR"))
    source = Source(consumer, Sender("native"), "nats", decoder.decode, dict, 10)
    feeding = Feeding(source, pipeline, SystemClock(), Metrics(), log)  # type: ignore[arg-type]
    feeding.start()
    assert feeding.wait(60)
    return pipeline, log


def test_poison_is_set_aside_before_its_batch_is_handed_over() -> None:
    consumer = ScriptedConsumer([GOOD, b"poison", EOF])
    pipeline, log = run(consumer)
    assert pipeline.seen == [[(1, "bad_json")]]
    assert [(m.position, reason) for m, reason, _ in consumer.dead] == [
        (1, "bad_json")
    ]  # and not again behind it
    assert log.said == []


def test_what_the_engine_refuses_follows_the_commit() -> None:
    consumer = ScriptedConsumer([GOOD, b"poison", EOF])
    pipeline, _ = run(consumer, late=1)
    assert pipeline.seen == [[(1, "bad_json")]]
    assert [(m.position, reason) for m, reason, _ in consumer.dead] == [(1, "bad_json"), (0, "too_late")]


def test_a_place_that_takes_nothing_stops_nothing() -> None:
    class Full(ScriptedConsumer):
        def flush(self, timeout_s: float) -> None:
            raise SourceError("the dead-letter place did not take them")

    consumer = Full([GOOD, b"poison", GOOD, EOF])
    pipeline, log = run(consumer)
    assert len(pipeline.seen) == 1
    assert log.said == ["feeding.failed"]
