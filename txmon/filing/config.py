"""The file of transports (`TXMON_FILING_FILE`, TOML): which way a report of which jurisdiction takes.

    version = 1
    receipts = "/var/lib/txmon/filing/receipts"

    [[transport]]
    name = "fincen-pickup"
    kind = "filedrop"
    jurisdictions = ["US"]
    formats = ["fincen"]
    folder = "/var/lib/txmon/filing/out"

Every fault is told at once, with its key and the remedy. Secrets never stand in the file; it names files that
do. Owns reading; opens no connection.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from txmon.clock import Sleep, sleep_s
from txmon.errors import ConfigError
from txmon.filing import marks
from txmon.filing.gate import Released
from txmon.filing.receipts import Receipts
from txmon.filing.transports import KINDS, kind
from txmon.reports import formats
from txmon.reports.formats import Options

_COMMON = ("name", "kind", "jurisdictions", "formats", "schema", "profile")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_COUNTRY = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True)
class Route:
    """A transport as the file has it; `options` are those of its kind."""

    name: str
    kind: str
    jurisdictions: tuple[str, ...]
    formats: tuple[str, ...]
    judged: Options  # how the format's validator is asked
    options: Any


@dataclass(frozen=True)
class Config:
    """All transports, where receipts are kept, and who knows what is released."""

    routes: tuple[Route, ...]
    receipts: Receipts
    released: Released
    sleep: Sleep = sleep_s

    def route(self, jurisdiction: str, form: str) -> Route:
        """Return the way that a report takes.

        Raises:
            ConfigError: there is none.
        """
        for one in self.routes:
            if jurisdiction in one.jurisdictions and form in one.formats:
                return one
        raise ConfigError(
            f"no transport takes {form} for {jurisdiction}; add one to the file of TXMON_FILING_FILE"
        )

    def named(self, name: str) -> Route:
        """Return a transport by its name.

        Raises:
            ConfigError: there is none.
        """
        for one in self.routes:
            if one.name == name:
                return one
        raise ConfigError(
            f"there is no transport {name!r}; the file has {', '.join(r.name for r in self.routes)}"
        )


def load(path: Path, released: Released, sleep: Sleep = sleep_s) -> Config:
    """Return what a file of transports says.

    Args:
        released: says of a filing whether these very bytes are released; the vault knows.

    Raises:
        ConfigError: the file cannot be read, or something in it is wrong; all of it at once.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; see docs/filing.md for the file's form") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}; it must be TOML") from error
    faults: list[str] = []
    for key in sorted(content.keys() - {"version", "receipts", "transport"}):
        faults.append(f"{key}: is unknown; the file has version, receipts and [[transport]]")
    if content.get("version") != 1:
        faults.append("version: must be 1")
    routes = _routes(content.get("transport"), faults)
    kept = content.get("receipts")
    if not isinstance(kept, str) or not Path(kept).is_absolute():
        faults.append("receipts: name a folder of mode 700 by its whole path")
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return Config(tuple(routes), Receipts(Path(str(kept))), released, sleep)


def _routes(given: Any, faults: list[str]) -> list[Route]:
    if not isinstance(given, list) or not given or not all(isinstance(one, dict) for one in given):
        faults.append("transport: write one [[transport]] or more")
        return []
    routes = [made for i, one in enumerate(given) if (made := _route(one, f"transport[{i}]", faults))]
    names: set[str] = set()
    ways: dict[tuple[str, str], str] = {}
    for one in routes:
        if one.name in names:
            faults.append(f"transport {one.name}: stands twice; give each a name of its own")
        names.add(one.name)
        for way in ((j, f) for j in one.jurisdictions for f in one.formats):
            if ways.setdefault(way, one.name) != one.name:
                faults.append(
                    f"transport {one.name}: {way[1]} for {way[0]} already goes by {ways[way]}; keep one"
                )
    return routes


def _route(given: Mapping[str, Any], where: str, faults: list[str]) -> Route | None:
    before = len(faults)
    name, chosen = given.get("name"), given.get("kind")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        faults.append(f"{where}.name: must be 1 to 40 of a-z 0-9 -")
    jurisdictions = _texts(given, "jurisdictions", where, faults)
    faults += [
        f"{where}.jurisdictions: {one} is no ISO 3166-1 alpha-2 code; two capital letters"
        for one in jurisdictions
        if not _COUNTRY.fullmatch(one)
    ]
    taken = _texts(given, "formats", where, faults)
    faults += [
        f"{where}.formats: {one} cannot be filed; use {', '.join(marks.formats())}"
        for one in taken
        if one not in marks.formats() or one not in formats.names()
    ]
    judged = Options(schema=_path(given, "schema", where, faults), profile=str(given.get("profile", "")))
    if not isinstance(chosen, str) or chosen not in KINDS:
        faults.append(f"{where}.kind: must be one of {', '.join(sorted(KINDS))}")
        return None
    own = {key: value for key, value in given.items() if key not in _COMMON}
    options = _options(kind(chosen).options, own, where, faults)
    if len(faults) > before:
        return None
    return Route(str(name), chosen, jurisdictions, taken, judged, options)


def _texts(given: Mapping[str, Any], key: str, where: str, faults: list[str]) -> tuple[str, ...]:
    found = given.get(key)
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        faults.append(f"{where}.{key}: must be a list of texts, at least one")
        return ()
    return tuple(found)


def _path(given: Mapping[str, Any], key: str, where: str, faults: list[str]) -> Path | None:
    found = given.get(key)
    if found is None:
        return None
    if not isinstance(found, str) or not Path(found).is_file():
        faults.append(f"{where}.{key}: is no file that can be found; give its whole path")
        return None
    return Path(found)


def _options(declared: type[Any], given: Mapping[str, Any], where: str, faults: list[str]) -> Any:
    """Return a kind's options of what the file gives; what is wrong is added to `faults`."""
    fields = {one.name: one for one in dataclasses.fields(declared)}
    hints = typing.get_type_hints(declared)
    for key in sorted(given.keys() - fields.keys()):
        near = difflib.get_close_matches(key, fields, 1)
        remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(fields)}"
        faults.append(f"{where}.{key}: is unknown; {remedy}")
    values: dict[str, Any] = {}
    before = len(faults)
    for key, one in fields.items():
        if key in given:
            values[key] = _value(given[key], hints[key], f"{where}.{key}", faults)
        elif one.default is dataclasses.MISSING:
            faults.append(f"{where}.{key}: is missing; {one.metadata['doc']}")
    if len(faults) > before:
        return None
    try:
        return declared(**values)
    except ConfigError as error:
        faults.append(f"{where}: {error.detail}")
        return None


def _value(given: Any, hint: Any, where: str, faults: list[str]) -> Any:
    wanted = next((part for part in typing.get_args(hint) if part is not NoneType), hint)
    if wanted is Path and isinstance(given, str) and Path(given).is_absolute():
        return Path(given)
    if wanted is float and isinstance(given, (int, float)) and not isinstance(given, bool):
        return float(given)
    if wanted is not Path and type(given) is wanted:
        return given
    told = {
        Path: "a whole path",
        str: "a text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
    }
    faults.append(f"{where}: must be {told[wanted]}")
    return None
