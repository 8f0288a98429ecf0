"""`txmon rules`: check, list, show, test and lock rules.

Owns arguments and printing; the work is done in `txmon.rules` and `txmon.pipeline`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from txmon.errors import RuleErrors
from txmon.rules.pack import Pack, read_pack, shown_path

app = typer.Typer(no_args_is_help=True, help="Check, test, list, show and lock rules.", rich_markup_mode=None)

Dir = Annotated[Path | None, typer.Argument(help="A directory of rules; the packs that ship if left out.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]
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
    """Load every rule and show all errors at once; exit 2 on an error."""
    try:
        pack = read_pack(directory, base_currency=base_currency, strict=strict)
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


def _lenient(directory: Path | None, base_currency: str) -> Pack:
    """Read a pack, demanding only what loading needs."""
    return read_pack(directory, base_currency=base_currency)
