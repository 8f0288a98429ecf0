"""Checks a bundle from its files alone: hashes, signature, proofs, configs, every hit, every score.

It does not run verify.sql: it makes the statements anew from the config and runs those, so that the two
ways agree only if both are right. Owns the verdict. Needs no store, and no trust in who made the file but
for the public key.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from txmon.errors import InputError, TxmonError
from txmon.evidence import signing
from txmon.evidence.archive import read_files
from txmon.evidence.configs import as_it_was, rates_of
from txmon.evidence.derive import Tables, differences
from txmon.evidence.flat import csv_of
from txmon.evidence.redact import PROFILES
from txmon.evidence.scores import repeat
from txmon.evidence.script import SIGNED, Expected, Section, script
from txmon.evidence.shown import faults
from txmon.evidence.source import closure
from txmon.evidence.tables import CHAIN, EVENTS, HITS, PROOFS, RATES, SCORE_INPUTS, SCORES
from txmon.pipeline.config import Config, load_config, versions
from txmon.rules.ir import Rule
from txmon.store import journal, merkle
from txmon.store.proof import content_of

FORMAT = 1
_SIGNER = "signer.pem"
_UNREADABLE = (
    ValueError, KeyError, TypeError, IndexError, EOFError, OSError, zlib.error, zipfile.BadZipFile,
    csv.Error, pa.ArrowException, duckdb.Error, TxmonError,
)  # fmt: skip


@dataclass
class Checked:
    """Outcome of a check. signer_known: the signature is of a key that was given to compare with."""

    alert_id: str = ""
    profile: str = ""
    events: int = 0
    hits: int = 0
    derived: int = 0
    scores: int = 0
    head_seq: int = 0
    head: str = ""
    signer: str = ""
    signer_known: bool = False
    notes: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing was found."""
        return not self.findings

    def add(self, part: str, what: str) -> None:
        """Note a finding."""
        self.findings.append(f"{part}: {what}")


def check(path: Path, public: bytes | None = None) -> Checked:
    """Check a bundle; `public` is the institution's public key (PEM), got from elsewhere than the bundle.

    Raises:
        InputError: the file is no bundle at all, or `public` is no key.
    """
    files = read_files(path)
    report = Checked()
    known = None if public is None else signing.name_of(signing.read_public(public, "the key given"))
    manifest = _manifest(files, report)
    _signature(files, manifest, known, report)
    _hashes(files, manifest, report)
    if report.ok:  # what was changed is not read
        try:
            _Content(files, manifest, report).check()
        except _UNREADABLE as error:
            report.add("bundle", f"cannot be read: {type(error).__name__}: {error}")
    return report


def _manifest(files: Mapping[str, bytes], report: Checked) -> dict[str, Any]:
    for name in (*SIGNED, _SIGNER):
        if name not in files:
            raise InputError(f"the file holds no {name}: it is no evidence bundle, or a cut one")
    try:
        manifest: dict[str, Any] = json.loads(files["manifest.json"])
        report.alert_id, report.profile = manifest["alert"]["alert_id"], manifest["profile"]["profile"]
        report.head_seq, report.head = manifest["head"]["seq"], manifest["head"]["head"]
        report.notes, report.signer = list(manifest["notes"]), manifest["signer"]
        if manifest["format"] != FORMAT or not isinstance(manifest["files"], dict):
            raise ValueError(f"format {manifest['format']}")
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"manifest.json is not one of a bundle that this txmon reads ({error})") from error
    return manifest


def _signature(
    files: Mapping[str, bytes], manifest: Mapping[str, Any], known: str | None, report: Checked
) -> None:
    try:
        key = signing.read_public(files[_SIGNER], _SIGNER)
    except InputError as error:
        report.add("signature", error.detail)
        return
    if not signing.signed_by(key, files["manifest.sig"], files["manifest.json"]):
        report.add("signature", "manifest.sig is not the signature of manifest.json by signer.pem")
    if signing.name_of(key) != manifest["signer"]:
        report.add("signature", "signer.pem is not the key that the manifest names")
    report.signer_known = known is not None
    if known is not None and known != signing.name_of(key):
        report.add("signature", f"signed by key {signing.name_of(key)}, not by the one given ({known})")


def _hashes(files: Mapping[str, bytes], manifest: Mapping[str, Any], report: Checked) -> None:
    named = manifest["files"]
    for name in sorted(set(named) - set(files)):
        report.add(name, "missing")
    for name in sorted(set(files) - set(named) - set(SIGNED)):
        report.add(name, "not named in the manifest")
    for name in sorted(set(files) & set(named)):
        if hashlib.sha256(files[name]).hexdigest() != named[name]:
            report.add(name, "not what was signed")


class _Content:
    """The tables of a bundle whose files are those that were signed."""

    def __init__(self, files: Mapping[str, bytes], manifest: Mapping[str, Any], report: Checked) -> None:
        self._files, self._manifest, self._report = files, manifest, report
        self._events = self._table("events", EVENTS)
        self._hits = self._table("hits", HITS)
        self._proofs = self._table("proofs", PROOFS)
        self._chain = self._table("chain", CHAIN)
        self._scores = self._table("scores", SCORES)

    def _table(self, name: str, schema: pa.Schema) -> pa.Table:
        table = pq.read_table(io.BytesIO(self._files[f"{name}.parquet"]))
        if table.column_names != schema.names:
            raise ValueError(f"{name}.parquet has other columns than a bundle has")
        return table.cast(schema)

    def check(self) -> None:
        report, manifest = self._report, self._manifest
        report.events, report.hits = len(self._events), len(self._hits)
        if csv_of(self._events) != self._files["events.csv"]:
            report.add("events.csv", "does not say what events.parquet says")
        if report.events != manifest["events"] or report.hits != manifest["hits"]["all"]:
            report.add("manifest.json", "counts other events or hits than there are")
        self._check_chain()
        self._check_proofs()
        self._check_hits()
        configs = self._configs()
        self._check_texts(configs)
        tables = {"events": self._events, "hits": self._hits, "proofs": self._proofs, "chain": self._chain}
        for part, what in faults(self._files, manifest, tables):
            report.add(part, what)
        self._derive(configs)
        self._repeat(configs)

    def _check_hits(self) -> None:
        """Hits name the events that they say they are of."""
        said = ("event_id", "source", "event_time")
        events = {row["ingest_seq"]: tuple(row[n] for n in said) for row in self._events.to_pylist()}
        for hit in self._hits.to_pylist():
            if events.get(hit["ingest_seq"]) != tuple(hit[n] for n in said):
                self._report.add("hits.parquet", f"hit {hit['number']} is of another event or time")

    def _check_chain(self) -> None:
        head = self._manifest["head"]
        at, number = bytes.fromhex(head["previous"]), head["first_seq"]
        for row in self._chain.to_pylist():
            if row["seq"] != number:
                self._report.add("chain.parquet", f"row {number} is missing")
                return
            at = journal.next_head(at, number, row["kind"], row["received_at"], bytes.fromhex(row["root"]))
            number += 1
        if number - 1 != head["seq"] or at.hex() != head["head"]:
            self._report.add("chain.parquet", "does not lead to the signed head")

    def _check_proofs(self) -> None:
        roots = dict(
            zip(self._chain.column("seq").to_pylist(), self._chain.column("root").to_pylist(), strict=True)
        )
        numbers = self._events.column("ingest_seq").to_pylist()
        places = {number: i for i, number in enumerate(numbers)}
        proven: set[int] = set()
        for proof in self._proofs.to_pylist():
            what = proof["item"] if proof["ingest_seq"] is None else f"event {proof['ingest_seq']}"
            leaf = bytes.fromhex(proof["leaf"])
            path = [(step[0] == "R", bytes.fromhex(step[1:])) for step in proof["path"]]
            if merkle.root_from(leaf, path).hex() != roots.get(proof["journal_seq"]):
                self._report.add(what, "its proof does not lead to the root of its journal row")
            if proof["ingest_seq"] is not None and (proof["salt"] is None) != (proof["content"] is None):
                self._report.add(what, "its proof is open by half")
                continue
            content = self._content(proof)
            if content is not None and merkle.bytes_leaf(bytes.fromhex(proof["salt"]), content) != leaf:
                self._report.add(what, "its leaf is not that of what it says")
            if proof["ingest_seq"] in places:
                proven.add(proof["ingest_seq"])
                said = content_of(self._events, places[proof["ingest_seq"]])
                if proof["content"] is not None and said != proof["content"]:
                    self._report.add(what, "events.parquet does not say what was journaled")
        for number in sorted(set(numbers) - proven):
            self._report.add(f"event {number}", "has no proof")
        if len(places) < len(numbers):
            self._report.add("events.parquet", "holds an event twice")
        if len(self._proofs) != self._proofs_due():
            self._report.add("proofs.parquet", "holds a proof twice, or lacks that of a config")

    def _proofs_due(self) -> int:
        """One for each event and, where the profile tells configs whole, one for each of them."""
        profile = PROFILES.get(self._report.profile)
        whole = profile is not None and profile.whole_config
        return len(self._events) + (len(self._manifest["configs"]) if whole else 0)

    def _content(self, proof: Mapping[str, Any]) -> bytes | None:
        if proof["salt"] is None:
            return None
        if proof["ingest_seq"] is None:
            return self._files[proof["item"]]
        return str(proof["content"]).encode()

    def _configs(self) -> dict[int, Config]:
        found = {}
        for named in self._manifest["configs"]:
            found[int(named["row"])] = config = load_config(self._files[named["file"]])
            proved = named["file"] in self._proofs.column("item").to_pylist()
            if proved and config.id != named["id"]:
                self._report.add(named["file"], "is not the config that the manifest names")
        return found

    def _check_texts(self, configs: Mapping[int, Config]) -> None:
        """What a reader is shown of rules and rates is what the configs say."""
        hit: dict[int, set[str]] = {row: set() for row in configs}
        for each in self._hits.to_pylist():
            hit[max(row for row in configs if row <= each["journal_seq"])].add(each["rule_id"])
        wanted = {
            row: (config.document, {r.id: r for i in sorted(hit[row]) for r in _all(i, config)}.values())
            for row, config in configs.items()
        }
        shown = {name: c for name, c in self._files.items() if name.startswith("as-it-was/")}
        if as_it_was(wanted) != shown:
            self._report.add("as-it-was", "does not say what the config says")
        rates = rates_of({row: config.document for row, config in configs.items()})
        if not self._table("rates", RATES).equals(rates):
            self._report.add("rates.parquet", "does not say what the config says")

    def _derive(self, configs: Mapping[int, Config]) -> None:
        """Run each rule again over the events."""
        starts = sorted(configs)
        sections: dict[int, Section] = {}
        for hit in self._hits.to_pylist():
            if hit["section"] is None:
                continue
            row = max(seq for seq in starts if seq <= hit["journal_seq"])
            config = configs[row]
            rule = config.rules[hit["rule_id"]]
            if (rule.subject, rule.score) != (hit["subject_type"], hit["score"]):
                self._report.add(rule.id, "the hit has another subject type or score than the rule")
            if rule.version != hit["rule_version"]:
                self._report.add(
                    rule.id, f"the hit is of version {hit['rule_version']}, the config has {rule.version}"
                )
            sections.setdefault(hit["section"], Section(hit["section"], rule, config.plan, row))
            self._report.derived += 1
        if self._report.derived != self._manifest["hits"]["derived"] or not sections:
            self._report.add("hits.parquet", "derives another number of hits than the manifest says")
        self._compare_script(sections)
        tables = Tables(self._events, self._hits, self._table("rates", RATES), self._scores)
        for part, item, expected, found in differences(list(sections.values()), tables):
            self._report.add(part, f"{item}: expected {expected}, found {found}")

    def _compare_script(self, sections: Mapping[int, Section]) -> None:
        """verify.sql is what this txmon writes, where the bundle is of this version."""
        manifest = self._manifest
        if manifest["made"]["versions"] != versions():
            made = manifest["made"]["versions"]["txmon"]
            self._report.notes.append(f"verify.sql is of txmon {made}: it was not compared, its hash was")
            return
        head = manifest["head"]
        expected = Expected(
            self._report.hits, self._report.events, self._proofs_due(), head["first_seq"], head["previous"],
            head["seq"], head["head"], manifest["notes"],
        )  # fmt: skip
        ordered = [sections[number] for number in sorted(sections)]
        if script(ordered, expected).encode() != self._files["verify.sql"]:
            self._report.add("verify.sql", "does not run the rules of the config in this bundle")

    def _repeat(self, configs: Mapping[int, Config]) -> None:
        """Give each detector's state its input again."""
        if not len(self._scores):
            return
        said = {(r["ingest_seq"], r["detector"]): r["score"] for r in self._scores.to_pylist()}
        epochs = {h["ingest_seq"]: h["journal_seq"] for h in self._hits.to_pylist()}
        for row in self._table("inputs", SCORE_INPUTS).to_pylist():
            key = (row["ingest_seq"], row["detector"])
            config = configs[max(seq for seq in configs if seq <= epochs[row["ingest_seq"]])]
            detector = next(d for d in config.plan.detectors if d.id == row["detector"])
            inputs = [float("nan") if v is None else v for v in row["inputs"]]
            score = repeat(detector, self._files[row["state"]], row["segment"], inputs)
            if said.pop(key, None) != (None if math.isnan(score) else score):
                self._report.add(
                    f"event {key[0]}", f"detector {key[1]} gives {score}, scores.parquet says otherwise"
                )
            self._report.scores += 1
        for number, detector_id in sorted(said):
            self._report.add(f"event {number}", f"the score of {detector_id} has no state")


def _all(rule_id: str, config: Config) -> list[Rule]:
    return closure(config.rules[rule_id], config.rules)
