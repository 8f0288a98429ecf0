"""`txmon serve`: the service behind its HTTP API."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from txmon.cli.options import HistoryUntil, Place, SettingsFile

app = typer.Typer()


@app.command()
def serve(
    store: Place = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on; 0 picks a free one.")] = None,
    history_until: HistoryUntil = None,
    settings: SettingsFile = None,
) -> None:
    """Serve the API until SIGTERM; settings come from TXMON_* variables (docs/settings.md)."""
    from txmon.cli.hosting import run
    from txmon.cli.running import doors_of, open_service, settings_of, stop_signals

    said = {"store": store, "host": host, "port": port, "history_until": history_until}
    chosen = settings_of({**said, "settings": settings})
    with stop_signals() as stop:
        service = open_service(chosen, doors_of(chosen))
        status = run(service, stop, http=True)
    typer.echo(json.dumps(status))
    if not status["clean"]:
        raise typer.Exit(1)
