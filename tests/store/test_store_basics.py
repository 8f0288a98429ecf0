"""What is written is read back, on both databases: journal, hits, alerts, positions, messages, answers."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from storekit import (
    TestClock,
    add_batch,
    alert,
    alerts,
    chance,
    changes,
    count,
    events,
    fill,
    hits,
    open_store,
    refused,
)
from txkit import START_US

from txmon.errors import (
    ConfigError,
    InputError,
    StateError,
    StoreConflict,
    StoreCorrupt,
    StoreUnavailable,
    WriterActive,
)
from txmon.store import Store, answers, journal, offsets, outbox, quarantine, schema, workflow
from txmon.streams.quarantine import QUARANTINE


def test_rows_come_back_as_they_were_given(store: Store) -> None:
    given = events(25)
    with store.write() as tx:
        first = journal.append(tx, "events", given, 5)
        second = journal.append(tx, "decision", b'{"who":"ana"}', 6)
        third = journal.append(tx, "events", given.slice(3, 4), 7)
    found = list(journal.read(store))
    assert [(e.seq, e.kind, e.received_at_us, e.first_event_seq, e.event_count) for e in found] == [
        (1, "events", 5, 0, 25), (2, "decision", 6, 25, 0), (3, "events", 7, 25, 4),
    ]  # fmt: skip
    assert found[0].table.equals(given.drop_columns(["ingest_seq"]))
    assert found[1].document == b'{"who":"ana"}'
    assert found[2].rows.tolist() == [0, 1, 2, 3]
    assert [e.head for e in found] == [first.head, second.head, third.head]
    assert (found[0].entity, found[0].mode, found[1].entity) == ("default", "live", None)
    assert journal.head(store) == (3, third.head)
    assert [e.seq for e in journal.read(store, 2, 3)] == [2, 3]
    assert [e.seq for e in journal.read(store, kinds=["events"])] == [1, 3]


def test_head_is_the_documented_hash(store: Store) -> None:
    with store.write() as tx:
        a = journal.append(tx, "events", events(3), 1_767_614_400_000_000)
        b = journal.append(tx, "config", b"{}", -1)
    previous = bytes(32)
    for entry, kind, at in ((a, b"events", 1_767_614_400_000_000), (b, b"config", -1)):
        fields = [
            previous,
            entry.seq.to_bytes(8, "big"),
            bytes([len(kind)]),
            kind,
            at.to_bytes(8, "big", signed=True),
            entry.root,
        ]
        previous = sha256(b"".join(fields)).digest()
        assert entry.head == previous


def test_rows_of_many_sizes_are_paged(store: Store) -> None:
    for i in range(70):
        with store.write() as tx:
            journal.append(tx, "events", events(1 + (i % 9) * 11, store.marks.events), i)
    found = list(journal.read(store))
    assert [e.seq for e in found] == list(range(1, 71))
    assert sum(e.event_count for e in found) == store.marks.events


def test_entity_and_mode_are_named_only_where_all_rows_agree(store: Store) -> None:
    mixed = events(2).set_column(events(1).schema.get_field_index("mode"), "mode", pa.array(["live", "test"]))
    with store.write() as tx:
        entry = journal.append(tx, "events", mixed, 1)
    assert (entry.entity, entry.mode) == ("default", None)


def test_what_cannot_be_journaled_is_refused_with_the_remedy(store: Store) -> None:
    with store.write() as tx:
        with pytest.raises(InputError, match="kind 'gossip' is not known"):
            journal.append(tx, "gossip", b"", 1)
        with pytest.raises(InputError, match="without rows"):
            journal.append(tx, "events", events(0), 1)
        with pytest.raises(InputError, match="not a document"):
            journal.append(tx, "events", b"{}", 1)
        entry = journal.append(tx, "decision", b"", 1)
    assert next(journal.read(store)).document == b""
    with pytest.raises(StoreCorrupt, match="holds a document"):
        _ = entry.table


def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    add_batch(store)
    before = (store.marks, journal.head(store), count(store, schema.hits))

    def broken() -> None:
        with store.write() as tx:
            journal.append(tx, "events", events(5), 1)
            workflow.add_hits(tx, hits(10, 3), 2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert (store.marks, journal.head(store), count(store, schema.hits)) == before
    assert add_batch(store).seq == 2


def test_a_second_writer_is_refused_and_a_reader_is_not(store: Store, place: str) -> None:
    add_batch(store)
    with pytest.raises(WriterActive, match=r"written by process|another session"):
        open_store(place)
    with open_store(place, read_only=True) as reader:
        assert journal.head(reader) == journal.head(store)
        with pytest.raises(WriterActive, match="opened for reading"), reader.write():
            pass
    assert add_batch(store).seq == 2


def test_another_process_is_refused_too(store: Store, place: str) -> None:
    code = (
        "import sys; from txmon.clock import SystemClock, random_bytes; from txmon.store import Store\n"
        "from txmon.errors import WriterActive\n"
        "try: Store.open(sys.argv[1], clock=SystemClock(), random_bytes=random_bytes)\n"
        "except WriterActive: sys.exit(7)"
    )
    assert subprocess.run([sys.executable, "-c", code, place], timeout=60).returncode == 7


def test_opening_again_goes_on_where_it_was(place: str, side: dict[str, Path]) -> None:
    with open_store(place, **side) as store:
        fill(store)
        marks = store.marks
        store.reopen()
        assert store.marks == marks
    with open_store(place, **side) as store:
        assert store.marks == marks
        add_batch(store)
        assert store.marks.seq == marks.seq + 1
    with open_store(place, read_only=True) as store:
        assert journal.head(store)[0] == marks.seq + 1


def test_tables_are_those_of_the_schema(store: Store) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    with store.read() as conn:
        own = set(schema.metadata.tables)

        def ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
            return kind != "table" or name in own

        context = MigrationContext.configure(conn, opts={"include_object": ours, "compare_type": True})
        assert compare_metadata(context, schema.metadata) == []


def test_a_newer_store_is_refused(place: str) -> None:
    with open_store(place) as store, store.write() as tx:
        tx.conn.execute(sa.text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StateError, match=r"revision '9999'.*newer version"):
        open_store(place)
    with pytest.raises(StateError, match="does not know"):
        open_store(place, read_only=True)


def test_a_reader_makes_no_tables(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match=r"holds no txmon\.db"):
        open_store(tmp_path / "nowhere", read_only=True)
    assert not (tmp_path / "nowhere").exists()


def test_an_unknown_database_is_refused() -> None:
    with pytest.raises(ConfigError, match="mysql"):
        open_store("mysql://host/db")


def test_hits_and_alerts_grow_and_keep_what_people_decided(store: Store) -> None:
    with store.write() as tx:
        ids = workflow.add_hits(tx, hits(0, 3), 1)
        workflow.apply_alerts(tx, changes((1, "al-1", "opened")), alerts(alert("al-1")), ids, 1, now_us=10)
    with store.write() as tx:
        assert workflow.set_alert_state(tx, "al-1", "dismissed", reason="rent", version=1, journal_seq=2) == 2
    with store.write() as tx:
        ids = workflow.add_hits(tx, hits(3, 1), 3)
        now = alerts(alert("al-1", score=0.9, revision=1), alert("al-2"))
        workflow.apply_alerts(
            tx,
            changes((0, "al-1", "new_evidence"), (0, "al-2", "opened")),
            now,
            ids,
            3,
            now_us=30,
            historic=True,
        )
    with store.read() as conn:
        one, two = conn.execute(sa.select(schema.alerts).order_by("alert_id")).all()
        joined = conn.execute(sa.select(schema.alert_hits).order_by("alert_id", "hit_id")).all()
        first = conn.execute(sa.select(schema.hits).where(schema.hits.c.hit_id == 1)).one()
    assert (
        one.state,
        one.state_reason,
        one.version,
        one.score,
        one.journal_seq,
        one.changed_seq,
        one.historic,
    ) == ("dismissed", "rent", 3, 0.9, 1, 3, False)
    assert (one.created_us, one.changed_us, one.holders_first) == (10, 30, '[{"party":"p1","role":"owner"}]')
    assert (two.state, two.version, two.historic, two.opened_time) == ("open", 1, True, START_US)
    assert [tuple(row) for row in joined] == [
        ("al-1", 2, "opened"),
        ("al-1", 4, "new_evidence"),
        ("al-2", 4, "opened"),
    ]
    assert (first.leg, first.as_of, first.event_time, first.journal_seq) == ("", None, START_US, 1)


def test_a_stale_version_of_an_alert_is_refused(store: Store) -> None:
    with store.write() as tx:
        ids = workflow.add_hits(tx, hits(0, 1), 1)
        workflow.apply_alerts(tx, changes((0, "al-1", "opened")), alerts(alert("al-1")), ids, 1, now_us=1)
        workflow.set_alert_state(tx, "al-1", "in_review", reason=None, version=1, journal_seq=2)
    with pytest.raises(StoreConflict, match="not in version 1"), store.write() as tx:
        workflow.set_alert_state(tx, "al-1", "dismissed", reason=None, version=1, journal_seq=2)
    with pytest.raises(InputError, match="'gone' is not one of"), store.write() as tx:
        workflow.set_alert_state(tx, "al-1", "gone", reason=None, version=2, journal_seq=2)
    add_batch(store, hit_count=0)  # a conflict does not close the store


def test_the_same_hit_twice_is_an_error_that_quotes_no_value(store: Store) -> None:
    with store.write() as tx:
        workflow.add_hits(tx, hits(0, 1), 1)
    with pytest.raises(StoreConflict) as caught, store.write() as tx:
        workflow.add_hits(tx, hits(0, 1), 1)
    assert "such a row is there already" in str(caught.value)
    assert caught.value.__suppress_context__


def test_hits_without_their_columns_are_refused(store: Store) -> None:
    with pytest.raises(InputError, match="lack the columns ingest_seq, mode"), store.write() as tx:
        workflow.add_hits(tx, hits(0, 1).drop_columns(["ingest_seq", "mode"]), 1)


def test_nul_characters_are_stored_on_both_databases(store: Store) -> None:
    odd = hits(0, 1).set_column(7, "subject_id", pa.array(["a\0b"]))
    with store.write() as tx:
        journal.append(tx, "events", events(1).set_column(0, "event_id", pa.array(["x\0y"])), 1)
        ids = workflow.add_hits(tx, odd, 1)
        workflow.apply_alerts(tx, changes((0, "al", "opened")), alerts(alert("al", "a\0b")), ids, 1, now_us=1)
        quarantine.add(tx, refused("a\0b"), 1, 1)
    with store.read() as conn:
        assert conn.execute(sa.select(schema.hits.c.subject_id)).scalar() == "a\\x00b"
        assert conn.execute(sa.select(schema.alerts.c.subject_id)).scalar() == "a\\x00b"
        assert conn.execute(sa.select(schema.quarantine.c.raw)).scalar() == "a\\x00b"
    assert next(journal.read(store)).table["event_id"].to_pylist() == ["x\0y"]


def test_positions_only_grow(store: Store) -> None:
    with store.write() as tx:
        offsets.put(tx, "kafka", {"0": 5, "1": 2**62}, 1)
        offsets.put(tx, "kafka", {"0": 5}, 2)
        offsets.put(tx, "files", {"a:1": 100}, 2)
    with pytest.raises(StoreConflict, match="position 4 is before"), store.write() as tx:
        offsets.put(tx, "kafka", {"0": 4}, 3)
    with store.read() as conn:
        assert offsets.get(conn, "kafka") == {"0": 5, "1": 2**62}
    with store.write() as tx:
        offsets.reset(tx, "kafka")
    with store.read() as conn:
        assert (offsets.get(conn, "kafka"), offsets.get(conn, "files")) == ({}, {"a:1": 100})


def test_messages_wait_in_order_until_they_are_sent(store: Store) -> None:
    with store.write() as tx:
        ids = outbox.add(tx, [outbox.Message("alerts", "opened", b"%d" % i) for i in range(5)], 1, 10)
        outbox.add(tx, [outbox.Message("other", "x", b"")], 1, 20)
    assert list(ids) == [1, 2, 3, 4, 5]
    with store.write() as tx:
        outbox.mark(tx, [1, 3], outbox.DONE)
        outbox.mark(tx, [], outbox.DONE)
    with store.read() as conn:
        waiting = outbox.pending(conn, "alerts")
        assert [(m.id, m.body) for m in waiting] == [(2, b"1"), (4, b"3"), (5, b"4")]
        assert [m.id for m in outbox.pending(conn, "alerts", after=2, limit=1)] == [4]
        assert outbox.backlog(conn) == 4
    with store.write() as tx:
        assert outbox.forget(tx, 15) == 2
        with pytest.raises(InputError, match="'lost'"):
            outbox.mark(tx, [2], "lost")
        assert outbox.forget(tx, 15, 15) == 3  # nobody is there who sends them
        assert outbox.forget(tx, 99, 99) == 0  # the newest stays: numbers go on behind it


def test_answers_are_kept_for_their_owner_until_they_are_old(store: Store) -> None:
    kept = answers.Answer(b"request", 201, {"ETag": '"1"'}, b'{"a":"\xc3\xa4"}', 1000)
    key = b"k" * 32
    for _ in range(2):  # a commit that was not heard of is made again
        with store.write() as tx:
            answers.put(tx, [("key-1", key, kept), ("key-3", key, replace(kept, created_us=2000))])
    with store.read() as conn:
        assert answers.get(conn, "key-1", key) == kept
        assert answers.get(conn, "key-2", key) is None
    with store.write() as tx:
        assert answers.expire(tx, 1000) == 0
        assert answers.expire(tx, 1001) == 1
    with store.read() as conn:
        assert answers.get(conn, "key-1", key) is None
        assert answers.get(conn, "key-3", key) is not None


def test_quarantine_rows_are_settled_once(store: Store) -> None:
    assert list(quarantine.COLUMNS) == QUARANTINE.names
    with store.write() as tx:
        assert list(quarantine.add(tx, refused("a", "b"), 1, 9)) == [1, 2]
        quarantine.settle(tx, 1, "open", tries=0)
        quarantine.settle(tx, 1, "fixed", resubmitted_as="ev-9", tries=1)
    with pytest.raises(StoreConflict, match="row 1 is not open"), store.write() as tx:
        quarantine.settle(tx, 1, "dropped")
    with pytest.raises(InputError, match="'lost'"), store.write() as tx:
        quarantine.settle(tx, 2, "lost")
    with store.read() as conn:
        row = conn.execute(sa.select(schema.quarantine).where(schema.quarantine.c.id == 1)).one()
    assert (row.state, row.tries, row.resubmitted_as, row.received_us) == ("fixed", 2, "ev-9", 9)


def test_two_runs_make_the_same_journal(tmp_path: Path) -> None:
    heads = []
    for name in ("a", "b"):
        with open_store(tmp_path / name, clock=TestClock(), random_bytes=chance(3)) as store:
            fill(store)
            heads.append(journal.head(store))
    assert heads[0] == heads[1]
