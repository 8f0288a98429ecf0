"""Stripe: signatures over raw bytes, and what each kind of event becomes."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from feedkit import KEY, SAMPLES, Row, read

from txmon.errors import SignatureError
from txmon.model.rates import Rates
from txmon.streams import load_feed
from txmon.streams.decode import Decoder
from txmon.streams.stripe import verify

VECTORS = Path(__file__).parents[3] / "shared" / "formats" / "stripe" / "signature_vectors.json"
NOW, SECRET, BODY = 1_767_614_400, "whsec_sample", b'{"id":"evt_1","amount": 1}'


def sign(body: bytes = BODY, at: int = NOW, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def test_good_signatures() -> None:
    good = sign()
    for header in (
        f"t={NOW},v1={good}",
        f"t={NOW}, v1={'0' * 64}, v1={good}",
        f"v0={'1' * 64},v1={good},t={NOW}",
    ):
        verify(BODY, header, [SECRET], NOW)
    verify(BODY, f"t={NOW},v1={good}", ["whsec_new", SECRET], NOW + 300)
    verify(BODY, f"t={NOW},v1={good}", [SECRET], NOW - 300)
    verify(b"", f"t={NOW},v1={sign(b'')}", [SECRET], NOW)


@pytest.mark.parametrize(
    ("body", "header", "secrets", "now", "says"),
    [
        (BODY + b" ", f"t={NOW},v1={sign()}", [SECRET], NOW, "does not fit"),
        (BODY, f"t={NOW},v1={sign()}", ["whsec_other"], NOW, "does not fit"),
        (BODY, f"t={NOW + 1},v1={sign()}", [SECRET], NOW, "does not fit"),
        (BODY, f"t={NOW},v1={sign()}", [SECRET], NOW + 301, "301 s off"),
        (BODY, f"t={NOW},v1={sign()}", [SECRET], NOW - 301, "301 s off"),
        (BODY, f"t={NOW},v0={sign()}", [SECRET], NOW, "no v1"),
        (BODY, f"t={NOW},v1={sign().upper()}", [SECRET], NOW, "no v1"),
        (BODY, f"v1={sign()}", [SECRET], NOW, "one time"),
        (BODY, f"t={NOW},t={NOW},v1={sign()}", [SECRET], NOW, "one time"),
        (BODY, f"t=+{NOW},v1={sign()}", [SECRET], NOW, "one time"),
        (BODY, f"t=0{NOW},v1={sign()}", [SECRET], NOW, "one time"),
        (BODY, "", [SECRET], NOW, "one time"),
        (BODY, "v1=" * 5000, [SECRET], NOW, "longer than"),
        (BODY, f"t={NOW},v1={sign()}", [], NOW, "no secret"),
    ],
)
def test_bad_signatures(body: bytes, header: str, secrets: list[str], now: int, says: str) -> None:
    with pytest.raises(SignatureError, match=says) as caught:
        verify(body, header, secrets, now)
    assert SECRET not in str(caught.value)


@pytest.mark.shared
def test_public_vectors() -> None:
    if not VECTORS.is_file():
        pytest.skip("the public signature vectors are not beside the repository")
    for vector in json.loads(VECTORS.read_text())["vectors"]:
        arguments = (
            vector["payload"].encode(),
            vector["Stripe-Signature"],
            [vector["secret"]],
            vector["now"],
        )
        if vector["valid"]:
            verify(*arguments)
        else:
            with pytest.raises(SignatureError):
                verify(*arguments)


@pytest.fixture(scope="module")
def by_type() -> dict[str, Row]:
    events, quarantine = read(SAMPLES / "stripe.ndjson", "stripe")
    assert quarantine == []
    return {f"{dict(e['attributes'])['type']} {e['event_id']} ": e for e in events}  # type: ignore[call-overload]


def find(by_type: dict[str, Row], start: str) -> Row:
    (found,) = (row for key, row in by_type.items() if key.startswith(start))
    return found


def test_minor_units_follow_stripe_and_not_iso(by_type: dict[str, Row]) -> None:
    amounts = {
        k.strip(): (r["amount_minor"], r["currency"])
        for k, r in by_type.items()
        if k.startswith("charge.succ")
    }
    assert amounts == {
        "charge.succeeded ch_1": (4999, "EUR"),
        "charge.succeeded ch_2": (5000, "JPY"),
        "charge.succeeded ch_3": (5120, "KWD"),
        "charge.succeeded ch_4": (5, "ISK"),  # Stripe has hundredths of a krona, ISO has none
        "charge.succeeded ch_5": (20000, "EUR"),
        "charge.succeeded ch_19": (100, "USD"),
    }


def test_money_is_counted_once(by_type: dict[str, Row]) -> None:
    moved = {
        key.strip(): (row["kind"], row["amount_minor"])
        for key, row in by_type.items()
        if row["amount_minor"] is not None
        and row["kind"] != "authorization"
        and row["status"] in ("approved", "settled", None)
    }
    assert moved == {
        "charge.succeeded ch_1": ("payment", 4999),
        "charge.succeeded ch_2": ("payment", 5000),
        "charge.succeeded ch_3": ("payment", 5120),
        "charge.succeeded ch_4": ("payment", 5),
        "charge.succeeded ch_19": ("payment", 100),
        "charge.captured evt_sample006": ("capture", 18000),
        "refund.created re_1": ("refund", 1999),
        "charge.dispute.funds_withdrawn evt_sample011": ("chargeback", 3000),
        "payout.paid po_1": ("payout", 15000),
        "transfer.created tr_1": ("transfer", 8000),
        "transfer.reversed evt_sample014": ("reversal", 3000),  # 5000 so far, 2000 before
    }


def test_who_pays_whom_and_what_refers_to_what(by_type: dict[str, Row]) -> None:
    charge, refund = find(by_type, "charge.succeeded ch_1 "), find(by_type, "refund")
    assert (charge["payer"], charge["payee"], charge["merchant"]) == ("cus_Lena", "acct_shop", "acct_shop")
    assert (charge["card"], charge["card_last4"], charge["card_prepaid"]) == ("Fp7Qw2", "4242", False)
    assert (charge["channel"], charge["rail"], charge["descriptor"]) == ("ecom", "card", "SAMPLE SHOP")
    assert (refund["payer"], refund["related_event_id"]) == ("acct_shop", charge["event_id"])
    assert find(by_type, "charge.captured")["related_event_id"] == "ch_5"
    assert find(by_type, "charge.failed")["status"] == "declined"
    payout = find(by_type, "payout")
    assert (payout["payer"], payout["payee"]) == ("acct_shop", "ba_1")
    reversal = find(by_type, "transfer.rev")
    assert (reversal["payer"], reversal["payee"], reversal["related_event_id"]) == (
        "acct_shop",
        "platform",
        "tr_1",
    )


def test_profiles_and_tips(by_type: dict[str, Row]) -> None:
    merchant = find(by_type, "account.updated")
    assert (merchant["kind"], merchant["merchant"], merchant["mcc"]) == (
        "merchant.updated",
        "acct_shop",
        "5651",
    )
    bank = find(by_type, "account.external")
    assert (bank["kind"], bank["account"], bank["merchant"]) == ("account.opened", "ba_1", "acct_shop")
    person = find(by_type, "person")
    assert (person["kind"], person["party"], person["merchant"]) == ("party.updated", "person_1", "acct_shop")
    tip = find(by_type, "radar")
    assert (tip["kind"], tip["related_event_id"]) == ("tip.received", "ch_2")


def test_mode_follows_livemode(by_type: dict[str, Row]) -> None:
    assert find(by_type, "charge.succeeded ch_19")["mode"] == "test"
    assert {r["mode"] for k, r in by_type.items() if "ch_19" not in k} == {"live"}


def test_a_refund_that_was_pending_counts_when_it_succeeds() -> None:
    refund = {"id": "re_9", "object": "refund", "amount": 500, "currency": "eur", "charge": "ch_1"}

    def sent(number: int, kind: str, status: str, before: str | None) -> bytes:
        data: dict[str, object] = {"object": refund | {"status": status}}
        if before:
            data["previous_attributes"] = {"status": before}
        row = {"id": f"evt_{number}", "type": kind, "created": NOW + number, "livemode": True, "data": data}
        return json.dumps(row).encode()

    batch = Decoder(load_feed("stripe"), KEY, Rates("EUR")).decode_payloads(
        [
            sent(1, "refund.created", "pending", None),
            sent(2, "refund.updated", "pending", None),
            sent(3, "refund.updated", "succeeded", "pending"),
            sent(4, "review.opened", "open", None),
        ]
    )
    found = [(e["kind"], e["status"]) for e in batch.events.to_pylist()]
    assert found == [("refund", "pending"), ("authorization", "pending"), ("refund", "settled")]
    assert batch.quarantine.column("reason").to_pylist() == ["unknown_value"]
