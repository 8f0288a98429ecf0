"""``lock.json``: rule id to version and content hash, so that no edit ships without a new version.

Tests of a rule are not part of its content. Owns the file's form, checking it and making it anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from txmon.errors import RuleError, RuleErrors, SourceLocation
from txmon.rules.ir import Rule
from txmon.rules.rulefile import RuleFile

NAME = "lock.json"


def lock_text(rules: Sequence[Rule]) -> str:
    """Content of the lock file of some rules."""
    pins = {rule.id: {"version": rule.version, "sha256": rule.content_hash} for rule in rules}
    return json.dumps(pins, indent=1, sort_keys=True) + "\n"


def read_lock(root: Path) -> Mapping[str, Mapping[str, object]] | None:
    """Return the pins of a directory; None without a lock file that can be read."""
    try:
        pins = json.loads((root / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    good = isinstance(pins, dict) and all(isinstance(pin, dict) for pin in pins.values())
    return pins if good else None


def check_lock(root: Path, files: Sequence[RuleFile], errors: list[RuleError]) -> None:
    """Record every rule that differs from its pin."""
    where = SourceLocation(str(root / NAME))
    pins = read_lock(root)
    if pins is None:
        errors.append(RuleError("cannot be read; make it with `txmon rules lock`", where))
        return
    for file in files:
        rule = file.rule
        problem = _problem(rule, pins.get(rule.id))
        if problem:
            errors.append(file.root.index.get("version", file.root).error(problem))
    for identity in sorted(set(pins) - {file.rule.id for file in files}):
        errors.append(
            RuleError(f"pins rule '{identity}', which does not exist; run `txmon rules lock`", where)
        )


def _problem(rule: Rule, pin: Mapping[str, object] | None) -> str:
    if pin is None:
        return f"rule '{rule.id}' is not in {NAME}; run `txmon rules lock`"
    if pin.get("sha256") == rule.content_hash:
        return ""
    if pin.get("version") == rule.version:
        return (
            f"rule '{rule.id}' changed but its version is still {rule.version}; "
            f"make it {rule.version + 1}, then run `txmon rules lock`"
        )
    return f"rule '{rule.id}' version {rule.version} is not in {NAME}; run `txmon rules lock`"


def write_lock(root: Path, files: Sequence[RuleFile]) -> int:
    """Pin the rules below `root`; returns how many pins changed.

    Raises:
        RuleErrors: a rule changed since it was pinned, without a new version.
    """
    pins = read_lock(root) or {}
    errors = []
    for file in files:
        pin = pins.get(file.rule.id, {})
        if pin.get("version") == file.rule.version and pin.get("sha256") != file.rule.content_hash:
            errors.append(file.root.index.get("version", file.root).error(_problem(file.rule, pin)))
    if errors:
        raise RuleErrors(errors)
    text = lock_text([file.rule for file in files])
    fresh = json.loads(text)
    (root / NAME).write_text(text, encoding="utf-8")
    return sum(fresh.get(identity) != pins.get(identity) for identity in {*fresh, *pins})
