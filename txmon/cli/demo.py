"""`txmon demo`: a synthetic portfolio, scored, and one story told from its alert."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Simulate a portfolio, score it and tell one story from its alert.")


@app.callback(invoke_without_command=True)
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the page and the Parquet files.")] = Path(
        "demo"
    ),
    seed: Annotated[int, typer.Option("--seed", help="Another seed makes other data.")] = 7,
    events: Annotated[int, typer.Option("--events", help="How many events to simulate.")] = 60_000,
) -> None:
    """Simulate, score and tell; everything lands below --out."""
    # Imported here so that `--help` and wrong arguments answer at once.
    from txmon.cli.demodesk import open_desk
    from txmon.clock import SystemClock
    from txmon.demo.run import demo as run
    from txmon.model.keys import ensure_key

    def say(text: str) -> None:
        typer.echo(text, err=True)

    for line in run(out, events, seed, ensure_key(), open_desk, SystemClock(), say):
        typer.echo(line)
