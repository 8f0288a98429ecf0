"""Queries name metrics that there are, with labels they have and values they take; every metric is used or explained."""

from __future__ import annotations

import re

from boardkit import ROOT, Named, asked, boards, named, rules

from txmon.metrics import Metrics, declarations

SCRAPED = {"job", "instance"}
DECLARED = {f"txmon_{line.name}": line for line in declarations()}
EXPLAINED = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").split("| metric |")[0]


def base(name: str) -> str:
    """A histogram's series belong to it."""
    for end in ("_bucket", "_count", "_sum"):
        if name.endswith(end) and name.removesuffix(end) in DECLARED:
            line = DECLARED[name.removesuffix(end)]
            assert line.kind == "histogram", name
            return name.removesuffix(end)
    return name


def queries() -> dict[str, Named]:
    found = {query.name: named(query.expr, query.legend) for query in asked()}
    for rule in rules():
        text = " ".join(rule.get("annotations", {}).values()).replace("$labels.", "")
        found[rule.get("alert") or rule["record"]] = named(rule["expr"], text)
    for name, board in boards().items():
        for variable in board["templating"]["list"]:
            inside = re.fullmatch(r"label_values\((.*), (\w+)\)", str(variable.get("query")))
            if inside:
                found[f"{name}/${variable['name']}"] = named(f"{inside[1]} by ({inside[2]})")
    return found


def test_every_name_and_label_of_a_query_is_declared() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    process = {f.name for f in Metrics().registry.collect() if f.name.startswith("process_")}
    process |= {f"{name}_total" for name in process}
    for where, query in queries().items():
        assert query.metrics, where
        known = set(SCRAPED)
        for name, matchers in query.metrics:
            if name in recorded or name in process:
                bounds: dict[str, object] = {}
            else:
                assert base(name) in DECLARED, f"{where}: there is no metric {name}"
                bounds = dict(DECLARED[base(name)].bounds)
                if name.endswith("_bucket"):
                    bounds["le"] = 1
            known |= bounds.keys()
            for label, operator, value in matchers:
                assert label in bounds.keys() | SCRAPED, f"{where}: {name} has no label {label}"
                allowed = bounds.get(label)
                if operator == "=" and not isinstance(allowed, int) and allowed is not None:
                    assert value in allowed, f"{where}: {label} of {name} is never {value}"
        assert query.labels <= known, f"{where}: no metric of it has {query.labels - known}"


def test_every_metric_is_shown_alerted_on_or_explained() -> None:
    used = {base(name) for query in queries().values() for name, _ in query.metrics}
    for name in DECLARED:
        assert name in used or f"`{name}`" in EXPLAINED, f"{name} is neither used nor explained"


def test_every_label_value_that_counts_events_is_drawn() -> None:
    """A board that sums over a label shows it somewhere: no part of a metric is out of sight."""
    shown = {label for query in queries().values() for label in query.labels}
    unseen = {label for line in declarations() for label in line.bounds} - shown
    assert unseen <= {"method", "partition"}


def test_recorded_series_are_used() -> None:
    used = {name for query in queries().values() for name, _ in query.metrics}
    for rule in rules():
        if "record" in rule:
            assert rule["record"] in used or rule["record"].endswith("30m"), rule["record"]
