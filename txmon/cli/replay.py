"""`txmon replay`: derive every hit again from the journal and compare it with what is stored."""

from __future__ import annotations

import json
import sys

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from txmon.cli.options import Json, Place, SettingsFile

app = typer.Typer()


@app.command()
def replay(
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Derive every hit again and compare; exit 1 on a difference. The service may go on beside it."""
    # imported here so that `--help` answers at once
    from txmon.cli.running import settings_of, store_place
    from txmon.clock import SystemClock, monotonic_s, random_bytes
    from txmon.engine.warm import warm_up
    from txmon.pipeline.replay import replay as run
    from txmon.store import Store

    chosen = settings_of({"store": store, "settings": settings})
    warm_up(lambda text: typer.echo(text, err=True))
    started = monotonic_s()
    console = Console(file=sys.stderr)
    columns = (TextColumn("replaying"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with (
        Store.open(
            store_place(chosen), clock=SystemClock(), random_bytes=random_bytes, read_only=True
        ) as opened,
        Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar,
    ):
        task = bar.add_task("replay", total=None)
        report = run(opened, lambda done, total: bar.update(task, completed=done, total=total))
    seconds = monotonic_s() - started
    for difference in report.shown:
        source, event_id, leg, rule_id, trigger, _ = difference.hit
        typer.echo(
            f"{rule_id} ({trigger}{' ' + leg if leg else ''}) on {source} {event_id}: {difference.what}",
            err=True,
        )
    if as_json:
        typer.echo(json.dumps({**report.as_json(), "seconds": round(seconds, 3)}))
    else:
        typer.echo(
            f"{report.events:,} events under {report.epochs} configs, {report.hits:,} hits: "
            f"{report.differences:,} differences, {report.erased:,} behind erased events; {seconds:.1f} s"
        )
    if report.differences:
        raise typer.Exit(1)
