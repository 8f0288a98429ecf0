"""Messages to events: every form of payload, every wrong one, and one result however they are batched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from unittest import mock

import pyarrow as pa
import pytest
from feedkit import KEY, Row, event
from hypothesis import given
from hypothesis import strategies as st

from txmon.model.rates import Rates
from txmon.streams import EVENTS_SCHEMA, load_feed
from txmon.streams.consumer import Message
from txmon.streams.decode import DecodedBatch, Decoder
from txmon.streams.payloads import split_array
from txmon.streams.readers import jsonrows


def decoder(feed: str = "native") -> Decoder:
    return Decoder(load_feed(feed), KEY, Rates("EUR"))


def text(**changes: object) -> bytes:
    return json.dumps(event(**changes)).encode()


def ids(batch: DecodedBatch) -> list[tuple[str, int]]:
    return list(zip(batch.events.column("event_id").to_pylist(), batch.lines.tolist(), strict=True))


def ipc(rows: Sequence[Row], *, file: bool = False) -> bytes:
    table = pa.Table.from_pylist(list(rows))
    sink = pa.BufferOutputStream()
    with (pa.ipc.new_file if file else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def test_each_form_of_payload_keeps_order_and_message() -> None:
    payloads = [
        text(event_id="one"),
        text(event_id="two-a") + b"\r\n" + text(event_id="two-b") + b"\n\n",
        b" [" + text(event_id="three-a") + b", \n" + text(event_id="three-b", memo="a,]}b") + b"] ",
        ipc([event(event_id="four-a"), event(event_id="four-b")]),
        json.dumps(event(event_id="five"), indent=2).encode(),
        ipc([event(event_id="six")], file=True),
        text(event_id="seven"),
    ]
    batch = decoder().decode_payloads(payloads)
    assert batch.quarantine.num_rows == 0
    assert ids(batch) == [
        ("one", 0),
        ("two-a", 1),
        ("two-b", 1),
        ("three-a", 2),
        ("three-b", 2),
        ("four-a", 3),
        ("four-b", 3),
        ("five", 4),
        ("six", 5),
        ("seven", 6),
    ]
    assert batch.events.schema == EVENTS_SCHEMA
    assert batch.rows_read == 10


def test_bad_messages_are_quarantined_and_stop_nothing() -> None:
    bad = [
        b"",
        b"null",
        b'{"event_id":',
        b"[1, 2",
        b"[]",
        b"[" + text() + b"}",
        b"\xff\xfe{}",
        b"\xff\xff\xff\xff broken",
        text(event_id=None),
        text(amount="x"),
        b'{"event_id":"d","event_id":"e"}',
        b"[[[[" * 100 + b"]]]]" * 100,
        b"<Document/>",
    ]
    messages = [
        m
        for i, b in enumerate(bad)
        for m in (Message(b, "0", 10 * i), Message(text(event_id=f"g{i}"), "0", 10 * i + 1))
    ]
    batch = decoder().decode(messages)
    assert ids(batch) == [(f"g{i}", 2 * i + 1) for i in range(len(bad))]
    assert batch.refused.tolist() == [2 * i for i in range(len(bad))]
    assert batch.quarantine.column("line").to_pylist() == [10 * i for i in range(len(bad))]
    assert [r for _, r, _ in batch.dead_letters()] == batch.quarantine.column("reason").to_pylist()
    assert batch.rows_read == 2 * len(bad)


def test_one_bad_row_of_a_message_leaves_the_others() -> None:
    batch = decoder().decode_payloads(
        [text(event_id="a") + b"\nnonsense\n" + text(event_id="b"), text(event_id="c")]
    )
    assert ids(batch) == [("a", 0), ("b", 0), ("c", 1)]
    assert batch.refused.tolist() == [0]


def test_nothing() -> None:
    batch = decoder().decode([])
    assert (batch.events.num_rows, batch.quarantine.num_rows, batch.rows_read) == (0, 0, 0)


def test_a_feed_of_sql_takes_messages() -> None:
    row = {"event_id": 7, "event_time": "2018-04-01 00:00:31", "amount": 12.3, "payer": 5, "merchant": 9}
    batch = decoder("fdh").decode_payloads([json.dumps(row).encode()])
    assert batch.quarantine.num_rows == 0
    (found,) = batch.events.to_pylist()
    assert (found["amount_minor"], found["payer"], found["payee"]) == (1230, "5", "terminal:9")


def test_card_numbers_never_pass() -> None:
    number = "4111111111111111"
    batch = decoder().decode_payloads(
        [
            text(card=number),
            text(memo=f"for {number}"),
            text(amount=f"x {number}"),
            number.encode(),
            ipc([event(memo=number)]),
            b"\xff\xff\xff\xff" + number.encode(),
        ]
    )
    assert number not in str(batch.events.to_pylist())
    assert number not in str(batch.quarantine.to_pylist())


VALUES = {
    "amount": st.sampled_from([None, 1, 12.5, "12.50", "x", -1, 0, 10**17, 0.001]),
    "payer": st.sampled_from([None, "p", 7, -0.0, 1.5, True, "", "é", 10**20, "\ud83d\ude00"]),
    "attributes": st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["b", "a", "", "memo"]),
            st.sampled_from(["", "x", None, 1, 1.10, True, "2026-01-05T12:00:00Z", ["n"], {"m": 1}]),
            max_size=3,
        ),
        st.just('{"k": 1.50}'),
    ),
    "lat": st.sampled_from([None, 1, 50.5, "50.5", 100]),
    "card_prepaid": st.sampled_from([None, True, "false", 1]),
    "foreign": st.sampled_from([None, 1, "t", {"lat": 1}]),
}


@given(st.lists(st.fixed_dictionaries({}, optional=VALUES), min_size=1, max_size=12), st.integers(0, 11))
def test_batching_never_changes_an_event(rows: list[Row], cut: int) -> None:
    payloads = [text(event_id=f"e{i}", **row) for i, row in enumerate(rows)]
    whole = decoder().decode_payloads(payloads)
    many = decoder()
    parts = [many.decode_payloads(payloads[:cut]), many.decode_payloads(payloads[cut:])]
    single = [decoder().decode_payloads([p]) for p in payloads]
    slow = [decoder().decode_payloads([p, b"{"]) for p in payloads]
    expected = whole.events.cast(EVENTS_SCHEMA).to_pylist()
    with mock.patch.object(jsonrows, "_FEW", 0):  # by Arrow's reader, as large batches are
        blocks = [many.decode_payloads(payloads), decoder().decode_payloads([])]
    for split in (parts, single, slow, blocks):
        assert [e for b in split for e in b.events.to_pylist()] == expected
    reasons = [(r["event_id"], r["field"], r["reason"], r["raw"]) for r in whole.quarantine.to_pylist()]
    for split in (parts, single, blocks):
        found = [r for b in split for r in b.quarantine.to_pylist()]
        assert [(r["event_id"], r["field"], r["reason"], r["raw"]) for r in found] == reasons


@pytest.mark.parametrize(
    ("array", "parts"),
    [
        (b"[1]", [b"1"]),
        (b'[ {"a":[1,2]} , "x,]" ]', [b'{"a":[1,2]}', b'"x,]"']),
        (b'["\\"],", {}]', [b'"\\"],"', b"{}"]),
        (b"[1,]", [b"1", b""]),
    ],
)
def test_elements_of_an_array_are_cut_as_written(array: bytes, parts: list[bytes]) -> None:
    assert split_array(array) == parts


@pytest.mark.parametrize("array", [b"[", b"[1", b"[1}", b"[1] 2", b"[]", b"[}"])
def test_arrays_that_are_none(array: bytes) -> None:
    with pytest.raises(ValueError, match="array"):
        split_array(array)


@pytest.mark.parametrize(
    "memo",
    [
        "",
        "plain",
        "a\0b",
        "x" * 70_000,
        "card 4111 1111 1111 1111",
        "４１１１１１１１１１１１１１１１",
        "\ud800",
        "1" * 13,
    ],
)
def test_columns_looked_at_together_or_alone_give_the_same(memo: str) -> None:
    texts = [text(event_id=f"e{i}", memo=memo if i % 7 == 3 else "rent", city=memo) for i in range(300)]
    whole = decoder().decode_payloads(texts)
    parts = [decoder().decode_payloads(texts[i : i + 7]) for i in range(0, 300, 7)]
    events = pa.concat_tables([p.events.cast(EVENTS_SCHEMA) for p in parts])
    assert events.to_pylist() == whole.events.cast(EVENTS_SCHEMA).to_pylist()
    reasons = [reason for p in parts for reason in p.quarantine.column("reason").to_pylist()]
    assert reasons == whole.quarantine.column("reason").to_pylist()
    assert "4111" not in str(events.to_pylist())
