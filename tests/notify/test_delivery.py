"""One delivery: signed as the standard says, bounded in time and size, never led elsewhere."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hookserver import receiver
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from txmon.clock import SystemClock
from txmon.errors import ConfigError, StateError
from txmon.notify.backoff import Backoff
from txmon.notify.deliver import Deliverer, Limits
from txmon.notify.signing import Master, load_master, secrets_of, sign

MASTER = Master(bytes(range(32)))
BODY = '{"specversion":"1.0","data":{"note":"ä ✓ \\u0000"}}'.encode()


def deliverer(**more: Any) -> Deliverer:
    return Deliverer(Limits(loopback=True, **more), SystemClock())


def test_an_independent_library_accepts_the_signature() -> None:
    secret = secrets_of(MASTER, b"n" * 16)[0]
    now = int(datetime.now(UTC).timestamp())  # noqa: TID251
    with receiver() as server:
        assert deliverer().post(server.url(), sign([secret], "msg_1", now, BODY), BODY).outcome == "delivered"
        got = server.state.got[0]
    theirs = Webhook(secret.text)
    assert theirs.verify(got.body, got.headers)["specversion"] == "1.0"
    assert (
        theirs.sign("msg_1", datetime.fromtimestamp(now, UTC), BODY.decode())
        == got.headers["webhook-signature"]
    )
    for change in (
        {"webhook-id": "msg_2"},
        {"webhook-timestamp": str(now + 1)},
        {"webhook-signature": "v1,AAAA"},
    ):
        with pytest.raises(WebhookVerificationError):
            theirs.verify(got.body, got.headers | change)
    with pytest.raises(WebhookVerificationError):
        theirs.verify(got.body + b" ", got.headers)


def test_both_secrets_sign_while_receivers_change() -> None:
    new, old = secrets_of(MASTER, b"2" * 16 + b"1" * 16)
    assert old == secrets_of(MASTER, b"1" * 16)[0]
    now = int(datetime.now(UTC).timestamp())  # noqa: TID251
    headers = sign([new, old], "msg_1", now, BODY)
    for secret in (new, old):
        Webhook(secret.text).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(secrets_of(MASTER, b"3" * 16)[0].text).verify(BODY, headers)


def test_secrets_come_of_key_file_and_nonce_and_are_not_shown(tmp_path: Path) -> None:
    from hashlib import sha256
    from hmac import digest

    secret = secrets_of(MASTER, b"n" * 16)[0]
    extracted = digest(b"txmon webhook secrets 1", MASTER.secret, "sha256")  # RFC 5869, written out
    assert secret.key == digest(extracted, b"endpoint " + b"n" * 16 + b"\x01", sha256)
    assert secret.text.startswith("whsec_")
    assert secret.text[6:] not in repr(secret)
    assert MASTER.secret.hex() not in repr(MASTER)
    assert (
        len(
            {secrets_of(Master(bytes([i]) * 32), bytes([j]) * 16)[0].text for i in range(9) for j in range(9)}
        )
        == 81
    )
    with pytest.raises(StateError):
        secrets_of(MASTER, b"short")
    file = tmp_path / "key"
    file.write_text("ab" * 32 + "\n")
    file.chmod(0o600)
    assert load_master(file) == Master(b"\xab" * 32)
    file.write_bytes(b"not hexadecimal, but long enough as it is")
    assert len(load_master(file).secret) > 32
    for content, mode in (("ab" * 31, 0o600), ("", 0o600), ("ab" * 32, 0o640)):
        file.write_text(content)
        file.chmod(mode)
        with pytest.raises(ConfigError) as caught:
            load_master(file)
        assert "TXMON_WEBHOOK_KEY_FILE" in str(caught.value)
        assert "abab" not in str(caught.value)
    with pytest.raises(ConfigError):
        load_master(tmp_path / "none")


@pytest.mark.parametrize(
    ("answer", "outcome", "status", "error"),
    [(200, "delivered", 200, None), (204, "delivered", 204, None), (410, "gone", 410, "gone"), (404, "retry", 404, "client_error"), (500, "retry", 500, "server_error"),
     ("drop", "retry", None, "connection_lost"), (("redirect", "http://127.0.0.1:9/"), "retry", 302, "redirect")],
)  # fmt: skip
def test_what_an_answer_means(answer: Any, outcome: str, status: int | None, error: str | None) -> None:
    with receiver() as server:
        server.state.always = answer
        reply = deliverer().post(server.url(), {}, b"x")
        assert (reply.outcome, reply.status, reply.error) == (outcome, status, error)
        server.stop()
        assert deliverer().post(server.url(), {}, b"x").error == "connect"
        server.start()


def test_a_redirect_leads_nowhere() -> None:
    with receiver() as server, receiver() as other:
        server.state.always = ("redirect", other.url())
        assert deliverer().post(server.url(), {}, b"x").status == 302
        assert other.state.got == []
        assert len(server.state.got) == 1


@pytest.mark.parametrize("answer", [("slow", 3.0), "drip_head", "drip_body"], ids=str)
def test_the_whole_delivery_ends_in_time(answer: Any) -> None:
    with receiver() as server:
        server.state.always = answer
        reply = deliverer(timeout_s=0.4).post(server.url(), {}, b"x")
        assert (reply.outcome, reply.error) == ("retry", "timeout")
        assert len(server.state.got) == 1


def test_an_endless_answer_is_cut_off() -> None:
    with receiver() as server:
        server.state.always = "endless"
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        reply = deliverer(reply_bytes=65_536).post(server.url(), {}, b"x")
        assert (reply.outcome, reply.status) == ("delivered", 200)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000


def test_a_retry_after_is_read() -> None:
    with receiver() as server:
        server.state.always = (503, {"Retry-After": "120"})
        assert deliverer().post(server.url(), {}, b"x").retry_after_s == 120


def test_pauses_grow_to_a_bound_and_are_spread() -> None:
    backoff = Backoff()
    middle = [backoff.pause_us(n, None, 0.5) / 1e6 for n in range(1, 13)]
    assert middle[:4] == [5.0, 12.5, 31.25, 78.125]
    assert middle[-1] == 43_200
    assert 20 < sum(middle[:11]) / 3600 < 22
    assert backoff.pause_us(1, None, 0.0) == 3_750_000
    assert backoff.pause_us(1, None, 0.999) < 6_250_000
    assert backoff.pause_us(1, 3600, 0.5) == 3_600_000_000
    assert backoff.pause_us(1, 1e9, 0.5) == 43_200_000_000
    assert backoff.pause_us(10**6, None, 0.5) == 43_200_000_000
    with pytest.raises(ConfigError):
        Backoff(first_s=0)
    with pytest.raises(ConfigError):
        Limits(timeout_s=0)
