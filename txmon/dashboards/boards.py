"""What every board has: the source of data, which service it shows, and its place among the others.

Owns variables and the JSON form; panels are the boards' own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from txmon.dashboards.panels import SOURCE, Panel

_EVERYTHING = model.VariableOption(text="All", value="$__all", selected=True)


@dataclass(frozen=True)
class Board:
    """A board before it is JSON.

    uid: in its address; never changes. variables: name -> (heading, query of its values).
    """

    uid: str
    title: str
    text: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    variables: dict[str, tuple[str, str]] = field(default_factory=dict)
    since: str = "now-6h"
    address: bool = False  # whether it links to txmon itself


def to_json(made: Board, txmon: str) -> str:
    """Return a board as Grafana imports it.

    Args:
        txmon: where people reach txmon, as an address.
    """
    found = board.Dashboard(made.title).uid(made.uid).description(made.text).tags(["txmon"])
    found = found.time(made.since, "now").refresh("30s").timezone("utc").readonly()
    found = found.tooltip(model.DashboardCursorSync.CROSSHAIR).link(_others())
    for variable in _variables(made, txmon):
        found = found.with_variable(variable)
    for title, panels in made.rows:
        found = found.with_row(board.Row(title))
        for each in panels:
            found = found.with_panel(each)
    built = found.build()
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _variables(made: Board, txmon: str) -> list[Builder[model.VariableModel]]:
    found: list[Builder[model.VariableModel]] = [
        board.DatasourceVariable("datasource").label("Source").type("prometheus"),
        _choice("job", "Job", "label_values(txmon_build_info, job)"),
        _choice("instance", "Instance", 'label_values(txmon_build_info{job=~"$job"}, instance)'),
    ]
    found += [_choice(name, heading, query) for name, (heading, query) in made.variables.items()]
    if made.address:
        found.append(board.TextBoxVariable("txmon").label("Address of txmon").default_value(txmon))
    return found


def _choice(name: str, heading: str, query: str) -> board.QueryVariable:
    made = board.QueryVariable(name).label(heading).query(query).datasource(SOURCE)
    made = made.multi(True).include_all(True).all_value(".*").current(_EVERYTHING)
    return made.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)


def _others() -> board.DashboardLink:
    link = board.DashboardLink("txmon").type(model.DashboardLinkType.DASHBOARDS).tags(["txmon"])
    return link.as_dropdown(True).include_vars(False).keep_time(True)
