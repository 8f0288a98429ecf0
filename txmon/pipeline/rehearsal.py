"""A few made-up events through a scorer that is thrown away: whatever is compiled or loaded at first use is
there before the first real event comes. Owns these events; touches no store and no state.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from txmon.model.schema import CANONICAL
from txmon.pipeline.config import Config
from txmon.pipeline.history import EVENTS
from txmon.pipeline.scorer import Scorer

_DAY_US = 86_400_000_000
_PLAIN = {
    "source": "rehearsal",
    "time_resolution": "us",
    "mode": "live",
    "entity": "default",
    "base_currency": "EUR",
    "unconverted": False,
    "auth_is_final": False,
}
_TEXTS = ("payee", "merchant", "card", "device", "ip", "city", "memo", "terminal")


def rehearse(config: Config) -> None:
    """Score made-up events under a config, in order and late, and forget them."""
    scorer = Scorer(config.plan, config.rates, config.limits)
    scorer.apply(_table([_account(), *(_payment(i, i) for i in range(6)), _tick(8)]))
    scorer.apply(_table([_payment(7, 3), _payment(7, 3), _tick(10)]))


def _account() -> dict[str, Any]:
    holder = {"party": "p", "role": "owner", "valid_from": None, "valid_to": None}
    return {"event_id": "a", "event_time": 0, "kind": "account.opened", "account": "a0", "holders": [holder]}


def _payment(number: int, day: int) -> dict[str, Any]:
    event = {"event_id": f"e{number}", "event_time": day * _DAY_US, "kind": "payment", "payer": "a0"}
    money = {"currency": "EUR", "amount_minor": 100, "amount_base_minor": 100, "mcc": "5411"}
    place = {"lat": 1.0, "lon": 1.0, "tz": "UTC", "attributes": [("k", "v")]}
    return event | money | place | dict.fromkeys(_TEXTS, f"b{number % 2}")


def _tick(day: int) -> dict[str, Any]:
    return {"event_id": f"t{day}", "event_time": day * _DAY_US, "kind": "tick"}


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    schema = pa.schema([field.with_nullable(True) for field in CANONICAL if field.name != "ingest_seq"])
    return pa.Table.from_pylist([_PLAIN | row for row in rows], schema=schema).cast(EVENTS)
