"""The tables of a bundle: columns of hits.parquet, proofs.parquet, chain.parquet, rates.parquet,
scores.parquet.

Owns their schemas, how a hit becomes a row, and features.csv; reads no store and writes no file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa

from txmon.evidence.flat import csv_of
from txmon.evidence.source import Hit
from txmon.model.schema import CANONICAL, TIME

_S, _I = pa.string(), pa.int64()
EVENTS: pa.Schema = pa.schema([f.with_nullable(True) for f in CANONICAL])
HITS: pa.Schema = pa.schema(
    [
        ("number", _I),  # from 1, in order of arrival
        ("section", _I),  # the part of verify.sql that derives it; null where none does
        ("not_derived", _S),  # why none does
        ("ingest_seq", _I),
        ("source", _S),
        ("event_id", _S),
        ("leg", _S),
        ("event_time", TIME),
        ("rule_id", _S),
        ("rule_version", _I),
        ("subject_type", _S),
        ("subject_id", _S),
        ("trigger", _S),
        ("as_of", TIME),
        ("score", pa.float64()),
        ("features", pa.map_(_S, _S)),  # texts as in hits.parquet: exact decimals
        ("explanation", _S),
        ("change", _S),
        ("journal_seq", _I),
    ]
)
PROOFS: pa.Schema = pa.schema(
    [
        ("item", _S),  # `event` or the name of a file of the bundle
        ("ingest_seq", _I),
        ("journal_seq", _I),
        ("leaf", _S),
        ("salt", _S),  # null: the leaf stays closed, since the bundle does not tell all of the event
        ("content", _S),  # canonical bytes of the event
        ("path", pa.list_(_S)),  # `L` or `R` for the side of the neighbour, and its hash
    ]
)
CHAIN: pa.Schema = pa.schema([("seq", _I), ("kind", _S), ("received_at", _I), ("root", _S)])
RATES: pa.Schema = pa.schema(
    [("config", _I), ("date", pa.date32()), ("currency", _S), ("base", _S), ("rate", pa.decimal128(20, 10))]
)
SCORES: pa.Schema = pa.schema([("ingest_seq", _I), ("detector", _S), ("score", pa.float64())])
SCORE_INPUTS: pa.Schema = pa.schema(
    [("ingest_seq", _I), ("detector", _S), ("segment", _I), ("inputs", pa.list_(pa.float64())), ("state", _S)]
)


def hit_table(
    found: Sequence[Hit], sections: Sequence[int | None], reasons: Sequence[str | None]
) -> pa.Table:
    """Return hits as rows, each with its section of verify.sql or the reason why there is none."""
    rows = []
    for number, (hit, section, reason) in enumerate(zip(found, sections, reasons, strict=True), 1):
        row = {name: hit.row.get(name) for name in HITS.names}
        row |= {"ingest_seq": hit.seq, "number": number, "section": section, "not_derived": reason}
        row["leg"] = hit.row["leg"] or None
        row["features"] = list(feature_texts(hit.row["features"]).items())
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=HITS)


def feature_texts(features: str) -> dict[str, str | None]:
    """Return the values of `features` (JSON) as texts, numbers as they are written."""
    found = json.loads(features, parse_float=str, parse_int=str)
    return {k: str(v).lower() if isinstance(v, bool) else v for k, v in found.items()}


def features_csv(hits: pa.Table) -> bytes:
    """Return the numbers of hits for a reader: one a line."""
    rows = [
        {"hit": row["number"], "rule_id": row["rule_id"], "name": name, "value": value}
        for row in hits.to_pylist()
        for name, value in row["features"]
    ]
    names = pa.schema([("hit", _I), ("rule_id", _S), ("name", _S), ("value", _S)])
    return csv_of(pa.Table.from_pylist(rows, schema=names))
