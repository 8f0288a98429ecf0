"""Makes a bundle: chooses, derives, proves, redacts, signs, writes one ZIP under its name at the end.

What could not be derived again is said in the bundle; if that is every hit, none is made. Owns the order of
these steps and the names of the files; `docs/evidence.md` tells what each is for.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from txmon.clock import rfc3339
from txmon.errors import ConfigError, InputError
from txmon.evidence import scores as scoring
from txmon.evidence import signing, source
from txmon.evidence.chosen import chosen
from txmon.evidence.configs import as_it_was, part_of
from txmon.evidence.custody import Maker, by_appearance, custody
from txmon.evidence.derive import Tables, differences
from txmon.evidence.flat import csv_of
from txmon.evidence.proofs import Proven, closed, prove_all
from txmon.evidence.redact import PROFILES, Redaction
from txmon.evidence.script import Expected, Section, script, section_statements
from txmon.evidence.sealing import Seal, of_children
from txmon.evidence.source import Hit
from txmon.evidence.summary import summary
from txmon.evidence.tables import EVENTS, HITS, SCORE_INPUTS, SCORES, features_csv, hit_table
from txmon.pipeline.config import versions
from txmon.rules.ir import Rule
from txmon.store import Store

FORMAT = 1
_STAMP = (1980, 1, 1, 0, 0, 0)
DETECTOR_NOTE = (
    "Scores of detectors are taken as they stand in scores.parquet: SQL cannot walk a model. "
    "`txmon evidence verify` repeats each from the detector's state and input in this bundle; that the state "
    "and the input are those of the time is shown by `txmon replay` on the store alone."
)
WHOLE_NOTE = (
    "The bundle shows that its events are in the signed journal and that the rules make these hits of them. "
    "That no event was left out of a window is shown by `txmon replay` on the store alone."
)


@dataclass(frozen=True)
class Made:
    """A bundle that was written."""

    path: Path
    sha256: str
    events: int
    hits: int
    derived: int
    not_derived: Mapping[str, int]  # reason -> hits
    head_seq: int
    head: str
    signer: str


@dataclass
class _Work:
    """What the steps hand on."""

    alert: dict[str, Any]
    found: list[Hit]
    reasons: list[str | None]
    sections: list[Section] = field(default_factory=list)
    numbers: list[int | None] = field(default_factory=list)
    events: pa.Table = None
    rates: pa.Table = None
    scores: list[scoring.Score] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def export(
    store: Store, alert_id: str, out: Path, key: Ed25519PrivateKey, maker: Maker, profile: str
) -> Made:
    """Write the bundle of an alert.

    Raises:
        NotFound: no such alert. InputError: an unknown profile, or no hit can be derived again; says why.
        StoreCorrupt: what the hits rest on was erased or is damaged. ConfigError: the file cannot be written.
    """
    if profile not in PROFILES:
        raise InputError(f"profile {profile!r} is none of {', '.join(PROFILES)}")
    if out.exists():
        raise ConfigError(f"{out} exists; name a new file by --out")
    alert = source.alert_row(store, alert_id)
    found = source.hits_of(store, alert_id)
    if not found:
        raise InputError(f"alert {alert_id} has no hits left; they were erased")
    work = _Work(alert, found, [scoring.refused(hit) for hit in found])
    head = source.head_of(store)
    _choose(store, work)
    _derive(work)
    config_rows = _configs(work, whole=PROFILES[profile].whole_config)
    kept = sorted(work.events.column("ingest_seq").to_pylist())
    proven = prove_all(store, kept, config_rows, head)
    rows = sorted(set(proven.proofs.column("journal_seq").to_pylist()) - set(config_rows.values()))
    log = custody(store, alert_id, found, proven.chain, rows, maker)
    secret = signing.pseudonym_secret(key, alert_id, profile)
    redaction = Redaction(PROFILES[profile], secret, alert, _plain_script(work))
    seal = Seal(secret, addresses=of_children(store, alert_id))
    told = _tell(work, proven, log, redaction, seal)
    manifest = _manifest(work, proven, told, redaction, maker)
    manifest["signer"] = signing.name_of(key.public_key())
    sha256 = _write(_files(work, proven, told, manifest), manifest, key, out)
    return Made(
        out, sha256, len(told.events), len(found), manifest["hits"]["derived"], _counts(work.reasons),
        proven.head_seq, proven.head, manifest["signer"],
    )  # fmt: skip


def _choose(store: Store, work: _Work) -> None:
    """Find the events; scores of detectors are derived from the journal on the way."""
    if None not in work.reasons:
        raise InputError(f"no hit of the alert can be derived again: {_told(work.reasons)}")
    found = chosen(store, work.found, work.reasons)
    work.found, work.rates = found.found, found.rates
    work.events = found.events.select(EVENTS.names).cast(EVENTS)
    work.scores = scoring.scores_of(store, found.usable)


def _derive(work: _Work) -> None:
    """Run the rules as a reader will; what comes out otherwise is not called derived."""
    places: dict[tuple[int, str], int] = {}
    for hit, reason in zip(work.found, work.reasons, strict=True):
        place = (hit.epoch.first_seq, hit.rule.id)
        if reason is None and place not in places:
            places[place] = len(places) + 1
            work.sections.append(Section(places[place], hit.rule, hit.plan, hit.epoch.first_seq))
    work.numbers = [
        places[h.epoch.first_seq, h.rule.id] if reason is None else None
        for h, reason in zip(work.found, work.reasons, strict=True)
    ]
    wrong: dict[str, str] = {}
    table = hit_table(work.found, work.numbers, work.reasons)
    for _, item, expected, got in differences(
        work.sections, Tables(work.events, table, work.rates, _score_table(work))
    ):
        wrong.setdefault(item.split(": ")[0], f"SQL says otherwise: {item}, stored {expected}, found {got}")
    for i, hit in enumerate(work.found):
        reason = wrong.get(f"{hit.rule.id} on event {hit.seq}")
        if reason is not None and work.numbers[i] is not None:
            work.numbers[i], work.reasons[i] = None, reason
    if not any(n is not None for n in work.numbers):
        raise InputError(f"no hit of the alert can be derived again: {_told(work.reasons)}")
    used = {n for n in work.numbers if n is not None}
    work.sections = [s for s in work.sections if s.number in used]


def _told(reasons: Sequence[str | None]) -> str:
    return "; ".join(sorted({r for r in reasons if r is not None}))


def _score_table(work: _Work) -> pa.Table:
    rows = [
        {
            "ingest_seq": s.ingest_seq,
            "detector": s.detector,
            "score": None if math.isnan(s.score) else s.score,
        }
        for s in work.scores
    ]
    return pa.Table.from_pylist(rows, schema=SCORES)


def _input_table(work: _Work) -> pa.Table:
    rows = [
        {
            "ingest_seq": s.ingest_seq, "detector": s.detector, "segment": s.segment,
            "inputs": [None if math.isnan(v) else v for v in s.inputs], "state": _state_file(s),
        }
        for s in work.scores
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SCORE_INPUTS)


def _state_file(score: scoring.Score) -> str:
    return f"states/{score.detector}.{score.ingest_seq}.npz"


def _configs(work: _Work, *, whole: bool) -> dict[str, int]:
    """Put configs and the readable parts of them among the files; returns those that the journal proves."""
    proved: dict[str, int] = {}
    wanted: dict[int, tuple[bytes, list[Rule]]] = {}
    for epoch in {h.epoch.first_seq: h.epoch for h in work.found}.values():
        rules = epoch.config.rules
        named = {r.id: r for h in work.found if h.epoch is epoch for r in source.closure(h.rule, rules)}
        name = f"config/{epoch.first_seq}.json"
        work.files[name] = epoch.document if whole else part_of(epoch.document, named.values())
        if whole:
            proved[name] = epoch.first_seq
        wanted[epoch.first_seq] = (epoch.document, list(named.values()))
    work.files |= as_it_was(wanted)
    return proved


def _plain_script(work: _Work) -> str:
    """The SQL of all rules: what redaction must leave as it is."""
    return "\n".join(line for section in work.sections for line in section_statements(section))


@dataclass(frozen=True)
class _Told:
    """The tables and the log as the profile tells them."""

    events: pa.Table
    hits: pa.Table
    proofs: pa.Table
    alert: dict[str, Any]
    log: list[dict[str, Any]]
    notes: list[str]


def _tell(work: _Work, proven: Proven, log: list[dict[str, Any]], redaction: Redaction, seal: Seal) -> _Told:
    """Redact, and derive everything once more from what is left.

    Raises:
        InputError: the rules would see something else.
    """
    redacted, cut = redaction.events(work.events)
    events, sealed = seal.events(redacted)
    shut = [one or other for one, other in zip(cut, sealed, strict=True)]
    alert = seal.value(redaction.alert(work.alert))
    hits = seal.hits(_redacted_hits(hit_table(work.found, work.numbers, work.reasons), redaction))
    lines = seal.value(redaction.log(log if redaction.profile.staff else by_appearance(log)))
    tables = Tables(events, hits, work.rates, _score_table(work))
    wrong = differences(work.sections, tables) if any(shut) or redaction.known or seal.replaced else []
    if wrong:
        raise InputError(
            f"profile {redaction.profile.name!r} would change what a rule sees ({wrong[0][1]}); use another"
        )
    closing = dict(zip(events.column("ingest_seq").to_pylist(), shut, strict=True))
    numbers = proven.proofs.column("ingest_seq").to_pylist()
    notes = [WHOLE_NOTE, *([DETECTOR_NOTE] if work.scores else [])]
    erased = sum(row["salt"] is None for row in proven.proofs.to_pylist())
    if erased:
        notes.append(f"{erased} proofs are closed for good: values of these events were erased since.")
    if any(shut):
        notes.append(
            f"{sum(shut)} of {len(shut)} proofs are closed: the profile does not tell all of these events. "
            "Their leaves lead to the signed head; the institution can open them."
        )
    return _Told(
        events,
        hits,
        closed(proven.proofs, [closing.get(number, False) for number in numbers]),
        alert,
        lines,
        [*notes, *seal.told()],
    )


def _manifest(work: _Work, proven: Proven, told: _Told, redaction: Redaction, maker: Maker) -> dict[str, Any]:
    shown = ("alert_id", "subject_type", "subject_id", "severity", "protect", "entity", "mode")
    return {
        "format": FORMAT,
        "alert": {name: told.alert[name] for name in shown},
        "profile": redaction.told(),
        "made": {
            "at": rfc3339(maker.now_us),
            "by": maker.by if redaction.profile.staff else "the institution",
            "versions": versions(),
        },
        "head": {
            "seq": proven.head_seq,
            "head": proven.head,
            "first_seq": proven.first_seq,
            "previous": proven.previous,
        },
        "configs": _config_facts(work),
        "hits": {
            "all": len(work.found),
            "derived": sum(n is not None for n in work.numbers),
            "not_derived": _counts(work.reasons),
        },
        "events": len(told.events),
        "notes": told.notes,
    }


def _files(work: _Work, proven: Proven, told: _Told, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    files = dict(work.files)
    files["events.parquet"], files["events.csv"] = _parquet(told.events), csv_of(told.events)
    files["hits.parquet"], files["features.csv"] = _parquet(told.hits), features_csv(told.hits)
    files["proofs.parquet"], files["chain.parquet"] = _parquet(told.proofs), _parquet(proven.chain)
    files["rates.parquet"], files["scores.parquet"] = _parquet(work.rates), _parquet(_score_table(work))
    if work.scores:
        files["inputs.parquet"] = _parquet(_input_table(work))
        files |= {_state_file(s): s.state for s in work.scores}
    files["alert.json"], files["custody.json"] = _json(told.alert), _json(told.log)
    expected = Expected(
        len(work.found), len(told.events), len(told.proofs), proven.first_seq, proven.previous,
        proven.head_seq, proven.head, told.notes,
    )  # fmt: skip
    files["verify.sql"] = script(work.sections, expected).encode()
    files["summary.html"] = summary(told.alert, told.hits, told.events, told.log, manifest).encode()
    return files


def _write(files: dict[str, bytes], manifest: dict[str, Any], key: Ed25519PrivateKey, out: Path) -> str:
    """Sign and write; returns the SHA-256 of the file."""
    files = files | {"signer.pem": signing.public_pem(key)}
    manifest["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    content = _json(manifest)
    return _zip(
        out, {"manifest.json": content, "manifest.sig": key.sign(content), **dict(sorted(files.items()))}
    )


def _redacted_hits(hits: pa.Table, redaction: Redaction) -> pa.Table:
    rows = hits.to_pylist()
    for row in rows:
        row["features"] = [(k, v) for k, v in row["features"]]
    return pa.Table.from_pylist(redaction.rows(rows), schema=HITS)


def _config_facts(work: _Work) -> list[dict[str, Any]]:
    epochs = {h.epoch.first_seq: h.epoch for h in work.found}
    return [
        {"row": seq, "id": e.config.id, "file": f"config/{seq}.json"} for seq, e in sorted(epochs.items())
    ]


def _counts(reasons: Sequence[str | None]) -> dict[str, int]:
    found: dict[str, int] = {}
    for reason in reasons:
        if reason is not None:
            found[reason] = found.get(reason, 0) + 1
    return found


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()


def _zip(out: Path, files: Mapping[str, bytes]) -> str:
    """Write the file whole under another name, then put it in its place; returns its SHA-256."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _STAMP), content, zipfile.ZIP_DEFLATED)
    data = memory.getvalue()
    waiting = out.with_name(out.name + ".part")
    try:
        handle = os.open(waiting, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(waiting, out)
    except OSError as error:
        raise ConfigError(f"cannot write {out}: {error.strerror}; name another file by --out") from error
    return hashlib.sha256(data).hexdigest()
