"""Payloads of messages to canonical events through a feed; what is no event becomes a quarantine row.

Owns the way of a batch of messages; never raises for what a message holds, never waits and never stores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
import pyarrow as pa

from txmon.clock import SystemClock
from txmon.model.aliases import Aliases, NewAliases
from txmon.model.keys import PanKey
from txmon.model.pan import Tokeniser
from txmon.model.rates import Rates
from txmon.streams.canonical import EVENTS_SCHEMA, Context
from txmon.streams.consumer import Message
from txmon.streams.convert import Converter
from txmon.streams.faults import Reason
from txmon.streams.feed import Feed
from txmon.streams.payloads import cut_rows
from txmon.streams.quarantine import QUARANTINE, Row
from txmon.streams.readers.chunk import Chunk, Reject
from txmon.streams.readers.iso8583 import IsoRows
from txmon.streams.readers.jsonrows import JsonRows
from txmon.streams.readers.tables import columns_of, row_of
from txmon.streams.readers.xml import XmlRows, xml_chunk, xml_payloads
from txmon.streams.source import FeedBatch

_CLOCK = SystemClock()
_IPC = (b"\xff\xff\xff\xff", b"ARROW1")
_KEPT_OF_IPC = 1024
_NONE = QUARANTINE.empty_table()


@dataclass(frozen=True)
class DecodedBatch(FeedBatch):
    """Events of some messages, in order.

    lines: index of the message of each event. refused: index of the message of each quarantine row.
    positions: what each message is called by its source, which `line` of a quarantine row says: the position
    in a stream, or the number from 1 in a request. aliases: tokens to be stored with the events, while the
    key of cards is being changed.
    """

    refused: np.ndarray
    positions: np.ndarray
    aliases: NewAliases | None = None

    def dead_letters(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield (index of the message, reason, row without card numbers) for `Consumer.dead_letter`."""
        reasons, raws = (
            self.quarantine.column("reason").to_pylist(),
            self.quarantine.column("raw").to_pylist(),
        )
        for index, reason, raw in zip(self.refused.tolist(), reasons, raws, strict=True):
            yield index, reason, raw.encode("utf-8")


class Decoder:
    """Decodes the messages of one source. It learns the source's columns, so keep it for the next batch."""

    def __init__(
        self,
        feed: Feed,
        key: PanKey,
        rates: Rates,
        *,
        entity: str = "default",
        mode: str = "live",
        aliases: Aliases | None = None,
        now_us: Callable[[], int] = _CLOCK.now_us,
    ) -> None:
        """Make a decoder; `entity` and `mode` are those of events that name none; see `Tokeniser`.

        `now_us` tells the year of messages that name none.
        """
        self._feed = feed
        self._tokens = Tokeniser(key, aliases)
        self._converter = Converter(Context(feed, self._tokens, rates, entity, mode))
        self._json = JsonRows(feed)
        self._xml = XmlRows(feed.nested) if feed.nested and feed.nested.of == "xml" else None
        spec = feed.iso8583
        self._iso = IsoRows(spec, tuple(feed.fields), self._tokens, now_us) if spec is not None else None

    def decode(self, messages: Sequence[Message]) -> DecodedBatch:
        """Return the events and quarantine rows of messages.

        A payload is one JSON object, several one a line, a JSON array of objects, an Arrow IPC stream or,
        where the feed reads it, an XML document or an ISO 8583 message.
        """
        return self._decode([m.payload for m in messages], np.array([m.position for m in messages], np.int64))

    def decode_payloads(self, payloads: Sequence[bytes], positions: np.ndarray | None = None) -> DecodedBatch:
        """Return the events and quarantine rows of payloads of requests, whose positions count from 1."""
        return self._decode(payloads, np.arange(1, len(payloads) + 1) if positions is None else positions)

    def _decode(self, payloads: Sequence[bytes], positions: np.ndarray) -> DecodedBatch:
        tables: list[pa.Table] = []
        owners: list[np.ndarray] = []
        refused: list[Row] = []
        for chunk in self._chunks(payloads):
            events, rows, lines = self._converter.convert(chunk)
            if events.num_rows:
                tables.append(events)
                owners.append(lines)
            refused += rows
        batch = _batch(tables, owners, refused, positions)
        aliases = self._tokens.take_new()
        return batch if aliases is None else replace(batch, aliases=aliases)

    def _chunks(self, payloads: Sequence[bytes]) -> Iterator[Chunk]:
        if self._iso is not None:
            yield from self._iso_chunks(payloads, self._iso)
            return
        # what nearly every stream sends, one object a message, is looked at as one text
        data = b"\n".join([*payloads, b""])
        if payloads and data.count(b"\n") == len(payloads) and b"\r" not in data:
            columns = self._json.block(data, lambda: payloads)
            if columns is not None:
                yield self._json.chunk(columns, payloads, np.arange(len(payloads)), 0)
                return
        start = 0
        for form, group in groupby(payloads, self._form):
            run = list(group)
            if form == "ipc":
                for i, payload in enumerate(run, start):
                    yield from _ipc(payload, i)
            elif form == "xml" and self._xml is not None and self._feed.nested is not None:
                rows, owners, rejects = xml_payloads(self._xml, run, start)
                yield xml_chunk(rows, owners, tuple(self._feed.nested.paths), 0, rejects)
            else:
                yield self._text(run, start)
            start += len(run)

    def _iso_chunks(self, payloads: Sequence[bytes], iso: IsoRows) -> Iterator[Chunk]:
        """Messages, and rows of them in JSON, which is what `raw` of a quarantined one is."""
        start = 0
        for text, group in groupby(payloads, lambda p: p[:1] == b"{"):
            run = list(group)
            yield self._text(run, start) if text else iso.chunk(run, start)
            start += len(run)

    def _form(self, payload: bytes) -> str:
        if payload.startswith(_IPC):
            return "ipc"
        begins = payload[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
        return "xml" if self._xml is not None and begins.startswith(b"<") else "text"

    def _text(self, payloads: Sequence[bytes], start: int) -> Chunk:
        (texts, owners), rejects = cut_rows(payloads, start)
        lines = np.array(owners, np.int64)
        if not texts:
            return self._json.chunk({}, texts, lines, 0, rejects)
        texts.append(b"")
        data = b"\n".join(texts)
        texts.pop()
        columns = self._json.block(data, lambda: texts)
        if columns is not None:
            return self._json.chunk(columns, texts, lines, 0, rejects)
        chunk = self._json.rows(texts, lines, 0)
        return Chunk(chunk.columns, chunk.rows, chunk.lines, chunk.source_row, 0, (*rejects, *chunk.rejects))


def _ipc(payload: bytes, index: int) -> Iterator[Chunk]:
    """Yield the record batches of an Arrow IPC payload; all of them or none."""
    try:
        opened = pa.ipc.open_file if payload.startswith(b"ARROW1") else pa.ipc.open_stream
        table = opened(pa.py_buffer(payload)).read_all()
        table.validate()
    except (pa.ArrowException, OSError, ValueError) as error:
        message = f"not a readable Arrow IPC message: {str(error).splitlines()[0][:200]}"
        reject = Reject(index, Reason.BAD_TYPE, message, payload[:_KEPT_OF_IPC])
        yield Chunk({}, 0, np.empty(0, np.int64), lambda _: {}, 0, (reject,))
        return
    if len(set(table.column_names)) < table.num_columns:
        reject = Reject(index, Reason.BAD_TYPE, "a column of the message appears twice; rename one", b"")
        yield Chunk({}, 0, np.empty(0, np.int64), lambda _: {}, 0, (reject,))
        return
    for batch in table.combine_chunks().to_batches():
        lines = np.full(batch.num_rows, index, np.int64)
        yield Chunk(columns_of(batch), batch.num_rows, lines, row_of(batch), 0)


def _batch(
    tables: list[pa.Table], owners: list[np.ndarray], refused: list[Row], positions: np.ndarray
) -> DecodedBatch:
    if len(tables) > 1:
        # text columns of one table may be dictionaries where another's are not
        tables = [t.cast(EVENTS_SCHEMA) for t in tables]
    events = pa.concat_tables(tables) if tables else EVENTS_SCHEMA.empty_table()
    lines = np.concatenate(owners) if owners else np.empty(0, np.int64)
    if not refused:
        return DecodedBatch(events, _NONE, events.num_rows, lines, np.empty(0, np.int64), positions)
    refused.sort(key=lambda row: int(str(row["line"])))
    index = np.array([row["line"] for row in refused], np.int64)
    for row, line in zip(refused, positions[index].tolist(), strict=True):
        row["line"] = line
    quarantine = pa.Table.from_pylist(refused, schema=QUARANTINE)
    return DecodedBatch(events, quarantine, events.num_rows + len(refused), lines, index, positions)
