"""What is erased is nowhere on disk any more, the journal still verifies, and backups do not bring it back."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pgkit
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
    fill,
    hits,
    open_store,
    refused,
)
from txkit import START_US, event, table

from txmon.errors import InputError, StoreCorrupt, StoreUnavailable
from txmon.store import Store, answers, journal, outbox, quarantine, schema, workflow
from txmon.store.backup import backup, restore
from txmon.store.erase import Why, erase_events, erase_subjects, reapply, retain
from txmon.store.mentions import Mentions
from txmon.store.proof import prove
from txmon.store.verify import verify

WHY = Why("request 12", "ana", "ben")


def name(i: int) -> str:
    return f"kunde{i:05d}x"


def crowd(store: Store, people: int, batches: int = 4) -> None:
    """Events, hits, alerts, refused rows, messages, answers and decisions, all of which name people."""
    for b in range(batches):
        first = store.marks.events
        rows = [
            event(
                f"e{first + i}",
                START_US + i,
                payer=name(i),
                payee="shop",
                memo=f"Rechnung für {name(i)}, danke",
                attributes=[("ref", f"nr {name(i)}")],
            )
            if (i + b) % 2
            else event(
                f"e{first + i}",
                START_US + i,
                payer="employer",
                payee=name(i),
                holders=[{"party": name(i), "role": "owner", "valid_from": None, "valid_to": None}],
            )
            for i in range(people)
        ]
        found = hits(first, people).set_column(7, "subject_id", pa.array([name(i) for i in range(people)]))
        found = found.set_column(
            12,
            "explanation",
            pa.array([f"{name(i)} paid with {name((i + 1) % people)}" for i in range(people)]),
        )
        with store.write() as tx:
            entry = journal.append(tx, "events", table(rows), 5)
            ids = workflow.add_hits(tx, found, entry.seq)
            every = range(0, people, 5)
            now = alerts(
                *(
                    alert(
                        f"al-{b}-{i}",
                        name(i),
                        holders_latest=[{"party": name((i + 2) % people), "role": "owner"}],
                    )
                    for i in every
                )
            )
            workflow.apply_alerts(
                tx, changes(*((i, f"al-{b}-{i}", "opened") for i in every)), now, ids, entry.seq, now_us=5
            )
            outbox.add(
                tx,
                [
                    outbox.Message("alerts", "opened", json.dumps({"subject": name(i)}).encode())
                    for i in every
                ],
                entry.seq,
                5,
            )
            raws = refused(*(json.dumps({"payer": name(i), "amount": "x"}) for i in range(0, people, 9)))
            quarantine.add(tx, raws, journal.append(tx, "quarantine", raws, 6).seq, 6)
            journal.append(
                tx, "decision", json.dumps({"who": "ana", "why": f"{name(b)} is a shop"}).encode(), 7
            )
            body = json.dumps({"hits": [name(b), name(b + 7)]}).encode()
            answers.put(tx, [("key", b"k%d" % b, answers.Answer(b"h", 200, {}, body, 7))])


def bytes_of(folder: Path) -> bytes:
    return b"".join(f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file())


def content_of(store: Store) -> str:
    """Everything that can be read from a store, as text."""
    parts = [
        str(e.payload if isinstance(e.payload, bytes) else e.table.to_pylist()) for e in journal.read(store)
    ]
    with store.read() as conn:
        for t in schema.metadata.sorted_tables:
            if t is not schema.journal:
                parts.append(str(conn.execute(sa.select(t)).all()))
    return "\n".join(parts)


def test_a_tenth_of_all_people_is_gone_from_everywhere(store: Store, place: str) -> None:
    people, gone = 400, [name(i) for i in range(0, 400, 10)]
    stay = [name(i) for i in range(400) if i % 10]
    crowd(store, people)
    before = content_of(store)
    assert all(n in before for n in gone)
    outcome = erase_subjects(store, gone, WHY)
    after = content_of(store)
    assert not [n for n in gone if n in after]
    assert all(n in after for n in stay)
    assert outcome.rows == 4 * 40 + 4 * len([i for i in range(0, 400, 9) if i % 10 == 0]) + 1
    assert outcome.deleted["hits"] == 160
    assert outcome.deleted["answers"] == 2  # those of two batches
    report = verify(store)
    assert report.ok, [str(f) for f in report.findings]
    assert report.erased == outcome.rows - 1  # of a document only a word went
    add_batch(store, hit_count=0)
    assert verify(store).ok
    if "://" not in place:
        raw = bytes_of(Path(place))
        assert not [n for n in gone if n.encode() in raw]
        assert stay[5].encode() in raw


@pytest.mark.slow
def test_a_thousand_of_ten_thousand_on_disk(tmp_path: Path) -> None:
    place = tmp_path / "store"
    with open_store(place) as store:
        crowd(store, 10_000, batches=2)
        gone = [name(i) for i in range(3, 10_000, 10)]
        erase_subjects(store, gone, WHY)
        raw = bytes_of(place)  # while it is open: log and database file
        assert not [n for n in gone if n.encode() in raw]
        assert verify(store).ok
        target = tmp_path / "backup"
        backup(store, target)
        copied = bytes_of(target)
        assert not [n for n in gone if n.encode() in copied]
        payloads = "".join(
            str(e.table["payer"].to_pylist()) + str(e.table["payee"].to_pylist())
            for e in journal.read(store, kinds=["events"])
        )
        assert not [n for n in gone if n in payloads]


def test_events_go_with_their_hits_and_the_alerts_that_rest_on_nothing_else(store: Store) -> None:
    fill(store)
    with store.read() as conn:
        hit = conn.execute(sa.select(schema.hits).where(schema.hits.c.hit_id == 2)).one()
    outcome = erase_events(store, [("test", hit.event_id)], WHY)
    assert (outcome.rows, outcome.journal, outcome.deleted) == (1, 1, {"hits": 1, "alerts": 1})
    assert verify(store).ok
    entry = next(
        e
        for e in journal.read(store, kinds=["events"])
        if e.first_event_seq <= hit.ingest_seq < e.first_event_seq + e.event_count
    )
    assert hit.ingest_seq - entry.first_event_seq not in entry.rows.tolist()
    assert len(entry.rows) == entry.event_count - 1 == len(entry.table)
    with pytest.raises(StoreCorrupt, match="was erased"):
        prove(store, hit.ingest_seq)
    others = [e for e in range(store.marks.events) if e != hit.ingest_seq]
    assert prove(store, others[-1]).verify(journal.head(store)[1])
    again = erase_events(store, [("test", hit.event_id)], WHY)
    assert (again.rows, again.journal) == (0, 0)


def test_single_values_can_go_and_the_event_stays(store: Store) -> None:
    fill(store)
    outcome = erase_events(store, [("test", "ev-3"), ("test", "ev-6")], WHY, columns=["memo", "payer"])
    assert (outcome.rows, outcome.deleted) == (2, {})
    found = {r["event_id"]: r for e in journal.read(store, kinds=["events"]) for r in e.table.to_pylist()}
    assert (found["ev-3"]["memo"], found["ev-3"]["payer"], found["ev-3"]["payee"]) == (None, None, "shop-0")
    assert found["ev-9"]["memo"] is not None
    assert verify(store).ok
    erase_events(store, [("test", "ev-3")], WHY, columns=["payee"])
    assert verify(store).ok
    erase_events(store, [("test", "ev-3")], WHY)
    assert verify(store).ok
    assert verify(store).erased == 1


def test_what_an_erasure_left_is_still_protected(store: Store) -> None:
    fill(store)
    erase_events(store, [("test", "ev-3")], WHY, columns=["memo"])
    erase_events(store, [("test", "ev-5")], WHY)
    J = schema.journal
    with store.read() as conn:
        rows = [
            dict(r)
            for r in conn.execute(sa.select(J).where(J.c.kind == "events").order_by(J.c.seq)).mappings()
        ]
    for row in rows:
        if row["first_event_seq"] <= 5 < row["first_event_seq"] + row["event_count"]:
            break
    back = row | {"salts": b"\1" * len(row["salts"])}
    drop = row | {"salts": bytes(len(row["salts"]))}
    for forged in (back, drop):
        forged["checksum"] = journal.checksum(forged)
        with store.write() as tx:
            tx.conn.execute(
                sa.update(J)
                .where(J.c.seq == row["seq"])
                .values(salts=forged["salts"], checksum=forged["checksum"])
            )
        assert verify(store).first_bad_row == row["seq"]


@pytest.mark.parametrize(
    "why", [Why("r", "ana", "ana"), Why("", "ana", "ben"), Why("r", "", "ben"), Why("r", "ana", "")]
)
def test_an_erasure_needs_two_people_and_a_reason(why: Why, tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store, pytest.raises(InputError, match="an erasure needs"):
        erase_subjects(store, ["person-1"], why)


def test_what_no_event_can_lack_is_not_erased_alone(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        with pytest.raises(InputError, match="event_id: every event needs"):
            erase_events(store, [("test", "ev-1")], WHY, columns=["event_id"])
        with pytest.raises(InputError, match="empty value"):
            erase_subjects(store, ["a", " "], WHY)
        assert erase_subjects(store, [], WHY).journal == 0


def test_what_comes_in_during_the_search_is_erased_too(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        for _ in range(30):
            add_batch(store, 50, hit_count=0)
        stop = threading.Event()

        def feed() -> None:
            for _ in range(200):
                if not stop.wait(0.001):
                    add_batch(store, 20, hit_count=0)

        writer = threading.Thread(target=feed)
        writer.start()
        erase_subjects(store, ["person-3"], WHY)
        stop.set()
        writer.join()
        kinds = [(e.seq, e.kind) for e in journal.read(store)]
        done = max(seq for seq, kind in kinds if kind == "erasure")
        for entry in journal.read(store, 1, done, kinds=["events"]):
            assert "person-3" not in entry.table["payer"].to_pylist()
        assert verify(store).ok


def test_retention_drops_payloads_of_old_days_but_what_a_hold_needs(store: Store) -> None:
    for day in range(4):
        rows = table(
            [
                event(f"d{day}-{i}", START_US + day * 86_400_000_000 + i * 60_000_000, payer="p")
                for i in range(30)
            ]
        )
        with store.write() as tx:
            entry = journal.append(tx, "events", rows, START_US + day * 86_400_000_000)
            workflow.add_hits(tx, hits(entry.first_event_seq, 2), entry.seq)
            raws = refused("a", "b")
            entry = journal.append(tx, "quarantine", raws, START_US + day * 86_400_000_000)
            for number in quarantine.add(tx, raws, entry.seq, entry.received_at_us):
                if number % 2:
                    quarantine.settle(tx, number, "dropped")
    before = START_US + 2 * 86_400_000_000 - 12 * 3600_000_000
    outcome = retain(store, before, Why("retention 5 years", "policy", "ben"), keep=[31, 40])
    assert outcome.rows == 2 * 30 - 2 + 4
    left = [n for e in journal.read(store, kinds=["events"]) for n in (e.first_event_seq + e.rows).tolist()]
    assert left == [31, 40, *range(60, 120)]
    assert verify(store).ok
    assert verify(store).erased == outcome.rows
    assert count(store, schema.hits) == 8  # what was found stays
    assert outcome.deleted == {"quarantine": 2}
    document = json.loads([e.document for e in journal.read(store, kinds=["erasure"])][-1])
    assert [r["gone"] == "all" for r in document["rows"]] == [True, True, False, True]
    assert retain(store, before, WHY, keep=[31, 40]).rows == 0


def test_mentions_are_words_and_whole_values() -> None:
    m = Mentions(["anna-1", "+49 30", "Jörg", "a.b"])
    texts = [
        "to anna-1.",
        "anna-12",
        "xanna-1",
        "call +49 30 now",
        '{"n":"J\\u00f6rg"}',
        "Jörg!",
        "Jörgen",
        "aXb",
        "a.b",
        None,
    ]
    assert m.texts(pa.array(texts)).tolist() == [
        True,
        False,
        False,
        True,
        True,
        True,
        False,
        False,
        True,
        False,
    ]
    assert m.replaced(["anna-1,anna-1", "nobody", None]) == ["[erased],[erased]", "nobody", None]
    rows = table(
        [
            event("e1", 1, payer="anna-1"),
            event("e2", 1, payer="anna-1 "),
            event("e3", 1, attributes=[("x", None), ("y", "for anna-1")]),
            event("e4", 1, memo="anna-1?"),
        ]
    )
    assert m.rows(rows).tolist() == [True, False, True, True]


def make_backup(store: Store, tmp_path: Path) -> Path:
    if "://" in store.place and pgkit.binary("pg_dump") is None:
        pytest.skip("pg_dump is not installed")
    target = tmp_path / "backup"
    backup(store, target)
    return target


def new_place(place: str, tmp_path: Path) -> str:
    return pgkit.fresh_database() if "://" in place else str(tmp_path / "restored")


def test_a_restored_backup_erases_again_what_was_erased_since(
    store: Store, place: str, side: dict[str, Path], tmp_path: Path
) -> None:
    crowd(store, 60)
    fill(store)
    first = erase_subjects(store, [name(1)], WHY)
    with store.write() as tx:
        outbox.mark(tx, range(1, tx.marks.outbox), outbox.DONE)
    saved = make_backup(store, tmp_path)
    head, numbered = store.marks, store.marks.outbox
    add_batch(store, 40, hit_count=3)
    gone = [name(i) for i in range(0, 60, 10)]
    second = erase_subjects(store, gone, WHY)
    erase_events(store, [("test", "ev-243")], WHY, columns=["memo"])
    again = new_place(place, tmp_path)
    live = tmp_path / "copied-erasures.log"
    live.write_bytes(side["erasures"].read_bytes())
    outcome = restore(saved, again, clock=TestClock(), random_bytes=chance(7), erasures=live)
    assert outcome.rows >= second.rows
    assert first.rows
    with open_store(again, erasures=live) as restored:
        assert restored.marks.events == head.events
        text = content_of(restored)
        assert not [n for n in [*gone, name(1)] if n in text]
        assert name(5) in text
        assert count(restored, schema.answers) == 0
        assert restored.marks.outbox == numbered  # who counts messages misses none of those to come
        memos = {
            r["event_id"]: r["memo"]
            for e in journal.read(restored, kinds=["events"])
            for r in e.table.select(["event_id", "memo"]).to_pylist()
        }
        assert memos["ev-243"] is None
        report = verify(restored)
        assert report.ok, [str(f) for f in report.findings]
        assert reapply(restored).journal == 0
        add_batch(restored, hit_count=0)
        assert verify(restored).ok
    if "://" not in again:
        raw = bytes_of(Path(again))
        assert not [n for n in gone if n.encode() in raw]


def test_a_backup_made_while_writing_is_one_moment(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as store:
        fill(store)
        stop = threading.Event()

        def feed() -> None:
            for _ in range(200):
                if not stop.wait(0.001):
                    add_batch(store, 100, hit_count=2)

        writer = threading.Thread(target=feed)
        writer.start()
        made = [backup(store, tmp_path / f"b{i}") for i in range(3)]
        stop.set()
        writer.join()
        assert store.marks.seq > made[-1].seq
    for i, manifest in enumerate(made):
        restore(tmp_path / f"b{i}", tmp_path / f"r{i}", clock=TestClock(), random_bytes=chance())
        with open_store(tmp_path / f"r{i}") as restored:
            assert (restored.marks.seq, restored.marks.events) == (manifest.seq, manifest.events)
            assert verify(restored).ok


def test_backups_that_are_none_are_refused(store: Store, place: str, tmp_path: Path) -> None:
    fill(store)
    saved = make_backup(store, tmp_path)
    more: Any = {"clock": TestClock(), "random_bytes": chance()}
    with pytest.raises(InputError, match="holds a backup already"):
        backup(store, saved)
    with pytest.raises(InputError, match="holds no whole backup"):
        restore(tmp_path / "nowhere", tmp_path / "x", **more)
    other = str(tmp_path / "y") if "://" in place else "postgresql+psycopg://127.0.0.1:1/x"
    with pytest.raises(InputError, match="other kind of database"):
        restore(saved, other, **more)
    if "://" not in place:
        with pytest.raises(InputError, match="holds a store"):
            restore(saved, place, **more)
    file = next(f for f in saved.iterdir() if f.name in ("txmon.db", "txmon.dump"))
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(StoreCorrupt, match="is not what was backed up"):
        restore(saved, new_place(place, tmp_path), **more)


def test_erasures_of_another_store_are_refused(tmp_path: Path) -> None:
    with open_store(tmp_path / "a", random_bytes=chance(1)) as store:
        fill(store)
        erase_events(store, [("test", "ev-3")], WHY)
    with open_store(
        tmp_path / "b", random_bytes=chance(2), erasures=tmp_path / "a" / "erasures.log"
    ) as store:
        fill(store)
        with pytest.raises(StoreCorrupt, match="it is another store's"):
            reapply(store)


def test_a_cut_line_of_the_file_of_erasures_is_passed_over(tmp_path: Path) -> None:
    with open_store(tmp_path / "a") as store:
        fill(store)
        erase_events(store, [("test", "ev-3")], WHY)
        file = tmp_path / "a" / "erasures.log"
        file.write_bytes(file.read_bytes() + b'{"reason":"cut')
        assert reapply(store).journal == 0
        erase_events(store, [("test", "ev-5")], WHY)
        assert reapply(store).journal == 0
        assert len(file.read_bytes().splitlines()) == 3


def test_without_its_side_file_nothing_is_erased(tmp_path: Path) -> None:
    with open_store(tmp_path / "a", erasures=tmp_path / "no" / "such" / "folder") as store:
        fill(store)
        with pytest.raises(StoreUnavailable, match="nothing was erased"):
            erase_events(store, [("test", "ev-3")], WHY)
        store.reopen()
        assert verify(store).erased == 0
        assert count(store, schema.erasures) == 0
