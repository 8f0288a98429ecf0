"""Panels of boards: each must have a title, a unit, a description and queries; the rest is one house style.

    graph("Events", "What became of events.", "eps", Query("sum by (outcome) (rate(...))", "{{outcome}}"))

Owns look and size. Only panels that come with Grafana are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as board
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as look
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
ALL = 'job=~"$job", instance=~"$instance"'
Panel = Builder[model.Panel]
GREEN, YELLOW, RED = "green", "#EAB839", "red"


@dataclass(frozen=True)
class Query:
    """A query and how its series are named."""

    expr: str
    legend: str = ""


def graph(title: str, text: str, unit: str, *queries: Query, width: int = 12, stacked: bool = False) -> Panel:
    """Return lines over time; stacked areas where the parts make a whole."""
    panel = timeseries.Panel().title(title).description(text).unit(unit).span(width).height(8)
    panel = panel.datasource(SOURCE).min(0).fill_opacity(30 if stacked else 8).line_width(1)
    panel = panel.show_points(look.VisibilityMode.NEVER)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(look.StackingMode.NORMAL))
    legend = common.VizLegendOptions().display_mode(look.LegendDisplayMode.LIST)
    panel = panel.legend(legend.placement(look.LegendPlacement.BOTTOM).show_legend(True))
    tooltip = common.VizTooltipOptions().mode(look.TooltipDisplayMode.MULTI)
    panel = panel.tooltip(tooltip.sort(look.SortOrder.DESCENDING))
    for query, name in zip(queries, _names(queries), strict=True):
        panel = panel.with_target(_ask(query, name).range())
    return panel


def number(title: str, text: str, unit: str, query: Query, *, steps: Sequence[float] = ()) -> Panel:
    """Return one large number a series; `steps` are where it turns yellow, then red."""
    panel = stat.Panel().title(title).description(text).unit(unit).span(6).height(4).datasource(SOURCE)
    panel = panel.graph_mode(look.BigValueGraphMode.NONE).reduce_options(_last())
    panel = panel.color_mode(look.BigValueColorMode.VALUE).thresholds(_steps(steps))
    return panel.with_target(_ask(query, "A").instant())


def ready(title: str, text: str, query: Query) -> Panel:
    """Return whether something that is 1 or 0 is well."""
    panel = stat.Panel().title(title).description(text).unit("none").span(6).height(4).datasource(SOURCE)
    words = {
        "0": model.ValueMappingResult(text="no", color=RED, index=0),
        "1": model.ValueMappingResult(text="yes", color=GREEN, index=1),
    }
    panel = panel.mappings([model.ValueMap(options=words)]).reduce_options(_last())
    panel = panel.color_mode(look.BigValueColorMode.VALUE).graph_mode(look.BigValueGraphMode.NONE)
    return panel.with_target(_ask(query, "A").instant())


def bars(title: str, text: str, unit: str, query: Query, *, steps: Sequence[float] = ()) -> Panel:
    """Return a bar a series, as of now."""
    panel = bargauge.Panel().title(title).description(text).unit(unit).span(12).height(8).datasource(SOURCE)
    panel = panel.orientation(look.VizOrientation.HORIZONTAL).reduce_options(_last()).min(0)
    panel = panel.display_mode(look.BarGaugeDisplayMode.BASIC).thresholds(_steps(steps))
    return panel.with_target(_ask(query, "A").instant())


def listing(
    title: str,
    text: str,
    unit: str,
    query: Query,
    *,
    columns: dict[str, str],
    link: tuple[str, str] | None = None,
) -> Panel:
    """Return a table of a query's labels and its value, the greatest first.

    Args:
        columns: label or ``Value`` -> heading, in this order. link: a heading and the address it leads to.
    """
    panel = table.Panel().title(title).description(text).unit(unit).span(12).height(8).datasource(SOURCE)
    order = {name: place for place, name in enumerate(columns)}
    shown = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": columns}
    panel = panel.transformations([model.DataTransformerConfig(id_val="organize", options=shown)])
    panel = panel.show_header(True)
    if "Value" in columns:
        by = common.TableSortByFieldState().display_name(columns["Value"]).desc(True)
        panel = panel.sort_by([by])
    if link is not None:
        heading, address = link
        target = {"title": "Open", "url": address, "targetBlank": True}
        panel = panel.override_by_name(heading, [model.DynamicConfigValue("links", [target])])
    return panel.with_target(_ask(query, "A").instant().format(PromQueryFormat.TABLE))


def _ask(query: Query, name: str) -> prometheus.Dataquery:
    asked = prometheus.Dataquery().expr(query.expr).ref_id(name).datasource(SOURCE)
    return asked.legend_format(query.legend) if query.legend else asked


def _names(queries: Sequence[Query]) -> list[str]:
    return [chr(ord("A") + place) for place in range(len(queries))]


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).values(False)


def _steps(values: Sequence[float]) -> board.ThresholdsConfig:
    colors = (GREEN, YELLOW, RED) if len(values) > 1 else (GREEN, RED)
    edges: list[Any] = [None, *values]
    steps = [model.Threshold(value=v, color=c) for v, c in zip(edges, colors, strict=False)]
    return board.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
