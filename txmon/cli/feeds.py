"""`txmon feeds`: list, check and show feeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from txmon.errors import FeedError
from txmon.streams.feed import Const, Feed, Rename, Target, ValueMap
from txmon.streams.feedfile import load_feed, read_feed, shipped_feeds

app = typer.Typer(no_args_is_help=True, help="List and check feeds.")


@app.callback()
def group() -> None:
    """A feed maps what a source sends to canonical events; see streams/README.md."""


@app.command("list")
def list_feeds() -> None:
    """List the feeds that ship, one a line."""
    for path in shipped_feeds():
        feed = load_feed(path)
        first = feed.doc.partition(". ")[0].rstrip(".")
        typer.echo(f"{feed.name:<12} v{feed.version}  {first}")


@app.command()
def check(
    paths: Annotated[list[Path] | None, typer.Argument(help="Feed files; default those that ship.")] = None,
) -> None:
    """Check feed files; every error is shown as file:line:col."""
    files = paths or shipped_feeds()
    errors: list[FeedError] = []
    for path in files:
        errors += read_feed(path)[1]
    for error in errors:
        typer.echo(str(error), err=True)
    if errors:
        raise typer.Exit(2)
    typer.echo(f"{len(files)} feeds are right")


@app.command()
def show(name: str = typer.Argument(..., help="A feed's name, or the path of its file.")) -> None:
    """Show how a feed maps its source to canonical columns."""
    feed = load_feed(name)
    typer.echo(f"{feed.name} v{feed.version}: {feed.doc}")
    typer.echo(f"formats: {', '.join(feed.formats)}; base currency: {feed.base_currency or 'EUR'}")
    typer.echo(f"times: resolution {feed.time_resolution}, zone of times without one {feed.time_zone}")
    if feed.negative:
        typer.echo(f"negative amounts: {feed.negative}, payer and payee exchanged")
    for line in _lines(feed):
        typer.echo(line)


def _lines(feed: Feed) -> list[str]:
    if feed.native:
        return ["columns: canonical names, as they are"]
    lines = [f"{name:<18} <- {_describe(target)}" for name, target in feed.columns.items()]
    lines += [f"attributes.{name:<7} <- {_describe(target)}" for name, target in feed.attributes.items()]
    return lines


def _describe(target: Target) -> str:
    if isinstance(target, Const):
        return f"always {target.value}"
    if isinstance(target, Rename):
        return target.field
    if isinstance(target, ValueMap):
        pairs = ", ".join(f"{k}: {'null' if v is None else v}" for k, v in target.table.items())
        other = "refused" if target.refuse else (target.default or "null")
        return f"{_describe(target.of)} mapped by {{{pairs}}}, others {other}"
    return " ".join(target.text.split())
