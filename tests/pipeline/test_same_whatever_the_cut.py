"""The same events give the same hits and alerts: in any batches, in any process, after any restart."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import busy
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from txkit import feed

from txmon.engine import dedup
from txmon.errors import StateError
from txmon.pipeline.scorer import SNAPSHOT_FORMAT, Scorer
from txmon.pipeline.statefile import STATE_FILE, load_state, save_state
from txmon.rules.ir import Plan

SEED = 11


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return busy.plan(tmp_path_factory.mktemp("pack"))


@pytest.fixture(scope="module")
def stream() -> pa.Table:
    return busy.stream(SEED)


@pytest.fixture(scope="module")
def whole(plan: Plan, stream: pa.Table) -> tuple[Scorer, pa.Table]:
    scorer = Scorer(plan)
    return scorer, feed(scorer, stream)


def alerts(scorer: Scorer) -> pa.Table:
    return scorer.alerts.table()


def test_the_stream_reaches_every_part(plan: Plan, stream: pa.Table, whole: tuple[Scorer, pa.Table]) -> None:
    """Without this the tests below could pass on a stream in which nothing happens."""
    scorer, hits = whole
    found = Counter(zip(hits["rule_id"].to_pylist(), hits["trigger"].to_pylist(), strict=True))
    assert {rule for rule, _ in found} == {r.id for r in plan.rules}
    assert found["both", "late"]
    assert found["many-cities", "late"]
    assert found["silent", "tick"]
    assert len(alerts(scorer)) > 5
    verdicts = Counter(Scorer(plan).apply(stream).verdict.tolist())
    assert all(verdicts[v] for v in (dedup.ACCEPTED, dedup.DUPLICATE, dedup.CONFLICT, dedup.TOO_LATE))


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_batches_of_equal_size(
    plan: Plan, stream: pa.Table, whole: tuple[Scorer, pa.Table], size: int
) -> None:
    scorer = Scorer(plan)
    hits = feed(scorer, stream, range(size, len(stream), size))
    assert hits.equals(whole[1])
    assert alerts(scorer).equals(alerts(whole[0]))


@settings(max_examples=12)
@given(st.lists(st.integers(0, 400), max_size=8), st.integers(0, 5))
def test_random_cuts(plan: Plan, cuts: list[int], seed: int) -> None:
    events = busy.stream(100 + seed, 150)
    one, other = Scorer(plan), Scorer(plan)
    assert feed(one, events).equals(feed(other, events, [c for c in cuts if c < len(events)]))
    assert alerts(one).equals(alerts(other))
    assert one.snapshot().column("name").equals(other.snapshot().column("name"))


@pytest.mark.parametrize("chunks", [1, 5])
def test_tables_in_chunks_and_with_dictionaries(
    plan: Plan, stream: pa.Table, whole: tuple[Scorer, pa.Table], chunks: int
) -> None:
    """Feeds give dictionary-encoded text, in several chunks whose dictionaries differ."""
    size = -(-len(stream) // chunks)
    parts = []
    for start in range(0, len(stream), size):
        part = stream.slice(start, size)
        for i, name in enumerate(part.column_names):
            if pa.types.is_string(part.schema.field(name).type):
                part = part.set_column(i, name, part.column(name).combine_chunks().dictionary_encode())
        parts.append(part)
    assert feed(Scorer(plan), pa.concat_tables(parts)).equals(whole[1])


def test_ingest_seq_may_be_absent(plan: Plan, stream: pa.Table, whole: tuple[Scorer, pa.Table]) -> None:
    assert feed(Scorer(plan), stream.drop_columns(["ingest_seq"])).equals(whole[1])


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_another_process_with_another_hash_seed(whole: tuple[Scorer, pa.Table], hash_seed: str) -> None:
    env = os.environ | {"PYTHONHASHSEED": hash_seed}
    command = [sys.executable, str(Path(busy.__file__)), str(SEED)]
    found = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()
    assert found == busy.fingerprint(whole[1], alerts(whole[0]))


@settings(max_examples=12)
@given(st.integers(0, 400), st.integers(0, 400))
def test_restart_anywhere(
    plan: Plan, stream: pa.Table, whole: tuple[Scorer, pa.Table], first: int, second: int
) -> None:
    """Two restarts, each from a snapshot that went through Arrow IPC bytes."""
    edges = sorted({0, first, second, len(stream)})
    scorer, parts = Scorer(plan), []
    for a, b in itertools.pairwise(edges):
        parts.append(scorer.apply(stream.slice(a, b - a)).hits)
        sink = pa.BufferOutputStream()
        snapshot = scorer.snapshot()
        with pa.ipc.new_stream(sink, snapshot.schema) as writer:
            writer.write_table(snapshot)
        scorer = Scorer(plan)
        scorer.restore(pa.ipc.open_stream(sink.getvalue()).read_all())
    assert pa.concat_tables(parts).equals(whole[1])
    assert alerts(scorer).equals(alerts(whole[0]))


def test_restart_from_the_state_file(
    tmp_path: Path, plan: Plan, stream: pa.Table, whole: tuple[Scorer, pa.Table]
) -> None:
    before, after = Scorer(plan), Scorer(plan)
    assert not load_state(after, tmp_path), "nothing there yet"
    hits = [feed(before, stream.slice(0, 233))]
    save_state(before, tmp_path / "state")
    assert load_state(after, tmp_path / "state")
    hits.append(feed(after, stream.slice(233)))
    assert pa.concat_tables(hits).equals(whole[1])
    assert alerts(after).equals(alerts(whole[0]))
    assert [f.name for f in (tmp_path / "state").iterdir()] == [STATE_FILE]


def test_a_snapshot_is_the_same_after_a_restart(plan: Plan, stream: pa.Table) -> None:
    scorer = Scorer(plan)
    feed(scorer, stream.slice(0, 200))
    again = Scorer(plan)
    again.restore(scorer.snapshot())
    one, two = (
        {r["name"]: r["data"] for r in s.snapshot().to_pylist() if "table" not in r["name"]}
        for s in (scorer, again)
    )
    assert one == two


def test_snapshots_of_other_rules_are_refused(tmp_path: Path, plan: Plan, stream: pa.Table) -> None:
    scorer = Scorer(plan)
    scorer.apply(stream.slice(0, 10))
    other = Scorer(busy.plan_of(tmp_path / "other", busy.RULES[0]))
    with pytest.raises(StateError, match="other rules, lists or detectors"):
        other.restore(scorer.snapshot())


def test_snapshots_of_another_format_are_refused(plan: Plan) -> None:
    snapshot = Scorer(plan).snapshot()
    data = snapshot.column("data").to_pylist()
    data[0] = (99).to_bytes(8, "little")
    changed = snapshot.set_column(3, "data", pa.array(data, pa.large_binary()))
    with pytest.raises(StateError, match=f"format 99, expected {SNAPSHOT_FORMAT}"):
        Scorer(plan).restore(changed.replace_schema_metadata(snapshot.schema.metadata))


def test_damaged_and_unwritable_state_files(tmp_path: Path, plan: Plan) -> None:
    path = save_state(Scorer(plan), tmp_path)
    path.write_bytes(path.read_bytes()[: random.Random(1).randrange(10, 200)])
    with pytest.raises(StateError, match=r"state\.arrow cannot be read"):
        load_state(Scorer(plan), tmp_path)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StateError, match="cannot be written"):
        save_state(Scorer(plan), tmp_path / "file")


def test_a_snapshot_without_a_part_is_refused(plan: Plan) -> None:
    engine = Scorer(plan).engine
    arrays = engine.snapshot()
    with pytest.raises(StateError, match="no part 'gate'"):
        Scorer(plan).engine.restore((k, v) for k, v in arrays.items() if not k.startswith("gate/"))
