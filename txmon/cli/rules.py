"""`txmon rules`: check, list, show, test and lock rules.

Owns arguments and printing; the work is done in `txmon.rules` and `txmon.pipeline`.
"""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Annotated

import typer

from txmon.cli.options import Json
from txmon.errors import ConfigError, RuleErrors
from txmon.rules.ir import Rule
from txmon.rules.lock import NAME, write_lock
from txmon.rules.pack import Pack, default_pack, read_pack, shown_path
from txmon.rules.show import show_rule

app = typer.Typer(no_args_is_help=True, help="Check, test, list, show and lock rules.", rich_markup_mode=None)

Dir = Annotated[Path | None, typer.Argument(help="A directory of rules; the packs that ship if left out.")]
Currency = Annotated[str, typer.Option("--base-currency", help="ISO 4217 code that `amount` is in.")]


@app.command()
def check(
    directory: Dir = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Also demand what a rule that ships must have.")
    ] = False,
    as_json: Json = False,
    base_currency: Currency = "EUR",
) -> None:
    """Load every rule and show all errors at once; exit 2 on an error. Strict for the packs that ship."""
    try:
        pack = read_pack(directory, base_currency=base_currency, strict=strict or directory is None)
    except RuleErrors as errors:
        if as_json:
            found = [
                {"file": e.source.path, "line": e.source.line, "column": e.source.column, "error": e.detail}
                for e in errors.errors
            ]
            typer.echo(json.dumps({"ok": False, "errors": found}))
            raise typer.Exit(2) from None
        typer.echo(str(errors), err=True)
        typer.echo(f"{len(errors.errors)} error{'s' if len(errors.errors) > 1 else ''}", err=True)
        raise typer.Exit(2) from None
    summary = {
        "ok": True,
        "rules": len(pack.rules),
        "scored": len(pack.plan.rules),
        "features": len(pack.plan.features),
        "derived": len(pack.plan.derived),
        "lists": len(pack.plan.lists),
        "detectors": len(pack.plan.detectors),
    }
    if as_json:
        typer.echo(json.dumps(summary))
        return
    typer.echo(
        f"{summary['rules']} rules are right ({summary['scored']} scored, {summary['features']} features, "
        f"{summary['derived']} derived columns, {summary['lists']} lists, {summary['detectors']} detectors)"
    )


@app.command("list")
def list_rules(directory: Dir = None, as_json: Json = False, base_currency: Currency = "EUR") -> None:
    """List the rules of a pack."""
    pack = _lenient(directory, base_currency)
    rows = [
        {
            "id": r.id,
            "version": r.version,
            "status": r.status,
            "typology": r.typology,
            "severity": r.severity,
            "score": r.score,
            "subject": r.subject,
            "signal": r.signal,
            "tick": r.tick,
            "protect": r.protect,
            "title": r.title,
            "path": shown_path(Path(r.path)),
        }
        for r in pack.rules
    ]
    if as_json:
        typer.echo(json.dumps({"rules": rows}))
        return
    width = max((len(str(row["id"])) for row in rows), default=0)
    for row in rows:
        marks = "".join(f" [{name}]" for name in ("signal", "tick", "protect") if row[name])
        typer.echo(
            f"{row['id']:<{width}}  v{row['version']}  {row['status']:<7}  {row['typology']:<20}  "
            f"{row['severity']:<8}  {row['score']:.2f}  {row['subject']:<8}  {row['title']}{marks}"
        )


@app.command()
def show(
    rule_id: Annotated[str, typer.Argument(help="The rule's id.")],
    directory: Dir = None,
    base_currency: Currency = "EUR",
) -> None:
    """Print a rule, its features and the SQL that DuckDB runs for it."""
    pack = _lenient(directory, base_currency)
    typer.echo(show_rule(_find(pack, rule_id), pack.plan))


@app.command()
def lock(directory: Dir = None, as_json: Json = False, base_currency: Currency = "EUR") -> None:
    """Pin version and content of every rule in lock.json; refuses an edit without a new version."""
    pack = _lenient(directory, base_currency)
    root = directory or default_pack()
    changed = write_lock(root, pack.files)
    if as_json:
        typer.echo(json.dumps({"rules": len(pack.rules), "changed": changed, "file": str(root / NAME)}))
    else:
        typer.echo(f"{len(pack.rules)} rules pinned in {shown_path(root / NAME)} ({changed} changed)")


@app.command("test")
def run_rule_tests(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DIR] [ID]...", help="A directory of rules and ids of rules; all if left out."
        ),
    ] = None,
    as_json: Json = False,
    base_currency: Currency = "EUR",
) -> None:
    """Run the tests of rules through the engine and through DuckDB; exit 1 if one fails."""
    # the engine and its compiled code are only needed here
    from txmon.pipeline.ruletests import run_tests

    given = list(arguments or [])
    directory = Path(given.pop(0)) if given and Path(given[0]).is_dir() else None
    pack = _lenient(directory, base_currency)
    for rule_id in given:
        _find(pack, rule_id)
    reports = []
    for report in run_tests(pack, given):
        reports.append(report)
        for failure in report.failures:
            typer.echo(str(failure), err=True)
    failed = [failure for report in reports for failure in report.failures]
    untested = [report.rule_id for report in reports if not report.tests]
    summary = {
        "rules": len(reports),
        "tests": sum(report.tests for report in reports),
        "failures": [vars(failure) for failure in failed],
        "untested": untested,
    }
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        note = f"; without tests: {', '.join(untested)}" if untested else ""
        typer.echo(f"{summary['tests']} tests of {len(reports)} rules, {len(failed)} failures{note}")
    if failed:
        raise typer.Exit(1)


def _find(pack: Pack, rule_id: str) -> Rule:
    """Return a rule of a pack by id."""
    found = next((rule for rule in pack.rules if rule.id == rule_id), None)
    if found is None:
        close = difflib.get_close_matches(rule_id, [rule.id for rule in pack.rules], 1)
        hint = f"; did you mean `{close[0]}`?" if close else "; see `txmon rules list`"
        raise ConfigError(f"no rule '{rule_id}'{hint}")
    return found


def _lenient(directory: Path | None, base_currency: str) -> Pack:
    """Read a pack, demanding only what loading needs."""
    return read_pack(directory, base_currency=base_currency)
