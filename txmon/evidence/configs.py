"""The config as it was, in a bundle: whole for the institution itself, or only what the rules that hit read.

Owns the choice of files; a config's own form is `txmon.pipeline.config`.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from txmon.engine.hits import detectors_read
from txmon.evidence.tables import RATES
from txmon.rules.ir import Rule

_LISTED = re.compile(r"in\s+list\s*\(\s*'([a-z0-9_]+)'\s*\)")


def part_of(document: bytes, rules: Iterable[Rule]) -> bytes:
    """Return a config's document with these rules only, and the lists and detectors that they read."""
    content: dict[str, Any] = json.loads(document)
    wanted = list(rules)
    ids = {rule.id for rule in wanted}
    detectors = {d for rule in wanted for d in detectors_read(rule)}
    groups = [*content["packs"], content["default"]]
    texts = [
        text
        for files in groups
        for path, text in files.items()
        if _name(path) in ids or path == "derived.yaml" or _below(path, "detectors", detectors)
    ]
    lists = {found for text in texts for found in _LISTED.findall(text)}
    for files in groups:
        for path in list(files):
            kept = (
                path == "derived.yaml" or _below(path, "lists", lists) or _below(path, "detectors", detectors)
            )
            if not kept and not (_name(path) in ids and path.split("/")[0] not in ("lists", "detectors")):
                del files[path]
    content["packs"] = [files for files in content["packs"] if any(_name(p) in ids for p in files)]
    return json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def files_of(document: bytes, rules: Iterable[Rule]) -> dict[str, bytes]:
    """Return the parts of a config that the rules read as files of their own, for a reader."""
    content = json.loads(part_of(document, rules))
    found: dict[str, bytes] = {}
    for files in [content["default"], *content["packs"]]:
        for path, text in files.items():
            found["rules/" + path.split("/", 1)[-1] if _plain(path) else path] = text.encode()
    if content["rates"] is not None:
        found["rates.csv"] = content["rates"].encode()
    return found


def as_it_was(configs: Mapping[int, tuple[bytes, Iterable[Rule]]]) -> dict[str, bytes]:
    """Return the readable files of configs: by the row of each, its document and the rules that hit."""
    found: dict[str, bytes] = {}
    for seq, (document, rules) in configs.items():
        folder = f"as-it-was/{seq}/" if len(configs) > 1 else "as-it-was/"
        found |= {folder + path: content for path, content in files_of(document, rules).items()}
    return found


def rates_of(documents: Mapping[int, bytes]) -> pa.Table:
    """Return the exchange rates of configs, by the row of each; ten decimals, as the SQL reads them."""
    rows = []
    for seq, document in documents.items():
        for row in csv.DictReader((json.loads(document)["rates"] or "").splitlines()):
            rows.append(
                {
                    "config": seq,
                    "date": dt.date.fromisoformat(row["date"]),
                    "currency": row["currency"],
                    "base": row["base"],
                    "rate": round(Decimal(row["rate"]), 10),
                }
            )
    return pa.Table.from_pylist(rows, schema=RATES)


def _plain(path: str) -> bool:
    return path.split("/")[0] not in ("lists", "detectors") and path != "derived.yaml"


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].removesuffix(".yaml")


def _below(path: str, folder: str, names: set[str]) -> bool:
    return path.startswith(f"{folder}/") and _name(path) in names
