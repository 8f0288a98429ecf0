"""Leaves can be made again by anyone: the encoding in ten lines of plain Python, and RFC 6962's tree."""

from __future__ import annotations

import random
import struct
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from storekit import chance, events

from txmon.errors import InputError
from txmon.model.schema import CANONICAL, TIME
from txmon.store import merkle
from txmon.store.canonical import canonical_rows


def text(value: Any) -> bytes:
    if isinstance(value, dict):
        given = sorted((k.encode(), v) for k, v in value.items() if v is not None)
        return b"".join(k + b"=%d:%s;" % (len(text(v)), text(v)) for k, v in given)
    if isinstance(value, list):
        return b"".join(b"-:~;" if v is None else b"%d:%s;" % (len(text(v)), text(v)) for v in value)
    if isinstance(value, float):
        return struct.pack(">d", value).hex().encode()
    if isinstance(value, bytes):
        return value
    return str(value).lower().encode() if isinstance(value, bool) else str(value).encode()


def plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as plain values: times and dates as integers, maps as lists of pairs."""

    def value(v: Any, kind: pa.DataType) -> Any:
        if v is None:
            return None
        if pa.types.is_timestamp(kind):
            return pa.scalar(v, TIME).value
        if pa.types.is_date32(kind):
            return (v - date(1970, 1, 1)).days
        if pa.types.is_map(kind):
            return [{"key": k, "value": value(x, kind.item_type)} for k, x in v]
        if pa.types.is_list(kind):
            return [value(x, kind.value_type) for x in v]
        if pa.types.is_struct(kind):
            return {f.name: value(v.get(f.name), f.type) for f in kind}
        return v

    kept = [f for f in table.schema if f.name != "ingest_seq"]
    return [{f.name: value(row[f.name], f.type) for f in kept} for row in table.to_pylist()]


def encoded(table: pa.Table) -> list[bytes]:
    rows = canonical_rows(table, 17)
    return [bytes(rows.data[a + 17 : b]) for a, b in zip(rows.edges[:-1], rows.edges[1:], strict=True)]


def tree(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:])).digest()


def test_ten_lines_of_python_give_the_same_bytes() -> None:
    table = events(60)
    assert encoded(table) == [text(row) for row in plain(table)]


def test_the_program_in_the_documentation_gives_the_same_bytes() -> None:
    page = (Path(__file__).parents[2] / "docs" / "journal.md").read_text(encoding="utf-8")
    program = page.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {"struct": struct}
    exec(program, names)
    table = events(60)
    assert encoded(table) == [names["text"](row) for row in plain(table)]


_words = st.text(st.characters(codec="utf-8"), max_size=12)
_schema = pa.schema(
    [
        ("zahl", pa.int64()), ("kurz", pa.int16()), ("wahr", pa.bool_()), ("bruch", pa.float64()), ("wort", pa.string()), ("lang", pa.large_string()),
        ("roh", pa.binary()), ("zeit", TIME), ("tag", pa.date32()), ("worte", pa.list_(pa.string())), ("ümlaut", pa.string()),
        ("leute", pa.list_(pa.struct([("party", pa.string()), ("from", TIME)]))), ("map", pa.map_(pa.string(), pa.string())),
        ("ding", pa.struct([("b", pa.int64()), ("a", pa.list_(pa.int64()))])),
    ]
)  # fmt: skip
_i64 = st.integers(-(2**63), 2**63 - 1)
_time = st.integers(-(10**15), 10**16)
_row = st.fixed_dictionaries(
    {
        "zahl": st.none() | _i64, "kurz": st.none() | st.integers(-(2**15), 2**15 - 1), "wahr": st.none() | st.booleans(),
        "bruch": st.none() | st.floats(allow_nan=False), "wort": st.none() | _words, "lang": st.none() | _words, "roh": st.none() | st.binary(max_size=9),
        "zeit": st.none() | _time, "tag": st.none() | st.integers(-9999, 99999), "worte": st.none() | st.lists(st.none() | _words, max_size=3),
        "ümlaut": st.none() | _words, "leute": st.none() | st.lists(st.none() | st.fixed_dictionaries({"party": st.none() | _words, "from": st.none() | _time}), max_size=3),
        "map": st.none() | st.lists(st.tuples(_words, st.none() | _words), max_size=3),
        "ding": st.none() | st.fixed_dictionaries({"b": st.none() | _i64, "a": st.none() | st.lists(st.none() | _i64, max_size=3)}),
    }
)  # fmt: skip


@given(st.lists(_row, min_size=1, max_size=8), st.integers(0, 7), st.integers(1, 8))
def test_every_type_and_every_cut_gives_the_same_bytes(
    rows: list[dict[str, Any]], start: int, size: int
) -> None:
    table = pa.Table.from_pylist(rows, schema=_schema)
    whole = encoded(table)
    assert whole == [text(row) for row in plain(table)]
    assert encoded(table.slice(start, size)) == whole[start : start + size]
    cut = pa.concat_tables([table.slice(0, start), table.slice(start)])
    assert encoded(cut) == whole
    assert encoded(table.select(sorted(table.column_names))) == whole


def test_dictionaries_and_the_order_of_arrival_change_nothing() -> None:
    table = events(40)
    coded = table.set_column(
        CANONICAL.get_field_index("payer"), "payer", table.column("payer").dictionary_encode()
    )
    numbered = coded.set_column(
        CANONICAL.get_field_index("ingest_seq"), "ingest_seq", pa.array(range(40), pa.int64())
    )
    assert encoded(numbered) == encoded(table)


def test_other_rows_have_other_bytes() -> None:
    shifted = [
        {"a": "1;b=1:2", "b": None},
        {"a": "1", "b": "2"},
        {"a": None, "b": "1"},
        {"a": "1", "b": None},
        {"a": "", "b": None},
        {"a": None, "b": None},
    ]
    found = encoded(pa.Table.from_pylist(shifted, schema=pa.schema([("a", pa.string()), ("b", pa.string())])))
    assert len(set(found)) == len(found)


def test_a_type_without_canonical_text_is_named() -> None:
    with pytest.raises(InputError, match="column x has type decimal128"):
        canonical_rows(pa.table({"x": pa.array([1], pa.decimal128(5, 2))}))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 100])
def test_root_and_every_path_are_those_of_the_rfc(size: int) -> None:
    leaves = [random.Random(i).randbytes(32) for i in range(size)]
    root = merkle.root_of(b"".join(leaves))
    assert root == tree(leaves)
    for i, leaf in enumerate(leaves):
        path = merkle.path_of(b"".join(leaves), i)
        assert merkle.root_from(leaf, path) == root
        assert len(path) <= 7


def test_known_roots_of_the_certificate_transparency_reference() -> None:
    # inputs and roots of the reference tests of RFC 6962's authors (merkle tree of 1, 2, 3 and 8 known leaves)
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    leaves = [sha256(b"\0" + bytes.fromhex(i)).digest() for i in inputs]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    for size, root in roots.items():
        assert merkle.root_of(b"".join(leaves[:size])).hex() == root
    assert merkle.root_of(b"").hex() == sha256(b"").hexdigest()


def test_a_leaf_is_the_hash_of_a_mark_a_salt_and_the_row() -> None:
    table, salts = events(9), chance()(16 * 9)
    leaves = merkle.table_leaves(table, salts)
    for i, content in enumerate(encoded(table)):
        salt = salts[16 * i : 16 * i + 16]
        assert (
            leaves[32 * i : 32 * i + 32]
            == sha256(b"\0" + salt + content).digest()
            == merkle.bytes_leaf(salt, content)
        )
