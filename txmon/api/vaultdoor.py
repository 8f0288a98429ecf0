"""Who comes into the vault by the API: people whom the vault lets in, and to everybody else an unknown path.

    caller = await vault_caller(parts, exchange)      None: the path is unknown to this one

Nothing is left by who is turned away: no failure is counted and no use of a key noted.
What is done inside is measured and logged nowhere outside the vault, and answers to `Idempotency-Key`s are
kept in it. Owns this door.
"""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha256

from txmon.api.callers import caller
from txmon.api.context import Answer, Exchange, Parts
from txmon.api.idempotency import REPLAYED, request_hash
from txmon.api.problems import Problem, retry_after
from txmon.errors import AuthError, TxmonError
from txmon.store.identity import ENROL
from txmon.vault.caller import Caller
from txmon.vault.rooms import Rooms

_KIND = "answer"
_HOUR_US = 3_600_000_000


def unknown_path() -> Problem:
    """Return what an unknown path answers."""
    return Problem("not_found", "no route has this path; /openapi.json lists them all")


async def vault_caller(parts: Parts, exchange: Exchange) -> Caller | None:
    """Return who asks, with what the vault grants; None: nobody whom it lets in."""
    rooms = parts.rooms
    if rooms is None:
        return None
    try:
        who = await caller(parts, exchange, noted=False)
    except (AuthError, Problem, TxmonError):
        return None
    if "read" not in who.scopes or ENROL in who.scopes:
        return None
    return await asyncio.to_thread(rooms.vault.caller, who)


def note_failure(parts: Parts, error: Exception) -> None:
    """Note a failure of ours in the vault's own log: its kind and place, not its text."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    where = None if frame is None else f"{frame.tb_frame.f_code.co_name}:{frame.tb_lineno}"
    if parts.rooms is None:
        return
    with suppress(TxmonError), parts.rooms.vault.file.write() as tx:  # the vault may be what failed
        tx.log({"action": "failed", "by": "service", "facts": {"kind": type(error).__name__, "at": where}})


class VaultAnswers:
    """Answers to requests with an `Idempotency-Key`, kept in the vault; used in the event loop only."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._under_way: set[str] = set()

    async def once(
        self, exchange: Exchange, key: str, body: bytes, make: Callable[[], Awaitable[Answer]]
    ) -> Answer:
        """Answer a request once.

        Raises:
            Problem: idempotency_mismatch, idempotency_in_flight; and whatever `make` raises.
        """
        rooms = self._parts.rooms
        assert rooms is not None  # who is inside came through the door
        name = sha256(f"{exchange.who.key_id}\n{key}".encode()).hexdigest()
        request = request_hash(exchange, sha256(body).digest()).hex()
        if name in self._under_way:
            raise Problem(
                "idempotency_in_flight", "wait for its answer, then ask again", headers=(retry_after(1),)
            )
        self._under_way.add(name)
        try:
            kept = await asyncio.to_thread(self._find, rooms, name, request)
            if kept is not None:
                return kept
            answer = await make()
            if 200 <= answer.status < 300:
                await asyncio.to_thread(self._keep, rooms, name, request, answer)
            return answer
        finally:
            self._under_way.discard(name)

    def _find(self, rooms: Rooms, name: str, request: str) -> Answer | None:
        with rooms.vault.file.read() as reader:
            record = reader.find(_KIND, name)
        found = None if record is None else json.loads(record.content)
        if found is None or found["at_us"] <= self._parts.clock.now_us() - self._life_us:
            return None
        if found["request"] != request:
            raise Problem(
                "idempotency_mismatch", "take a new key for a new request, or send the first one again"
            )
        headers = tuple((k.encode("latin-1"), v.encode("latin-1")) for k, v in found["headers"])
        return Answer(found["status"], b64decode(found["body"]), (*headers, REPLAYED))

    def _keep(self, rooms: Rooms, name: str, request: str, answer: Answer) -> None:
        now = self._parts.clock.now_us()
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in answer.headers]
        content = {"request": request, "status": answer.status, "headers": headers, "at_us": now}
        content["body"] = b64encode(answer.body).decode()
        with rooms.vault.file.write() as tx:
            for old in tx.all(_KIND):
                if json.loads(old.content)["at_us"] <= now - self._life_us:
                    tx.drop(_KIND, old.id)
            stored = tx.find(_KIND, name)
            version = 1 if stored is None else stored.version + 1
            tx.put(_KIND, name, json.dumps(content).encode(), version=version)
            tx.log({"action": "answer.kept", "by": "service"})

    @property
    def _life_us(self) -> int:
        return self._parts.settings.idempotency_hours * _HOUR_US
