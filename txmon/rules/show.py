"""What `txmon rules show` prints: a rule, its features in words of SQL, and the SQL that DuckDB runs.

Owns the text; the query is made by `txmon.rules.sql`.
"""

from __future__ import annotations

from txmon.rules.ir import Feature, Plan, Rule, rule_features
from txmon.rules.rulefile import SCORED
from txmon.rules.sql import rule_script
from txmon.rules.sqlexpr import SqlExpr, Tables

FIELDS = (
    "title",
    "status",
    "typology",
    "severity",
    "score",
    "subject",
    "signal",
    "protect",
    "tick",
    "version",
)


def show_rule(rule: Rule, plan: Plan) -> str:
    """Return the whole text."""
    lines = [f"{rule.id} (version {rule.version}, {rule.path})"]
    lines += [f"  {name:<9} {_word(getattr(rule, name))}" for name in FIELDS[:-1]]
    if rule.document.get("description"):
        lines += ["", *_wrapped(str(rule.document["description"]))]
    lines += ["", "rule", *_texts(rule)]
    lines += ["", "features (money in minor units, times in microseconds)"]
    lines += [f"  {feature_text(f, plan)}" for f in rule_features(rule)] or ["  none"]
    if rule.status in SCORED:
        lines += ["", "-- SQL over a table `events` of canonical events", rule_script(rule, plan)]
    return "\n".join(lines)


def feature_text(feature: Feature, plan: Plan) -> str:
    """An aggregate as SQL over its window."""
    render = SqlExpr(Tables({}, plan.lists, plan.base_currency, plan.money_scale))
    if feature.hits_rule is not None:
        return f"hits('{feature.hits_rule}') over {feature.window.name}"
    arg = "*" if feature.arg is None else render(feature.arg)
    if feature.agg == "count_distinct":
        call = f"count(distinct {arg})"
    elif feature.quantile is not None:
        call = f"{feature.agg}({arg}, {feature.quantile})"
    else:
        call = f"{feature.agg}({arg})"
    where = f" filter (where {render(feature.where)})" if feature.where is not None else ""
    return f"{call}{where} over {feature.window.name}"


def _texts(rule: Rule) -> list[str]:
    """Parameters, lets and the condition as their author wrote them."""
    lines = []
    for name, value in rule.params.items():
        inner = value.get("value") if isinstance(value, dict) else value
        currency = f" {value['currency']}" if isinstance(value, dict) and value.get("currency") else ""
        lines.append(f"  :{name} = {_word(inner)}{currency}")
    lets = rule.document.get("let") or {}
    lines += [f"  {name} = {' '.join(str(text).split())}" for name, text in lets.items()]
    return [*lines, f"  when {' '.join(str(rule.document['when']).split())}"]


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_word(item) for item in value)
    return str(value)


def _wrapped(text: str, width: int = 100) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) + 1 > width:
            lines.append(f"  {line}")
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, f"  {line}"]
