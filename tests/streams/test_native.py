"""The native feed: every format gives the same events; every wrong row is quarantined alone."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feedkit import KEY, SAMPLES, csv_file, event, ipc, ndjson, one_fault, parquet, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from txmon.errors import InputError
from txmon.model.rates import Rate, Rates
from txmon.model.schema import CANONICAL
from txmon.streams import EVENTS_SCHEMA, load_feed, native_schema, open_source, write_native

NOON = dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)


def test_events_schema_is_the_canonical_one_without_the_order_of_arrival():
    assert [*EVENTS_SCHEMA.names, "ingest_seq"] != CANONICAL.names
    assert set(CANONICAL.names) - set(EVENTS_SCHEMA.names) == {"ingest_seq"}
    assert all(CANONICAL.field(f.name).type == f.type for f in EVENTS_SCHEMA)


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet", "arrow", "stream"])
def test_every_format_gives_the_same_event(tmp_path, form):
    rows = [
        event(memo="rent, \u201cmay\u201d", card_prepaid=True),
        event(event_id="e2", amount=None, amount_minor=7),
    ]
    write = {
        "ndjson": lambda: ndjson(tmp_path / "in.ndjson", rows),
        "csv": lambda: csv_file(tmp_path / "in.csv", rows),
        "parquet": lambda: parquet(tmp_path / "in.parquet", rows),
        "arrow": lambda: ipc(tmp_path / "in.arrow", rows),
        "stream": lambda: ipc(tmp_path / "in.arrows", rows, stream=True),
    }
    events, quarantine = read(write[form]())
    assert not quarantine
    first, second = events
    assert (first["amount_minor"], first["amount_base_minor"], second["amount_minor"]) == (1250, 1250, 7)
    assert (first["kind"], first["source"], first["mode"], first["entity"]) == (
        "payment",
        "native",
        "live",
        "default",
    )
    assert (first["event_time"], first["memo"], first["card_prepaid"]) == (
        NOON,
        "rent, \u201cmay\u201d",
        True,
    )
    assert first["base_currency"] == "EUR"
    assert first["unconverted"] is False
    assert first["status"] is None


def test_json_numbers_are_exact_and_ids_may_be_numbers(tmp_path):
    lines = [
        b'{"event_id":9007199254740993,"event_time":"2026-01-05T12:00:00Z","currency":"EUR","amount":9999999999999.99}',
        b'{"event_id":"a","event_time":"2026-01-05T12:00:00Z","currency":"EUR","amount":0.07,"payer":1.0}',
    ]
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", lines))
    assert not quarantine
    assert [e["event_id"] for e in events] == ["9007199254740993", "a"]
    assert [e["amount_minor"] for e in events] == [999999999999999, 7]
    assert events[1]["payer"] == "1.0"  # a text id keeps the digits of the source


def test_profile_events_and_ticks_need_no_money():
    events, quarantine = read(SAMPLES / "native.ndjson")
    assert not quarantine
    opened, boarded = events[0], events[1]
    assert opened["holders"] == [
        {
            "party": "p-17",
            "role": "owner",
            "valid_from": dt.datetime(2025, 11, 3, 9, tzinfo=dt.UTC),
            "valid_to": None,
        }
    ]
    assert dict(boarded["attributes"])["opens_hour"] == "11"
    assert events[-1]["kind"] == "tick"
    assert opened["amount_minor"] is None
    assert opened["unconverted"] is False


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"event_id": None}, "event_id", "missing"),
        ({"event_id": ""}, "event_id", "missing"),
        ({"event_time": None}, "event_time", "missing"),
        ({"event_time": "2026-01-05T12:00:00"}, "event_time", "bad_time"),
        ({"event_time": 1767614400}, "event_time", "bad_time"),
        ({"event_time": "1985-01-05T12:00:00Z"}, "event_time", "time_range"),
        ({"event_time": "9999-01-05T12:00:00Z"}, "event_time", "time_range"),
        ({"currency": None}, "currency", "missing"),
        ({"currency": "eur"}, "currency", "unknown_currency"),
        ({"currency": "XXX"}, "currency", "unknown_currency"),
        ({"amount": None}, "amount", "missing"),
        ({"amount": "abc"}, "amount", "bad_type"),
        ({"amount": True}, "amount", "bad_type"),
        ({"amount": {"value": 1}}, "amount", "bad_type"),
        ({"amount": "1.005"}, "amount", "amount_precision"),
        ({"amount": "1.5", "currency": "JPY"}, "amount", "amount_precision"),
        ({"amount": "10000000000000.01"}, "amount", "amount_bound"),
        ({"amount": "1e30"}, "amount", "amount_bound"),
        ({"amount": "-1"}, "amount", "negative_amount"),
        ({"amount_minor": 1}, "amount", "amount_conflict"),
        ({"amount": None, "amount_minor": "1.5"}, "amount_minor", "amount_precision"),
        ({"kind": "purchase"}, "kind", "unknown_value"),
        ({"status": "ok"}, "status", "unknown_value"),
        ({"mode": "prod"}, "mode", "unknown_value"),
        ({"time_resolution": "week"}, "time_resolution", "unknown_value"),
        ({"tz": "Mars/Olympus"}, "tz", "unknown_value"),
        ({"kind": "account.opened"}, "account", "missing"),
        ({"kind": "merchant.updated"}, "merchant", "missing"),
        ({"kind": "party.updated"}, "party", "missing"),
        ({"kind": "device.seen"}, "device", "missing"),
        ({"lat": 91}, "lat", "out_of_range"),
        ({"lon": -181.5}, "lon", "out_of_range"),
        ({"lat": "north"}, "lat", "bad_type"),
        ({"card_prepaid": "perhaps"}, "card_prepaid", "bad_type"),
        ({"memo": "a\0b"}, "memo", "nul"),
        ({"memo": "x" * 70_000}, "memo", "too_long"),
        ({"attributes": "no json"}, "attributes", "bad_type"),
        ({"attributes": [1]}, "attributes", "bad_type"),
        ({"holders": {"party": "x"}}, "holders", "bad_type"),
        ({"holders": [{"role": "owner"}]}, "holders", "bad_type"),
        ({"holders": [{"party": "x", "role": "king"}]}, "holders", "bad_type"),
        ({"holders": [{"party": "x", "from": "yesterday"}]}, "holders", "bad_type"),
    ],
)
def test_a_wrong_row_is_quarantined_with_field_reason_and_raw(tmp_path, changes, field, reason):
    row = one_fault(tmp_path, **changes)
    assert (row["feed"], row["line"], row["field"], row["reason"]) == ("native", 2, field, reason)
    assert row["message"]
    raw = json.loads(row["raw"])
    given_value = event(**changes)
    assert raw["payer"] == given_value["payer"]
    assert set(raw) == {k for k, v in given_value.items() if v is not None}


@pytest.mark.parametrize("amount", ["0", "0.00", 0, 0.0, "9999999999999.99", "10000000000000"])
def test_zero_and_the_largest_amount_are_valid(tmp_path, amount):
    events, quarantine = read(ndjson(tmp_path / "in.ndjson", [event(amount=amount)]))
    assert not quarantine
    assert events[0]["amount_minor"] == int(Decimal(str(amount)) * 100)


@pytest.mark.parametrize(
    ("flag", "mode"), [(True, "live"), (False, "test"), ("test", "test"), (None, "live")]
)
def test_mode_takes_flags(tmp_path, flag, mode):
    events, _ = read(parquet(tmp_path / "in.parquet", [event(mode=flag)]))
    assert events[0]["mode"] == mode


def test_source_types_of_parquet_are_all_taken(tmp_path):
    table = pa.table(
        {
            "event_id": pa.array([1, 2], pa.int64()),
            "event_time": pa.array([NOON, NOON], pa.timestamp("ns", "UTC")),
            "amount": pa.array([Decimal("1.50"), Decimal("2.5")], pa.decimal128(20, 2)),
            "currency": pa.array(["EUR", "JPY"]).dictionary_encode(),
            "payer": pa.array([7.0, None]),
            "payee": pa.array(["a", "b"], pa.large_string()),
            "merchant": pa.array([b"m1", b"m2"], pa.binary()),
            "device": pa.array(["d", None], pa.string_view()),
            "lat": pa.array([1.5, float("nan")], pa.float32()),
            "card": pa.array([4111111111111111, None], pa.int64()),
        }
    )
    path = tmp_path / "in.parquet"
    pq.write_table(table, path)
    events, quarantine = read(path)
    assert [(q["event_id"], q["reason"]) for q in quarantine] == [("2", "amount_precision")]
    row = events[0]
    assert (row["event_id"], row["payer"], row["payee"], row["merchant"], row["device"]) == (
        "1",
        "7",
        "a",
        "m1",
        "d",
    )
    assert (row["lat"], row["card_bin"], row["card_last4"]) == (1.5, "411111", "1111")
    assert row["card"].startswith("pan_")


def test_text_that_is_not_utf8_in_parquet(tmp_path):
    bad = pa.array([b"fine", b"\xff\xfe"], pa.binary())
    table = pa.table({"event_id": ["a", "b"], "event_time": [NOON, NOON], "kind": ["tick", "tick"]})
    for memo in (
        bad.view(pa.string()),
        pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.int32()), bad.view(pa.string())),
    ):
        path = tmp_path / "in.arrow"
        with pa.ipc.new_file(str(path), table.append_column("memo", memo).schema) as writer:
            writer.write_table(table.append_column("memo", memo))
        events, quarantine = read(path)
        assert [e["event_id"] for e in events] == ["a"]
        assert [(q["event_id"], q["field"], q["reason"]) for q in quarantine] == [("b", "memo", "bad_utf8")]
        assert json.loads(quarantine[0]["raw"])["memo"] == "\\xff\\xfe"


def test_nested_parquet_columns_and_types_that_are_no_text(tmp_path):
    rows = [
        event(attributes={"a": "1", "b": None}, holders=None),
        event(event_id="e2", city=["not", "text"]),
    ]
    events, quarantine = read(parquet(tmp_path / "in.parquet", rows))
    assert [dict(e["attributes"]) for e in events] == [{"a": "1"}]
    assert [(q["field"], q["reason"]) for q in quarantine] == [("city", "bad_type")]


def test_rates_are_kept_with_the_event(tmp_path):
    rates = Rates("EUR", [Rate(dt.date(2026, 1, 3), "USD", "EUR", Decimal("0.9"))])
    rows = [event(currency="USD"), event(event_id="e2", currency="GBP"), event(event_id="e3")]
    events, _ = read(ndjson(tmp_path / "in.ndjson", rows), rates=rates)
    assert [e["amount_base_minor"] for e in events] == [1125, None, 1250]
    assert [e["rate_date"] for e in events] == [dt.date(2026, 1, 3), None, None]
    assert [e["unconverted"] for e in events] == [False, True, False]
    huge = Rates("EUR", [Rate(dt.date(2026, 1, 3), "USD", "EUR", Decimal("1000"))])
    rows = [event(currency="USD", amount="9999999999999")]
    _, quarantine = read(ndjson(tmp_path / "in.ndjson", rows), rates=huge)
    assert quarantine[0]["reason"] == "amount_bound"


def test_base_currency_choice(tmp_path):
    path = ndjson(tmp_path / "in.ndjson", [event()])
    feed = load_feed("native")
    batch = next(iter(open_source(feed, path, key=KEY, base_currency="USD")))
    assert batch.events["unconverted"].to_pylist() == [True]
    with pytest.raises(InputError, match="base currency"):
        open_source(feed, path, key=KEY, base_currency="USD", rates=Rates("EUR"))


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_batches_never_change_an_event(tmp_path, batch_rows):
    rows = [event(event_id=f"e{i}", amount=str(i)) for i in range(50)]
    rows[10]["amount"] = "x"
    path = ndjson(tmp_path / "in.ndjson", rows)
    assert read(path, batch_rows=batch_rows) == read(path)


def test_columns_that_are_not_canonical_are_named_not_read(tmp_path):
    source = open_source(
        load_feed("native"), csv_file(tmp_path / "in.csv", [event(colour="red", shade=1)]), key=KEY
    )
    assert len(list(source)) == 1
    assert source.ignored_columns == ("colour", "shade")


def test_progress_ends_at_the_total(tmp_path):
    seen: list[tuple[int, int]] = []
    for path in (ndjson(tmp_path / "in.ndjson", [event()]), parquet(tmp_path / "in.parquet", [event()])):
        list(open_source(load_feed("native"), path, key=KEY, progress=lambda d, t: seen.append((d, t))))
    assert all(done == total > 0 for done, total in seen)
    assert len(seen) == 2


def test_several_files_in_the_order_given(tmp_path):
    files = [ndjson(tmp_path / f"{n}.ndjson", [event(event_id=n)]) for n in ("b", "a")]
    assert [e["event_id"] for e in read(files)[0]] == ["b", "a"]


def test_files_that_cannot_be_used(tmp_path):
    feed = load_feed("native")
    cases = {
        "none.csv": (None, "no such file"),
        "in.xlsx": (b"x", "cannot tell the format"),
        "bad.parquet": (b"PAR1nonsense", "not a readable Parquet"),
        "bad.arrow": (b"nonsense", "not a readable Arrow IPC"),
        "empty.csv": (b"", "no header"),
        "nohead.csv": (b"a,b\n1,2\n", "no column event_id, event_time"),
        "twice.csv": (b"event_id,event_time,payer,payer\n", "appears twice"),
        "head.csv": (b"\xff,b\n", "not UTF-8"),
        "bad.csv.gz": (b"not gzip", "cannot be read"),
    }
    for name, (content, says) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=says):
            list(open_source(feed, tmp_path / name, key=KEY))
    with pytest.raises(InputError, match="at least 1"):
        open_source(feed, tmp_path / "x.csv", key=KEY, batch_rows=0)


def test_a_damaged_parquet_file_says_where(tmp_path):
    path = parquet(
        tmp_path / "in.parquet", [event(event_id=f"e{i}", memo=f"memo {i * i}") for i in range(5000)]
    )
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\x00" * 3900
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match=r"in\.parquet"):
        list(open_source(load_feed("native"), path, key=KEY))


def test_what_is_written_natively_is_read_back(tmp_path):
    batch = pa.record_batch(
        {"event_id": ["a"], "event_time": [NOON], "amount_minor": [5], "currency": ["EUR"], "x": [1]}
    )
    assert write_native(tmp_path / "out.parquet", [batch, batch]) == 2
    events, quarantine = read(tmp_path / "out.parquet")
    assert not quarantine
    assert [e["amount_minor"] for e in events] == [5, 5]
    assert "amount_base_minor" not in native_schema().names


amounts = st.one_of(
    st.decimals(min_value=-100, max_value=10**14, places=3).map(lambda d: format(d, "f")),
    st.sampled_from(["", "1e2", "abc", "0", "12,5", "NaN", " 1"]),
)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\n"), max_size=12)
times = st.sampled_from(
    [
        "2026-01-05T12:00:00Z",
        "2026-01-05T12:00:00.25+02:00",
        "2026-01-05",
        "",
        "2026-02-30T00:00:00Z",
        "1970-01-01T00:00:00Z",
    ]
)
rows_strategy = st.lists(
    st.fixed_dictionaries(
        {
            "event_id": texts,
            "event_time": times,
            "amount": amounts,
            "currency": st.sampled_from(["EUR", "JPY", "KWD", "eur", ""]),
            "kind": st.sampled_from(["payment", "refund", "tick", "nope", ""]),
            "status": st.sampled_from(["approved", "", "no"]),
            "memo": texts,
            "payer": texts,
            "lat": st.sampled_from(["", "1.5", "95", "x"]),
        }
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows_strategy)
def test_all_formats_agree_on_any_rows(tmp_path, rows):
    """Fast and slow paths of every reader give the same events and the same reasons, in any company."""
    results = [
        read(ndjson(tmp_path / "in.ndjson", rows)),
        read(parquet(tmp_path / "in.parquet", rows)),
        read(ipc(tmp_path / "in.arrow", rows)),
        read(csv_file(tmp_path / "in.csv", rows)),
    ]
    alone = [read(ndjson(tmp_path / "one.ndjson", [r])) for r in rows]
    results.append(([e for a, _ in alone for e in a], [q for _, b in alone for q in b]))
    shown = [(events, [(q["field"], q["reason"], q["event_id"]) for q in bad]) for events, bad in results]
    assert all(s == shown[0] for s in shown[1:])
