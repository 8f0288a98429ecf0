"""The file of retention classes: `TXMON_RETENTION_FILE`, else the one that ships with its sources.

Owns the form of the file; what a class means is `txmon.store.retention`'s part.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from txmon.errors import RuleError, RuleErrors
from txmon.rules.fields import Fields
from txmon.rules.yamlnode import read_yaml
from txmon.store.retention import NAMES, Classes

_SHIPPED = Path(__file__).parent / "data" / "retention.yaml"
_DAYS_MAX = 36_525


@cache
def load_classes(path: Path | None = None) -> Classes:
    """Read a file of classes; None: the one that ships.

    Raises:
        RuleErrors: a class is missing, unknown, or has no number of days, each with its line.
    """
    errors: list[RuleError] = []
    root, problems = read_yaml(path or _SHIPPED)
    errors += problems
    found: dict[str, int] = {}
    if root is not None:
        top = Fields(root, errors, ("retention",))
        top.require("retention")
        node = top.get("retention")
        if node is not None:
            given = Fields(node, errors, NAMES)
            given.require(*NAMES)
            found = {name: given.whole(name, 1, _DAYS_MAX, 1) for name in NAMES}
            for name in ("answers", "outbox"):
                node_of = given.get(name)
                if node_of is not None and found[name] > found["events"]:
                    given.refuse(node_of, f"`{name}` is kept no longer than `events`, which it repeats")
    if errors:
        raise RuleErrors(errors)
    return Classes(**found)
