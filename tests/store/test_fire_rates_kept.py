"""Fire rates over restarts: the same whatever was saved, lost or damaged, on both databases."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from storekit import HITS, TestClock, events, hits, open_store
from txkit import START_US

from txmon.alerts.firerates import HOUR_US
from txmon.errors import StateError
from txmon.metrics import Metrics
from txmon.pipeline.firing import EVERY_US, Firing
from txmon.store import Store, journal, workflow

MINUTE = EVERY_US


def add(store: Store, firing: Firing | None, hour: int, count: int = 20, hit_count: int = 3) -> None:
    """A batch of an hour of event time."""
    first = store.marks.events
    table = events(count, first)
    at = pa.array(np.full(count, START_US + hour * HOUR_US), pa.int64()).cast(pa.timestamp("us", "UTC"))
    place = table.schema.get_field_index("event_time")
    table = table.set_column(place, table.schema.field(place), at.cast(table.schema.field(place).type))
    found = hits(first, hit_count)
    place = HITS.get_field_index("event_time")
    found = found.set_column(place, HITS.field(place), at[:hit_count].cast(HITS.field(place).type))
    with store.write() as tx:
        entry = journal.append(tx, "events", table, store.clock.now_us())
        workflow.add_hits(tx, found, entry.seq)
    if firing is not None:
        firing.note(entry.seq, table, found)


def later(store: Store) -> None:
    assert isinstance(store.clock, TestClock)
    store.clock.time_us += MINUTE


def gauges(metrics: Metrics) -> dict[str, float]:
    return {
        s.labels["rule"]: s.value
        for m in metrics.registry.collect()
        if m.name == "txmon_rule_fire_psi"
        for s in m.samples
    }


def firing_of(store: Store, path: Path, metrics: Metrics | None = None) -> Firing:
    return Firing(store, path, metrics or Metrics(), lambda: ["fee", "never"])


def test_the_same_over_restarts_and_without_the_file(
    place: str, side: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "deep" / "firerates.json"
    metrics = Metrics()
    with open_store(place, **side) as store:
        firing = firing_of(store, path, metrics)
        firing.round()
        assert gauges(metrics) == {}
        for hour in range(110):
            add(store, firing, hour, hit_count=1 if hour < 86 else 9)
        firing.note(0, events(0), hits(0, 0))
        firing.round()
        assert gauges(metrics) == {}  # not a minute yet
        later(store)
        firing.round()
        state = firing.rates.state()
        assert gauges(metrics)["fee"] > 1 > 0.1 > gauges(metrics)["never"]
        for hour in (110, 111):
            add(store, firing, hour)  # stored, and the process is killed before it saves
        whole = firing.rates.state()
        assert whole != state
    for damage in (
        None,
        "",
        "{",
        "[]",
        '{"seq": 5}',
        '{"seq": 99999, "rates": {}}',
        '{"seq": 2, "rates": {"events": 1}}',
        "lost",
    ):
        if damage == "lost":
            path.unlink()
        elif damage is not None:
            path.write_text(damage)
        with open_store(place, **side) as store:
            again = firing_of(store, path)
            if damage is None:
                assert json.dumps(again.rates.state()) == json.dumps(state)
            again.save()  # nothing is saved while rows are missing
            add(store, again, 111, count=1, hit_count=0)  # comes while older rows are not counted yet
            later(store)
            again.round()
            fresh = firing_of(store, tmp_path / "none.json")
            later(store)
            fresh.round()
            assert again.rates.state() == fresh.rates.state()
            assert json.loads(path.read_text())["seq"] == store.marks.seq
            (tmp_path / "none.json").unlink()


def test_the_file_holds_counts_only_and_is_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "firerates.json"
    with open_store(tmp_path / "store") as store:
        firing = firing_of(store, path)
        add(store, firing, 0)
        firing.round()
    assert set(json.loads(path.read_text())) == {"seq", "rates"}
    assert "person" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    assert not path.with_suffix(".new").exists()


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with open_store(tmp_path / "store") as store:
        firing = firing_of(store, tmp_path / "file" / "firerates.json")
        with pytest.raises(StateError, match="cannot be written"):
            firing.round()
