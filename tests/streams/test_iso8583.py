"""ISO 8583: messages by an acquirer's spec, card data hidden at once, what each type of message becomes."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import iso8583
import pytest
from feedkit import KEY, SAMPLES, Row, read

from txmon.model.rates import Rates
from txmon.streams import load_feed
from txmon.streams.decode import DecodedBatch, Decoder
from txmon.streams.feedfile import read_feed, shipped_directory
from txmon.streams.iso8583spec import read_spec

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "iso8583" / "samples"
SPEC = read_spec(shipped_directory() / "iso8583-ascii.json")
NOW = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp()) * 1_000_000
PAN = "4111111111111111"
USUAL = {
    "2": PAN, "3": "000000", "4": "000000001250", "7": "0228103000", "11": "000123", "14": "2912", "18": "5411",
    "22": "051", "32": "123456", "35": f"{PAN}=29121011000012345678", "37": "606010000123", "41": "TERM0001",
    "42": "MERCHANT0000001", "43": "Corner shop              Berlin       DE", "49": "978", "52": "0123456789ABCDEF",
    "55": "9F2608C0FFEE",
}  # fmt: skip


def message(mti: str = "0210", spec: Any = SPEC, **changes: str | None) -> bytes:
    fields = {k: v for k, v in (USUAL | {k[1:]: v for k, v in changes.items()}).items() if v is not None}
    raw, _ = iso8583.encode({"t": mti, **fields}, spec)
    return bytes(raw)


def decode(*payloads: bytes, feed: Any = None) -> DecodedBatch:
    return Decoder(feed or load_feed("iso8583"), KEY, Rates("EUR"), now_us=lambda: NOW).decode_payloads(
        payloads
    )


def event(*payloads: bytes) -> Row:
    batch = decode(*payloads)
    assert batch.quarantine.to_pylist() == []
    return dict(batch.events.to_pylist()[0])


def test_an_approved_purchase() -> None:
    found = event(message(f39="00", f38="123456"))
    assert (found["kind"], found["status"], found["amount_minor"], found["currency"]) == (
        "payment",
        "approved",
        1250,
        "EUR",
    )
    assert found["event_id"] == "0210:123456:TERM0001:606010000123:0228103000:000123"
    assert found["event_time"] == datetime(2026, 2, 28, 10, 30, tzinfo=UTC)
    assert str(found["card"]).startswith("pan_0123abcd_")
    assert found["payer"] == found["card"]
    assert (found["card_bin"], found["card_last4"]) == ("411111", "1111")
    assert (found["payee"], found["merchant"], found["mcc"], found["terminal"]) == (
        "MERCHANT0000001",
        "MERCHANT0000001",
        "5411",
        "TERM0001",
    )
    assert (found["descriptor"], found["city"], found["merchant_country"]) == ("Corner shop", "Berlin", "DE")
    assert (found["channel"], found["rail"]) == ("pos", "card")


@pytest.mark.parametrize(
    ("mti", "changes", "kind", "status"),
    [
        ("0100", {}, "authorization", "pending"),
        ("0110", {"f39": "00"}, "authorization", "approved"),
        ("0110", {"f39": "51"}, "authorization", "declined"),
        ("0120", {}, "authorization", "settled"),
        ("0200", {}, "payment", "pending"),
        ("0210", {"f39": "10"}, "payment", "approved"),
        ("0210", {"f39": "59"}, "payment", "declined"),
        ("0210", {}, "payment", "declined"),  # an answer that does not say what became of it moved nothing
        ("0220", {}, "payment", "settled"),
        ("0230", {"f39": "00"}, "authorization", "approved"),
        ("0210", {"f39": "00", "f3": "010000"}, "cash_out", "approved"),
        ("0210", {"f39": "00", "f3": "200000"}, "refund", "approved"),
        ("0210", {"f39": "00", "f3": "210000"}, "cash_in", "approved"),
        ("0210", {"f39": "00", "f3": "280000"}, "load", "approved"),
        ("0210", {"f39": "00", "f3": "310000"}, "authorization", "approved"),
        ("0210", {"f39": "00", "f3": "400000"}, "transfer", "approved"),
        ("0400", {}, "reversal", "pending"),
        ("0410", {"f39": "00"}, "reversal", "approved"),
        ("0420", {}, "reversal", "settled"),
    ],
)  # fmt: skip
def test_kind_and_status(mti: str, changes: dict[str, str], kind: str, status: str) -> None:
    found = event(message(mti, **changes))
    assert (found["kind"], found["status"]) == (kind, status)


def test_money_goes_back_in_refunds_and_reversals() -> None:
    original = "0200" + "000123" + "0228103000" + "00000123456" + "00000000000"
    for sent in (message("0210", f39="00", f3="200000"), message("0420", f90=original, f11="000124")):
        found = event(sent)
        assert (found["payer"], found["payee"]) == ("MERCHANT0000001", found["card"])
    assert found["related_event_id"] == event(message(f39="00"))["event_id"]


def test_card_data_is_nowhere() -> None:
    odd = "4111111111111112"  # a wrong check digit does not make it less of a card number
    sent = [
        message(f39="00"),
        message(f49="000"),
        message(f2=odd, f35=None, f49="000"),
        message(f2=None),
        message(f2=None)[:-9],
    ]
    batch = decode(*sent)
    text = json.dumps([batch.events.to_pylist(), batch.quarantine.to_pylist()], default=str)
    for secret in (PAN, odd, "2912", "0123456789ABCDEF", "9F2608"):
        assert secret not in text
    assert batch.quarantine.column("reason").to_pylist() == ["unknown_value", "unknown_value", "bad_iso8583"]
    cards = batch.events.column("card").to_pylist()
    assert cards[0] == cards[1]  # of a message without field 2 the track names the card


def test_a_refused_message_comes_again_as_its_row() -> None:
    batch = decode(message(f39="00", f49="000"))
    raw = json.loads(batch.quarantine.column("raw").to_pylist()[0])
    again = event(json.dumps(raw | {"f49": "978"}).encode())
    assert again == event(message(f39="00"))


def test_the_year_is_the_newest_that_is_not_ahead() -> None:
    def time(text: str) -> object:
        return event(message(f39="00", f7=text))["event_time"]

    assert time("0301120000") == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert time("0303000000") == datetime(2025, 3, 3, tzinfo=UTC)
    assert time("1231235959") == datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert time("0229000000") == datetime(2024, 2, 29, tzinfo=UTC)
    for bad in ("1301000000", "0230000000"):
        assert decode(message(f39="00", f7=bad)).quarantine.column("field").to_pylist() == ["event_time"]


def test_a_spec_of_another_acquirer(tmp_path: Path) -> None:
    document = json.loads((shipped_directory() / "iso8583-ascii.json").read_text())
    document["defaults"] |= {"data_enc": "cp500", "len_enc": "cp500"}
    document["fields"]["p"] = document["fields"]["1"] = {"data_enc": "b", "max_len": 8}
    document["fields"]["h"] = {"data_enc": "b", "max_len": 2}
    document["fields"]["2"] = {
        "data_enc": "b",
        "len_enc": "b",
        "len_type": 1,
        "len_count": "nibbles",
        "left_pad": "0",
        "max_len": 19,
    }
    (tmp_path / "other.json").write_text(json.dumps(document))
    text = (shipped_directory() / "iso8583.yaml").read_text()
    (tmp_path / "other.yaml").write_text(
        text.replace("iso8583-ascii.json", "other.json").replace("name: iso8583", "name: other")
    )
    spec = read_spec(tmp_path / "other.json")
    fields = {"t": "0210", "h": "6000", **USUAL, "39": "00"}
    raw, _ = iso8583.encode(fields, spec)
    batch = decode(bytes(raw), feed=load_feed(tmp_path / "other.yaml"))
    assert batch.quarantine.to_pylist() == []
    assert dict(batch.events.to_pylist()[0]) == event(message(f39="00"))
    assert decode(bytes(raw)).quarantine.column("reason").to_pylist() == ["bad_iso8583"]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "has no fields"),
        ('{"fields": {"h": {"max_len": 0}}}', "field t, p is missing"),
        ('{"fields": {"h": {}, "t": {"max_len": 4}, "p": {"max_len": 8}}}', "field h: max_len"),
        (
            '{"fields": {"h": {"max_len": 0, "x": 1}, "t": {"max_len": 4}, "p": {"max_len": 8}}}',
            "field h: x is none",
        ),
        (
            '{"fields": {"h": {"max_len": 0, "data_enc": "no"}, "t": {"max_len": 4}, "p": {"max_len": 8}}}',
            "is not b, bcd",
        ),
        (
            '{"fields": {"h": {"max_len": 0}, "t": {"max_len": 4}, "p": {"max_len": 8}, "129": {}}}',
            "'129' is not",
        ),
    ],
)
def test_a_wrong_spec_is_told_with_its_place(tmp_path: Path, spec: str, says: str) -> None:
    (tmp_path / "bad.json").write_text(spec)
    text = (shipped_directory() / "iso8583.yaml").read_text()
    (tmp_path / "bad.yaml").write_text(
        text.replace("iso8583-ascii.json", "bad.json").replace("name: iso8583", "name: bad")
    )
    feed, errors = read_feed(tmp_path / "bad.yaml")
    assert feed is None
    assert [e.detail for e in errors if says in e.detail], [e.detail for e in errors]


@pytest.mark.parametrize("column", ["f35", "f55", "f1", "f129", "expiry"])
def test_a_feed_cannot_ask_for_card_data(tmp_path: Path, column: str) -> None:
    (tmp_path / "iso8583-ascii.json").write_bytes((shipped_directory() / "iso8583-ascii.json").read_bytes())
    text = (shipped_directory() / "iso8583.yaml").read_text()
    (tmp_path / "iso8583.yaml").write_text(
        text.replace("  f3: varchar?\n", f"  f3: varchar?\n  {column}: varchar?\n")
    )
    feed, errors = read_feed(tmp_path / "iso8583.yaml")
    assert feed is None
    assert column in errors[0].detail


def test_no_bytes_raise() -> None:
    chance, whole = random.Random(3), message(f39="00")
    sent = []
    for i in range(3000):
        data = bytearray(whole if i % 3 else chance.randbytes(chance.randrange(200)))
        for _ in range(chance.randrange(4) if data else 0):
            data[chance.randrange(len(data))] = chance.randrange(256)
        sent.append(bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.3 else data))
    batch = decode(*sent)
    assert batch.events.num_rows + batch.quarantine.num_rows == len(sent)
    assert batch.events.num_rows > 100
    unread = [q["raw"] for q in batch.quarantine.to_pylist() if q["reason"] == "bad_iso8583"]
    assert len(unread) > 1000
    assert not any(unread)


def test_the_sample() -> None:
    events, quarantine = read(SAMPLES / "iso8583.ndjson", "iso8583")
    assert quarantine == []
    moved = [
        (e["kind"], e["amount_minor"])
        for e in events
        if e["kind"] != "authorization" and e["status"] in ("approved", "settled")
    ]
    assert moved == [("payment", 1250), ("cash_out", 20000), ("refund", 500), ("reversal", 1250)]
    assert all(str(e["card"]).startswith("pan_") for e in events)


@pytest.mark.shared
def test_public_samples() -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public ISO 8583 messages are not beside the repository")
    paths = sorted(PUBLIC.glob("*.dat"))
    batch = decode(*[p.read_bytes() for p in paths])
    kinds = {
        paths[i].stem: e["kind"] for i, e in zip(batch.lines.tolist(), batch.events.to_pylist(), strict=True)
    }
    assert kinds == {
        "financial_transaction_message": "authorization",
        "iso_reversal_message": "reversal",
        "iso_reversal_message_response": "reversal",
    }
    reasons = {
        paths[i].stem: q["reason"]
        for i, q in zip(batch.refused.tolist(), batch.quarantine.to_pylist(), strict=True)
    }
    assert reasons == {
        "error_message": "bad_iso8583",  # a field is shorter than it says
        "message_with_hex_bcd": "bad_iso8583",  # another encoding
        "financial_transaction_message_response": "unknown_value",  # currency 130
        "iso_reversal_message_advice": "missing",  # no currency
        "network_management_message": "unknown_value",
    }
    assert "1111111110000000000" not in json.dumps(
        [batch.events.to_pylist(), batch.quarantine.to_pylist()], default=str
    )
