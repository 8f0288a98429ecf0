"""Keeps a connection to JetStream in a thread of its own, and pulls messages into a bounded buffer.

One connection, one ephemeral consumer without acknowledgements, begun at a sequence: after any fault of
either (a gap in what is delivered included) all is made anew behind the last message taken into the buffer.
Owns the thread, its event loop and the buffer; stores nothing and decodes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext

from txmon.errors import SourceError
from txmon.streams.consumer import Message
from txmon.streams.natsurl import NatsAddress, covers
from txmon.streams.pullsize import PullSize

PARTITION = "0"
_BUFFER = 16_384  # messages at most
_BUFFER_BYTES = 32 << 20
_EXPIRES_S = 5.0  # a pull waits so long for messages
_SILENCE_S = 5.0  # how long after that the server may be silent
_INACTIVE_S = 300.0  # an ephemeral consumer that is not pulled from is kept so long
_RETRY_S, _ANSWER_S, _JOIN_S = 1.0, 5.0, 5.0
_AT_ONCE = 256  # letters on their way
_PULL_ENDED = ("404", "408")
_REPLY = "$JS.ACK."
_log = logging.getLogger("txmon.nats")


class Letter(NamedTuple):
    """A message for the dead-letter subject."""

    body: bytes
    headers: dict[str, str]


class _AnewError(Exception):
    """Why connection and consumer are made anew."""


class _BegunElsewhereError(Exception):
    """Reading was begun at another place, or stopped."""


class NatsLink:
    """See the module. Every method is called by one thread, which is not the link's own."""

    def __init__(self, address: NatsAddress) -> None:
        self._address = address
        self._settings = address.connection()
        self._cond = threading.Condition()
        self._buffer: deque[Message] = deque()
        self._bytes = 0
        self._taken: int | None = None  # last sequence stored or buffered; None: begin where the address says
        self._end: int | None = (
            None  # the end of the stream when it was first seen, if that is where to begin
        )
        self._begun = self._session_of = 0  # how often reading was begun; what the running session belongs to
        self._pending = -1  # what the stream has behind the buffer; -1 not known
        self._size = PullSize()
        self._paused = self._stopped = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._thread: threading.Thread | None = None
        self._delivered = 0  # of this consumer
        self._wake: asyncio.Event | None = None  # in the loop: room, a pull's end or a fault
        self._asked = 0  # messages that the running pull may still bring
        self._fault: str | None = None
        self.problem: str | None = "not connected yet"
        self.failure: str | None = None  # what waiting does not mend

    # -- the caller's side ---------------------------------------------------------------------------

    def begin(self, behind: int | None) -> None:
        """Read on behind a sequence, or from where the address says; what is buffered is dropped."""
        with self._cond:
            self._buffer.clear()
            self._bytes = 0
            self._taken = self._end if behind is None else behind
            self._pending, self.failure = -1, None
            self._begun += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="txmon-nats", daemon=True)
                self._thread.start()
                return
        self._call(self._restart)

    def take(self, limit: int, timeout_s: float) -> list[Message]:
        """Return buffered messages; wait for the first.

        Raises:
            SourceError: waiting will not help.
        """
        with self._cond:
            self._cond.wait_for(lambda: self.failure or (self._buffer and not self._paused), timeout_s)
            if self.failure is not None:
                failure, self.failure = self.failure, None
                raise SourceError(f"JetStream stream {self._address.stream}: {failure}")
            if self._paused:
                return []
            out = [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
            self._bytes -= sum(len(m.payload) for m in out)
        if out:
            self._call(self._stir)
        return out

    def pause(self, paused: bool) -> None:
        """Hand out nothing, or again."""
        with self._cond:
            self._paused = paused

    def publish(self, subject: str, letters: Sequence[Letter], timeout_s: float) -> None:
        """Send letters and wait until the stream that takes the subject has them.

        Raises:
            SourceError: not all are there.
        """
        loop = self._loop
        if loop is None or self._client is None:
            raise SourceError(
                f"dead-letter subject {subject}: {self.problem}; the quarantine has the messages"
            )
        future = asyncio.run_coroutine_threadsafe(self._publish(subject, letters), loop)
        try:
            future.result(timeout_s)
        except (NatsError, OSError, TimeoutError, asyncio.CancelledError) as error:
            future.cancel()
            raise SourceError(
                f"dead-letter subject {subject} took not all messages ({_text(error)}); give a stream that"
                " has this subject; the quarantine has them all"
            ) from error

    def lag(self) -> int | None:
        """Return how much the stream has that was not taken, as of the last message that came."""
        with self._cond:
            return None if self._pending < 0 else self._pending + len(self._buffer)

    def close(self) -> None:
        """Leave."""
        with self._cond:
            self._stopped = True
        self._call(self._restart)
        if self._thread is not None:
            self._thread.join(_JOIN_S)

    def _call(self, what: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(what)

    # -- the thread ----------------------------------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._supervise())

    async def _supervise(self) -> None:
        self._loop = asyncio.get_running_loop()
        while not self._stopped:
            self._task = asyncio.ensure_future(self._session())
            try:
                await self._task
            except asyncio.CancelledError:
                continue  # begun elsewhere, or stopped
            except _BegunElsewhereError:
                continue
            except (
                Exception
            ) as error:  # whatever the library raises: all is made anew, and the problem is told
                self.problem = f"JetStream: {_text(error)}"
                _log.warning("connection made anew: %s", self.problem)
                with self._cond:
                    self._cond.notify_all()
            # seek and close do not wait for this: they only set what the next session reads
            await asyncio.sleep(_RETRY_S)

    def _restart(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._stir()

    def _stir(self) -> None:
        if self._wake is not None:
            self._wake.set()

    async def _session(self) -> None:
        self._wake, self._fault, self._delivered, self._asked = asyncio.Event(), None, 0, 0
        with self._cond:
            self._session_of = self._begun
        client = Client()
        try:
            await client.connect(
                **self._settings,
                name=self._address.name, allow_reconnect=False, max_reconnect_attempts=1,
                connect_timeout=int(_ANSWER_S), closed_cb=self._closed, error_cb=self._failed,
            )  # fmt: skip
            js = client.jetstream(timeout=_ANSWER_S)
            begin = await self._where(js)
            config = ConsumerConfig(
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=begin,
                ack_policy=AckPolicy.NONE, filter_subject=self._address.subject,
                inactive_threshold=_INACTIVE_S, mem_storage=True,
            )  # fmt: skip
            info = await js.add_consumer(self._address.stream, config)
            self._pending = info.num_pending or 0
            inbox = client.new_inbox()
            await client.subscribe(inbox, cb=self._on_message, pending_msgs_limit=0, pending_bytes_limit=0)
            self._client, self.problem = client, None
            await self._pull(client, f"$JS.API.CONSUMER.MSG.NEXT.{self._address.stream}.{info.name}", inbox)
        finally:
            self._client = None
            try:
                await client.close()
            finally:  # a close that is itself broken off, by a fault or by who stops, leaves the socket open
                if client._transport is not None:  # noqa: SLF001 - the library has no other way
                    client._transport.close()  # type: ignore[no-untyped-call]  # noqa: SLF001

    async def _where(self, js: JetStreamContext) -> int:
        """Return the sequence to begin at; what was read before must fit the stream."""
        address = self._address
        info = await js.stream_info(address.stream)
        first, last = info.state.first_seq, info.state.last_seq
        dead = address.dead_letter
        if (
            dead is not None
            and not address.subject
            and any(covers(s, dead) for s in info.config.subjects or ())
        ):
            self._fail(f"takes its own dead-letter subject {dead}; read one ?subject= of it, or give another")
        with self._cond:
            if self._session_of != self._begun:
                raise _BegunElsewhereError
            if self._taken is None and address.from_end:
                self._taken = self._end = last
            taken = self._taken
        if taken is None:
            return max(first, 1)
        if taken > last:
            self._fail(
                f"ends at {last}, but {taken} was read before; if the stream was made anew, give it another"
                " name with ?name="
            )
        if taken + 1 < first and not address.accept_gap:
            self._fail(
                "the messages behind the stored position are gone, the server deleted them unread; restore"
                " them, or accept the gap with ?gap=accept"
            )
        return taken + 1

    def _fail(self, text: str) -> None:
        with self._cond:
            self.failure = text
            self._cond.notify_all()
        raise _AnewError(text)

    async def _pull(self, client: Client, subject: str, inbox: str) -> None:
        """Ask for messages as long as there is room for them."""
        assert self._wake is not None
        while True:
            if self._asked == 0:
                with self._cond:
                    room = _BUFFER - len(self._buffer) if self._bytes < _BUFFER_BYTES else 0
                if room:
                    self._asked = self._size.ask(room)
                    expires = int(_EXPIRES_S * 1e9)
                    await client.publish(
                        subject, b'{"batch":%d,"expires":%d}' % (self._asked, expires), inbox
                    )
            asked = self._asked
            self._wake.clear()
            try:
                async with asyncio.timeout(_EXPIRES_S + _SILENCE_S):
                    await self._wake.wait()
            except TimeoutError:
                if asked and self._asked == asked:
                    raise _AnewError("the server does not answer") from None
            if self._fault is not None:
                raise _AnewError(self._fault)
            if self._stopped or self._session_of != self._begun:  # the library may swallow a cancellation
                raise _BegunElsewhereError

    async def _on_message(self, msg: Msg) -> None:
        if not msg.reply.startswith(_REPLY):
            self._on_status(msg)
            return
        position, delivered, pending = _numbers(msg.reply)
        if self._fault is not None or self._asked <= 0:
            return
        self._delivered += 1
        if delivered != self._delivered:  # one got lost on the way; it comes again behind the last
            self._broken("a message was lost on the way")
            return
        headers = [(k, v.encode()) for k, v in (msg.headers or {}).items()]
        message = Message(msg.data, PARTITION, position, msg.subject.encode(), headers)
        self._size.note(1, len(msg.data))
        self._asked -= 1
        with self._cond:
            if self._session_of != self._begun:
                return  # the session is about to be cancelled
            self._taken, self._pending = position, pending
            self._buffer.append(message)
            self._bytes += len(message.payload)
            self._cond.notify_all()
        if self._asked == 0:
            self._stir()

    def _on_status(self, msg: Msg) -> None:
        status = (msg.headers or {}).get("Status", "")
        if status in _PULL_ENDED:
            self._asked = 0
            self._stir()
        elif status:
            self._broken((msg.headers or {}).get("Description", status))

    def _broken(self, why: str) -> None:
        self._fault = why
        self._stir()

    async def _closed(self) -> None:
        self._broken("the connection was lost")

    async def _failed(self, error: Exception) -> None:
        self._broken(_text(error))

    async def _publish(self, subject: str, letters: Sequence[Letter]) -> None:
        client = self._client
        if client is None:
            raise NatsError("not connected")
        js = client.jetstream(timeout=_ANSWER_S)
        room = max(client.max_payload - 1024, 0)

        async def send(letter: Letter) -> None:
            headers = letter.headers | ({"txmon-truncated": "yes"} if len(letter.body) > room else {})
            await js.publish(subject, letter.body[:room], headers=headers)

        for start in range(0, len(letters), _AT_ONCE):
            await asyncio.gather(*map(send, letters[start : start + _AT_ONCE]))


def _numbers(reply: str) -> tuple[int, int, int]:
    """Return sequence in the stream, number of the delivery and what is pending, from a message's reply."""
    tokens = reply.split(".")
    at = 5 if len(tokens) == 9 else 7  # longer where the reply also names a domain and an account
    return int(tokens[at]), int(tokens[at + 1]), int(tokens[at + 3])


def _text(error: BaseException) -> str:
    return str(error).removeprefix("nats: ").splitlines()[0][:200] if str(error) else type(error).__name__
