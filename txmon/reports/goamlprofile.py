"""What one financial intelligence unit takes: a profile file of ``profiles/``, read strictly.

Owns code lists, the translation of the model's words into codes, which report codes carry transactions, what
is demanded beyond the schema. Knows no report and no XML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from txmon.errors import ConfigError
from txmon.reports.goamlshape import Shape, load

DEFAULT = "ae"
_PREFIX = "goaml-"


@dataclass(frozen=True)
class Profile:
    """One unit's rules; `maps` is list name -> word of the model -> code."""

    name: str
    title: str
    jurisdiction: str
    currency: str
    schema_version: str
    shape: Shape
    name_pattern: re.Pattern[str]
    report_codes: Mapping[str, Any]
    required: Mapping[str, tuple[str, ...]]  # by report code, * for all
    constants: Mapping[str, str]
    maps: Mapping[str, Mapping[str, str]]
    typologies: Mapping[str, tuple[str, ...]]
    codes: Mapping[str, frozenset[str]]

    def code(self, table: str, word: str) -> str:
        """Return the code of a word of the model, empty where this unit has none."""
        return self.maps[table].get(word, "")

    def demanded(self, report_code: str) -> tuple[str, ...]:
        """Return the elements that this unit demands of a report beyond the schema."""
        return (*self.required.get("*", ()), *self.required.get(report_code, ()))

    @property
    def transaction_reports(self) -> frozenset[str]:
        """Return the report codes that carry transactions."""
        return frozenset(self.report_codes["transactions"])

    @property
    def activity_reports(self) -> frozenset[str]:
        """Return the report codes that carry an activity."""
        return frozenset(self.report_codes["activity"])


def names() -> list[str]:
    """Return the names of the profiles that ship."""
    folder = files("txmon.reports") / "profiles"
    found = [entry.name for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return sorted(n.removeprefix(_PREFIX).removesuffix(".yaml") for n in found if n.startswith(_PREFIX))


@cache
def profile(name: str = "") -> Profile:
    """Return a profile by name, or of a file by its path; the reference jurisdiction where none is named.

    Raises:
        ConfigError: there is none, or the file is not a profile.
    """
    wanted = name or DEFAULT
    if wanted.endswith((".yaml", ".yml")):
        path = Path(wanted)
        if not path.is_file():
            raise ConfigError(f"there is no profile file {wanted}; give the path of one or a name: {names()}")
        return _read(path.read_text(encoding="utf-8"), wanted)
    if wanted not in names():
        raise ConfigError(f"there is no goAML profile {wanted!r}; use one of {', '.join(names())} or a file")
    text = (files("txmon.reports") / "profiles" / f"{_PREFIX}{wanted}.yaml").read_text(encoding="utf-8")
    return _read(text, wanted)


def _read(text: str, where: str) -> Profile:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}: not YAML; {error}") from error
    known = {field.name for field in fields(Profile)} | {"version"}
    if not isinstance(data, dict) or set(data) != known:
        given = set(data) if isinstance(data, dict) else set()
        wrong = ", ".join(sorted(map(str, given ^ known)))
        raise ConfigError(f"{where}: missing or unknown: {wrong}; a profile has {', '.join(sorted(known))}")
    if data.pop("version") != 1:
        raise ConfigError(f"{where}: version: only 1 can be read; write the profile for version 1")
    codes = {k: frozenset(v.split() if isinstance(v, str) else v) for k, v in data["codes"].items()}
    return Profile(
        **{
            **data,
            "shape": load(data["shape"]),
            "name_pattern": re.compile(data["name_pattern"]),
            "required": {k: tuple(v) for k, v in data["required"].items()},
            "typologies": {k: tuple(v) for k, v in data["typologies"].items()},
            "codes": codes,
        }
    )
