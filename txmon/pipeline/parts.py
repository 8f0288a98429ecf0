"""What the writer works with. Owns nothing: the service puts it together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from txmon.clock import Clock, Sleep
from txmon.pipeline.applier import Applier
from txmon.pipeline.commit import Fault
from txmon.pipeline.inbox import Inbox
from txmon.pipeline.log import Log
from txmon.pipeline.measure import Measure
from txmon.pipeline.work import Intake
from txmon.rules.ir import Rule
from txmon.store import Store


@dataclass(frozen=True)
class Between:
    """What is done between batches.

    round: after each. due: whether `settled` has something to do, which is called where the engine stands at
    the journal's end.
    """

    round: Callable[[], None]
    due: Callable[[], bool]
    settled: Callable[[], None]


@dataclass(frozen=True)
class Parts:
    """What the writer works with."""

    store: Store
    inbox: Inbox
    intake: Intake
    applier: Applier
    rules: Mapping[str, Rule]
    clock: Clock
    sleep: Sleep
    measure: Measure
    log: Log
    batch_events: int
    history_until_us: int | None
    between: Between
    point: Fault
