"""Client of a txmon service: events in, decisions and alerts out.

    with Client("https://txmon.internal", key, Options(timeout_s=1.0, spool=Path("events.spool"))) as client:
        decision = client.decide({"event_id": "p-1", "event_time": when, "amount": Decimal("70.00"), ...})
        if decision.recommendation == "hold": ...
    client.send(events) -> [Decision]                 many, one decision each
    client.bulk(table | frame | path | events) -> BulkResult          history, batches
    client.iter_alerts(state="open") -> Iterator[Alert]; client.alert(id); client.status()
    client.stream_alerts(last_id=None) -> Iterator[LiveAlert]         as they come
    client.flush(timeout_s=None) -> Flushed; client.waiting -> events that are queued; client.close()

`AsyncClient` has the same names as coroutines and async iterators. See docs/client.md.

Without a usable answer within `timeout_s`, a fail-open client (the default) recommends `allow`, queues the
event and sends it later under the same `Idempotency-Key`; a fail-closed one raises `Unavailable`. A request
that is wrong raises `Refused` either way. No key or body is ever in a `repr`, an error or a log.
"""

from __future__ import annotations

from txmon.client.aio import AsyncClient
from txmon.client.errors import AccessDenied, ClientError, Refused, Unavailable
from txmon.client.options import Doors, Options
from txmon.client.retry import Retry
from txmon.client.spool import Bounds
from txmon.client.sync import Client
from txmon.client.types import Alert, BulkResult, Decision, Flushed, LiveAlert, Refusal

__all__ = [
    "AccessDenied",
    "Alert",
    "AsyncClient",
    "Bounds",
    "BulkResult",
    "Client",
    "ClientError",
    "Decision",
    "Doors",
    "Flushed",
    "LiveAlert",
    "Options",
    "Refusal",
    "Refused",
    "Retry",
    "Unavailable",
]
