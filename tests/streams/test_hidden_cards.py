"""No card number leaves through events, quarantine, messages or errors, whatever the row looks like."""

from __future__ import annotations

import json
import random
import re
import unicodedata

import pyarrow as pa
import pytest
from feedkit import KEY, csv_file, event, ipc, ndjson, parquet, read

from txmon.model.pan import Tokeniser, luhn
from txmon.streams import EVENTS_SCHEMA, load_feed, open_source, quarantine_rows

SPELLINGS = (
    lambda n: n,
    lambda n: " ".join(n[i : i + 4] for i in range(0, len(n), 4)),
    lambda n: "-".join(n[i : i + 4] for i in range(0, len(n), 4)),
    lambda n: "".join(chr(0xFF10 + int(d)) for d in n),
    lambda n: "\u00a0".join(n[i : i + 4] for i in range(0, len(n), 4)),
    lambda n: f"paid by {n} on Monday",
    lambda n: f"card:{n};exp 12/27",
)


def numbers(count: int) -> list[str]:
    chance = random.Random(5)
    out = []
    for _ in range(count):
        prefix, length = chance.choice(
            [("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("36", 14), ("62", 19)]
        )
        body = prefix + "".join(chance.choice("0123456789") for _ in range(length - len(prefix) - 1))
        out.append(body + next(d for d in "0123456789" if luhn(body + d)))
    return out


def digits_of(value: object) -> str:
    """Every digit of any script in the text of a row, separators removed, other characters as breaks."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m.group(1), 16)), text)
    text = re.sub(r"[\s\-.\u00a0\u2000-\u200b_]", "", text)
    return "".join(str(unicodedata.digit(c)) if c.isdigit() else c for c in text)


def row(i: int, spelled: str) -> dict[str, object]:
    """One number in one place, so that half of the rows are quarantined."""
    changes: list[dict[str, object]] = [
        {"memo": spelled},
        {"card": spelled},
        {"descriptor": spelled, "amount": "x"},
        {"payer": spelled},
        {"amount": spelled},
        {"event_time": spelled},
        {"kind": spelled},
        {"currency": spelled},
        {"attributes": {"note": spelled, spelled: "key"}},
        {"attributes": "{" + spelled},
        {"tz": spelled},
        {"lat": spelled},
        {"unknown": spelled, "amount": None},
        {"event_id": spelled, "amount": None},
        {"holders": [{"party": spelled, "role": "owner"}]},
        {"card_prepaid": spelled},
        {"city": spelled, "status": spelled},
        {"card_bin": spelled, "card_last4": spelled},
    ]
    return event(**({"event_id": f"e{i}"} | changes[i % len(changes)]))


@pytest.fixture(scope="module")
def planted() -> tuple[list[str], list[dict[str, object]]]:
    pans = numbers(3000)
    return pans, [row(i, SPELLINGS[i // 18 % len(SPELLINGS)](n)) for i, n in enumerate(pans)]


def test_ndjson(tmp_path, planted):
    pans, rows = planted
    lines = [json.dumps(r, ensure_ascii=i % 2 == 0).encode() for i, r in enumerate(rows)]
    lines += [b"broken " + line for line in lines[:500]]
    lines += [line.replace(b'"payee"', b'"\xff"') for line in lines[:500]]
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", lines))
    assert len(events) + len(quarantine) == len(lines)
    assert len(quarantine) > 1500
    assert_hidden(pans, events, quarantine)
    tokens = Tokeniser(KEY)
    memos = [e["memo"] for e in events if e["memo"]]
    assert any(tokens.token(n) in m for n in pans for m in memos[:1])


@pytest.mark.parametrize("form", ["csv", "parquet", "ipc"])
def test_other_formats(tmp_path, planted, form):
    pans, rows = planted
    flat = [{k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in r.items()} for r in rows]
    write = {"csv": csv_file, "parquet": parquet, "ipc": ipc}[form]
    events, quarantine = read(write(tmp_path / f"in.{'arrow' if form == 'ipc' else form}", flat))
    assert len(quarantine) > 1000
    assert_hidden(pans, events, quarantine)


def assert_hidden(pans: list[str], *rows: object) -> None:
    text = digits_of(rows)
    leaked = [n for n in pans if n in text]
    assert not leaked, f"{len(leaked)} numbers came through"


def test_numbers_in_column_names_and_as_json_numbers(tmp_path):
    line = (
        b'{"event_id":"a","event_time":"2026-01-05T12:00:00Z","amount":4111111111111111,"4111111111111111":5}'
    )
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", [line]))
    assert not events
    raw = json.loads(quarantine[0]["raw"])
    assert "4111111111111111" not in quarantine[0]["raw"]
    assert str(raw["amount"]).startswith("pan_")
    source = open_source(
        load_feed("native"), csv_file(tmp_path / "in.csv", [event(**{"4111 1111 1111 1111": 1})]), key=KEY
    )
    list(source)
    assert source.ignored_columns[0].startswith("pan_")


def test_typed_holders_and_attributes_in_any_slice(tmp_path):
    pan = "4111111111111111"
    rows = [event(event_id=f"e{i}", kind="tick") for i in range(3)]
    schema = pa.schema(
        [pa.field(n, pa.string()) for n in ("event_id", "event_time", "kind")]
        + [EVENTS_SCHEMA.field("holders"), EVENTS_SCHEMA.field("attributes")]
    )
    for i, row_ in enumerate(rows):
        row_["holders"] = None if i == 0 else [{"party": pan if i == 2 else "p", "role": "owner"}]
        row_["attributes"] = None if i == 0 else [("k", pan if i == 2 else "v"), ("n", None)]
    table = pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in rows], schema=schema)
    with pa.ipc.new_file(str(tmp_path / "in.arrow"), schema) as writer:
        writer.write_batch(table.to_batches()[0].slice(1))
    events, _ = read(tmp_path / "in.arrow")
    token = Tokeniser(KEY).token(pan)
    assert [e["holders"][0]["party"] for e in events] == ["p", token]
    assert [dict(e["attributes"]) for e in events] == [{"k": "v", "n": None}, {"k": token, "n": None}]


def test_long_ids_of_other_systems_stay(tmp_path):
    """Order numbers of 16 digits stay as they are where they are ids, in events and in quarantine."""
    ids = [n for n in (f"90000000000000{i:02d}" for i in range(100)) if luhn(n)]
    rows = [event(event_id=n, payer=n) for n in ids] + [event(event_id=n, amount="x") for n in ids]
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", rows))
    assert [e["event_id"] for e in events] == [e["payer"] for e in events] == ids
    assert (
        [q["event_id"] for q in quarantine] == [json.loads(q["raw"])["event_id"] for q in quarantine] == ids
    )


def test_times_and_amounts_of_raw_rows_are_not_taken_for_cards(tmp_path):
    rows = [event(event_id=f"e{i}", event_time=1767614400000 + i) for i in range(100)]
    _, quarantine = read(ndjson(tmp_path / "in.ndjson", rows))
    assert [json.loads(q["raw"])["event_time"] for q in quarantine] == [1767614400000 + i for i in range(100)]


def test_equal_cards_join_and_fill_what_is_kept(tmp_path):
    rows = [
        event(card="4111 1111 1111 1111"),
        event(event_id="e2", card="4111111111111111", card_bin="41111111"),
    ]
    events, _ = read(ndjson(tmp_path / "in.ndjson", [*rows, event(event_id="e3", card="tok-9")]))
    assert events[0]["card"] == events[1]["card"] != events[2]["card"] == "tok-9"
    assert [(e["card_bin"], e["card_last4"]) for e in events] == [
        ("411111", "1111"),
        ("41111111", "1111"),
        (None, None),
    ]


def test_engine_rows_become_quarantine_rows_that_can_be_sent_again(tmp_path):
    path = ndjson(
        tmp_path / "in.ndjson", [event(memo="x", attributes={"k": "v"}), event(event_id="e2", amount="7.5")]
    )
    batch = next(iter(open_source(load_feed("native"), path, key=KEY)))
    table = quarantine_rows(
        batch.events, "event_time", "too_late", "older than what is kept", lines=batch.lines
    )
    assert table["line"].to_pylist() == [1, 2]
    assert set(table["reason"].to_pylist()) == {"too_late"}
    again = ndjson(tmp_path / "fixed.ndjson", [r.encode() for r in table["raw"].to_pylist()])
    assert read(again) == (batch.events.to_pylist(), [])
    named = quarantine_rows(batch.events[:1], "memo", "conflict", "other content", feed="shop")
    assert (named["feed"][0].as_py(), named["line"][0].as_py(), named["value"][0].as_py()) == (
        "shop",
        None,
        "x",
    )


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet"])
def test_fixed_raw_rows_give_the_events_that_were_meant(tmp_path, form):
    rows = [event(event_id=f"e{i}", amount="1.005", memo='a "quoted", memo') for i in range(3)]
    write = {"ndjson": ndjson, "csv": csv_file, "parquet": parquet}[form]
    events, quarantine = read(write(tmp_path / f"in.{form}", rows))
    assert not events
    fixed = [json.dumps(json.loads(q["raw"]) | {"amount": "1.01"}).encode() for q in quarantine]
    meant = read(ndjson(tmp_path / "meant.ndjson", [r | {"amount": "1.01"} for r in rows]))
    assert read(ndjson(tmp_path / "fixed.ndjson", fixed)) == meant
