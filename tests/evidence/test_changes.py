"""Changes are found: in any file of a bundle, and, where somebody signs anew, in what the files say."""

from __future__ import annotations

import contextlib
import json
import random
import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidencekit import (
    KEY,
    PUBLIC,
    alert_with,
    bundle_of,
    files_in,
    signed_again,
    stock_duckdb,
    unpacked,
    with_table,
    write_zip,
)

from txmon.errors import InputError
from txmon.evidence.check import check
from txmon.evidence.tables import EVENTS
from txmon.store import Store

Files = dict[str, bytes]
SIGNED = ("manifest.json", "manifest.sig", "signer.pem")


@pytest.fixture(scope="module")
def bundle(crowd: Store, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("bundle")
    return files_in(bundle_of(crowd, alert_with(crowd, "both"), folder / "b.zip").path)


def verdicts(files: Files, folder: Path) -> tuple[str, str, bool, list[str]]:
    """What DuckDB says (and all of it), and what `check` says."""
    folder.mkdir()
    path = write_zip(folder / "b.zip", files)
    report = check(path, PUBLIC)
    verdict, said = stock_duckdb(unpacked(path, folder / "files"))
    return verdict, said, report.ok, report.findings


def test_fifty_random_changes_of_files(bundle: Files, tmp_path: Path) -> None:
    """A bit, a cut, a byte more, a file gone, one too many, two exchanged: each is found by both ways."""
    chance = random.Random(5)
    for number in range(50):
        name, files = _changed(dict(bundle), chance)
        folder = tmp_path / str(number)
        folder.mkdir()
        path = write_zip(folder / "b.zip", files)
        with contextlib.suppress(InputError):  # no bundle at all
            assert not check(path, PUBLIC).ok, (number, name)
        if name not in SIGNED and number % 5 == 0:  # what the manifest names, DuckDB finds alone
            assert stock_duckdb(unpacked(path, folder / "files"))[0] != "PASS", (number, name)


def _changed(files: Files, chance: random.Random) -> tuple[str, Files]:
    name = chance.choice(sorted(files))
    content = bytearray(files[name])
    what = chance.choice(("bit", "bit", "bit", "cut", "more", "gone", "swap", "extra"))
    if what == "bit":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif what == "cut":
        del content[chance.randrange(len(content)) :]
    elif what == "more":
        content += b"\n"
    if what == "gone":
        del files[name]
    elif what == "extra":
        files["events2.parquet"], name = files["events.parquet"], "manifest.json"
    elif what == "swap":
        files["events.csv"], files["features.csv"] = files["features.csv"], files["events.csv"]
        name = "events.csv"
    else:
        files[name] = bytes(content)
    return name, files


def _amount(rows: list[dict[str, Any]]) -> None:
    row = next(r for r in rows if r["amount_base_minor"])
    row["amount_base_minor"] += 1


def _memo(rows: list[dict[str, Any]]) -> None:
    rows[-1]["memo"] = "something else"


def _latitude(rows: list[dict[str, Any]]) -> None:
    rows[0]["lat"] = 1.25


def _null(rows: list[dict[str, Any]]) -> None:
    row = next(r for r in rows if r["city"] is not None)
    row["city"] = None


def _holder(rows: list[dict[str, Any]]) -> None:
    rows[0]["holders"] = [{"party": "p", "role": "owner", "valid_from": None, "valid_to": None}]


def _attribute(rows: list[dict[str, Any]]) -> None:
    rows[0]["attributes"] = [("key", "value")]


def _gone(rows: list[dict[str, Any]]) -> None:
    del rows[len(rows) // 2]


def _twice(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[0])


def _number(rows: list[dict[str, Any]]) -> None:
    row = next(r for r in rows if r["section"] is not None and r["features"])
    name, value = row["features"][0]
    row["features"][0] = (name, "7" if value != "7" else "8")


def _subject(rows: list[dict[str, Any]]) -> None:
    rows[0]["subject_id"] = "somebody else"


def _no_hits(rows: list[dict[str, Any]]) -> None:
    rows.clear()


def _root(rows: list[dict[str, Any]]) -> None:
    rows[-1]["root"] = "00" * 32


def _leaf(rows: list[dict[str, Any]]) -> None:
    rows[0]["leaf"] = "00" * 32


def _salt(rows: list[dict[str, Any]]) -> None:
    rows[0]["salt"] = "00" * 16


def _half(rows: list[dict[str, Any]]) -> None:
    rows[0]["content"] = None


def _proof_twice(rows: list[dict[str, Any]]) -> None:
    rows.append(rows[1])


def _no_config(rows: list[dict[str, Any]]) -> None:
    rows[:] = [row for row in rows if row["ingest_seq"] is not None]


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("events", _amount), ("events", _memo), ("events", _latitude), ("events", _null), ("events", _holder),
        ("events", _attribute), ("events", _gone), ("events", _twice),
        ("hits", _number), ("hits", _subject), ("hits", _no_hits),
        ("chain", _root), ("proofs", _leaf), ("proofs", _salt),
        ("proofs", _half), ("proofs", _proof_twice), ("proofs", _no_config),
    ],
)  # fmt: skip
def test_a_change_that_is_signed_anew(
    bundle: Files, tmp_path: Path, name: str, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    """Even with hashes and signature made to fit, content and proofs tell; DuckDB prints the difference."""
    files = signed_again(with_table(bundle, f"{name}.parquet", change))
    verdict, said, ok, findings = verdicts(files, tmp_path / "x")
    assert not ok, said
    assert verdict == "FAIL", said
    assert "difference" in said, said
    assert findings


KEPT = {  # columns of each table that either way must find changed, even where all is signed anew
    "events": [f for f in EVENTS.names if f != "ingest_seq"],
    "hits": ["ingest_seq", "event_id", "source", "event_time", "subject_id", "leg", "trigger", "features"],
    "proofs": ["journal_seq", "leaf", "salt", "content", "path"],
    "chain": ["seq", "kind", "received_at", "root"],
}


@pytest.mark.slow
def test_random_values_that_are_signed_anew(crowd: Store, tmp_path: Path) -> None:
    """One value of one row of one table, hashes and signature made to fit: found by both ways, every time."""
    bundle = files_in(bundle_of(crowd, alert_with(crowd, "silent"), tmp_path / "b.zip").path)
    chance = random.Random(11)
    for number in range(40):
        name = ("events", "hits", "proofs", "chain")[number % 4]
        column = chance.choice(KEPT[name])

        def change(rows: list[dict[str, Any]], column: str = column) -> None:
            row = chance.choice(rows)
            row[column] = _another(row[column], column, chance)

        files = signed_again(with_table(bundle, f"{name}.parquet", change))
        verdict, said, ok, findings = verdicts(files, tmp_path / str(number))
        assert verdict != "PASS", (number, name, column, said)
        assert not ok, (number, name, column, findings)


def _another(value: Any, column: str, chance: random.Random) -> Any:
    """Another value of a column."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + chance.choice((1, -1))
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    if isinstance(value, str):
        flipped = "0" if value[-1:] != "0" else "1"
        return value[:-1] + flipped
    if isinstance(value, list) and column == "features":
        return [(k, "77" if v != "77" else "78") for k, v in value]
    if value is None or isinstance(value, list):
        empty: dict[str, Any] = {
            "holders": [{"party": "p", "role": None, "valid_from": None, "valid_to": None}],
            "attributes": [("k", "v")], "path": ["L" + "00" * 32], "rate_date": date(2026, 1, 1),
        }  # fmt: skip
        kind = EVENTS.field(column).type if column in EVENTS.names else pa.string()
        if column in empty:
            return [*(value or []), *empty[column]] if isinstance(empty[column], list) else empty[column]
        if pa.types.is_boolean(kind):
            return True
        return 7 if pa.types.is_integer(kind) or pa.types.is_floating(kind) else "x"
    return date(2020, 1, 1)


def test_a_threshold_that_was_changed(bundle: Files, tmp_path: Path) -> None:
    """In verify.sql or in the config: higher, the hit is gone and DuckDB says so; lower, the proof tells."""
    text = bundle["verify.sql"].decode()
    higher, count = re.subn(r"\(?a >= 2\)?", "(a >= 200000)", text)
    assert count
    files = signed_again(bundle | {"verify.sql": higher.encode()})
    verdict, said, ok, findings = verdicts(files, tmp_path / "higher")
    assert verdict == "FAIL"
    assert "'a hit', 'no hit'" in said, said
    assert not ok, findings
    lower = re.sub(r"\(?a >= 2\)?", "(a >= 1)", text)
    assert not verdicts(signed_again(bundle | {"verify.sql": lower.encode()}), tmp_path / "lower")[2]
    config = next(name for name in bundle if name.startswith("config/"))
    document = bundle[config].replace(b"a >= 2", b"a >= 1")
    assert document != bundle[config]
    verdict, said, ok, findings = verdicts(signed_again(bundle | {config: document}), tmp_path / "config")
    assert verdict == "FAIL", said
    assert not ok, findings


def test_a_rule_shown_otherwise(bundle: Files, tmp_path: Path) -> None:
    """What a reader is shown is held against the config that the hits were derived with."""
    name = next(n for n in bundle if n.startswith("as-it-was/rules/"))
    files = signed_again(bundle | {name: bundle[name].replace(b"2", b"3")})
    findings = check(write_zip(tmp_path / "b.zip", files), PUBLIC).findings
    assert any(finding.startswith("as-it-was") for finding in findings)


def test_another_key(bundle: Files, tmp_path: Path) -> None:
    """A bundle that somebody else signed is whole in itself; only the published key tells."""
    from txmon.evidence import signing

    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    files = dict(bundle) | {"signer.pem": signing.public_pem(other)}
    manifest = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps(manifest | {"signer": signing.name_of(other.public_key())}).encode()
    path = write_zip(tmp_path / "b.zip", signed_again(files, other))
    report = check(path)
    assert report.ok
    assert not report.signer_known
    assert any("not by the one given" in finding for finding in check(path, PUBLIC).findings)
    assert KEY.public_key() != other.public_key()


def test_what_is_no_bundle(bundle: Files, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_bytes(b"no archive")
    with pytest.raises(InputError, match="no bundle"):
        check(tmp_path / "text.zip")
    with pytest.raises(InputError, match="no bundle does"):
        check(write_zip(tmp_path / "up.zip", dict(bundle) | {"../up": b""}))
    with pytest.raises(InputError, match=r"manifest\.sig"):
        check(write_zip(tmp_path / "cut.zip", {k: v for k, v in bundle.items() if k != "manifest.sig"}))
    with pytest.raises(InputError, match="name a bundle"):
        check(tmp_path / "absent.zip")
