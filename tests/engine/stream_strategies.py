"""Streams that are unkind on purpose: ties, late events, nulls, duplicates, refunds, huge and zero amounts."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from txkit import DAY, HOUR, START_US, event

# Steps between arrivals: ties, window edges to the microsecond, and steps back in time.
_STEPS = (
    0,
    0,
    0,
    1,
    HOUR,
    5 * HOUR,
    DAY,
    DAY - 1,
    DAY + 1,
    3 * DAY,
    2 * HOUR,
    9 * DAY,
    -1,
    -HOUR,
    -DAY,
    -4 * DAY,
)
_FORWARD = tuple(s for s in _STEPS if s >= 0)
HUGE = 10**15
_AMOUNTS = st.one_of(
    st.sampled_from((None, 0, 0, 1, 100, 100, 2550, HUGE, HUGE - 1, -HUGE, -1)),
    st.integers(-1000, 1000),
)
_KINDS = (
    "payment",
    "payment",
    "transfer",
    "refund",
    "capture",
    "authorization",
    "chargeback",
    "cash_out",
    "tip.received",
)
_FIELDS: dict[str, tuple[Any, ...]] = {
    "kind": _KINDS,
    "status": (None, "approved", "declined", "settled"),
    "payer": (None, "p1", "p1", "p2", "x"),
    "payee": (None, "p1", "q1", "q2", "x"),
    "merchant": (None, "m1", "m1", "m2"),
    "card": (None, "c1", "c2"),
    "device": (None, "d1", "d2"),
    "city": (None, "", "Köln", "köln", "a'b\"c"),
    "payee_country": (None, "DE", "RO"),
    "card_prepaid": (None, True, False),
    "lat": (None, 0.0, -0.0, 52.5, -1e300),
    "mode": ("live", "live", "live", "live", "test"),
    "entity": ("default", "default", "default", "default", "other"),
    "source": ("test", "test", "other"),
}


@st.composite
def rows(draw: st.DrawFn, most: int = 45, in_order: bool | None = None) -> list[dict[str, Any]]:
    """Canonical events in order of arrival; some appear twice."""
    steps = _FORWARD if (draw(st.booleans()) if in_order is None else in_order) else _STEPS
    time, found = START_US, []
    for number in range(draw(st.integers(0, most))):
        if found and draw(st.integers(0, 9)) == 0:
            found.append(found[draw(st.integers(0, len(found) - 1))])
            continue
        time += draw(st.sampled_from(steps))
        columns = {name: draw(st.sampled_from(values)) for name, values in _FIELDS.items()}
        amount = draw(_AMOUNTS)
        row = event(f"e{number}", time, amount=amount, ip="i", **columns)
        if draw(st.integers(0, 7)) == 0:
            row = row | {"amount_base_minor": None, "unconverted": True, "currency": "USD"}
        found.append(row)
    return found


def accepted(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stream without repetitions, numbered in order of arrival."""
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in stream:
        seen.setdefault((row["source"], row["event_id"]), row)
    return [row | {"ingest_seq": i} for i, row in enumerate(seen.values())]
