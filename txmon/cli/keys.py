"""`txmon keys`: make and show the local key that turns card numbers into tokens."""

from __future__ import annotations

import typer

from txmon.model.keys import default_key_path, ensure_key

app = typer.Typer(no_args_is_help=True, help="Make and show the local keys.")


@app.callback()
def group() -> None:
    """Keys live outside the repository, readable by their owner only."""


@app.command()
def init(quiet: bool = typer.Option(False, "--quiet", help="Print nothing.")) -> None:
    """Make the tokenisation key if there is none yet."""
    key = ensure_key()
    if not quiet:
        typer.echo(f"key {key.id} in {default_key_path()}")
