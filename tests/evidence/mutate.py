"""One change of a bundle, drawn at random: a value, a row, a parameter of a rule; signed anew or not.

Says of each which ways must find it: both, or `txmon evidence verify` alone (docs/evidence.md lists these).
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds
from evidencekit import signed_again, table_in, with_table

Files = dict[str, bytes]
BOTH, ONE = "both", "verify alone"
# columns that the signed journal or the rules speak for; a change of them is found even if it is signed
PROVED = {
    "events": None,  # all of them, by the proofs
    "hits": ("ingest_seq", "event_id", "source", "event_time", "subject_id", "leg", "trigger", "as_of", "features"),
    "proofs": ("journal_seq", "leaf", "salt", "content", "path"),
    "chain": ("seq", "kind", "received_at", "root"),
}  # fmt: skip
# what verify.sql takes as it stands, and `txmon evidence verify` holds against the config, a model, a table
TAKEN = {
    "hits": ("rule_version", "subject_type", "score", "explanation"),
    "rates": None,
    "scores": ("score",),
}
_PARAMETER = re.compile(rb"(?<![\w.:-])(\d+)(?![\w.:-])")
_SEALED = ("manifest.json", "manifest.sig", "signer.pem")


@dataclass(frozen=True)
class Change:
    """A bundle that was changed. seen: which ways must find it."""

    files: Files
    file: str
    what: str
    signed: bool
    seen: str


def draw(files: Files, chance: random.Random, number: int) -> Change:
    """One change: every second one is signed anew, with the institution's own key."""
    signed = bool(number % 2)
    while True:
        found = _signed(files, chance) if signed else _unsigned(files, chance)
        if found is not None and found.files != files:
            return found


def _unsigned(files: Files, chance: random.Random) -> Change | None:
    """Any file, in any way: no hash fits any more."""
    name = chance.choice(sorted(files))
    seen = ONE if name in _SEALED[:2] else BOTH
    made = _any(files, name, chance)
    return None if made is None else Change(made[0], name, made[1], False, seen)


def _any(files: Files, name: str, chance: random.Random) -> tuple[Files, str] | None:
    if name.endswith(".parquet"):
        return _table(files, name, chance, None)
    if name.endswith(".csv"):
        return _lines(files, name, chance)
    if name.endswith((".json", ".yaml", ".sql")) and name != "manifest.json" and chance.random() < 0.7:
        return _parameter(files, name, chance)
    content = bytearray(files[name])
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return files | {name: bytes(content)}, "bit"


def _signed(files: Files, chance: random.Random) -> Change | None:
    """Hashes and signature made to fit: only what the files say can tell."""
    made: tuple[Files, str] | None
    kind = chance.choice((*PROVED, *PROVED, "taken", "csv", "config", "shown", "text", "log"))
    seen = ONE
    if kind in ("events", "config") and not _open(files):
        return None  # what a profile does not tell whole, its institution alone can prove
    if kind in PROVED:
        name, seen = f"{kind}.parquet", BOTH
        made = _table(files, name, chance, PROVED[kind])
    elif kind == "taken":
        table = chance.choice(sorted(TAKEN))
        name = f"{table}.parquet"
        made = _table(files, name, chance, TAKEN[table], rows=False) if name in files else None
    elif kind == "csv":
        name = chance.choice(("events.csv", "features.csv"))
        made = _lines(files, name, chance)
    elif kind == "config":
        name, seen = chance.choice(sorted(n for n in files if n.startswith("config/"))), BOTH
        made = _parameter(files, name, chance)
    elif kind == "shown":
        name = chance.choice(sorted(n for n in files if n.startswith("as-it-was/")))
        made = _parameter(files, name, chance)
    elif kind == "text":
        name = chance.choice(("verify.sql", "summary.html"))
        made = _parameter(files, name, chance)
    else:
        name = chance.choice(("alert.json", "custody.json"))
        made = _said(files, name, chance)
    return None if made is None else Change(signed_again(made[0]), name, made[1], True, seen)


def _open(files: Files) -> bool:
    """Whether the bundle is of the institution's own profile: every proof is open, the config whole."""
    return json.loads(files["manifest.json"])["profile"]["profile"] == "internal"


def _table(
    files: Files, name: str, chance: random.Random, columns: tuple[str, ...] | None, *, rows: bool = True
) -> tuple[Files, str] | None:
    """A value of a row, or a row gone or twice."""
    table = table_in(files, name)
    if not len(table):
        return None
    what = chance.choice(("value", "value", "gone", "twice")) if rows else "value"
    at = chance.choice(_derived(table) if name == "hits.parquet" else range(len(table)))
    column = chance.choice(columns or [n for n in table.column_names if n != "ingest_seq"])
    kind = table.schema.field(column).type

    def change(found: list[dict[str, Any]]) -> None:
        if what == "gone":
            del found[at]
        elif what == "twice":
            found.append(found[at])
        else:
            found[at][column] = _another(found[at][column], column, kind, chance)

    return with_table(files, name, change), what if what != "value" else f"value of {column}"


def _derived(table: pa.Table) -> list[int]:
    """Places of hits that are derived again; the others are in the bundle with the reason why not."""
    return [i for i, section in enumerate(table.column("section").to_pylist()) if section is not None]


def _another(value: Any, column: str, kind: Any, chance: random.Random) -> Any:
    """Another value of a column."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + chance.choice((1, -1))
    if isinstance(value, Decimal):
        return value + 1
    if isinstance(value, datetime):
        return value + timedelta(microseconds=chance.choice((1, -1)))
    if isinstance(value, date):
        return value + timedelta(days=1)
    if isinstance(value, str):
        return value[:-1] + ("0" if value[-1:] != "0" else "1")
    if column == "features" and value:
        at = chance.randrange(len(value))
        return [(k, ("77" if v != "77" else "78") if i == at else v) for i, (k, v) in enumerate(value)]
    return _filled(value, column, kind)


def _filled(value: Any, column: str, kind: Any) -> Any:
    """A value where there was none, or one more."""
    more: dict[str, Any] = {
        "holders": {"party": "p", "role": "owner", "valid_from": None, "valid_to": None},
        "attributes": ("k", "v"), "features": ("k", "1"), "path": "L" + "00" * 32, "inputs": 0.5,
    }  # fmt: skip
    if column in more:
        return [*(value or []), more[column]]
    if kinds.is_boolean(kind):
        return True
    if kinds.is_integer(kind) or kinds.is_floating(kind):
        return 7
    if kinds.is_timestamp(kind):
        return datetime(2020, 1, 1, tzinfo=UTC)
    return date(2020, 1, 1) if kinds.is_date(kind) else "x"


def _lines(files: Files, name: str, chance: random.Random) -> tuple[Files, str] | None:
    """A cell of a CSV file, or a line gone or twice."""
    rows = list(csv.reader(io.StringIO(files[name].decode(), newline="")))
    if len(rows) < 2:
        return None
    what, at = chance.choice(("value", "gone", "twice")), chance.randrange(1, len(rows))
    if what == "gone":
        del rows[at]
    elif what == "twice":
        rows.append(rows[at])
    else:
        cell = chance.randrange(len(rows[at]))
        rows[at][cell] += "1"
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return files | {name: out.getvalue().encode()}, what


def _parameter(files: Files, name: str, chance: random.Random) -> tuple[Files, str] | None:
    """A number in a text: a threshold, a window, a version."""
    places = list(_PARAMETER.finditer(files[name]))
    if not places:
        return None
    place = chance.choice(places)
    number = str(int(place[1]) + chance.choice((1, 10))).encode()
    return files | {
        name: files[name][: place.start()] + number + files[name][place.end() :]
    }, f"{place[1].decode()} -> {number.decode()}"


def _said(files: Files, name: str, chance: random.Random) -> tuple[Files, str]:
    """What the tables, the chain or the manifest say, said otherwise in the alert or the log."""
    document = json.loads(files[name])
    if name == "alert.json":
        key = chance.choice(("severity", "protect", "subject_id", "entity", "score"))
        # a score is shown with two places, so it changes by a whole one
        document[key] = document[key] + 1 if key == "score" else _another(document[key], key, None, chance)
    else:
        line = chance.choice([each for each in document if each["what"] != "config put in force"])
        key = chance.choice(("at", "row", "what") if line["row"] is not None else ("at", "by"))
        line[key] = _another(line[key], key, None, chance)
    return files | {name: json.dumps(document).encode()}, f"value of {key}"
