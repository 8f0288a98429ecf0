"""Days of each jurisdiction, read from a data file: filing, review, continuing activity, keeping.

Ships with the package and may be replaced as a whole (`TXMON_JURISDICTIONS_FILE`). Owns the file's form; a
wrong file is refused with every fault, by line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from txmon.errors import RuleError, RuleErrors
from txmon.rules.fields import Fields
from txmon.rules.yamlnode import YamlNode, read_yaml

_SHIPPED = Path(__file__).parent / "data" / "jurisdictions.yaml"
_CODE, _WORD = re.compile(r"[A-Z]{2}|default"), re.compile(r"[A-Za-z0-9._/-]{1,400}")
_DAYS = ("file_days", "file_days_unknown", "review_days", "continue_days")
_DAYS_MAX = 36_500
DEFAULT = "default"


@dataclass(frozen=True)
class Jurisdiction:
    """See the data file. None: no such clock."""

    file_days: int | None = None
    file_days_unknown: int | None = None
    review_days: int | None = None
    continue_days: int | None = None
    keep_days: int = 1825
    profiles: Mapping[str, str] = field(default_factory=dict)
    schemas: Mapping[str, Path] = field(default_factory=dict)

    def days_to_file(self, known_subject: bool) -> int | None:
        """Return the days from the determination to the report."""
        if known_subject or self.file_days_unknown is None:
            return self.file_days
        return self.file_days_unknown


@dataclass(frozen=True)
class Jurisdictions:
    """All of a file."""

    places: Mapping[str, Jurisdiction]

    def of(self, code: str) -> Jurisdiction:
        """Return a jurisdiction; the default where it is not listed."""
        return self.places.get(code, self.places[DEFAULT])


@cache
def load(path: Path | None = None) -> Jurisdictions:
    """Read a data file.

    Raises:
        RuleErrors: it is wrong.
    """
    errors: list[RuleError] = []
    root, faults = read_yaml(path or _SHIPPED, None if path else _SHIPPED.name)
    errors += faults
    found: dict[str, Jurisdiction] = {}
    if root is not None and root.kind != "map":
        errors.append(root.error("the file is a map: country code -> days"))
    elif root is not None:
        for key, value in root.entries:
            if not _CODE.fullmatch(key.text):
                errors.append(key.error("a jurisdiction is two capital letters, or `default`"))
            else:
                found[key.text] = _place(value, errors, (path or _SHIPPED).parent)
        if DEFAULT not in found:
            errors.append(root.error("`default` is missing; it serves every jurisdiction not listed"))
    if errors:
        raise RuleErrors(errors)
    return Jurisdictions(found)


def _place(node: YamlNode, errors: list[RuleError], folder: Path) -> Jurisdiction:
    fields = Fields(node, errors, (*_DAYS, "keep_days", "profiles", "schemas"))
    days = {name: fields.whole(name, 1, _DAYS_MAX, 0) or None for name in _DAYS}
    schemas = {name: folder / text for name, text in _texts(fields, "schemas").items()}
    return Jurisdiction(
        **days, keep_days=fields.whole("keep_days", 1, _DAYS_MAX, 1825),
        profiles=_texts(fields, "profiles"), schemas=schemas,
    )  # fmt: skip


def _texts(fields: Fields, name: str) -> dict[str, str]:
    node = fields.get(name)
    found: dict[str, str] = {}
    if node is None:
        return found
    if node.kind != "map":
        fields.refuse(node, f"`{name}` is a map: format -> text")
        return found
    for key, value in node.entries:
        if not isinstance(value.value, str) or not _WORD.fullmatch(value.value):
            fields.refuse(value, "a text of letters, digits and . _ / -")
        else:
            found[key.text] = value.value
    return found
