"""`txmon score`: score files of events."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from txmon.errors import InputError
from txmon.model.aliases import Aliases

app = typer.Typer()


@app.command()
def score(
    files: list[Path] = typer.Argument(..., help="Files of events, scored in this order."),
    feed: str = typer.Option(..., "--feed", help="Name of a shipped feed, or a feed file."),
    rules: Path | None = typer.Option(
        None, "--rules", help="Use the packs in this folder instead of the default ones."
    ),
    out: Path = typer.Option(Path("out"), "--out", help="Folder for hits, alerts and quarantine."),
    store: Path | None = typer.Option(
        None, "--store", help="Go on from, and save, the state in this folder."
    ),
    batch_rows: int = typer.Option(
        32_768, "--batch-rows", min=1, help="Rows scored at a time; results do not depend on it."
    ),
    base_currency: str | None = typer.Option(None, "--base-currency", help="Default: the feed's, else EUR."),
    rates: Path | None = typer.Option(None, "--rates", help="rates.csv: date, currency, base, rate."),
    entity_tz: str | None = typer.Option(
        None, "--entity-tz", help="IANA zone of the reporting entity, for months and local time."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object on the last line."),
) -> None:
    """Score files of events; hits, alerts and quarantine go to Parquet below --out."""
    # Imported here so that `--help` and wrong arguments answer at once.
    from txmon.engine.warm import warm_up
    from txmon.model.keys import ensure_key
    from txmon.model.rates import load_rates
    from txmon.pipeline.scorer import Scorer
    from txmon.pipeline.statefile import load_state, save_state
    from txmon.rules.pack import default_pack, load_pack
    from txmon.streams.feedfile import load_feed
    from txmon.streams.score import score as run
    from txmon.streams.source import open_source

    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: no such file")
    loaded = load_feed(feed)
    base = base_currency or loaded.base_currency or "EUR"
    table = load_rates(rates, base)
    plan = load_pack(rules or default_pack(), base_currency=base, entity_tz=entity_tz)
    warm_up(lambda text: typer.echo(text, err=True))
    scorer = Scorer(plan, table)
    gc.freeze()  # what was loaded so far stays: the collector need not walk it again
    if store is not None:
        load_state(scorer, store)
    console = Console(file=sys.stderr)
    with Progress(
        TextColumn("scoring"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=console, disable=not sys.stderr.isatty(), transient=True,
    ) as progress:  # fmt: skip
        task = progress.add_task("score", total=None)
        source = open_source(
            loaded,
            files,
            key=ensure_key(),
            rates=table,
            aliases=_aliases(store),
            batch_rows=batch_rows,
            progress=lambda done, total: progress.update(task, completed=done, total=total or None),
        )
        summary = run(source, loaded, scorer, out)
    if store is not None:
        save_state(scorer, store)
    if as_json:
        typer.echo(json.dumps(summary.as_json()))
        return
    typer.echo(
        f"{summary.rows:,} rows: {summary.events:,} events, {summary.duplicates:,} duplicates, "
        f"{summary.quarantined:,} quarantined"
    )
    for reason, count in summary.quarantine_reasons.items():
        typer.echo(f"  {reason}: {count:,}")
    if summary.unconverted:
        typer.echo(
            f"{summary.unconverted:,} events without a usable rate to {base}: sums unknown (see --rates)"
        )
    typer.echo(f"{summary.hits:,} hits, {summary.alerts:,} alerts in {summary.seconds:.2f} s")
    typer.echo(f"results are in {out}/")


def _aliases(store: Path | None) -> Aliases | None:
    """Read the tokens that cards keep, where the folder is that of a service's store."""
    if store is None or not (store / "txmon.db").exists():
        return None
    from txmon.clock import SystemClock, random_bytes
    from txmon.store import Store, aliases

    found = Aliases()
    opened = Store.open(store, clock=SystemClock(), random_bytes=random_bytes, read_only=True)
    with opened, opened.read() as conn:
        aliases.load(conn, found)
    return found
