"""`txmon evidence`: make a bundle of an alert, check one, make the key that signs them.

Owns arguments and what is printed; the work is done in `txmon.evidence`. Exit codes: 0 done, 1 `verify`
found something, 2 an error, told on one line with its remedy.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeplace import places_of
from txmon.clock import SystemClock, random_bytes
from txmon.errors import ConfigError, InputError, NotFound
from txmon.evidence import bundle, signing
from txmon.evidence.check import check
from txmon.evidence.custody import Maker, note, noted
from txmon.evidence.redact import PROFILES
from txmon.store.due import is_past
from txmon.store.retentionfile import load_classes

app = typer.Typer(no_args_is_help=True, help="Evidence bundles; see docs/evidence.md.", rich_markup_mode=None)
key_app = typer.Typer(no_args_is_help=True, help="The key that signs bundles.", rich_markup_mode=None)
app.add_typer(key_app, name="key")

KeyPath = Annotated[
    Path | None,
    typer.Option("--key", help=f"File of the signing key; else {signing.VARIABLE}, else the user's folder."),
]
_SHOWN = 20


@app.command()
def export(
    named: Annotated[str | None, typer.Argument(metavar="[ALERT]", help="Id of the alert.")] = None,
    alert: Annotated[str | None, typer.Option("--alert", help="The same, as an option.")] = None,
    out: Annotated[Path, typer.Option("--out", help="A new ZIP file.")] = Path("evidence.zip"),
    profile: Annotated[
        str, typer.Option("--profile", help=f"Who it is for: {', '.join(PROFILES)}.")
    ] = "internal",
    by: Annotated[str, typer.Option("--by", help="Who makes it, for the custody log.")] = "not said",
    purpose: Annotated[str, typer.Option("--purpose", help="What for; no personal value.")] = "not said",
    key: KeyPath = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Write what an alert rests on, provable without txmon. Reads the store beside a running service."""
    alert_id = alert or named
    if alert_id is None or (alert and named and alert != named):
        raise InputError("name one alert: its id, as `GET /v1/alerts` lists it")
    places = places_of(store, settings)
    signer = signing.load_key(key or places.signing_key)
    maker = Maker(by, purpose, SystemClock().now_us())
    with places.open(read_only=True) as opened:
        if is_past(opened, alert_id, load_classes(places.retention).at(maker.now_us)):
            raise NotFound("there is no such alert: it is past its retention, or never was")
        made = bundle.export(opened, alert_id, out, signer, maker, profile)
    try:
        note(places.snapshots.parent, noted(asdict(made), alert_id, profile, maker))
    except ConfigError:
        out.unlink()
        raise
    facts = {
        "file": str(made.path), "sha256": made.sha256, "alert": alert_id, "profile": profile,
        "events": made.events, "hits": made.hits, "derived": made.derived, "not_derived": made.not_derived,
        "seq": made.head_seq, "head": made.head, "signer": made.signer,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(facts))
        return
    typer.echo(f"{made.path}: {made.events:,} events, {made.derived:,} of {made.hits:,} hits derived again")
    for reason, count in made.not_derived.items():
        typer.echo(f"  not derived ({count:,}): {reason}")
    typer.echo(f"head of row {made.head_seq:,}: {made.head}")
    typer.echo(f"signed by {made.signer}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="A bundle.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The institution's public key (PEM), got from the institution."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check every file, the signature, every proof and every hit; exit 1 if anything is not as it was."""
    report = check(file, None if key is None else _read(key))
    if as_json:
        facts = {
            "ok": report.ok, "alert": report.alert_id, "profile": report.profile, "events": report.events,
            "hits": report.hits, "derived": report.derived, "scores": report.scores, "seq": report.head_seq,
            "head": report.head, "signer": report.signer, "signer_known": report.signer_known,
            "notes": report.notes, "findings": report.findings,
        }  # fmt: skip
        typer.echo(json.dumps(facts))
    else:
        typer.echo(
            f"alert {report.alert_id}, profile {report.profile}: {report.events:,} events, "
            f"{report.derived:,} of {report.hits:,} hits derived again, {report.scores:,} scores repeated"
        )
        known = "the key given" if report.signer_known else "compare it with the published one, or give --key"
        typer.echo(f"signed by {report.signer} ({known})")
        for said in report.notes:
            typer.echo(f"note: {said}")
        for finding in report.findings[:_SHOWN]:
            typer.echo(finding, err=True)
        if len(report.findings) > _SHOWN:
            typer.echo(f"... {len(report.findings) - _SHOWN} more; --json shows them", err=True)
        typer.echo("PASS" if report.ok else "FAIL")
    if not report.ok:
        raise typer.Exit(1)


@key_app.command("init")
def key_init(key: KeyPath = None) -> None:
    """Make the key, readable by its owner only; an old one is never replaced."""
    path = key or signing.default_key_path()
    made = signing.make_key(path, random_bytes)
    typer.echo(
        f"key {signing.name_of(made.public_key())} in {path}; publish what `txmon evidence key show` prints"
    )


@key_app.command("show")
def key_show(key: KeyPath = None) -> None:
    """Print the public key and its name, for publication."""
    found = signing.load_key(key or signing.default_key_path())
    typer.echo(signing.public_pem(found).decode().strip())
    typer.echo(f"sha256 {signing.name_of(found.public_key())}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name the file of a public key") from error
