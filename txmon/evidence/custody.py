"""The custody log of a bundle: how its events came in, who decided what about the alert, who made the file.

Every line but the last names the journal row it stands in; the row's own proof is the chain. Owns the log,
and the log of bundles beside the store.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from txmon.clock import rfc3339
from txmon.errors import ConfigError
from txmon.evidence.source import Hit
from txmon.store import Store, journal


@dataclass(frozen=True)
class Maker:
    """Who makes the bundle, what for, and when. by, purpose: as the person says."""

    by: str
    purpose: str
    now_us: int


LOG = "evidence.log"


def note(folder: Path, facts: dict[str, Any]) -> None:
    """Append to the log of bundles that left a store: JSON lines, each with the SHA-256 of the line before.

    Raises:
        ConfigError: it cannot be written.
    """
    path = folder / LOG
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with open(handle, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines(keepends=True)
            before = hashlib.sha256(lines[-1]).hexdigest() if lines else None
            file.write(json.dumps(facts | {"before": before}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; a bundle leaves the store only if that can be noted there"
        ) from error


def noted(made: Mapping[str, Any], alert_id: str, profile: str, maker: Maker) -> dict[str, Any]:
    """Return the line of a bundle that was made; `made` has the fields of `bundle.Made`."""
    return {
        "at": rfc3339(maker.now_us), "alert": alert_id, "profile": profile, "by": maker.by,
        "purpose": maker.purpose, "file": Path(made["path"]).name, "sha256": made["sha256"],
        "seq": made["head_seq"], "head": made["head"], "signer": made["signer"],
    }  # fmt: skip


def custody(
    store: Store, alert_id: str, found: Sequence[Hit], chain: pa.Table, rows: Sequence[int], maker: Maker
) -> list[dict[str, Any]]:
    """Return the log in order of the journal.

    Args:
        rows: journal rows that hold events of the bundle.
    """
    received = dict(
        zip(chain.column("seq").to_pylist(), chain.column("received_at").to_pylist(), strict=True)
    )
    lines: list[dict[str, Any]] = [
        {"row": seq, "at": rfc3339(received[seq]), "what": "events received", "by": "pipeline"}
        for seq in sorted(set(rows))
    ]
    for epoch in {h.epoch.first_seq: h.epoch for h in found}.values():
        entry = next(journal.read(store, epoch.first_seq, epoch.first_seq))
        lines.append(
            {
                "row": epoch.first_seq,
                "at": rfc3339(entry.received_at_us),
                "what": "config put in force",
                "by": "two people, or the first start",
                "config": epoch.config.id,
            }
        )
    lines += _decisions(store, alert_id)
    lines.sort(key=lambda line: int(line["row"]))
    exported = {
        "row": None,
        "at": rfc3339(maker.now_us),
        "what": "bundle made",
        "by": maker.by,
        "purpose": maker.purpose,
    }
    return [*lines, exported]


def _decisions(store: Store, alert_id: str) -> Iterator[dict[str, Any]]:
    """Decisions about the alert: what, who, from, to and why."""
    for entry in journal.read(store, kinds=("decision",)):
        if not entry.document:  # it was about what is past its retention
            continue
        document = json.loads(entry.document)
        if document.get("alert") == alert_id or alert_id in document.get("alerts", ()):
            yield {
                "row": entry.seq,
                "at": rfc3339(entry.received_at_us),
                "what": document.get("decision"),
                "by": document.get("by"),
                "from": document.get("from"),
                "to": document.get("to"),
                "reason": document.get("reason"),
            }


def by_appearance(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the log with people told apart but not named, and without what they wrote."""
    known: dict[str, str] = {}
    made = []
    for line in lines:
        who = str(line["by"])
        shown = known.setdefault(who, f"person {len(known) + 1}") if who.startswith("person:") else who
        shown = "the institution" if line["row"] is None else shown
        made.append({k: v for k, v in line.items() if k != "reason"} | {"by": shown})
    return made
