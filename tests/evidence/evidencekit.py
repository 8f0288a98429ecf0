"""What the tests of bundles share: stores with alerts, bundles of them, stock DuckDB in an empty folder."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.append(str(Path(__file__).parents[1] / "service"))

from servicekit import Clock, chance
from stock import StockDuckDb

from txmon.evidence import signing
from txmon.evidence.bundle import Made, export
from txmon.evidence.custody import Maker
from txmon.store import Store
from txmon.store.schema import alerts

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = signing.public_pem(KEY)
MAKER = Maker("Ana", "a test", 1_900_000_000_000_000)


@contextmanager
def reading(folder: Path | str) -> Iterator[Store]:
    """A store, for reading."""
    with Store.open(folder, clock=Clock(), random_bytes=chance(), read_only=True) as store:
        yield store


def alerts_of(store: Store) -> dict[str, list[str]]:
    """Rules by alert."""
    with store.read() as conn:
        rows = conn.execute(sa.select(alerts.c.alert_id, alerts.c.rule_ids)).all()
    return {row.alert_id: json.loads(row.rule_ids) for row in rows}


def alert_with(store: Store, rule: str) -> str:
    """An alert that a rule hit."""
    return next(alert for alert, rules in sorted(alerts_of(store).items()) if rule in rules)


def bundle_of(store: Store, alert: str, out: Path, profile: str = "internal") -> Made:
    """A bundle in a file."""
    return export(store, alert, out, KEY, MAKER, profile)


def unpacked(path: Path, folder: Path) -> Path:
    """The files of a bundle in an empty folder."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def stock_duckdb(folder: Path) -> tuple[str, str]:
    """What verify.sql says, run by DuckDB alone: `PASS`, `FAIL` or `ERROR`, and all of it."""
    with StockDuckDb() as duckdb:
        return duckdb.run(folder)


def files_in(path: Path) -> dict[str, bytes]:
    """Files of a bundle by name."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """A ZIP of these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def signed_again(files: Mapping[str, bytes], key: Ed25519PrivateKey = KEY) -> dict[str, bytes]:
    """A bundle whose manifest and signature fit files that were changed: what only the content can tell."""
    made = dict(files)
    manifest = json.loads(made["manifest.json"])
    manifest["files"] = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in sorted(made.items())
        if name not in ("manifest.json", "manifest.sig")
    }
    made["manifest.json"] = json.dumps(manifest).encode()
    made["manifest.sig"] = key.sign(made["manifest.json"])
    return made


def table_in(files: Mapping[str, bytes], name: str) -> pa.Table:
    """A Parquet file of a bundle."""
    return pq.read_table(io.BytesIO(files[name]))


def with_table(
    files: Mapping[str, bytes], name: str, change: Callable[[list[dict[str, Any]]], None]
) -> dict[str, bytes]:
    """Files with the rows of a Parquet file changed."""
    table = table_in(files, name)
    rows = table.to_pylist()
    change(rows)
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), file)
    return dict(files) | {name: file.getvalue()}
