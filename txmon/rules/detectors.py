"""Detector files: ``detectors/<id>.yaml``.

``id, version, title, subject, model, segment, where, inputs`` are read here; every other key is a setting
of the model, checked by `txmon.anomaly`. An input is an expression, or ``{value: expression, ...}`` with
settings of that input beside it. Owns their expressions; never runs a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from txmon.errors import RuleError
from txmon.rules.columns import SUBJECTS
from txmon.rules.fields import MAX_VERSION, NAME, Fields, check_expression, content_hash, floats
from txmon.rules.ir import Call, Detector, Expr, Literal_, Unit
from txmon.rules.ops import article
from txmon.rules.scope import Names, Scope
from txmon.rules.units import convert
from txmon.rules.yamlnode import YamlNode, read_yaml

TEXTS = frozenset({"title", "description", "references", "proportionality", "doc"})
OWN = frozenset({"id", "version", "subject", "model", "segment", "where", "settings"}) | TEXTS

SECOND_US = 1_000_000


def read_detector(
    path: Path, shown: str, names: Names, money_scale: int, errors: list[RuleError]
) -> Detector | None:
    """Read one detector file; None where it cannot be used."""
    root, problems = read_yaml(path, shown)
    errors.extend(problems)
    if root is None:
        return None
    before = len(errors)
    fields = Fields(root, errors, None)
    fields.require("id", "version", "subject", "model", "segment", "inputs")
    identity = fields.identifier("id", path.stem)
    on = SUBJECTS[fields.choice("subject", tuple(SUBJECTS), "payer")]
    model = fields.text("model")
    scope = Scope(names, on, money_scale, "`segment`")
    segment = _expression(fields.get("segment"), scope, Unit.TEXT, errors)
    filter_scope = Scope(names, on, money_scale, "`where`")
    where = _expression(fields.get("where"), filter_scope, Unit.BOOL, errors)
    inputs = _inputs(fields, Scope(names, on, money_scale, "an input", aggregates=True), errors)
    version = fields.whole("version", 1, MAX_VERSION, 1)
    settings = _settings(fields)
    if len(errors) > before or segment is None:
        return None
    document = root.plain()
    return Detector(
        id=identity,
        version=version,
        path=shown,
        on=on,
        model=model,
        segment=segment,
        inputs=inputs,
        where=where,
        settings=settings,
        content_hash=content_hash(document),
        document=document,
    )


def _expression(node: YamlNode | None, scope: Scope, unit: Unit, errors: list[RuleError]) -> Expr | None:
    return None if node is None else check_expression(node, scope, errors, unit)[0]


def _inputs(fields: Fields, scope: Scope, errors: list[RuleError]) -> tuple[tuple[str, Expr], ...]:
    node = fields.get("inputs")
    if node is None:
        return ()
    found: list[tuple[str, Expr]] = []
    for key, value in Fields(node, errors, None).node.entries:
        if not NAME.fullmatch(key.text):
            fields.refuse(key, f"input `{key.text[:80]}` must be lower-case letters, digits and _")
        text = value.index.get("value") if value.kind == "map" else value
        if text is None:
            fields.refuse(key, f"input `{key.text}` has no `value`")
            continue
        expr, _ = check_expression(text, scope, errors)
        number = None if expr is None else as_number(expr, scope.money_scale)
        if expr is not None and number is None:
            remedy = "case when x then 1 else 0 end, or date_diff_days(...)"
            fields.refuse(
                text, f"input `{key.text}` is {article(expr.unit)}; a model takes numbers: {remedy}"
            )
        elif number is not None:
            found.append((key.text, number))
    return tuple(found)


def as_number(expr: Expr, money_scale: int) -> Expr | None:
    """Return the double that a model sees (money in major units, spans in seconds, truth as 0 or 1).

    None where the unit has no such form.
    """
    if expr.unit in (Unit.NUMBER, Unit.MONEY_F):
        return expr
    if isinstance(expr, Literal_):
        return Literal_(float(expr.value), Unit.NUMBER) if isinstance(expr.value, int) else None
    if expr.unit is Unit.COUNT:
        return Call("to_number", (expr,), Unit.NUMBER)
    if expr.unit is Unit.BOOL:
        return Call("to_number", (Call("bool_count", (expr,), Unit.COUNT),), Unit.NUMBER)
    if expr.unit is Unit.SPAN:
        return Call("/", (expr, Literal_(SECOND_US, Unit.SPAN)), Unit.NUMBER)
    return convert(expr, Unit.MONEY_F, money_scale)


def _settings(fields: Fields) -> dict[str, Any]:
    """Everything that is not read here, as plain numbers and texts."""
    found: dict[str, Any] = {}
    extra = fields.get("settings")
    if extra is not None and extra.kind != "map":
        fields.refuse(extra, "`settings` must be a mapping")
    elif extra is not None:
        found.update(floats(extra.plain()))
    for key, value in fields.node.entries:
        if key.text not in OWN:
            found[key.text] = floats(value.plain())
    return found
