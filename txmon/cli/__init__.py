"""The command line. One module a command; this one only wires them and renders errors.

A command that is not asked for is not imported, so that `txmon rules check` does not wait for the
engine's compiled code.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
from collections.abc import Sequence

import typer
from typer.core import TyperGroup

from txmon import __version__
from txmon.errors import TxmonError

# name -> (module, one line of help); order of `txmon --help`
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("txmon.cli.demo", "Simulate a portfolio, score it and tell one story from its alert."),
    "simulate": ("txmon.cli.simulate", "Make a synthetic, labelled stream of events."),
    "score": ("txmon.cli.score", "Score files of events; writes hits, alerts and quarantine."),
    "serve": ("txmon.cli.serve", "Serve the HTTP API: events in, decisions and alerts out."),
    "stream": ("txmon.cli.stream", "Score what a broker topic or a growing file brings."),
    "replay": ("txmon.cli.replay", "Derive every hit again from the journal and compare."),
    "store": ("txmon.cli.store", "Verify, back up, restore, rebuild and erase from a store."),
    "cases": ("txmon.cli.cases", "List and show cases, without what names anybody."),
    "evidence": ("txmon.cli.evidence", "Make and check bundles that prove an alert to others."),
    "doctor": ("txmon.cli.doctor", "Look at everything the service stands on; say what to do."),
    "rules": ("txmon.cli.rules", "Check, test, list, show and lock rules."),
    "feeds": ("txmon.cli.feeds", "List and check feeds."),
    "report": ("txmon.cli.report", "Check, write, draft and show suspicious-activity reports."),
    "vault": ("txmon.cli.vault", "The vault of reports: make, verify, back up, restore."),
    "keys": ("txmon.cli.keys", "Local keys; people and their API keys."),
    "webhooks": ("txmon.cli.webhooks", "Who is told of alerts by webhook."),
    "dashboards": ("txmon.cli.dashboards", "Write boards and alert rules for Grafana and Prometheus."),
    "bench": ("txmon.cli.bench", "Measure the engine against DuckDB and polars in one run."),
}


app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"txmon {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Show the version."
    ),
) -> None:
    """Transaction monitoring against trafficking and child exploitation."""


def command_line(words: Sequence[str]) -> TyperGroup:
    """Return the root command; only the command named first in `words` is imported, all if none is."""
    root = typer.main.get_command(app)
    if not isinstance(root, TyperGroup):
        raise AssertionError("the root of the command line is a group")
    named = [word for word in words if not word.startswith("-")][:1]
    for name in named if named and named[0] in COMMANDS else COMMANDS:
        module, text = COMMANDS[name]
        command = typer.main.get_command(importlib.import_module(module).app)
        command.short_help = text
        root.add_command(command, name)
    return root


def main() -> None:
    """Run the command line; errors made on purpose end with their text and exit code 2."""
    try:
        command_line(sys.argv[1:])()
    except TxmonError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


def entry() -> None:
    """Run the command line as a process of its own, which ends though a thread may still be inside a library.

    The interpreter would stop such a thread where it is, and some libraries answer that with an abort: an end
    that was clean would look like a crash. Threads that a library started itself are not in Python's list of
    threads, so every process ends this way, behind what was registered for its end.
    """
    code = 0
    try:
        main()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            typer.echo(ended.code, err=True)
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    atexit._run_exitfuncs()  # noqa: SLF001 - it has no public name, and what is registered must still run
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
