"""What is usual for a subject: counted from the warehouse's files, against plain Python over the same events."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txmon.cases import usual
from txmon.cases.usual import ENOUGH, WEEKS, Number, Subject, Week
from txmon.errors import StoreUnavailable
from txmon.model.schema import VALUE_KINDS
from txmon.store.warehouse.layout import EVENTS, day_folder

END = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7)
ANA = Subject("account", "ana", "live", "default")
NAMES = [name for name, _ in usual.NUMBERS]


def micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def keep(folder: Path, rows: list[dict[str, Any]]) -> None:
    """Write events as the warehouse does: a folder a day."""
    days: dict[Any, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        days[row["event_time"].date()].append({f.name: row.get(f.name) for f in EVENTS})
    for day, its in days.items():
        place = folder / day_folder(day)
        place.mkdir(parents=True, exist_ok=True)
        naive = [each | {"event_time": each["event_time"].replace(tzinfo=None)} for each in its]
        pq.write_table(
            pa.Table.from_pylist(naive, EVENTS), place / f"{len(list(place.iterdir())):010d}.parquet"
        )


def event(number: int, before: timedelta, **columns: Any) -> dict[str, Any]:
    usual_ = {
        "ingest_seq": number,
        "event_time": END - before,
        "kind": "transfer",
        "status": "settled",
        "mode": "live",
        "entity": "default",
    }
    return (
        usual_ | {"amount_base_minor": 1000, "payer": "bo", "payee": "ana", "auth_is_final": False} | columns
    )


def moves(row: dict[str, Any]) -> bool:
    moving = row["kind"] in VALUE_KINDS and (row["kind"] != "authorization" or row["auth_is_final"])
    return moving and row["status"] in (None, "settled", "approved")


def counted(rows: list[dict[str, Any]]) -> list[Week]:
    """The same by plain Python."""
    weeks: dict[int, dict[str, Any]] = {}
    for row in rows:
        back = END - row["event_time"]
        number = back // WEEK
        mine = row["payee"] == "ana" or row["payer"] == "ana"
        if not mine or not moves(row) or number < 0 or number > WEEKS or row["mode"] != "live":
            continue
        found = weeks.setdefault(number, {"in": [], "out": [], "who": set(), "where": set()})
        comes = row["payee"] == "ana"
        if comes:
            found["in"].append(row["amount_base_minor"] or 0)
        if row["payer"] == "ana":
            found["out"].append(row["amount_base_minor"] or 0)
        found["who"].add(row["payer"] if comes else row["payee"])
        found["where"].add(None)
    if not weeks:
        return []
    made = []
    for number in range(max(weeks) + 1):
        found = weeks.get(number, {"in": [], "out": [], "who": set(), "where": set()})
        values = (
            len(found["in"]), sum(found["in"]), len(found["out"]), sum(found["out"]), len(found["who"] - {None}), 0,
            max([0, *found["in"], *found["out"]]),
        )  # fmt: skip
        made.append(Week(micros(END - number * WEEK), dict(zip(NAMES, values, strict=True))))
    return made


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "event_time": st.timedeltas(timedelta(days=-3), timedelta(days=200)).map(lambda back: END - back),
            "kind": st.sampled_from(["transfer", "payment", "authorization", "refund", "tick"]),
            "status": st.sampled_from([None, "settled", "approved", "declined"]),
            "mode": st.sampled_from(["live", "live", "test"]),
            "payer": st.sampled_from(["ana", "bo", "cy", None]),
            "payee": st.sampled_from(["ana", "bo", "cy", None]),
            "amount_base_minor": st.sampled_from([None, 0, 1, 999, 10**15]),
            "auth_is_final": st.booleans(),
        }
    ),
    max_size=40,
)


@settings(max_examples=40)
@given(ROWS)
def test_weeks_are_those_of_plain_counting(rows: list[dict[str, Any]]) -> None:
    made = [event(n, timedelta()) | row for n, row in enumerate(rows)]
    with TemporaryDirectory() as folder:
        keep(Path(folder), made)
        assert usual.weeks_of(Path(folder), ANA, micros(END)) == counted(made)


def test_the_edge_of_a_week_and_an_event_that_is_in_two_files(tmp_path: Path) -> None:
    tick = timedelta(microseconds=1)
    rows = [event(1, timedelta()), event(2, WEEK - tick), event(3, WEEK), event(4, 2 * WEEK - tick)]
    keep(tmp_path, rows)
    keep(tmp_path, rows)  # while files are merged
    first, second = usual.weeks_of(tmp_path, ANA, micros(END))
    assert (first.values["received"], second.values["received"]) == (2, 2)
    assert first.until_us - second.until_us == 7 * 86_400_000_000


def test_a_range_takes_enough_weeks() -> None:
    nothing = dict.fromkeys(NAMES, 0)
    now = Week(0, nothing | {"received": 9})
    few = [now, *(Week(-n, nothing | {"received": n}) for n in range(1, ENOUGH))]
    assert usual.numbers(few) == [Number("received", "count", 9, None, None, None)]
    enough = [now, *(Week(-n, nothing | {"received": n}) for n in range(1, 11))]
    assert usual.numbers(enough) == [Number("received", "count", 9, 2, 6, 10)]
    assert usual.numbers([]) == []


def test_other_modes_entities_and_kinds_of_subjects(tmp_path: Path) -> None:
    keep(
        tmp_path,
        [event(1, WEEK / 2, merchant="shop", card="c1", device="d1", ip="1.2.3.4", payee=None, payer="bo")],
    )
    for kind, name, received in (
        ("merchant", "shop", 1),
        ("card", "c1", 0),
        ("device", "d1", 0),
        ("ip", "1.2.3.4", 0),
        ("payer", "bo", 0),
    ):
        (week,) = usual.weeks_of(tmp_path, Subject(kind, name, "live", "default"), micros(END))
        assert (week.values["received"], week.values["paid"]) == (received, 1 - received)
        assert usual.weeks_of(tmp_path, Subject(kind, name, "test", "default"), micros(END)) == []
        assert usual.weeks_of(tmp_path, Subject(kind, name, "live", "north"), micros(END)) == []
    assert usual.weeks_of(tmp_path, Subject("moon", "x", "live", "default"), micros(END)) == []
    assert usual.weeks_of(tmp_path / "nothing", ANA, micros(END)) == []


def test_files_that_go_while_they_are_read_are_asked_for_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, [event(1, timedelta())])
    real, calls = usual._files, []

    def gone(folder: Path, until_us: int) -> list[str]:
        calls.append(1)
        return [str(folder / "gone.parquet")] if len(calls) == 1 else real(folder, until_us)

    monkeypatch.setattr(usual, "_files", gone)
    assert len(usual.weeks_of(tmp_path, ANA, micros(END))) == 1
    monkeypatch.setattr(usual, "_files", lambda *_: [str(tmp_path / "gone.parquet")])
    with pytest.raises(StoreUnavailable, match="rewritten"):
        usual.weeks_of(tmp_path, ANA, micros(END))
    with pytest.raises(duckdb.IOException):
        usual._asked([str(tmp_path / "gone.parquet")], ANA, micros(END))
