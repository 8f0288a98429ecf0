"""Holds what a bundle shows a reader against its tables: features.csv, alert, custody log, summary.

Nothing here is evidence of its own: whoever signs may write what he likes of people and their reasons. But
what repeats the tables, the chain or the manifest must repeat them. Owns these comparisons.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from txmon.clock import rfc3339
from txmon.evidence.summary import summary
from txmon.evidence.tables import features_csv
from txmon.pipeline.config import versions

Fault = tuple[str, str]


def faults(
    files: Mapping[str, bytes], manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]
) -> Iterator[Fault]:
    """Yield what is shown otherwise than it is, as (file, what).

    Args:
        tables: `events`, `hits`, `proofs` and `chain` of the bundle.
    """
    if features_csv(tables["hits"]) != files["features.csv"]:
        yield "features.csv", "does not say what hits.parquet says"
    alert, log = json.loads(files["alert.json"]), json.loads(files["custody.json"])
    for name, said in manifest["alert"].items():
        if alert[name] != said:
            yield "alert.json", f"has another {name} than the manifest"
    yield from _custody(log, manifest, tables)
    if manifest["made"]["versions"] == versions():  # another txmon draws another page
        page = summary(alert, tables["hits"], tables["events"], log, manifest)
        if page.encode() != files["summary.html"]:
            yield "summary.html", "does not show what the other files say"


def _custody(
    log: list[dict[str, Any]], manifest: Mapping[str, Any], tables: Mapping[str, pa.Table]
) -> Iterator[Fault]:
    """The log names the rows of the bundle's events and configs, and of each the time that the chain has."""
    chain = tables["chain"]
    times = dict(zip(chain.column("seq").to_pylist(), chain.column("received_at").to_pylist(), strict=True))
    proofs = tables["proofs"].select(["ingest_seq", "journal_seq"]).to_pylist()
    rows = {each["journal_seq"] for each in proofs if each["ingest_seq"] is not None}
    received = [line["row"] for line in log if line["what"] == "events received"]
    configs = {line["row"]: line["config"] for line in log if line["what"] == "config put in force"}
    if sorted(received) != sorted(rows):
        yield "custody.json", "names other rows of events than the proofs"
    if configs != {each["row"]: each["id"] for each in manifest["configs"]}:
        yield "custody.json", "names other configs than the manifest"
    for line in log:
        if line["row"] in times and line["at"] != rfc3339(times[line["row"]]):
            yield "custody.json", f"row {line['row']} has another time in the chain"
    made = manifest["made"]
    if [(line["at"], line["by"]) for line in log if line["row"] is None] != [(made["at"], made["by"])]:
        yield "custody.json", "says otherwise than the manifest who made the bundle, or when"
