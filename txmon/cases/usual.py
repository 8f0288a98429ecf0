"""What is usual for the subject of an alert: the week that ends with it against the weeks before.

Reads the events of the warehouse, the very Parquet files, so that it needs neither the engine nor the one who
has the DuckDB file open. A number has a usual range once there are enough weeks since the subject was first
seen; with fewer nothing is said to be usual. Owns these numbers; why a rule fired is the rule's own.
"""

# ruff: noqa: S608 - names are our own; values are parameters

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from txmon.errors import StoreUnavailable
from txmon.store.warehouse.layout import day_folder
from txmon.store.warehouse.views import MOVED

WEEKS, ENOUGH = 26, 4  # weeks before that are looked at, and least of them for a range
_WEEK_US = 7 * 86_400_000_000
_LOW, _HIGH = 0.1, 0.9
# columns that name a subject where it receives and where it pays
_SIDES: dict[str, tuple[str | None, str | None]] = {
    "account": ("payee", "payer"),
    "payee": ("payee", None),
    "payer": (None, "payer"),
    "merchant": ("merchant", None),
    "card": (None, "card"),
    "device": (None, "device"),
    "ip": (None, "ip"),
}
COUNT, MONEY = "count", "money"
NUMBERS: tuple[tuple[str, str], ...] = (
    ("received", COUNT),
    ("received_amount", MONEY),
    ("paid", COUNT),
    ("paid_amount", MONEY),
    ("counterparties", COUNT),
    ("countries", COUNT),
    ("largest", MONEY),
)


@dataclass(frozen=True)
class Week:
    """A week that ends with `until` (microseconds UTC), and its numbers by name; money in minor units."""

    until_us: int
    values: dict[str, int]


@dataclass(frozen=True)
class Number:
    """A number of the last week, and where it lies usually.

    low, middle, high: 10th, 50th and 90th percentile of the weeks before; None where there are too few weeks.
    """

    name: str
    unit: str
    value: int
    low: int | None
    middle: int | None
    high: int | None


@dataclass(frozen=True)
class Subject:
    """Whose events: kind and id, and the mode and entity that windows never mix."""

    kind: str
    id: str
    mode: str
    entity: str


def weeks_of(folder: Path, subject: Subject, until_us: int) -> list[Week]:
    """Return the weeks up to a moment, the newest first, back to the first in which the subject was seen.

    Args:
        folder: of the warehouse.

    Raises:
        StoreUnavailable: files were merged away while they were read, twice in a row.
    """
    if subject.kind not in _SIDES:
        return []
    for last in (False, True):
        try:
            found = _asked(_files(folder, until_us), subject, until_us)
            break
        except duckdb.IOException:
            if last:
                raise StoreUnavailable("the warehouse is being rewritten; ask again") from None
    if not found:
        return []
    names = [name for name, _ in NUMBERS]
    by_week = {int(row[0]): dict(zip(names, map(int, row[1:]), strict=True)) for row in found}
    nothing = dict.fromkeys(names, 0)
    return [
        Week(until_us - number * _WEEK_US, by_week.get(number, nothing)) for number in range(max(by_week) + 1)
    ]


def numbers(weeks: Sequence[Week]) -> list[Number]:
    """Return the numbers of the newest week against those before; those that are always 0 are left out."""
    if not weeks:
        return []
    found = []
    for name, unit in NUMBERS:
        now, *before = (week.values[name] for week in weeks)
        if now or any(before):
            ranked = sorted(before)
            known = len(ranked) >= ENOUGH
            low, middle, high = (_at(ranked, share) if known else None for share in (_LOW, 0.5, _HIGH))
            found.append(Number(name, unit, now, low, middle, high))
    return found


def _at(ranked: Sequence[int], share: float) -> int:
    """The value below which a share of the others lies: one that was really seen, so exact."""
    return ranked[min(int(share * len(ranked)), len(ranked) - 1)]


def _files(folder: Path, until_us: int) -> list[str]:
    last = _day(until_us)
    days = (last - timedelta(days=back) for back in range(WEEKS * 7 + 8))
    return [str(file) for day in days for file in sorted((folder / day_folder(day)).glob("*.parquet"))]


def _day(time_us: int) -> date:
    return datetime.fromtimestamp(time_us // 1_000_000, UTC).date()


def _asked(files: Sequence[str], subject: Subject, until_us: int) -> list[tuple[int, ...]]:
    if not files:
        return []
    receives, pays = _SIDES[subject.kind]
    values = {"id": subject.id, "mode": subject.mode, "entity": subject.entity, "until": until_us}
    values |= {"week": _WEEK_US, "weeks": WEEKS}
    with duckdb.connect(config={"threads": 1, "memory_limit": "512MB"}) as connection:
        found = connection.execute(_query(files, receives, pays), values).fetchall()
    return [tuple(map(int, row)) for row in found]


def _query(files: Iterable[str], receives: str | None, pays: str | None) -> str:
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    is_in = "false" if receives is None else f"coalesce({receives} = $id, false)"
    is_out = "false" if pays is None else f"coalesce({pays} = $id, false)"
    return f"""
    with seen as (
      select distinct on (ingest_seq) *,
        {is_in} as is_in, {is_out} as is_out,
        ($until - epoch_us(event_time)) // $week as week_no
      from read_parquet([{listed}], union_by_name = true)
      where ({is_in} or {is_out}) and mode = $mode and entity = $entity and {MOVED}
        and epoch_us(event_time) <= $until
        and epoch_us(event_time) > $until - ($weeks + 1) * $week
    )
    select week_no,
      count(*) filter (where is_in), coalesce(sum(amount_base_minor) filter (where is_in), 0)::hugeint,
      count(*) filter (where is_out), coalesce(sum(amount_base_minor) filter (where is_out), 0)::hugeint,
      count(distinct case when is_in then payer else coalesce(payee, merchant) end),
      count(distinct case when is_in then payer_country else coalesce(payee_country, merchant_country) end),
      coalesce(max(amount_base_minor), 0)
    from seen group by week_no"""
