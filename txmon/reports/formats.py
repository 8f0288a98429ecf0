"""The formats that reports are written in: a name, how a report is written, how written text is checked.

A format registers a `Format`; the command line and the service ask here and know no authority. Nothing is
written that `checks` refuses: `write` asks them first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from pathlib import Path

from txmon.errors import ConfigError
from txmon.reports.model import Report


class Level(StrEnum):
    """How much a finding weighs: an error stops release, a warning is for a human to weigh."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong or missing: where, what, and what to do.

    `code` is stable and in lower case with underscores. `path` is a field of the model
    (``transactions[0].amount``) or of the written text (an element path). `line` counts from 1 in written
    text, 0 where there is none.
    """

    code: str
    path: str
    message: str
    remedy: str
    line: int = 0
    level: Level = Level.ERROR

    def __str__(self) -> str:
        place = f"line {self.line}, {self.path}" if self.line else self.path
        return f"{self.level}: {place}: {self.message}; {self.remedy} [{self.code}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a writer or validator is told: the authority's schema file, a profile, further answers by name."""

    schema: Path | None = None
    profile: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


def _no_notes(_options: Options) -> list[str]:
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to write a report.

    `check` says what the model lacks for this format; `write` gives the bytes (only called when neither
    `check` nor the common checks found an error); `validate` finds what is wrong in written bytes alone.
    """

    name: str
    title: str
    suffix: str  # of its files, ".xml"
    check: Callable[[Report, Options], list[Finding]]
    write: Callable[[Report, Options], bytes]
    validate: Callable[[bytes, Options], list[Finding]]
    notes: Callable[[Options], list[str]] = _no_notes  # what was done to read the options, for a person


# name -> the module that has it as `FORMAT`; loaded when asked for, so that one broken schema stops no other
_MODULES: dict[str, str] = {
    "cybertip": "txmon.reports.cybertip",
    "fincen": "txmon.reports.fincen",
    "fintrac": "txmon.reports.fintrac",
    "goaml": "txmon.reports.goaml",
    "html": "txmon.reports.render",
    "pdf": "txmon.reports.pdf",
    "uk": "txmon.reports.uk",
}


def names() -> list[str]:
    """Return the names of all formats."""
    return sorted(_MODULES)


def get(name: str) -> Format:
    """Return a format.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in _MODULES:
        raise ConfigError(f"there is no report format {name!r}; use one of {', '.join(names())}")
    found: Format = import_module(_MODULES[name]).FORMAT
    return found
