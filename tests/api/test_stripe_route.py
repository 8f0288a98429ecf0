"""POST /v1/stripe: events that are signed, and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

from apikit import Api, opened, problem
from servicekit import events_stored

SECRET = "whsec_of_a_test"
SAMPLES = Path(__file__).parents[2] / "streams" / "samples"


def signed(api: Api, body: bytes, secret: str = SECRET, off_s: int = 0) -> Any:
    at = api.service.doors.clock.now_us() // 1_000_000 + off_s
    mac = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return api.post(
        "/v1/stripe",
        content=body,
        headers={"stripe-signature": f"t={at},v1={mac}", "content-type": "application/json"},
    )


def test_signed_events_are_scored_once_and_others_refused(tmp_path: Path) -> None:
    secrets = tmp_path / "stripe.secret"
    secrets.write_text(f"whsec_old\n{SECRET}\n")
    (sample,) = [p for p in SAMPLES.iterdir() if p.name.startswith("stripe")]
    bodies = [line.encode() for line in sample.read_text().splitlines() if line.strip()]
    with opened(tmp_path, stripe_secret_file=secrets) as api:
        first = bodies[0]
        assert signed(api, first).json() == {"received": True, "quarantined": 0}
        assert signed(api, first).json() == {"received": True, "quarantined": 0}
        assert signed(api, first, "whsec_old").status_code == 200
        assert len(events_stored(api.service)) == 1
        problem(signed(api, first, "whsec_wrong"), 400, "signature")
        problem(signed(api, first, off_s=-3600), 400, "signature")
        problem(api.post("/v1/stripe", content=first), 400, "signature")
        problem(signed(api, b"[]"), 400, "malformed_json")
        odd = json.dumps({"id": "evt_x", "type": "nothing.known"}).encode()
        assert signed(api, odd).status_code == 200


def test_without_secrets_there_is_no_such_route(shared_api: Api) -> None:
    problem(signed(shared_api, b"{}"), 404, "not_found")
