"""The command line. One module a command; this one only wires them and renders errors.

A command that is not asked for is not imported, so that `txmon rules check` does not wait for the
engine's compiled code.
"""

from __future__ import annotations

import importlib
import sys

import click
import typer
from typer.core import TyperGroup

from txmon import __version__
from txmon.errors import TxmonError

# name -> (module, one line of help); order of `txmon --help`
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("txmon.cli.demo", "Simulate a portfolio, score it and tell one story from its alert."),
    "simulate": ("txmon.cli.simulate", "Make a synthetic, labelled stream of events."),
    "score": ("txmon.cli.score", "Score files of events; writes hits, alerts and quarantine."),
    "rules": ("txmon.cli.rules", "Check, test, list, show and lock rules."),
    "feeds": ("txmon.cli.feeds", "List and check feeds."),
    "keys": ("txmon.cli.keys", "Make and show the local keys."),
    "bench": ("txmon.cli.bench", "Measure the engine against DuckDB and polars in one run."),
}


class LazyGroup(TyperGroup):
    """A command group that imports a command's module when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(COMMANDS[cmd_name][0])
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        command.short_help = COMMANDS[cmd_name][1]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"txmon {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Transaction monitoring against trafficking and child exploitation."""


def main() -> None:
    """Run the command line; errors made on purpose end with their text and exit code 2."""
    try:
        app()
    except TxmonError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)
