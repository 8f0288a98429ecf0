"""`POST /v1/adyen`: notifications of Adyen, known by the signature of their items instead of a key.

Adyen sends a notification again until it is accepted, so an answer is given when every item is stored, scored
or in quarantine; what is decided is not told to Adyen. Owns this route; the signature and what an item means
are `txmon.streams`' part.
"""

from __future__ import annotations

from pathlib import Path

from txmon.api.bodies import check_depth, read_body
from txmon.api.context import Answer, Exchange, Parts, json_answer
from txmon.api.ingest import Submitter
from txmon.api.problems import Problem
from txmon.errors import ConfigError, InputError, SignatureError
from txmon.pipeline.work import Sender
from txmon.streams.adyen import parse_key, signed_items

_FEED = "adyen"
_ACCEPTED = "[accepted]"  # what Adyen has always looked for in an answer


class Adyen:
    """The handler. Without a file of keys there is no such route."""

    def __init__(self, parts: Parts, submitter: Submitter) -> None:
        self._parts, self._submitter = parts, submitter
        self._keys = _keys(parts.settings.adyen_hmac_file)

    async def __call__(self, exchange: Exchange) -> Answer:
        """Answer a request."""
        settings, headers = self._parts.settings, exchange.headers
        if not self._keys:
            raise Problem("not_found", "this service takes no webhooks of Adyen; set TXMON_ADYEN_HMAC_FILE")
        body = await read_body(exchange.receive, headers.get(b"content-length"), settings.request_max_bytes)
        check_depth(body, settings.json_depth_max)
        try:
            items = signed_items(body, self._keys)
        except InputError as error:
            raise Problem("malformed_json", error.detail) from None
        outcome = await self._submitter.submit(tuple(items), Sender(_FEED, settings.entity))
        return json_answer(
            {"received": True, "quarantined": outcome.quarantined, "notificationResponse": _ACCEPTED}
        )


def _keys(path: Path | None) -> tuple[bytes, ...]:
    if path is None:
        return ()
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"TXMON_ADYEN_HMAC_FILE: {path} cannot be read; correct the path") from error
    if not lines:
        raise ConfigError(f"TXMON_ADYEN_HMAC_FILE: {path} is empty; write a key a line, or unset it")
    try:
        return tuple(parse_key(line) for line in lines)
    except SignatureError as error:
        raise ConfigError(f"TXMON_ADYEN_HMAC_FILE: {path}: {error.detail}") from None
