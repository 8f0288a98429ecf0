"""What the commands of `txmon store` share: options, and how an outcome is told.

Owns names, help and the form of what is printed; the work is done in `txmon.store`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from txmon.clock import monotonic_s
from txmon.store import erase as erasing

Heads = Annotated[
    Path | None, typer.Option("--heads", help="Log of heads, where it is not beside the store.")
]
Reason = Annotated[str, typer.Option("--reason", help="Request or rule it rests on; no personal value.")]
Author = Annotated[str, typer.Option("--author", help="Id of the person who asks for it.")]
Approver = Annotated[str, typer.Option("--approver", help="Id of the other person who approves it.")]


def told(as_json: bool, started: float, outcome: erasing.Outcome, dropped: int, **more: Any) -> None:
    """Tell what was erased."""
    facts = {
        "rows": outcome.rows, "journal_rows": outcome.journal, "deleted": outcome.deleted,
        "blanked": outcome.blanked, "snapshots_removed": dropped, **more,
    }  # fmt: skip
    others = sum(outcome.deleted.values()) + sum(outcome.blanked.values())
    text = (
        f"{outcome.rows:,} rows of {outcome.journal:,} journal rows are gone, {others:,} rows of tables were "
        f"deleted or emptied, {dropped} snapshots removed"
    )
    done(as_json, started, facts, text)


def done(as_json: bool, started: float, facts: dict[str, Any], text: str) -> None:
    """Tell an outcome: one JSON object, or a sentence."""
    took = seconds(started)
    typer.echo(json.dumps({**facts, "seconds": took}) if as_json else f"{text}; {took:.1f} s")


def seconds(started: float) -> float:
    """Return the seconds since a start."""
    return round(monotonic_s() - started, 3)


@contextmanager
def busy(doing: str) -> Iterator[Any]:
    """Show on a terminal that work goes on; yields what tells how far it is."""
    console = Console(file=sys.stderr)
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"),
        console=console, disable=not sys.stderr.isatty(), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(doing, total=None)
        yield lambda text: bar.update(task, description=f"{doing}: {text}")
