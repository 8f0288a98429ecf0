"""`txmon cases`: lists and shows cases beside the running service, for scripts.

What names somebody is never told here: a read of it is for a purpose and recorded, which the API does.
Restricted cases are told to whose key is given by `--as` and who may know of them; without a key to nobody.
Owns arguments and what is printed; reads only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import sqlalchemy as sa
import typer

from txmon.api.cases import case_shown, check_shown, file_shown, party_shown
from txmon.api.table import BY_NAME
from txmon.cases import checks, files
from txmon.cases.rows import parties_of
from txmon.cases.sight import case_row, may_see
from txmon.cases.words import SEVERITIES, STATES
from txmon.cli.keyplace import tell, token_of
from txmon.cli.options import Json, Place, SettingsFile
from txmon.cli.storeplace import places_of
from txmon.errors import Forbidden, InputError
from txmon.store.access import Access, Principal
from txmon.store.casetables import case_alerts, cases
from txmon.store.retentionfile import load_classes

app = typer.Typer(no_args_is_help=True, help="Cases, to read; see docs/cases.md.", rich_markup_mode=None)
KeyFile = Annotated[
    Path | None, typer.Option("--as", help="File with a person's key: also what this person may know of.")
]
_LIMIT = 10_000
_NOBODY = Principal(
    None, None, "the command line", "service", frozenset(), frozenset(), None, None, "service:cli"
)


@contextmanager
def _reading(
    store: str | None, settings: Path | None, key_file: Path | None
) -> Iterator[tuple[sa.Connection, Principal]]:
    """A store beside its service, and who looks at it.

    Raises:
        AuthError, ConfigError: the key. Forbidden: its owner reads no cases.
    """
    places = places_of(store, settings)
    with places.open(read_only=True) as opened:
        who = _NOBODY
        if key_file is not None:
            who = Access(opened).authenticate(token_of(key_file), opened.clock.now_us())
            if not BY_NAME["GET /v1/cases"].admits(who):
                raise Forbidden("this key reads no cases; use one with the scope read and a role that does")
        past = load_classes(places.retention).at(opened.clock.now_us())
        with opened.read() as conn:
            yield conn, replace(who, past=past)


@app.command("list")
def list_cases(
    state: Annotated[list[str] | None, typer.Option("--state", help="A state; once for each.")] = None,
    severity: Annotated[list[str] | None, typer.Option("--severity", help="One; once for each.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=_LIMIT, help="Most cases.")] = 200,
    key_file: KeyFile = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """List cases, the newest first."""
    where = [_one_of(cases.c.state, state, STATES), _one_of(cases.c.severity, severity, SEVERITIES)]
    with _reading(store, settings, key_file) as (conn, who):
        query = sa.select(cases).where(*may_see(who), *[each for each in where if each is not None])
        query = query.order_by(cases.c.created_us.desc(), cases.c.case_id.desc()).limit(limit)
        found = [case_shown(row, personal=False) for row in conn.execute(query).mappings()]
    tell({"cases": found}, map(_listed, found), as_json)


def _listed(case: dict[str, Any]) -> str:
    marks = ("protect" if case["protect"] else "", case["restriction"] or "")
    told = f"{case['case_id']}  {case['state']:<13} {case['severity']:<8} {case['created'][:16]}"
    return "  ".join([told, case["assignee"] or "nobody", *filter(None, marks)])


@app.command("show")
def show_case(
    case_id: Annotated[str, typer.Argument(help="Id of the case, as `txmon cases list` shows it.")],
    key_file: KeyFile = None,
    store: Place = None,
    settings: SettingsFile = None,
    as_json: Json = False,
) -> None:
    """Show a case: state, clocks, alerts, roles, signs, files."""
    with _reading(store, settings, key_file) as (conn, who):
        row = case_row(conn, who, case_id)
        linked = sa.select(case_alerts.c.alert_id).where(case_alerts.c.case_id == case_id)
        found: dict[str, Any] = case_shown(row, personal=False) | {
            "alerts": sorted(conn.execute(linked).scalars()),
            "parties": [party_shown(each, False) for each in parties_of(conn, case_id)],
            "checklist": [check_shown(each, False) for each in checks.of_case(conn, case_id)],
            "files": [file_shown(each, False) for each in files.of_case(conn, who, case_id)],
        }
    lines = [f"{name}: {value}" for name, value in found.items() if not isinstance(value, list)]
    for name in ("alerts", "parties", "checklist", "files"):
        lines += [f"{name}: {len(found[name])}", *(f"  {_line(each)}" for each in found[name])]
    tell(found, lines, as_json)


def _line(value: Any) -> str:
    return value if isinstance(value, str) else "  ".join(str(each) for each in value.values() if each)


def _one_of(
    column: sa.Column[Any], given: list[str] | None, known: tuple[str, ...]
) -> sa.ColumnElement[bool] | None:
    """The condition that a filter means.

    Raises:
        InputError: a word that is none of those known.
    """
    wrong = [each for each in given or () if each not in known]
    if wrong:
        raise InputError(f"{wrong[0]!r} is none of {', '.join(known)}")
    return column.in_(given) if given else None
