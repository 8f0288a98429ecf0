"""The `params` of a rule: constants with their origin.

Forms: ``name: 3``; ``name: [a, b]``; ``name: {value: 3, calibrated: false, source: ...}``;
``name: {value: 10000, currency: USD}`` (an amount compared in that currency). Owns their checks.
"""

from __future__ import annotations

from decimal import Decimal

from txmon.errors import RuleError
from txmon.model.currencies import EXPONENTS
from txmon.rules import units
from txmon.rules.fields import NAME, Fields
from txmon.rules.scope import Param, Scalar
from txmon.rules.yamlnode import YamlNode

KEYS = frozenset({"value", "calibrated", "source", "currency", "note", "doc", "range", "unit"})
MAX_ITEMS = 200


def read_params(node: YamlNode | None, errors: list[RuleError]) -> dict[str, Param]:
    """Check a `params` mapping."""
    found: dict[str, Param] = {}
    if node is None:
        return found
    fields = Fields(node, errors, None)
    for key, value in node.entries:
        if not NAME.fullmatch(key.text):
            fields.refuse(key, f"parameter `{key.text[:80]}` must be lower-case letters, digits and _")
            continue
        param = _param(key.text, value, errors)
        if param is not None:
            found[key.text] = param
    return found


def _param(name: str, node: YamlNode, errors: list[RuleError]) -> Param | None:
    if node.kind != "map":
        value = _value(name, node, errors)
        return None if value is None else Param(name, value)
    fields = Fields(node, errors, KEYS)
    fields.require("value")
    inner = fields.get("value")
    calibrated = fields.flag("calibrated", False) if fields.get("calibrated") else None
    value = _value(name, inner, errors) if inner is not None else None
    if value is None or inner is None:
        return None
    currency = fields.get("currency")
    if currency is None:
        return Param(name, value, calibrated=calibrated)
    code = fields.text("currency")
    if code not in EXPONENTS:
        fields.refuse(currency, f"currency '{code[:20]}' is not an ISO 4217 code")
        return None
    if not isinstance(value, Decimal) or units.minor_units(value, EXPONENTS[code]) is None:
        fields.refuse(
            inner, f"parameter `{name}` with a currency must be an amount in whole minor units of {code}"
        )
        return None
    return Param(name, value, code, EXPONENTS[code], calibrated)


def _value(name: str, node: YamlNode, errors: list[RuleError]) -> Scalar | tuple[Scalar, ...] | None:
    if node.kind == "seq":
        if not 1 <= len(node.items) <= MAX_ITEMS:
            errors.append(node.error(f"parameter `{name}` must have 1 to {MAX_ITEMS} values"))
            return None
        values = [_scalar(name, item, errors) for item in node.items]
        return tuple(v for v in values if v is not None) if None not in values else None
    return _scalar(name, node, errors)


def _scalar(name: str, node: YamlNode, errors: list[RuleError]) -> Scalar | None:
    value = node.value
    if node.kind != "scalar" or value is None:
        errors.append(
            node.error(f"parameter `{name}` must be a number, text, true or false, or a list of them")
        )
        return None
    if isinstance(value, bool | str):
        return value
    number = Decimal(value)
    if number and not -38 < number.adjusted() < 19:
        errors.append(node.error(f"parameter `{name}` is beyond 10^18 or too small"))
        return None
    return number
