"""Adyen: signatures over the fields of items, and what each kind of item becomes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from feedkit import KEY, SAMPLES, Row, read

from txmon.errors import InputError, SignatureError
from txmon.model.rates import Rates
from txmon.streams import load_feed
from txmon.streams.adyen import parse_key, signed_items, signed_text
from txmon.streams.decode import Decoder

PUBLIC = Path(__file__).parents[3] / "shared" / "formats" / "adyen"
HEX = "0f" * 32
SECRET = bytes.fromhex(HEX)


def item(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "amount": {"currency": "EUR", "value": 1000},
        "eventCode": "REFUND",
        "eventDate": "2026-03-02T10:00:00+01:00",
        "merchantAccountCode": "Shop:EU",
        "merchantReference": "a/b\\c:1",
        "originalReference": "P1",
        "pspReference": "P2",
        "success": "true",
    } | changes
    mac = hmac.new(SECRET, signed_text(made).encode(), hashlib.sha256).digest()
    return made | {"additionalData": {"hmacSignature": base64.b64encode(mac).decode()}}


def body(*items: dict[str, Any]) -> bytes:
    return json.dumps(
        {"live": "true", "notificationItems": [{"NotificationRequestItem": i} for i in items]}
    ).encode()


def test_what_is_signed_is_parted_by_colons_and_escaped_nowhere() -> None:
    assert signed_text(item()) == "P2:P1:Shop:EU:a/b\\c:1:1000:EUR:REFUND:true"
    bare = {"pspReference": "P2", "eventCode": "REPORT_AVAILABLE", "success": True}
    assert signed_text(bare) == "P2::::::REPORT_AVAILABLE:true"


def test_good_signatures_and_several_items() -> None:
    other = parse_key("AB" * 32)
    assert [json.loads(b) for b in signed_items(body(item()), [other, SECRET])] == [json.loads(body(item()))]
    first, second = item(), item(pspReference="P3", merchantReference="zwölf")
    parts = signed_items(body(first, second), [SECRET])
    assert [json.loads(p) for p in parts] == [json.loads(body(first)), json.loads(body(second))]


@pytest.mark.parametrize(
    "field",
    ["pspReference", "originalReference", "merchantAccountCode", "merchantReference", "eventCode", "success"],
)
def test_a_changed_field_is_refused(field: str) -> None:
    with pytest.raises(SignatureError, match="does not fit") as caught:
        signed_items(body(item() | {field: "X"}), [SECRET])
    assert HEX not in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (body(item() | {"amount": {"currency": "EUR", "value": 1001}}), "does not fit"),
        (body(item() | {"amount": {"currency": "USD", "value": 1000}}), "does not fit"),
        (body(item(), item() | {"success": "false"}), "does not fit"),
        (body(item() | {"additionalData": {}}), "no additionalData.hmacSignature"),
        (body(item() | {"additionalData": {"hmacSignature": 5}}), "no additionalData.hmacSignature"),
        (body(item() | {"additionalData": {"hmacSignature": "%%"}}), "no base64"),
    ],
)
def test_bad_signatures(sent: bytes, says: str) -> None:
    with pytest.raises(SignatureError, match=says):
        signed_items(sent, [SECRET])


@pytest.mark.parametrize(
    "sent",
    [b"", b"[]", b"{}", b'{"notificationItems":[]}', b'{"notificationItems":[{}]}', body(*[item()] * 101)],
)
def test_what_is_no_notification(sent: bytes) -> None:
    with pytest.raises(InputError):
        signed_items(sent, [SECRET])


def test_keys() -> None:
    assert parse_key(HEX) == SECRET
    for bad in ("", HEX[:-1], HEX + "0", "xy" * 32):
        with pytest.raises(SignatureError, match="64 hexadecimal"):
            parse_key(bad)
    with pytest.raises(SignatureError, match="no HMAC key"):
        signed_items(body(item()), [])


def test_of_a_name_that_is_there_twice_what_was_checked_is_read() -> None:
    sent = body(item()).replace(
        b'"amount": {', b'"amount": {"currency": "EUR", "value": 99900}, "amount": {', 1
    )
    (part,) = signed_items(sent, [SECRET])
    assert part.count(b'"amount"') == 1
    assert b"99900" not in part


@pytest.fixture(scope="module")
def rows() -> dict[str, Row]:
    events, quarantine = read(SAMPLES / "adyen.ndjson", "adyen")
    assert quarantine == []
    return {str(e["event_id"]).removeprefix("PSPA0000000000"): e for e in events}


def test_money_is_counted_once(rows: dict[str, Row]) -> None:
    moved = {
        name: (row["kind"], row["amount_minor"])
        for name, row in rows.items()
        if (row["kind"] != "authorization" or row["auth_is_final"])
        and row["kind"] != "tip.received"
        and row["status"] in ("approved", "settled")
    }
    assert moved == {
        "02:CAPTURE": ("capture", 10100),
        "03": ("authorization", 2550),  # its operations have no capture: it captures by itself
        "06:REFUND": ("refund", 1000),
        "06:REFUND_FAILED": ("transfer", 1000),
        "08:CANCEL_OR_REFUND": ("refund", 500),
        "10:CHARGEBACK": ("chargeback", 10100),
        "10:CHARGEBACK_REVERSED": ("transfer", 10100),
        "02:CAPTURE_FAILED": ("reversal", 10100),
        "16:PAYOUT_THIRDPARTY": ("payout", 20000),
    }


def test_minor_units_follow_adyen_and_not_iso(rows: dict[str, Row]) -> None:
    found = {
        str(r["currency"]): r["amount_minor"] for r in rows.values() if r["currency"] not in ("EUR", "USD")
    }
    assert found == {"JPY": 5000, "KWD": 5120, "ISK": 500, "IDR": 5_000_000}


def test_who_pays_whom_and_what_refers_to_what(rows: dict[str, Row]) -> None:
    paid, refund = rows["01"], rows["06:REFUND"]
    assert (paid["payer"], paid["payee"], paid["merchant"]) == ("cust-7", "SampleShopEU", "SampleShopEU")
    assert (paid["card"], paid["card_bin"], paid["card_last4"]) == ("H167852639363479", "411111", "1111")
    assert (paid["channel"], paid["rail"], paid["ip"], paid["card_prepaid"]) == (
        "ecom",
        "card",
        "192.0.2.7",
        False,
    )
    assert (refund["payer"], refund["payee"], refund["related_event_id"]) == (
        "SampleShopEU",
        "cust-8",
        "PSPA000000000003",
    )
    declined = rows["04:AUTHORISATION:refused"]
    assert (declined["status"], declined["card_prepaid"]) == ("declined", True)
    assert dict(declined["attributes"])["refusal"] == "51 : Insufficient funds"  # type: ignore[call-overload]
    assert rows["07:REFUND:refused"]["status"] == "failed"
    assert (
        rows["11:NOTIFICATION_OF_FRAUD"]["kind"],
        rows["11:NOTIFICATION_OF_FRAUD"]["related_event_id"],
    ) == ("tip.received", "PSPA000000000003")


def test_mode_follows_live(rows: dict[str, Row]) -> None:
    assert {name for name, row in rows.items() if row["mode"] == "test"} == {"17"}


def test_several_items_of_one_notification_are_not_passed_over() -> None:
    decoder = Decoder(load_feed("adyen"), KEY, Rates("EUR"))
    both = body(item(), item(pspReference="P3"))
    batch = decoder.decode_payloads([both])
    assert (batch.events.num_rows, batch.quarantine.column("reason").to_pylist()) == (0, ["unknown_value"])
    parted = decoder.decode_payloads(signed_items(both, [SECRET]))
    assert parted.events.column("event_id").to_pylist() == ["P2:REFUND", "P3:REFUND"]


@pytest.mark.shared
def test_public_samples_and_vectors() -> None:
    if not PUBLIC.is_dir():
        pytest.skip("the public Adyen samples are not beside the repository")
    for vector in json.loads((PUBLIC / "hmac_vectors.json").read_text())["vectors"]:
        sent, key = body(vector["NotificationRequestItem"]), parse_key(vector["hex_key"])
        if vector["valid"]:
            assert len(signed_items(sent, [key])) == 1
        else:
            with pytest.raises(SignatureError):
                signed_items(sent, [key])
    samples = sorted(p for p in PUBLIC.glob("*.json") if p.name != "hmac_vectors.json")
    batch = Decoder(load_feed("adyen"), KEY, Rates("EUR")).decode_payloads([p.read_bytes() for p in samples])
    assert batch.quarantine.num_rows == 0
    found = batch.events.select(["kind", "status", "mode", "amount_minor"]).to_pylist()
    kinds = {p.stem: tuple(row.values()) for p, row in zip(samples, found, strict=True)}
    assert kinds == {
        "authorisation-true": ("authorization", "approved", "test", 10100),
        "cancellation-true": ("authorization", "cancelled", "test", 500),
        "capture-false": ("capture", "failed", "test", 23623),
        "capture-true": ("capture", "settled", "test", 23623),
        "chargeback": ("chargeback", "settled", "live", 1000),
        "refund-false": ("refund", "failed", "test", kinds["refund-false"][3]),
        "refund-true": ("refund", "settled", "test", kinds["refund-true"][3]),
    }
