"""Which config a proposal is about: the rule files, or the config in force with one rule's status changed.

Both are named by the id of the whole config, so that two people agree on exactly one. Owns the making of
these configs; putting one in force is the pipeline's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from txmon.api.context import Parts
from txmon.api.problems import Problem
from txmon.errors import NotFound, RuleErrors
from txmon.pipeline.config import Config, load_config
from txmon.rules.ir import Rule

_STATUS = re.compile(r"^status:.*$", re.MULTILINE)
_CHANGED = "the rules are not what this was proposed on; look at them again and propose anew"


def staged_as(parts: Parts, config_id: str) -> Config:
    """Return the config of the rule files, if it is still the one that is named.

    Raises:
        Problem: state. RuleErrors: the files are wrong.
    """
    staged = parts.service.stage()
    if staged is None or staged.id != config_id:
        raise Problem("state", _CHANGED)
    return staged


def with_status(config: Config, rule_id: str, status: str) -> Config:
    """Return a config in which one rule has another status, and nothing else is different.

    Raises:
        NotFound: the config has no file of this rule. Problem: state, if it has this status already.
    """
    if any(rule.id == rule_id and rule.status == status for rule in config.plan.rules):
        raise Problem("state", f"the rule is {status} already")
    content = json.loads(config.document)
    places = [
        (files, name) for files in content["packs"] for name in files if name.endswith(f"/{rule_id}.yaml")
    ]
    if not places:
        raise NotFound("the config in force has no rule of this id")
    for files, name in places:
        text, line = files[name], f"status: {status}"
        files[name] = (
            _STATUS.sub(line, text, count=1) if _STATUS.search(text) else f"{text.rstrip()}\n{line}\n"
        )
    document = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        changed = load_config(document)
    except RuleErrors:
        raise Problem(
            "state", "the rule's file has no plain `status:` line; change the file instead"
        ) from None
    different = changes(config, changed)
    now = {rule.id: rule for rule in changed.plan.rules}.get(rule_id)
    if [each["rule_id"] for each in different] != [rule_id] or now is None or now.status != status:
        raise Problem("state", "the rule's file has no plain `status:` line; change the file instead")
    return changed


def agreed(parts: Parts, body: Mapping[str, Any]) -> Config:
    """Return the config that a proposal is about.

    Raises:
        Problem: state, if it cannot be the same any more. RuleErrors: the files are wrong.
    """
    if "rule_id" not in body:
        return staged_as(parts, str(body.get("config")))
    base = parts.service.config
    if base.id != body["base"]:
        raise Problem("state", _CHANGED)
    config = with_status(base, body["rule_id"], body["status"])
    if config.id != body["config"]:
        raise Problem("state", _CHANGED)
    return config


def changes(now: Config, other: Config) -> list[dict[str, Any]]:
    """Return what would be different, a line a rule."""
    before = {rule.id: rule for rule in now.plan.rules}
    after = {rule.id: rule for rule in other.plan.rules}
    found = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is not None and new is not None and old.content_hash == new.content_hash:
            continue
        found.append({"rule_id": name, "from": _state(old), "to": _state(new)})
    return found


def _state(rule: Rule | None) -> dict[str, Any] | None:
    return None if rule is None else {"version": rule.version, "status": rule.status}
