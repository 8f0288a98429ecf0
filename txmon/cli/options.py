"""Options that several commands take: said once, so that they are one everywhere.

Owns their names and help; what they mean is the commands' own. Imports nothing of the product, so that
`--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Place = Annotated[
    str | None,
    typer.Option("--store", help="Folder or address of the store; else TXMON_STORE, else `store`."),
]
SettingsFile = Annotated[Path | None, typer.Option("--settings", help="TOML file of settings.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]
HistoryUntil = Annotated[
    str | None,
    typer.Option("--history-until", help="UTC time or date: what is older warms up and alerts nobody."),
]
KeyFile = Annotated[
    Path | None, typer.Option("--as", help="File with the key of who does this; else it is asked for.")
]
Roles = Annotated[list[str] | None, typer.Option("--role", help="A role; once for each.")]
Entities = Annotated[
    list[str] | None, typer.Option("--entity", help="A reporting entity; none given: all of them.")
]
Mode = Annotated[str | None, typer.Option("--mode", help="live or test; none given: both.")]
PersonId = Annotated[str, typer.Argument(help="Id of the person, as `txmon keys person list` shows it.")]
EndpointId = Annotated[str, typer.Argument(help="Id of the endpoint, as `txmon webhooks list` shows it.")]
