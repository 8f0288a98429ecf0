"""`txmon bench`: the engine beside DuckDB window SQL and polars, in one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

app = typer.Typer(help="Measure the engine against DuckDB and polars in one run.")


@app.callback(invoke_without_command=True)
def bench(
    events: Annotated[int, typer.Option("--events", min=1_000, help="Rows of the workload.")] = 200_000,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="Runs of every engine, in turn; the best counts.")
    ] = 3,
    late: Annotated[bool, typer.Option(help="Also with 5 % of the events late by up to a day.")] = True,
    year: Annotated[bool, typer.Option(help="Also windows of 1 hour and 180 days over 400 days.")] = True,
    long: Annotated[
        bool, typer.Option("--long", help="Also behind 200 k, 5 M and 20 M events; needs memory.")
    ] = False,
    history: Annotated[
        list[int] | None, typer.Option("--history", min=1_000, help="Other sizes for --long; repeat it.")
    ] = None,
    river: Annotated[
        bool, typer.Option("--river", help="Also the river pipeline beside the repository.")
    ] = False,
    service: Annotated[
        bool, typer.Option("--service", help="Only the service, from outside: requests, bulk, Kafka.")
    ] = False,
    capacity: Annotated[
        bool, typer.Option("--capacity", help="Only what a stored event costs; see docs/capacity.md.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Only starts behind so many events, killed under load.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Keep data, rules and hits in this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")] = False,
) -> None:
    """Measure, compare every hit, print ratios; exit code 1 if any hit differs."""
    # Imported here so that `--help` and wrong arguments answer at once.
    from txmon.bench.report import as_json as plain
    from txmon.bench.report import table
    from txmon.bench.run import SIZES, Options
    from txmon.bench.run import bench as run

    sizes = tuple(history) if history else SIZES if long else ()
    year_events = Options.year_events if year else 0
    options = Options(events, rounds, late=late, year_events=year_events, history=sizes, river=river)

    def say(text: str) -> None:
        typer.echo(text, err=True)

    alone = _service if service else _capacity if capacity else _restart if restart else None
    if alone is not None:
        alone(events, out, as_json, say)
        return
    if out is not None:
        figures = run(options, out, say)
    else:
        with TemporaryDirectory(prefix="txmon-bench-") as folder:
            figures = run(options, Path(folder), say)
    for line in table(figures):
        typer.echo(line)
    values = plain(figures)
    if as_json:
        typer.echo(json.dumps(values))
    if any(
        values[name] is False
        for name in ("hits_equal", "event_hits_equal", "late_hits_equal", "river_hits_equal")
    ):
        raise typer.Exit(1)


def _service(events: int, out: Path | None, as_json: bool, say: Callable[[str], None]) -> None:
    """Measure the service with the packs that ship, on the workload's events."""
    from txmon.bench.service import Load, measure
    from txmon.bench.workload import make_workload

    with TemporaryDirectory(prefix="txmon-bench-") as temporary:
        folder = Path(temporary) if out is None else out
        folder.mkdir(parents=True, exist_ok=True)
        say(f"making {events:,} events")
        found = measure(make_workload(folder, events).events, Load(), folder, say)
    single, bulk, kafka = found["single"], found["bulk"], found["kafka"]
    typer.echo(
        f"one event a request, 16 connections: {single['requests_per_second']:,.0f} a second, "
        f"p50 {single['p50_ms']} ms, p99 {single['p99_ms']} ms, {single['statuses']}"
    )
    for name, part in (("bulk, Arrow", bulk), ("Kafka topic", kafka)):
        typer.echo(f"{name}: {part['events_per_second']:,.0f} events a second, committed")
    if as_json:
        typer.echo(json.dumps(found))


def _capacity(events: int, out: Path | None, as_json: bool, say: Callable[[str], None]) -> None:
    """Measure what a stored event costs, with the packs that ship."""
    from txmon.bench.capacity import lines_of, measure

    with TemporaryDirectory(prefix="txmon-bench-") as temporary:
        found = measure(events, Path(temporary) if out is None else out, say)
    for line in lines_of(found):
        typer.echo(line)
    if as_json:
        typer.echo(json.dumps(found))


def _restart(events: int, out: Path | None, as_json: bool, say: Callable[[str], None]) -> None:
    """Measure starts behind so many events, with the packs that ship."""
    from txmon.bench.restart import measure, sent
    from txmon.bench.workload import make_workload

    with TemporaryDirectory(prefix="txmon-bench-") as temporary:
        folder = Path(temporary) if out is None else out
        folder.mkdir(parents=True, exist_ok=True)
        say(f"making {sent(events):,} events")
        found = measure(make_workload(folder, sent(events)).events, events, folder / "restart", say)
    typer.echo(f"{found['events']:,} events at {found['events_per_second']:,.0f} a second, then kill -9")
    for what in ("killed", "stopped"):
        typer.echo(
            f"ready in {found[f'ready_behind_{what}_s']} s behind a service that was {what}, "
            f"{found[f'read_again_behind_{what}']:,} events read again"
        )
    if as_json:
        typer.echo(json.dumps(found))
