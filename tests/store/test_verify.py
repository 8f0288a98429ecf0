"""Whatever is changed in a journal behind its back is found, and the first bad row is named."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from storekit import add_batch, chance, count, events, fill, hits, open_store

from txmon.errors import InputError, StateError, StoreCorrupt
from txmon.store import Store, codec, journal, merkle, schema, workflow
from txmon.store.proof import Proof, prove, read_proof
from txmon.store.verify import Report, verify

J = schema.journal
Rows = list[dict[str, Any]]


def rows_of(store: Store, table: sa.Table) -> Rows:
    with store.read() as conn:
        return [
            dict(row)
            for row in conn.execute(sa.select(table).order_by(*table.primary_key.columns)).mappings()
        ]


def put_rows(store: Store, table: sa.Table, rows: Rows) -> None:
    with store.write() as tx:
        tx.conn.execute(sa.delete(table))
        tx.conn.execute(sa.insert(table), rows)


def flipped(data: bytes, draw: random.Random) -> bytes:
    at = draw.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << draw.randrange(8))]) + data[at + 1 :]


def edit(rows: Rows, draw: random.Random) -> int:
    """Change one value of one row."""
    i = draw.randrange(len(rows))
    name = draw.choice([c.name for c in J.columns if c.name != "seq"])
    value = rows[i][name]
    if isinstance(value, bytes):
        rows[i][name] = flipped(value, draw)
    elif isinstance(value, int):
        rows[i][name] = value + draw.choice([-1, 1, 1000])
    elif value is None:
        rows[i][name] = b"\0" * 32 if name == "schema_hash" else "other"
    else:
        rows[i][name] = draw.choice([value + "x", "decision" if value != "decision" else "events"])
    return i + 1


def delete(rows: Rows, draw: random.Random) -> int:
    """Take out a row, the newest ones included."""
    i = draw.randrange(len(rows))
    del rows[i]
    return i + 1


def swap(rows: Rows, draw: random.Random) -> int:
    """Let two rows change places."""
    i, j = sorted(draw.sample(range(len(rows)), 2))
    rows[i]["seq"], rows[j]["seq"] = rows[j]["seq"], rows[i]["seq"]
    return i + 1


def swap_content(rows: Rows, draw: random.Random) -> int:
    """Let the contents of two rows of one kind change places."""
    i, j = sorted(draw.sample([n for n, r in enumerate(rows) if r["kind"] == "events"], 2))
    for name in ("payload", "leaves", "salts", "checksum", "root"):
        rows[i][name], rows[j][name] = rows[j][name], rows[i][name]
    return i + 1


def truncate(rows: Rows, draw: random.Random) -> int:
    """Cut the newest rows."""
    i = draw.randrange(len(rows))
    del rows[i:]
    return i + 1


def shorten(rows: Rows, draw: random.Random) -> int:
    """Cut the end of a value."""
    i = draw.randrange(len(rows))
    name = draw.choice(["payload", "leaves", "salts", "root", "head", "checksum"])
    value = rows[i][name]
    rows[i][name] = value[: draw.randrange(len(value))]
    return i + 1


def insert(rows: Rows, draw: random.Random) -> int:
    """Repeat a row at the end."""
    rows.append(rows[draw.randrange(len(rows))] | {"seq": len(rows) + 1})
    return len(rows)


TAMPER: list[Callable[[Rows, random.Random], int]] = [
    edit,
    edit,
    edit,
    delete,
    swap,
    swap_content,
    truncate,
    shorten,
    insert,
]


def test_a_hundred_random_changes_are_found_and_the_first_bad_row_is_named(store: Store) -> None:
    fill(store)
    store.heads.close()  # what a stopped service leaves: its newest head is logged
    store.heads = None
    whole = rows_of(store, J)
    assert verify(store).ok
    draw = random.Random(20)
    for i in range(100):
        rows = [dict(row) for row in whole]
        how = TAMPER[i % len(TAMPER)]
        first_bad = how(rows, draw)
        put_rows(store, J, rows)
        report = verify(store)
        assert not report.ok, (i, how.__name__)
        assert report.first_bad_row == first_bad, (i, how.__name__, [str(f) for f in report.findings[:3]])
        assert report.findings[0].seq == first_bad
        put_rows(store, J, whole)
    assert verify(store).ok


def test_a_sound_journal_is_counted(store: Store) -> None:
    fill(store)
    add_batch(store, 300)
    seen: list[tuple[int, int]] = []
    report = verify(store, progress=lambda rows, events: seen.append((rows, events)))
    assert report.ok
    assert (report.rows, report.events, report.seq) == (store.marks.seq, store.marks.events, store.marks.seq)
    assert report.head == journal.head(store)[1]
    assert seen[-1] == (report.rows, report.events)


def test_an_empty_store_is_sound(store: Store) -> None:
    assert verify(store) == Report()


def test_beside_the_writer_by_a_reader(store: Store, place: str, side: dict[str, Path]) -> None:
    fill(store)
    with open_store(place, read_only=True, **side) as reader:
        assert verify(reader).ok
        add_batch(store)
        assert verify(reader).rows == store.marks.seq


def test_a_forged_row_with_right_checksums_is_found(store: Store) -> None:
    """Someone who knows the code rewrites an event and everything in its row that can be recomputed."""
    fill(store)
    rows = rows_of(store, J)
    row = next(r for r in rows if r["kind"] == "events" and r["event_count"] > 3)
    forged = codec.plain_table(events(row["event_count"], 900).drop_columns(["ingest_seq"]))
    row |= {"payload": codec.pack_table(forged), "leaves": merkle.table_leaves(forged, row["salts"])}
    row["checksum"] = journal.checksum(row)
    put_rows(store, J, rows)
    assert "root is not that of its leaves" in str(verify(store).findings[0])
    row["root"] = merkle.root_of(row["leaves"])
    put_rows(store, J, rows)
    assert "head does not follow" in str(verify(store).findings[0])
    row["head"] = journal.next_head(
        rows[row["seq"] - 2]["head"] if row["seq"] > 1 else bytes(32),
        row["seq"],
        row["kind"],
        row["received_at"],
        row["root"],
    )
    put_rows(store, J, rows)
    assert verify(store).first_bad_row == row["seq"] + 1 or "heads.log" in str(verify(store).findings[0])


def test_a_rewritten_chain_is_found_by_the_log_of_heads(
    place: str, side: dict[str, Path], tmp_path: Path
) -> None:
    with open_store(place, **side) as store:
        fill(store)
    with open_store(tmp_path / "other", random_bytes=chance(9)) as other:
        fill(other)
        rows, schemas = rows_of(other, J), rows_of(other, schema.payload_schemas)
    with open_store(place) if "://" in place else open_store(place, heads=tmp_path / "none.log") as store:
        put_rows(store, J, rows)
        put_rows(store, schema.payload_schemas, schemas)
        assert verify(store, heads=tmp_path / "absent.log").ok  # nobody kept the heads
        report = verify(store, heads=side["heads"])
    assert not report.ok
    assert "has another head than heads.log line" in report.findings[0].what


def test_a_cut_tail_is_refused_at_the_next_start(place: str, side: dict[str, Path]) -> None:
    with open_store(place, **side) as store:
        fill(store)
    with open_store(place, heads=side["heads"].with_name("x.log")) as store, store.write() as tx:
        tx.conn.execute(sa.delete(J).where(J.c.seq > 10))
    with pytest.raises(
        StateError, match=r"row \d+ was committed, but the journal ends at row 10; run `txmon store verify`"
    ):
        open_store(place, **side)
    with open_store(place, read_only=True, **side) as store:
        report = verify(store)
    assert report.first_bad_row == 11


def test_schemas_hits_alerts_and_messages_are_checked(store: Store) -> None:
    fill(store)
    tables = (
        schema.payload_schemas,
        schema.hits,
        schema.alerts,
        schema.alert_hits,
        schema.quarantine,
        schema.outbox,
    )
    whole = {table.name: rows_of(store, table) for table in tables}

    def change(table: sa.Table, **values: Any) -> None:
        put_rows(store, table, [whole[table.name][0] | values, *whole[table.name][1:]])

    cases: list[tuple[sa.Table, dict[str, Any], str]] = [
        (schema.payload_schemas, {"bytes": b"x"}, "payload schema [0-9a-f]{16} was changed"),
        (schema.hits, {"journal_seq": 10**6}, "hit 1 is of a journal row that does not exist"),
        (schema.hits, {"ingest_seq": 10**6}, "hit 1 is of an event that had not arrived then"),
        (schema.hits, {"hit_id": 10**6}, "rests on a hit that does not exist"),
        (schema.alerts, {"journal_seq": 10**6}, "alert al-.* is of a journal row that does not exist"),
        (schema.alerts, {"alert_id": "al-other"}, "feeds an alert that does not exist"),
        (schema.quarantine, {"journal_seq": 10**6}, "quarantine row 1 is of a journal row"),
        (schema.outbox, {"created_seq": 10**6}, "message 1 is of a journal row"),
    ]
    for table, values, text in cases:
        change(table, **values)
        assert any(re.search(text, str(f)) for f in verify(store).findings), (table.name, values)
        put_rows(store, table, whole[table.name])
    assert verify(store).ok
    with store.write() as tx:
        tx.conn.execute(sa.delete(schema.payload_schemas))
    assert "is missing" in str(verify(store).findings[0])


def test_damage_of_the_database_file_is_found(tmp_path: Path) -> None:
    place = tmp_path / "store"
    with open_store(place) as store:
        fill(store)
        for _ in range(4):
            add_batch(store, 2000)
    file = place / "txmon.db"
    whole = file.read_bytes()
    draw = random.Random(5)
    found = 0
    for _ in range(20):
        at = draw.randrange(4096, len(whole) - 600)
        while not any(whole[at : at + 600]):  # pages of tables without rows
            at = draw.randrange(4096, len(whole) - 600)
        file.write_bytes(whole[:at] + draw.randbytes(600) + whole[at + 600 :])
        try:
            with open_store(place, read_only=True) as store:
                found += not verify(store).ok
        except StoreCorrupt:
            found += 1
    file.write_bytes(whole)
    with open_store(place, read_only=True) as store:
        assert verify(store).ok
    assert found >= 18  # the rest fell into space that holds nothing


def test_a_proof_convinces_whoever_has_the_head_and_tells_of_nobody_else(store: Store) -> None:
    fill(store)
    seq, head = journal.head(store)
    with store.read() as conn:
        early = conn.execute(sa.select(J.c.head).where(J.c.seq == seq - 3)).scalar_one()
    for number in (0, 3, 20, store.marks.events - 1):
        proof = read_proof(prove(store, number).to_json())
        assert proof.verify(head)
        assert not proof.verify(bytes(32))
        assert f"event_id={len(f'ev-{number}')}:ev-{number};" in proof.content
        others = {f"ev-{i}" for i in range(store.marks.events)} - {f"ev-{number}"}
        text = proof.to_json()
        assert not any(f":{other};" in text or f'"{other}"' in text for other in others)
    proof = prove(store, 3, upto=seq - 3)
    assert proof.verify(early)
    assert not proof.verify(head)


def test_a_changed_proof_convinces_nobody(store: Store) -> None:
    fill(store)
    head = journal.head(store)[1]
    proof = prove(store, 12)
    fields: dict[str, Any] = {
        "content": proof.content.replace("EUR", "USD"),
        "salt": "00" * 16,
        "path": proof.path[1:],
        "previous": "00" * 32,
        "links": proof.links[:-1],
    }
    for name, value in fields.items():
        assert not Proof(**{**vars(proof), name: value}).verify(head), name
    assert not Proof(**{**vars(proof), "links": ()}).verify(head)
    assert not Proof(**{**vars(proof), "salt": "zz"}).verify(head)
    assert not Proof(**{**vars(proof), "links": (proof.links[0], *proof.links)}).verify(head)


def test_what_cannot_be_proved_is_said(store: Store) -> None:
    fill(store)
    with pytest.raises(InputError, match="event 100000 is not in the journal"):
        prove(store, 100_000)
    with pytest.raises(InputError, match="after row 1"):
        prove(store, store.marks.events - 1, upto=1)
    with pytest.raises(InputError, match="holds no inclusion proof"):
        read_proof("{}")


def test_hits_of_a_late_event_may_come_with_a_later_row(store: Store) -> None:
    add_batch(store, hit_count=0)
    with store.write() as tx:
        entry = journal.append(tx, "events", events(2, 10), 1)
        workflow.add_hits(tx, hits(3, 1), entry.seq)
    assert verify(store).ok
    assert count(store, schema.hits) == 1
