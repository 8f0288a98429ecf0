"""The benchmark's own promises: equal hits in every engine, in order and late. Never how long it took."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from txmon.bench.data import Shape, Stream, make_late
from txmon.bench.history import run_history
from txmon.bench.late import first_hits, late_file, second_hits
from txmon.bench.packs import write_pack
from txmon.bench.report import as_json, table
from txmon.bench.run import Figures, Options, bench
from txmon.bench.spec import make_rule, parse_measure, workload_measures
from txmon.bench.windows import LONG, SHORT, year_file, year_packs
from txmon.bench.workload import make_workload
from txmon.errors import ConfigError
from txmon.rules.ir import rule_features
from txmon.rules.pack import load_pack

EVENTS = 3_000
ABSENT = Path("no-such-folder")


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    options = Options(EVENTS, 1, late_sample=2_000, year_events=0, peers=ABSENT)
    return bench(options, tmp_path_factory.mktemp("bench"), lambda _: None)


def test_all_engines_hit_the_same_events(figures: Figures) -> None:
    assert set(figures.hits) == {"txmon", "duckdb", "polars"}
    assert figures.hits_equal
    assert figures.hits["txmon"] > 200


def test_late_hits_equal_the_sql(figures: Figures) -> None:
    check = figures.late_check
    assert check is not None
    assert check.event_hits_equal
    assert check.late_hits_equal
    assert check.event_hits > 100
    assert check.late_hits > 5


def test_json_has_the_names_of_the_contract(figures: Figures) -> None:
    values = as_json(figures)
    for name in ("events", "events_per_second", "duckdb_events_per_second", "polars_events_per_second"):
        assert isinstance(values[name], int)
    assert values["events"] == EVENTS
    assert isinstance(values["ratio_duckdb"], float)
    assert isinstance(values["ratio_polars"], float)
    assert isinstance(values["ratio_late"], float)
    assert values["hits_equal"] is True
    assert values["ratio_20m_200k"] is None
    assert any("equal in all" in line for line in table(figures))


def test_thirty_two_features_in_twenty_rules(tmp_path: Path) -> None:
    workload = make_workload(tmp_path, EVENTS, ABSENT)
    assert len(set(workload_measures())) == 32
    plan = load_pack(write_pack(workload.rules, tmp_path / "rules"))
    assert len(plan.rules) == 20
    assert len({f for rule in plan.rules for f in rule_features(rule)}) == 32


@pytest.mark.shared
def test_the_peers_workload_is_used_where_it_lies_beside_the_repository(tmp_path: Path) -> None:
    workload = make_workload(tmp_path, EVENTS)
    if workload.origin == "own":
        pytest.skip("the peers' scripts are not beside the repository")
    events = pq.read_table(workload.events)
    assert len(events) == EVENTS
    assert events.column("currency").unique().to_pylist() == ["EUR"]
    plan = load_pack(write_pack(workload.rules, tmp_path / "rules"))
    assert len({f for rule in plan.rules for f in rule_features(rule)}) == 32


def test_second_evaluations_follow_the_design(tmp_path: Path) -> None:
    """Payments of one payer at 10:00 and 10:40; a third, of 09:30, comes last: at 10:00 there are two."""
    start = 1_767_571_200_000_000
    times = [start + m * 60_000_000 for m in (600, 640, 570)]
    table_ = pa.table(
        {
            "event_id": ["a", "b", "c"],
            "event_time": pa.array(times).cast(pa.timestamp("us", tz="UTC")),
            "amount_minor": [100, 100, 100],
            "currency": ["EUR"] * 3,
            "payer": ["p"] * 3,
            "payee": ["q"] * 3,
            "merchant": ["m"] * 3,
            "payer_country": ["c"] * 3,
            "city": ["t"] * 3,
        }
    )
    path = tmp_path / "events.parquet"
    pq.write_table(table_, path)
    rules = (make_rule("two", [("payer_cnt_1h", 2)]), make_rule("three", [("payer_cnt_1h", 3)]))
    assert first_hits(path, rules) == {("b", "two")}
    assert second_hits(path, rules) == {("c", "two", times[0])}


def test_a_late_stream_keeps_its_order_of_arrival(tmp_path: Path) -> None:
    workload = make_workload(tmp_path, EVENTS, ABSENT)
    before, after = (
        pq.read_table(workload.events),
        pq.read_table(late_file(workload.events, tmp_path / "late")),
    )
    assert after.column("event_id").equals(before.column("event_id"))
    moved = before.column("event_time").cast(pa.int64()).to_numpy() - after.column("event_time").cast(
        pa.int64()
    ).to_numpy().astype("int64")
    assert 0.03 < (moved > 0).mean() < 0.07
    assert moved.min() == 0
    assert moved.max() <= 86_400_000_000


def test_streams_do_not_depend_on_their_batches() -> None:
    whole = pa.concat_tables(Stream(Shape.scaled(2_000)).batches(2_000))
    time = whole.column("event_time").cast(pa.int64()).to_numpy()
    assert (time[1:] > time[:-1]).all()
    assert make_late(whole, share=0.0).column("event_time").equals(whole.column("event_time"))
    assert len({row["event_id"] for row in whole.select(["event_id"]).to_pylist()}) == 2_000


def test_both_windows_of_the_year_hit_alike(tmp_path: Path) -> None:
    events = year_file(2_000, tmp_path)
    packs = year_packs(events, tmp_path)
    read = {w: {f for r in load_pack(pack).rules for f in rule_features(r)} for w, pack in packs.items()}
    assert {w: len(features) for w, features in read.items()} == {SHORT: 11, LONG: 11}
    assert {f.window.span_us for f in read[LONG]} == {180 * 86_400_000_000}


def test_history_accounts_for_its_state(tmp_path: Path) -> None:
    workload = make_workload(tmp_path, EVENTS, ABSENT)
    part = run_history(4_000, write_pack(workload.rules, tmp_path / "rules"))
    assert part.events == 4_000
    assert part.us_per_event > 0
    assert part.bytes_per_event > 0
    assert part.bytes_per_key > 0
    assert part.bytes_per_identity >= 24


@pytest.mark.parametrize("name", ["payer", "payer_cnt", "payer_max_1h", "city_cnt_1h", "payer_cnt_2h"])
def test_a_feature_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no feature of the workload"):
        parse_measure(name)


def test_a_rule_over_two_keys_is_refused() -> None:
    with pytest.raises(ConfigError, match="exactly one key"):
        make_rule("r", [("payer_cnt_1h", 1), ("payee_cnt_1h", 1)])
