"""Who files, and what the institution has on record of parties and accounts.

    institution = read_institution(path, Wanted("AE"))
    parties, accounts = RecordBook(folder).find(account_ids, party_ids)

The institution is a JSON file with an entry a jurisdiction, in the words of the report model. Records are
`parties.ndjson` and `accounts.ndjson` in a folder, one object of the model a line: an export of the customer
register, which stays where it is kept and is read only for the parties of a report. Owns reading both;
keeps nothing, and an error never repeats a value.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from txmon.errors import ConfigError
from txmon.reports.model import Account, Contact, Filer, Mode, Party
from txmon.reports.modeljson import ReportModelError, read_part

FOR_PEOPLE = ("html", "pdf")  # formats of no authority
PARTIES, ACCOUNTS = "parties.ndjson", "accounts.ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """Who files in a jurisdiction (ISO 3166-1 alpha-2), and in which currency amounts are told there.

    `mode` is what every report of this file is: `simulated` for a demonstration, whatever the events are.
    `formats` are those that its reports are written in; empty: any.
    """

    jurisdiction: str
    local_currency: str
    filer: Filer
    reporting_person: Contact | None = None
    formats: tuple[str, ...] = ()
    mode: Mode = Mode.LIVE

    def writes(self, formats: Collection[str]) -> bool:
        """Whether its reports are written in all of these."""
        return not self.formats or set(formats) <= {*self.formats, *FOR_PEOPLE}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which institution: by jurisdiction, else by the formats that a report is for."""

    jurisdiction: str | None = None
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    version: int
    institutions: tuple[Institution, ...] = field(default=())


def read_institution(path: Path, wanted: Wanted) -> Institution:
    """Return the entry of a jurisdiction; without one, the only entry whose reports are of the formats.

    Raises:
        ConfigError: the file cannot be read or is not of the form, or has no entry, or two, of it.
    """
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: is no JSON file that can be read; see docs/filer.md") from error
    try:
        found = read_part(given, _File)
    except ReportModelError as error:
        raise ConfigError(f"{path}: {error}") from error
    if found.version != 1:
        raise ConfigError(f"{path}: version must be 1")
    where = wanted.jurisdiction
    named = [
        each
        for each in found.institutions
        if (each.writes(wanted.formats) if where is None else each.jurisdiction == where)
    ]
    if len(named) != 1:
        known = ", ".join(sorted(each.jurisdiction for each in found.institutions)) or "none"
        asked = "say which jurisdiction" if where is None else f"one entry of {where} is wanted"
        raise ConfigError(f"{path}: {asked}; it has {known}")
    return named[0]


class RecordBook:
    """The institution's records in a folder; without a folder nothing is on record."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def find(
        self, accounts: Collection[str], parties: Collection[str]
    ) -> tuple[tuple[Party, ...], tuple[Account, ...]]:
        """Return what is on record of some accounts, of parties, and of who holds or owns those.

        Raises:
            ConfigError: a file cannot be read, or a line is not of the model; names file and line.
        """
        if self._folder is None:
            return (), ()
        kept = {
            each.account_id: each for each in _lines(self._folder / ACCOUNTS, Account, "account_id", accounts)
        }
        wanted = set(parties) | {holder.party_id for each in kept.values() for holder in each.holders}
        found: dict[str, Party] = {}
        while missing := wanted - set(found):
            new = {each.party_id: each for each in _lines(self._folder / PARTIES, Party, "party_id", missing)}
            found |= new
            owners = {o.party_id for each in new.values() if each.entity for o in each.entity.owners}
            if not owners - wanted:
                break
            wanted |= owners
        return tuple(found[k] for k in sorted(found)), tuple(kept[k] for k in sorted(kept))


def _lines(path: Path, kind: type[Any], name: str, wanted: Collection[str]) -> Iterator[Any]:
    """Yield the records of a file whose id is wanted; a broken line stops, since it might be one of them."""
    names = frozenset(wanted)
    if not names or not path.exists():
        return
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    given = _object(path, number, line, name)
                    if given[name] in names:
                        yield _read(path, number, given, kind)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text; give a readable file") from error


def _object(path: Path, number: int, line: str, name: str) -> dict[str, Any]:
    try:
        given = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{path}:{number}: is no JSON; mend the line") from error
    if not isinstance(given, dict) or not isinstance(given.get(name), str):
        raise ConfigError(f"{path}:{number}: {name} must be text; see docs/filer.md")
    return given


def _read(path: Path, number: int, given: dict[str, Any], kind: type[Any]) -> Any:
    try:
        return read_part(given, kind)
    except ReportModelError as error:
        raise ConfigError(f"{path}:{number}: {error}") from error
