"""`txmon webhooks`: who is told of alerts, what was delivered, and telling them again.

Owns arguments and what is printed; endpoints are `txmon.notify`'s. Changes need the store to themselves and
the key of an administrator; lists work beside the service. A secret is printed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from txmon.cli.keyplace import Hands, hands, tell
from txmon.cli.options import EndpointId, Entities, Json, KeyFile, Mode, Place, SettingsFile
from txmon.cli.running import settings_of
from txmon.cli.storeplace import places_of
from txmon.clock import rfc3339
from txmon.notify import Delivery, Endpoint, Master, Wanted, endpoints, master_of

app = typer.Typer(no_args_is_help=True, help="Who is told of alerts by webhook.", rich_markup_mode=None)
_ADMIN = ("admin",)


@app.callback()
def group() -> None:
    """Endpoints, their secrets, and the log of deliveries."""


@app.command()
def add(
    url: Annotated[str, typer.Argument(help="Where messages go; https.")],
    scope: Annotated[
        str, typer.Option("--scope", help="neutral, or full with rules and reasons.")
    ] = "neutral",
    mode: Mode = None,
    entities: Entities = None,
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Add an endpoint and print its secret once; it is told what happens from now on."""
    wanted = Wanted(url, scope, mode, frozenset(entities) if entities else None)
    with _admin(store, settings, key_file) as at:
        master = _master(store, settings)
        made, secret = at.change(lambda tx, _, who: endpoints.add(tx, master, wanted, by=who.identity))
    facts = {**_facts(made), "secret": secret.text}
    tell(facts, [f"endpoint {made.id}", "its secret, shown once:", secret.text], as_json)


@app.command("list")
def show(store: Place = None, settings: SettingsFile = None, as_json: Json = False) -> None:
    """List endpoints, never their secrets; also while the service runs."""
    with places_of(store, settings).open(read_only=True) as at, at.read() as conn:
        found = [_facts(each) for each in endpoints.listed(conn)]
    lines = [
        f"{e['id']}  {e['state']:<8}  {e['scope']:<7}  failures {e['failures']}  {e['url']}" for e in found
    ]
    tell({"endpoints": found}, lines, as_json)


@app.command()
def log(
    endpoint_id: EndpointId,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Newest tries shown.")] = 50,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Show the newest tries of deliveries; also while the service runs."""
    with places_of(store, settings).open(read_only=True) as at, at.read() as conn:
        found = [_delivery(each) for each in endpoints.log(conn, endpoint_id, limit=limit)]
    lines = [
        f"{d['at']}  message {d['outbox_id']}  try {d['attempt']}  {d['outcome']}"
        f"  {d['status'] or d['error'] or ''}  {d['duration_ms']} ms"
        for d in found
    ]
    tell({"deliveries": found}, lines, as_json)


@app.command()
def enable(
    endpoint_id: EndpointId, store: Place = None, settings: SettingsFile = None, key_file: KeyFile = None
) -> None:
    """Deliver again, from where it stopped."""
    with _admin(store, settings, key_file) as at:
        at.change(lambda tx, _, who: endpoints.enable(tx, endpoint_id, by=who.identity))
    typer.echo(f"endpoint {endpoint_id} is active")


@app.command()
def disable(
    endpoint_id: EndpointId, store: Place = None, settings: SettingsFile = None, key_file: KeyFile = None
) -> None:
    """Stop delivering; what comes meanwhile waits."""
    with _admin(store, settings, key_file) as at:
        at.change(lambda tx, _, who: endpoints.disable(tx, endpoint_id, by=who.identity))
    typer.echo(f"endpoint {endpoint_id} is disabled")


@app.command()
def remove(
    endpoint_id: EndpointId, store: Place = None, settings: SettingsFile = None, key_file: KeyFile = None
) -> None:
    """Remove an endpoint; the log of its deliveries stays."""
    with _admin(store, settings, key_file) as at:
        at.change(lambda tx, _, who: endpoints.remove(tx, endpoint_id, by=who.identity))
    typer.echo(f"endpoint {endpoint_id} is removed")


@app.command()
def rotate(
    endpoint_id: EndpointId,
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Make a new secret and print it once; messages carry both signatures until `retire`."""
    with _admin(store, settings, key_file) as at:
        master = _master(store, settings)
        secret = at.change(
            lambda tx, _, who: endpoints.rotate_secret(tx, master, endpoint_id, by=who.identity)
        )
    tell({"id": endpoint_id, "secret": secret.text}, ["the new secret, shown once:", secret.text], as_json)


@app.command()
def retire(
    endpoint_id: EndpointId, store: Place = None, settings: SettingsFile = None, key_file: KeyFile = None
) -> None:
    """Sign with the newest secret only."""
    with _admin(store, settings, key_file) as at:
        at.change(lambda tx, _, who: endpoints.retire_old_secret(tx, endpoint_id, by=who.identity))
    typer.echo(f"endpoint {endpoint_id}: messages carry the newest signature only")


@app.command()
def replay(
    endpoint_id: EndpointId,
    messages: Annotated[
        list[int], typer.Argument(help="Numbers of messages, as `txmon webhooks log` shows.")
    ],
    store: Place = None,
    settings: SettingsFile = None,
    key_file: KeyFile = None,
) -> None:
    """Deliver messages again, with the ids they had."""
    with _admin(store, settings, key_file) as at:
        count = at.change(lambda tx, _, who: endpoints.replay(tx, endpoint_id, messages, by=who.identity))
    typer.echo(f"{count} of {len(messages)} messages will be delivered again")


@contextmanager
def _admin(store: str | None, settings: Path | None, key_file: Path | None) -> Iterator[Hands]:
    with hands(store, settings, key_file) as at:
        at.who.require("admin", _ADMIN)
        yield at


def _master(store: str | None, settings: Path | None) -> Master:
    return master_of(settings_of({"store": store, "settings": settings}))


def _facts(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "scope": endpoint.scope,
        "mode": endpoint.mode,
        "entities": None if endpoint.entities is None else sorted(endpoint.entities),
        "state": endpoint.state,
        "failures": endpoint.failures,
        "created": rfc3339(endpoint.created_us),
    }


def _delivery(delivery: Delivery) -> dict[str, Any]:
    shown = {f.name: getattr(delivery, f.name) for f in fields(delivery)}
    return {"at": rfc3339(shown.pop("at_us")), **shown}
