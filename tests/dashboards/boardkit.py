"""What tests of boards and alerts share: the files as built, and what a query names."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from txmon.dashboards import build

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "dashboards"
RULES = "prometheus/txmon.rules.yaml"
_STRING = re.compile(r'"[^"]*"')
_SELECTOR = re.compile(r"\b((?:instance:)?(?:txmon|process)_[a-z0-9_:]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUP = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")


def tool(name: str) -> str:
    """The path of a program of Debian's packages, or a skipped test; in CI that is a failure."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI") == "true":
            raise AssertionError(f"{name} is not installed")
        pytest.skip(f"{name} is not installed (Debian: prometheus, prometheus-alertmanager)")
    return found


@cache
def files() -> dict[str, str]:
    return build()


def boards() -> dict[str, Any]:
    return {Path(name).stem: json.loads(text) for name, text in files().items() if name.endswith(".json")}


def rules(text: str | None = None) -> list[dict[str, Any]]:
    groups = yaml.safe_load(text or files()[RULES])["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that is not the head of a row."""
    for panel in board["panels"]:
        yield from panel.get("panels") or []
        if panel["type"] != "row":
            yield panel


@dataclass(frozen=True)
class Asked:
    """A query of a panel."""

    board: str
    panel: str
    ref: str
    expr: str
    legend: str

    @property
    def name(self) -> str:
        return f"{self.board}/{self.panel}/{self.ref}"


def asked() -> list[Asked]:
    return [
        Asked(name, panel["title"], target["refId"], target["expr"], target.get("legendFormat", ""))
        for name, board in boards().items()
        for panel in panels(board)
        for target in panel["targets"]
    ]


@dataclass(frozen=True)
class Named:
    """What a query names: metrics with their matchers, labels it groups by or shows."""

    metrics: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...]
    labels: frozenset[str]


def named(expr: str, legend: str = "") -> Named:
    metrics = tuple((m[1], tuple(_MATCHER.findall(m[2] or ""))) for m in _SELECTOR.finditer(expr))
    bare = _STRING.sub('""', expr)
    labels = {label.strip() for group in _GROUP.findall(bare) for label in group.split(",")} - {""}
    return Named(metrics, frozenset(labels | set(_LEGEND.findall(legend))))
