"""What the end of a try leads to: a line of the log, the endpoint's failures and state, the next try.

Owns these rules and their recording, in the caller's transaction. Judging has no effect; `apply` brings the
lanes in memory to what was committed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from txmon.clock import RandomBytes, fraction
from txmon.notify import endpoints
from txmon.notify.backoff import Backoff
from txmon.notify.deliver import DELIVERED, EXHAUSTED, GONE, Reply
from txmon.notify.endpoints import DISABLED, Delivery
from txmon.notify.lane import Job, Lane, Place
from txmon.store import Tx


@dataclass(frozen=True)
class Rules:
    """How often, and how far apart."""

    tries: int
    backoff: Backoff
    random_bytes: RandomBytes


@dataclass(frozen=True)
class Result:
    """A judged try. due_us: of the next one, None where there is none."""

    job: Job
    reply: Reply
    at_us: int
    outcome: str
    failures: int
    due_us: int | None
    disables: bool


def judge(job: Job, reply: Reply, at_us: int, failures: int, rules: Rules) -> Result:
    """Say what a try leads to.

    A message is given up only while others arrive: if nothing does, the endpoint is disabled, and
    everything is still there when it is enabled again.

    Args:
        failures: of the endpoint in a row, before this try.
    """
    if reply.outcome == DELIVERED:
        return Result(job, reply, at_us, DELIVERED, 0, None, disables=False)
    if reply.outcome == EXHAUSTED:
        return Result(job, reply, at_us, EXHAUSTED, failures, None, disables=False)
    failures += 1
    gone = reply.outcome == GONE
    disables = gone or failures >= rules.tries
    if job.attempt >= rules.tries and not disables:
        return Result(job, reply, at_us, EXHAUSTED, failures, None, disables=False)
    pause = rules.backoff.pause_us(
        max(job.attempt, failures), reply.retry_after_s, fraction(rules.random_bytes)
    )
    return Result(job, reply, at_us, reply.outcome, failures, at_us + pause, disables)


def record(tx: Tx, results: Sequence[Result], lanes: Mapping[str, Lane]) -> None:
    """Write results: the log, and for each endpoint its failures, its state and how far it has come."""
    endpoints.write_log(tx, [_line(result) for result in results])
    for endpoint_id, own in _by_endpoint(results).items():
        last = own[-1]
        values: dict[str, int | str] = {"failures": last.failures}
        if any(result.disables for result in own):
            values["state"] = DISABLED
        if not endpoints.change(tx, endpoint_id, **values):
            continue  # removed meanwhile
        lane = lanes[endpoint_id]
        place = lane.reached(_tried(own))
        if place > lane.place:
            endpoints.set_position(tx, endpoint_id, place, tx.marks.seq)


def apply(results: Sequence[Result], lanes: Mapping[str, Lane]) -> None:
    """Bring the lanes to what was recorded."""
    for result in results:
        lane = lanes[result.job.endpoint_id]
        if result.outcome == DELIVERED:
            lane.arrived(result.job)
        else:
            lane.failed(result.job, result.due_us, result.failures)
    for endpoint_id in _by_endpoint(results):
        lanes[endpoint_id].advance(lanes[endpoint_id].reached())


def _tried(results: Sequence[Result]) -> list[Place]:
    return [result.job.place for result in results if result.job.place is not None]


def _by_endpoint(results: Sequence[Result]) -> dict[str, list[Result]]:
    found: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        found[result.job.endpoint_id].append(result)
    return found


def _line(result: Result) -> Delivery:
    job, reply = result.job, result.reply
    return Delivery(
        id=0,
        endpoint_id=job.endpoint_id,
        outbox_id=job.id,
        attempt=job.attempt,
        at_us=result.at_us,
        outcome=result.outcome,
        status=reply.status,
        duration_ms=reply.duration_ms,
        error=reply.error,
    )
