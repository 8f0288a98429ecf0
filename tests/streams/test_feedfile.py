"""Feed files: every error has file, line and column; nothing of a wrong feed runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from feedkit import KEY, SAMPLES, csv_file, ndjson, parquet, read
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from txmon.cli.feeds import app
from txmon.errors import FeedError, InputError
from txmon.streams import load_feed, open_source, shipped_feeds
from txmon.streams.feedfile import read_feed
from txmon.streams.mapping import connect

SHOP = """\
name: shop
version: 1
doc: A shop.
formats: [csv, ndjson, parquet]
base_currency: USD
time_resolution: s
time_zone: Europe/Paris
bounds: {amount_max: 1000, time_from: 2020-01-01, time_to: 2030-12-31}
negative: refund
fields:
  id: varchar
  at: timestamp
  cents: bigint
  ccy: varchar
  who: varchar
  flag: boolean?
  result: varchar?
columns:
  event_id: id
  event_time: at
  amount_minor: cents
  currency: upper(ccy)
  payer: concat('s-', who)
  payee: {const: till}
  payer_country: {const: FR}
  mode: flag
  status:
    map: {ok: approved, no: declined, "": pending}
    of: lower(result)
  card_prepaid: {const: true}
attributes:
  result: result
"""


def shop(tmp_path: Path, text: str = SHOP) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    return path


def row(**changes: object) -> dict[str, object]:
    base = {
        "id": "1",
        "at": "2026-07-01 14:00:00",
        "cents": 500,
        "ccy": "usd",
        "who": "w",
        "flag": True,
        "result": "OK",
    }
    return base | changes


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_a_feed_of_ones_own(tmp_path, form):
    feed = load_feed(shop(tmp_path))
    rows = [row(), row(id="2", cents=-70, flag=False, result="No"), row(id="3", result="")]
    write = {"csv": csv_file, "ndjson": ndjson, "parquet": parquet}[form]
    events, quarantine = read(write(tmp_path / f"in.{form}", rows), feed)
    assert not quarantine
    first, second, third = events
    assert first["event_time"].isoformat() == "2026-07-01T12:00:00+00:00"
    assert (first["amount_minor"], first["currency"], first["payer"], first["payee"]) == (
        500,
        "USD",
        "s-w",
        "till",
    )
    assert (first["mode"], first["status"], first["source"], first["card_prepaid"]) == (
        "live",
        "approved",
        "shop",
        True,
    )
    assert dict(first["attributes"]) == {"result": "OK"}
    assert (second["kind"], second["amount_minor"], second["payer"], second["payee"]) == (
        "refund",
        70,
        "till",
        "s-w",
    )
    assert (second["payer_country"], second["payee_country"], second["mode"]) == (None, "FR", "test")
    assert (second["status"], third["status"]) == ("declined", "pending")


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"result": "maybe"}, "status", "unknown_value"),
        ({"cents": 100_001}, "amount", "amount_bound"),
        ({"cents": "1.5"}, "amount_minor", "amount_precision"),
        ({"cents": "five"}, "amount_minor", "bad_type"),
        ({"at": "2019-12-31 00:00:00"}, "event_time", "time_range"),
        ({"at": "2026-02-30 00:00:00"}, "event_time", "bad_time"),
        ({"ccy": "zzz"}, "currency", "unknown_currency"),
        ({"flag": "perhaps"}, "mode", "unknown_value"),
        ({"id": ""}, "event_id", "missing"),
    ],
)
def test_rows_that_do_not_fit(tmp_path, changes, field, reason):
    path = csv_file(tmp_path / "in.csv", [row(id="good"), row(**changes)])
    events, quarantine = read(path, load_feed(shop(tmp_path)))
    assert [e["event_id"] for e in events] == ["good"]
    assert [(q["feed"], q["line"], q["field"], q["reason"]) for q in quarantine] == [
        ("shop", 3, field, reason)
    ]
    assert json.loads(quarantine[0]["raw"])["who"] == "w"


def test_an_expression_that_fails_on_a_row_quarantines_that_row(tmp_path):
    text = SHOP.replace("amount_minor: cents", "amount_minor: cast(split_part(who, '-', 2) as bigint)")
    rows = [row(who="a-5"), row(id="2", who="a-x"), row(id="3", who="a-7")]
    events, quarantine = read(csv_file(tmp_path / "in.csv", rows), load_feed(shop(tmp_path, text)))
    assert [e["amount_minor"] for e in events] == [5, 7]
    assert [(q["field"], q["reason"]) for q in quarantine] == [("amount_minor", "bad_expression")]


def test_a_typed_field_in_an_expression(tmp_path):
    text = SHOP.replace("amount_minor: cents", "amount_minor: abs(cents)")
    rows = [row(cents="5"), row(id="2", cents="x"), row(id="3", cents="")]
    events, quarantine = read(csv_file(tmp_path / "in.csv", rows), load_feed(shop(tmp_path, text)))
    assert [e["amount_minor"] for e in events] == [5]
    assert [(q["event_id"], q["reason"]) for q in quarantine] == [("2", "bad_type"), ("3", "missing")]


def test_a_file_of_another_feed(tmp_path):
    feed = load_feed(shop(tmp_path))
    with pytest.raises(InputError, match="no column cents, which feed shop needs"):
        list(
            open_source(
                feed, csv_file(tmp_path / "in.csv", [{"id": 1, "at": 2, "ccy": 3, "who": 4}]), key=KEY
            )
        )
    (tmp_path / "x.arrow").write_bytes(b"")
    with pytest.raises(InputError, match="takes csv, ndjson, parquet, not ipc"):
        list(open_source(feed, tmp_path / "x.arrow", key=KEY))
    optional = [{k: v for k, v in row().items() if k not in ("flag", "result")}]
    assert len(read(csv_file(tmp_path / "in.csv", optional), feed)[0]) == 1


@pytest.mark.parametrize(
    ("old", "new", "place", "says"),
    [
        ("version: 1", "version: one", "2:10", "whole number"),
        ("name: shop", "name: Shop!", "1:7", "lower-case"),
        ("name: shop", "name: stall", "1:7", "must be that of the file"),
        ("doc: A shop.", "colour: red", "3:1", "unknown key colour"),
        ("formats: [csv, ndjson, parquet]", "formats: [xls]", "4:11", "format xls"),
        ("formats: [csv, ndjson, parquet]", "formats: csv", "4:10", "must be a list"),
        ("base_currency: USD", "base_currency: usd", "5:16", "ISO 4217"),
        ("time_resolution: s", "time_resolution: week", "6:18", "is not us, ms"),
        ("Europe/Paris", "Paris", "7:12", "IANA zone"),
        ("amount_max: 1000", "amount_max: -1", "8:22", "positive"),
        ("time_from: 2020-01-01", "time_from: soon", "8:39", "not a date"),
        ("time_from: 2020-01-01", "time_from: 2031-01-01", "8:9", "before time_to"),
        ("time_from: 2020-01-01", "since: 2031-01-01", "8:28", "unknown bound since"),
        ("negative: refund", "negative: payment", "9:11", "is not refund"),
        ("cents: bigint", "cents: money", "13:10", "type 'money'"),
        ("  id: varchar", "  'i d': varchar", "11:3", "a field name"),
        ("event_id: id", "event_no: id", "19:3", "not a canonical column"),
        ("event_id: id", "memo: id", "19:3", "column event_id is missing"),
        ("event_time: at", "event_time: cents", "20:15", "cannot be a BIGINT"),
        ("upper(ccy)", "upper(cy)", "22:19", "column cy is not among"),
        ("upper(ccy)", "uppper(ccy)", "22:13", "function uppper is not accepted"),
        ("upper(ccy)", "upper(ccy", "22:21", "expected"),
        ("upper(ccy)", "upper(ccy); drop table x", "22:23", "`;`"),
        ("upper(ccy)", "(select 1)", "22:13", "subquery"),
        ("upper(ccy)", "read_text('/etc/passwd')", "22:13", "function read_text"),
        ("upper(ccy)", "getenv('HOME')", "22:13", "function getenv"),
        ("upper(ccy)", "random()", "22:13", "function random"),
        ("upper(ccy)", "count(*)", "22:13", ""),
        ("upper(ccy)", "upper(:p)", "22:19", "a parameter"),
        ("upper(ccy)", "case when ccy in list('x') then 'EUR' end", "22:", "a list"),
        ("upper(ccy)", "upper(cents, 1)", "22:13", "DuckDB refuses"),
        ("{const: till}", "{constant: till}", "24:10", "write an expression"),
        ("{const: till}", "{const: }", "24:18", "const must be"),
        ("no: declined", "no: refused", "28:29", "status 'refused' is none of"),
        ("of: lower(result)", "of: lower(outcome)", "29:15", "column outcome"),
        ('map: {ok: approved, no: declined, "": pending}', "map: [1]", "28:10", "must be a mapping"),
        ("name: shop\n", "name: shop\nname: shop\n", "2:1", "duplicate key"),
        ("version: 1", "version: &x 1", "2:", "anchors"),
    ],
)  # fmt: skip
def test_errors_name_the_place(tmp_path, old, new, place, says):
    assert old in SHOP
    path = shop(tmp_path, SHOP.replace(old, new, 1))
    feed, errors = read_feed(path)
    assert feed is None
    shown = [str(e) for e in errors]
    assert any(e.startswith(f"{path}:{place}") and says in e for e in shown), shown
    with pytest.raises(FeedError):
        load_feed(path)


def test_all_errors_at_once_in_order(tmp_path):
    text = (
        SHOP.replace("version: 1", "version: x")
        .replace("upper(ccy)", "nope(ccy)")
        .replace("id: varchar", "id: uuid")
    )
    _, errors = read_feed(shop(tmp_path, text))
    assert [e.source.line for e in errors] == sorted(e.source.line for e in errors)
    assert len(errors) >= 3


@pytest.mark.parametrize("text", ["", "- a", "a: [", "just text", "\x07: 1"])
def test_files_that_are_no_feeds(tmp_path, text):
    feed, errors = read_feed(shop(tmp_path, text))
    assert feed is None
    assert errors


def test_native_feeds_have_no_columns(tmp_path):
    text = SHOP.replace("negative: refund", "native: true")
    assert "a native feed has no fields" in str(read_feed(shop(tmp_path, text))[1][0])
    assert "cannot be read" in str(read_feed(tmp_path / "none.yaml")[1][0])
    for name in ("nope", "../native", "NATIVE"):
        with pytest.raises(FeedError, match="no such feed"):
            load_feed(name)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_expression_is_checked_never_run(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("f") / "shop.yaml"
    path.write_text(SHOP.replace("upper(ccy)", json.dumps(text)), encoding="utf-8")
    feed, errors = read_feed(path)
    assert (feed is None) == bool(errors)


def test_the_connection_can_do_nothing_but_compute():
    connection = connect()
    for statement in (
        "select * from read_text('/etc/hostname')",
        "set threads=4",
        "install httpfs",
        "attach 'x.db'",
    ):
        with pytest.raises(Exception, match=r"disabled|lock|Permission|not allowed"):
            connection.execute(statement)


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda p: p.name)
def test_every_sample_is_read_whole(path):
    events, quarantine = read(path, path.stem)
    assert not quarantine
    assert len(events) >= 3
    assert {e["source"] for e in events} == {load_feed(path.stem).source}


def test_every_feed_ships_with_a_sample_and_loads():
    names = [p.stem for p in shipped_feeds()]
    assert names == sorted(
        [
            "adyen",
            "amlsim",
            "berka",
            "camt",
            "fdh",
            "iso8583",
            "native",
            "pacs002",
            "pacs008",
            "pain001",
            "paysim",
            "sparkov",
            "stripe",
            "tabformer",
            "tazama",
        ]
    )
    assert {p.stem for p in SAMPLES.iterdir()} == set(names)


def test_command_line(tmp_path):
    runner = CliRunner()
    listed = runner.invoke(app, ["list"])
    assert listed.exit_code == 0
    assert "tabformer" in listed.output
    assert runner.invoke(app, ["check"]).exit_code == 0
    wrong = runner.invoke(app, ["check", str(shop(tmp_path, SHOP.replace("version: 1", "version: x")))])
    assert wrong.exit_code == 2
    assert "shop.yaml:2:10" in wrong.output
    for name in ("native", "tabformer", "berka"):
        shown = runner.invoke(app, ["show", name])
        assert shown.exit_code == 0
        assert name in shown.output
