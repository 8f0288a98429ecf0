"""Webhooks out: who is told, how a message is signed, where it may go, and that it arrives.

    master = master_of(settings)
    endpoint, secret = endpoints.add(tx, master, Wanted(url, scope="neutral"), by=principal.identity)
    dispatcher = make_dispatcher(settings, store, change, doors)
    dispatcher.start(); dispatcher.wake(); dispatcher.stop()

`change` runs a function of a `Tx` in the writer's turn and returns when it is committed:
``lambda make: service.change(make).result(timeout=60)``. See docs/webhooks.md, and `endpoints` for what
people do.
"""

from __future__ import annotations

from txmon.notify.backoff import Backoff
from txmon.notify.deliver import Deliverer, Limits, Reply
from txmon.notify.dispatcher import Dispatcher, Parts
from txmon.notify.endpoints import Delivery, Endpoint, Wanted
from txmon.notify.guard import Blocked
from txmon.notify.signing import Master, Secret, load_master
from txmon.notify.wiring import make_dispatcher, master_of

__all__ = [
    "Backoff",
    "Blocked",
    "Deliverer",
    "Delivery",
    "Dispatcher",
    "Endpoint",
    "Limits",
    "Master",
    "Parts",
    "Reply",
    "Secret",
    "Wanted",
    "load_master",
    "make_dispatcher",
    "master_of",
]
