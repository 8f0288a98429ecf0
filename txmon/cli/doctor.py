"""`txmon doctor`: checks of settings, machine, store and what is around it, each with its remedy.

Owns arguments and what is printed; the checks are in `txmon.doctor`. Exit codes: 0 nothing failed (there may
be warnings), 1 a check failed, 2 the command line is wrong.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from txmon.cli.options import Json, Place

app = typer.Typer(rich_markup_mode=None)


@app.command()
def doctor(
    store: Place = None,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="TOML file of settings.", exists=True, dir_okay=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at everything the service stands on, also while it runs; exit 1 if a check fails."""
    from txmon.clock import SystemClock, random_bytes
    from txmon.doctor import CHECKS, FAIL, OK, SKIPPED, Ground, facts, run
    from txmon.settings import examine

    ground = Ground(examine(os.environ, {"store": store, "settings": settings}), SystemClock(), random_bytes)
    ground.open()
    looked = []
    try:
        for one in run(CHECKS, ground):
            looked.append(one)
            if as_json:
                continue
            for finding in one.findings:
                typer.echo(f"{finding.status:<8} {one.check.name:<20} {finding.found}")
                if finding.remedy and finding.status not in (OK, SKIPPED):
                    typer.echo(f"{'':<29} -> {finding.remedy}")
    finally:
        ground.close()
    found = facts(looked)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        typer.echo(", ".join(f"{count} {status}" for status, count in found["counts"].items()))
    if any(one.status == FAIL for one in looked):
        raise typer.Exit(1)
