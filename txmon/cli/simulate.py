"""`txmon simulate`: make a synthetic, labelled stream of events."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from txmon.cli.options import Json
from txmon.clock import monotonic_s
from txmon.simulate import Portfolio, simulate, write

app = typer.Typer(help="Make a synthetic, labelled stream of events.")


@app.callback(invoke_without_command=True)
def run(
    out: Annotated[Path, typer.Option("--out", help="Parquet file of the events; labels go beside it.")],
    events: Annotated[int, typer.Option("--events", help="How many, 1000 to 100000000.")] = 200_000,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same bytes.")] = 7,
    labels: Annotated[Path | None, typer.Option("--labels", help="Where the labels go instead.")] = None,
    as_json: Json = False,
) -> None:
    """Write F.parquet (native names, no labels, in time order) and F.labels.parquet."""
    started = monotonic_s()
    portfolio = simulate(events, seed)
    with _bar() as bar:
        task = bar.add_task("events", total=events)
        where = write(portfolio, out, labels, lambda count: bar.advance(task, count))
    seconds = monotonic_s() - started
    for line in _summary(portfolio, out, where):
        typer.echo(line)
    if as_json:
        typer.echo(json.dumps(_facts(portfolio, out, where, seconds)))


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)


def _summary(portfolio: Portfolio, out: Path, labels: Path) -> list[str]:
    counts, size, left = portfolio.counts(), portfolio.size, portfolio.programme.left_out
    roles = counts["roles"]
    lines = [
        f"{size.events} events over {size.days} days, seed {portfolio.seed}: {out}",
        f"{portfolio.world.people.account.size} ordinary accounts, "
        f"{portfolio.world.merchants.merchant.size} merchants; labels: {labels}",
        f"planted {roles.get('planted', 0)}, near-misses {roles.get('near_miss', 0)}, "
        f"look-alike members {roles.get('look_alike', 0)} of {len(counts['populations'])} populations",
    ]
    lines += [f"  {name}: {number} planted" for name, number in sorted(counts["planted"].items())]
    if left:
        shown = ", ".join(left[:5]) + (", ..." if len(left) > 5 else "")
        lines.append(f"did not fit into {size.events} events: {len(left)} ({shown})")
    return lines


def _facts(portfolio: Portfolio, out: Path, labels: Path, seconds: float) -> dict[str, object]:
    return {
        "events": portfolio.size.events,
        "days": portfolio.size.days,
        "seed": portfolio.seed,
        "out": str(out),
        "labels": str(labels),
        **portfolio.counts(),
        "left_out": portfolio.programme.left_out,
        "seconds": round(seconds, 3),
    }
