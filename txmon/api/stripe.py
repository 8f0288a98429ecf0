"""`POST /v1/stripe`: webhook events of Stripe, known by their signature instead of a key.

Stripe sends an event again until it is answered with 2xx, so an answer is given when the event is stored,
scored or in quarantine; what is decided is not told to Stripe. Owns this route; the signature and what an
event means are `txmon.streams`' part.
"""

from __future__ import annotations

from pathlib import Path

from txmon.api.bodies import check_depth, read_body
from txmon.api.context import Answer, Exchange, Parts, json_answer
from txmon.api.ingest import Submitter
from txmon.api.problems import Problem
from txmon.errors import ConfigError
from txmon.pipeline.work import Sender
from txmon.streams.stripe import HEADER, verify

_FEED = "stripe"


class Stripe:
    """The handler. Without a file of secrets there is no such route."""

    def __init__(self, parts: Parts, submitter: Submitter) -> None:
        self._parts, self._submitter = parts, submitter
        self._secrets = _secrets(parts.settings.stripe_secret_file)

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer a request."""
        settings, headers = self._parts.settings, exchange.headers
        if not self._secrets:
            raise Problem(
                "not_found", "this service takes no webhooks of Stripe; set TXMON_STRIPE_SECRET_FILE"
            )
        body = await read_body(exchange.receive, headers.get(b"content-length"), settings.request_max_bytes)
        signature = headers.get(HEADER.lower().encode(), b"").decode("latin-1")
        verify(body, signature, self._secrets, self._parts.clock.now_us() // 1_000_000)
        check_depth(body, settings.json_depth_max)
        if body[:1] != b"{":
            raise Problem("malformed_json", "the body is no JSON object")
        outcome = await self._submitter.submit((body,), Sender(_FEED, settings.entity))
        return json_answer({"received": True, "quarantined": outcome.quarantined})


def _secrets(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"TXMON_STRIPE_SECRET_FILE: {path} cannot be read; correct the path") from error
    if not lines:
        raise ConfigError(f"TXMON_STRIPE_SECRET_FILE: {path} is empty; write a secret a line, or unset it")
    return tuple(lines)
