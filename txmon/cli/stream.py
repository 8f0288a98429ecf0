"""`txmon stream`: score what a broker topic or a growing file brings."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from txmon.cli.options import HistoryUntil, Place, SettingsFile

app = typer.Typer()


@app.command()
def stream(
    source: Annotated[
        str | None,
        typer.Option("--source", help="kafka://, nats://, redis://host:port/name, file:///path."),
    ] = None,
    feed: Annotated[
        str | None, typer.Option("--feed", help="Name of a shipped feed, or a feed file.")
    ] = None,
    store: Place = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Address for the API, health and metrics.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="Port for them; without one no port is opened.")
    ] = None,
    idle_exit_s: Annotated[
        float | None, typer.Option("--idle-exit", help="Stop after so many seconds without a message.")
    ] = None,
    history_until: HistoryUntil = None,
    settings: SettingsFile = None,
) -> None:
    """Score the messages of a source until it is stopped; nothing is lost or counted twice."""
    from txmon.cli.hosting import run
    from txmon.cli.running import doors_of, open_service, settings_of, stop_signals

    said = {"source_url": source, "feed": feed, "store": store, "host": host, "port": port}
    chosen = settings_of({**said, "history_until": history_until, "settings": settings})
    with stop_signals() as stop:
        service = open_service(chosen, doors_of(chosen))
        status = run(service, stop, http=port is not None, idle_exit_s=idle_exit_s)
    typer.echo(json.dumps(status))
    if not status["clean"]:
        raise typer.Exit(1)
