"""POST /v1/adyen: items that are signed, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from apikit import Api, opened, problem
from servicekit import events_stored

from txmon.errors import ConfigError
from txmon.streams.adyen import signed_text

HEX = "1a" * 32


def signed(*numbers: int, key: str = HEX, code: str = "REFUND") -> bytes:
    items = []
    for number in numbers:
        item: dict[str, Any] = {
            "amount": {"currency": "EUR", "value": 1000 + number},
            "eventCode": code,
            "eventDate": "2026-03-02T10:00:00+01:00",
            "merchantAccountCode": "Shop",
            "pspReference": f"P{number}",
            "success": "true",
        }
        mac = hmac.new(bytes.fromhex(key), signed_text(item).encode(), hashlib.sha256).digest()
        items.append(
            {
                "NotificationRequestItem": item
                | {"additionalData": {"hmacSignature": base64.b64encode(mac).decode()}}
            }
        )
    return json.dumps({"live": "true", "notificationItems": items}).encode()


def test_signed_items_are_scored_once_and_others_refused(tmp_path: Path) -> None:
    keys = tmp_path / "adyen.keys"
    keys.write_text(f"{'2b' * 32}\n{HEX}\n")
    accepted = {"received": True, "quarantined": 0, "notificationResponse": "[accepted]"}
    with opened(tmp_path, adyen_hmac_file=keys) as api:
        for _ in range(2):
            assert api.post("/v1/adyen", content=signed(1)).json() == accepted
        assert api.post("/v1/adyen", content=signed(2, 3, key="2b" * 32)).json() == accepted
        assert events_stored(api.service) == [("adyen", f"P{n}:REFUND") for n in (1, 2, 3)]
        problem(api.post("/v1/adyen", content=signed(4, key="3c" * 32)), 400, "signature")
        problem(api.post("/v1/adyen", content=signed(4).replace(b"1004", b"9004")), 400, "signature")
        problem(api.post("/v1/adyen", content=b"[]"), 400, "malformed_json")
        problem(api.post("/v1/adyen", content=b"{"), 400, "malformed_json")
        assert api.post("/v1/adyen", content=signed(5, code="REPORT_AVAILABLE")).json() == accepted | {
            "quarantined": 1
        }
        assert len(events_stored(api.service)) == 3


def test_without_keys_there_is_no_such_route(shared_api: Api) -> None:
    problem(shared_api.post("/v1/adyen", content=signed(1)), 404, "not_found")


@pytest.mark.parametrize(("text", "says"), [("", "is empty"), ("short", "64 hexadecimal")])
def test_a_wrong_file_of_keys_stops_the_start(tmp_path: Path, text: str, says: str) -> None:
    keys = tmp_path / "adyen.keys"
    keys.write_text(text)
    with pytest.raises(ConfigError, match=says), opened(tmp_path, adyen_hmac_file=keys):
        pass
