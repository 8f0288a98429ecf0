"""The stream: exact size, order, identity, references, sameness."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from txmon.errors import ConfigError
from txmon.model.schema import FIELD_BY_NAME, KINDS, STATUSES
from txmon.simulate import NATIVE, Portfolio, simulate
from txmon.simulate.vocab import Vocabulary, event_ids, numbered

COUNT = 40_000


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return simulate(COUNT, 5)


@pytest.fixture(scope="module")
def stream(portfolio: Portfolio) -> pa.Table:
    return pa.Table.from_batches(list(portfolio.batches())).combine_chunks()


def _words(table: pa.Table, name: str) -> set[str]:
    return set(pc.unique(table[name].cast(pa.string())).drop_null().to_pylist())


@pytest.mark.parametrize("events", [1_000, 1_001, 3_333, 10_000, 25_000])
def test_exactly_as_many_events_as_asked(events: int) -> None:
    assert sum(batch.num_rows for batch in simulate(events, 3).batches()) == events


def test_time_order_across_batches(stream: pa.Table) -> None:
    times = stream["event_time"].cast(pa.int64()).to_numpy()
    assert (np.diff(times) >= 0).all()


def test_ids_are_unique_and_references_resolve(stream: pa.Table) -> None:
    ids = set(stream["event_id"].to_pylist())
    assert len(ids) == COUNT
    related = stream["related_event_id"].drop_null().to_pylist()
    assert related
    assert set(related) <= ids


def test_columns_are_canonical_names_and_types(stream: pa.Table) -> None:
    for field in NATIVE:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        assert FIELD_BY_NAME[field.name].type == kind
    assert _words(stream, "kind") <= set(KINDS)
    assert _words(stream, "status") <= set(STATUSES)
    assert _words(stream, "currency") == {"EUR"}


def test_every_mixed_kind_is_there(stream: pa.Table) -> None:
    wanted = {"payment", "transfer", "payout", "cash_in", "cash_out", "load", "authorization", "capture"}
    wanted |= {"reversal", "refund", "chargeback", "account.opened", "merchant.onboarded", "merchant.updated"}
    assert wanted | {"device.seen", "tick"} <= _words(stream, "kind")


def test_value_events_have_money_and_parties(stream: pa.Table) -> None:
    kinds = ["account.opened", "merchant.onboarded", "merchant.updated", "device.seen", "tick"]
    quiet = pc.is_in(stream["kind"].cast(pa.string()), pa.array(kinds))
    value = stream.filter(pc.invert(quiet))
    assert value["amount_minor"].null_count == 0
    assert pc.min(value["amount_minor"]).as_py() > 0
    assert pc.all(pc.or_(pc.is_valid(value["payer"]), pc.is_valid(value["payee"]))).as_py()
    ticks = stream.filter(pc.equal(stream["kind"].cast(pa.string()), "tick"))
    assert ticks["payer"].null_count == ticks.num_rows
    assert _words(ticks, "source") == {"clock"}


def test_captures_equal_what_was_authorised(stream: pa.Table) -> None:
    rows = stream.select(
        ["event_id", "kind", "status", "amount_minor", "related_event_id", "event_time"]
    ).to_pylist()
    by_id = {row["event_id"]: row for row in rows}
    captures = [row for row in rows if row["kind"] == "capture"]
    assert captures
    for row in captures:
        held = by_id[row["related_event_id"]]
        assert (held["kind"], held["status"]) == ("authorization", "approved")
        assert held["amount_minor"] == row["amount_minor"]
        assert held["event_time"] < row["event_time"]


def test_no_column_tells_what_was_planted(portfolio: Portfolio, stream: pa.Table) -> None:
    assert not {"scenario_id", "role", "typology", "population", "rule_ids"} & set(stream.column_names)
    told = {t.name for t in portfolio.programme.told}
    texts = {
        str(v) for n in stream.column_names if n not in ("holders", "attributes") for v in _texts(stream, n)
    }
    assert not told & texts


def _texts(table: pa.Table, name: str) -> list[str]:
    kind = table.schema.field(name).type
    return pc.unique(table[name]).drop_null().to_pylist() if pa.types.is_dictionary(kind) else []


def test_reading_twice_gives_the_same(portfolio: Portfolio, stream: pa.Table) -> None:
    again = pa.Table.from_batches(list(portfolio.batches())).combine_chunks()
    assert again.equals(stream)


def test_another_seed_gives_another_stream(stream: pa.Table) -> None:
    other = pa.Table.from_batches(list(simulate(COUNT, 6).batches()))
    assert not set(other["event_id"].to_pylist()[:500]) & set(stream["event_id"].to_pylist()[:500])


@pytest.mark.slow
def test_same_bytes_whatever_the_hash_seed(tmp_path: Path) -> None:
    digests = set()
    for hash_seed in ("0", "12345"):
        out = tmp_path / f"{hash_seed}.parquet"
        command = [
            sys.executable,
            "-m",
            "txmon",
            "simulate",
            "--events",
            "12000",
            "--seed",
            "9",
            "--out",
            str(out),
        ]
        subprocess.run(
            command, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True
        )
        labels = out.with_name(f"{hash_seed}.labels.parquet")
        digests.add(hashlib.sha256(out.read_bytes() + labels.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize(("events", "seed"), [(999, 1), (100_000_001, 1), (1_000, -1)])
def test_refused_sizes_and_seeds(events: int, seed: int) -> None:
    with pytest.raises(ConfigError, match="choose"):
        simulate(events, seed)


@given(st.lists(st.integers(0, 2**39), unique=True, max_size=50), st.integers(0, 2**32 - 1))
def test_event_ids_never_collide(numbers: list[int], salt: int) -> None:
    ids = event_ids(np.array(numbers, np.int64), salt).to_pylist()
    assert len(set(ids)) == len(numbers)
    assert all(len(i) == 9 for i in ids)


def test_numbered_names_and_mixed_growth() -> None:
    assert numbered("x_", 9, 2, 3).to_pylist() == ["x_009", "x_010"]
    words = Vocabulary("a_")
    block = words.block(2)
    named, new = words.code("shop"), words.new()
    assert words.code("shop") == named
    assert words.code(None) == -1
    assert [words.name(int(c)) for c in (*block, named, new)] == [
        "a_0000001",
        "a_0000002",
        "shop",
        "a_0000003",
    ]
    assert words.names().to_pylist() == ["a_0000001", "a_0000002", "shop", "a_0000003"]
    assert words.name(int(block[0])) == "a_0000001"
