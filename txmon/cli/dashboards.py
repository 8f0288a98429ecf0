"""`txmon dashboards`: write boards, alert rules and their configuration, to be used beside the service.

Owns arguments and writing; what is written is made by `txmon.dashboards`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from txmon.cli.options import Json
from txmon.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Boards and alert rules for the service.", rich_markup_mode=None)


@app.callback()
def group() -> None:
    """Boards for Grafana, rules for Prometheus, routes for Alertmanager."""


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", help="Folder that the files are written to.")],
    txmon: Annotated[
        str, typer.Option("--txmon", help="Host and port where Prometheus and people find txmon.")
    ] = "127.0.0.1:8080",
    prometheus: Annotated[
        str, typer.Option("--prometheus", help="Host and port where Grafana finds Prometheus.")
    ] = "127.0.0.1:9090",
    alertmanager: Annotated[
        str, typer.Option("--alertmanager", help="Host and port where Prometheus finds Alertmanager.")
    ] = "127.0.0.1:9093",
    hook: Annotated[
        str, typer.Option("--hook", help="Address that Alertmanager tells; the receiver's name is added.")
    ] = "http://127.0.0.1:9095",
    boards: Annotated[
        str, typer.Option("--boards", help="Folder of the boards as Grafana sees it.")
    ] = "/etc/grafana/dashboards/txmon",
    runbook: Annotated[
        str, typer.Option("--runbook", help="Address of the runbook; alerts add their anchor.")
    ] = "docs/runbook.md",
    as_json: Json = False,
) -> None:
    """Write boards, provisioning, rules with their tests, and example configuration."""
    try:
        from txmon.dashboards import Addresses, Made
        from txmon.dashboards import build as make
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("grafana_foundation_sdk"):
            raise
        raise ConfigError(
            "boards are made with grafana-foundation-sdk, which is not installed; "
            "install txmon[dashboards], or use the boards that ship"
        ) from None
    addresses = Addresses(txmon, prometheus, alertmanager, hook, boards)
    files = make(Made(addresses=addresses, runbook=runbook))
    try:
        for name, text in files.items():
            path = out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{out}: cannot be written: {error.strerror}; name another folder") from None
    typer.echo(f"{len(files)} files in {out}")
    if as_json:
        typer.echo(json.dumps({"out": str(out), "files": sorted(files)}))
