"""What a rule that ships must have besides loading: texts, tests, calibration marks, kinds, lock.

Owns `rules check --strict`; never changes a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from txmon.errors import RuleError
from txmon.rules.aggregates import restricts_kind
from txmon.rules.derived import kind_columns
from txmon.rules.ir import Derived, expression_features, rule_features
from txmon.rules.lock import check_lock
from txmon.rules.rulefile import RuleFile

TEXTS = ("description", "proportionality", "explain")
LISTS = ("references", "false_positives")


def check_complete(
    files: Sequence[RuleFile], derived: Sequence[Derived], roots: Sequence[Path], errors: list[RuleError]
) -> None:
    """Record what is missing for a rule to ship."""
    kinds = kind_columns(derived)
    for file in files:
        if file.rule.status == "retired":
            continue
        _texts(file, errors)
        _params(file, errors)
        _tests(file, errors)
        _kinds(file, kinds, errors)
    for root in roots:
        check_lock(root, [f for f in files if _below(f, root)], errors)


def _below(file: RuleFile, root: Path) -> bool:
    return Path(file.rule.path).resolve().is_relative_to(root.resolve())


def _texts(file: RuleFile, errors: list[RuleError]) -> None:
    root = file.root
    for key in (*TEXTS, "typology", "severity", "score"):
        node = root.index.get(key)
        if node is None or not node.text.strip():
            errors.append(root.error(f"`{key}` is missing; a rule that ships states it"))
    for key in LISTS:
        node = root.index.get(key)
        if node is None or node.kind != "seq" or not node.items:
            errors.append((node or root).error(f"`{key}` must be a list with at least one entry"))


def _params(file: RuleFile, errors: list[RuleError]) -> None:
    node = file.root.index.get("params")
    if node is None:
        return
    for name, param in file.params.items():
        if param.calibrated is None:
            errors.append(node.key_node(name).error(f"parameter `{name}` must say calibrated: true or false"))
        if name in file.unused_params:
            errors.append(node.key_node(name).error(f"parameter `{name}` is not used"))


def _tests(file: RuleFile, errors: list[RuleError]) -> None:
    node = file.root.index.get("tests")
    if node is None or node.kind != "seq":
        errors.append((node or file.root).error("`tests` must list a test that hits and one that does not"))
        return
    hit = miss = False
    for test in node.items:
        keys = ("hits", "late_hits", "tick_hits")
        lists = [found for key in keys if test.kind == "map" and (found := test.index.get(key)) is not None]
        if any(found.items for found in lists):
            hit = True
        elif lists:
            miss = True
    if not hit:
        errors.append(node.error("no test hits; add one just beyond the threshold"))
    if not miss:
        errors.append(node.error("no test without hits; add one just below the threshold"))


def _kinds(file: RuleFile, kinds: frozenset[str], errors: list[RuleError]) -> None:
    let = file.root.index.get("let")
    for feature in rule_features(file.rule):
        if restricts_kind(feature, kinds) or let is None:
            continue
        names = [name for name, expr in file.rule.let if feature in expression_features(expr)]
        node = let.index[names[0]]
        errors.append(
            node.error(
                f"let `{names[0]}` takes events of every kind: a purchase would count twice (authorisation "
                "and capture); restrict `kind` or use `moved` in filter (where ...)"
            )
        )
