"""`txmon store subject` and `heads`: what a person may read of itself; signed heads of the journal.

Owns arguments and what is printed. Both read the store beside a running service.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeoptions import Approver, Author, Reason, busy, done
from txmon.cli.storeplace import places_of, why_of
from txmon.clock import SystemClock, monotonic_s
from txmon.errors import StateError
from txmon.evidence import heads as signed
from txmon.evidence import signing
from txmon.evidence.headchore import file_of, key_path
from txmon.settings import load
from txmon.store.retentionfile import load_classes
from txmon.store.subject import INCLUDED, find_subject
from txmon.store.subjectzip import Asked, write_whole, zip_of


def subject(
    party: Annotated[str, typer.Argument(help="Party, account or card, as the events name it.")],
    reason: Reason,
    author: Author,
    approver: Approver,
    out: Annotated[Path, typer.Option("--out", help="A new ZIP file.")],
    include: Annotated[
        list[str] | None,
        typer.Option("--include", help=f"Told besides, if the approver agrees: {', '.join(INCLUDED)}."),
    ] = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Export the events about a person, others redacted; alerts, cases and scores are left out."""
    places = places_of(store, settings)
    started = monotonic_s()
    now = SystemClock().now_us()
    with places.open(read_only=True) as opened, busy("exporting"):
        why = why_of(opened, reason, author, approver)
        found = find_subject(opened, party, load_classes(places.retention).at(now), include or ())
    content = zip_of(found, Asked(why.author, why.approver, now))
    write_whole(out, content)
    facts = {
        "out": str(out), "events": len(found.events), "sha256": sha256(content).hexdigest(),
        "included": sorted(found.more),
    }  # fmt: skip
    done(as_json, started, facts, f"{len(found.events):,} events are in {out}")


def heads(
    out: Annotated[
        Path | None, typer.Option("--out", help="File to append to; else TXMON_SIGNED_HEADS_FILE.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="File of the signing key; else TXMON_EVIDENCE_KEY.")
    ] = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Sign the newest head of the journal and append it to a file; keep that file somewhere else."""
    places = places_of(store, settings)
    chosen = load(os.environ, {"store": store, "settings": settings})
    started = monotonic_s()
    signer = signing.load_key(key or key_path(chosen))
    path = out or file_of(chosen)
    with places.open(read_only=True) as opened:
        made = signed.sign_head(opened, signer, SystemClock().now_us())
    if made is None:
        raise StateError("the journal is empty: there is no head to sign")
    signed.append(path, made)
    facts = {"out": str(path), **made.document()}
    done(as_json, started, facts, f"row {made.seq:,} is signed in {path}")


def add(app: typer.Typer) -> None:
    """Add the commands to `txmon store`."""
    app.command()(subject)
    app.command()(heads)
