"""What the addresses of all brokers have in common: servers, a name, parameters and a file of settings.

Owns the cutting up and the checks; never connects. Secrets stay out of addresses, which are shown in logs
and process lists: they are in the file that `config` names.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from txmon.errors import ConfigError

_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")


@dataclass(frozen=True)
class Address:
    """``scheme://host:port,host:port/name?parameters`` in parts."""

    servers: tuple[str, ...]
    name: str
    query: Mapping[str, str]


def split_address(url: str, parameters: Collection[str], example: str) -> Address:
    """Cut an address up.

    Args:
        url: the address.
        parameters: what may follow ``?``, each once.
        example: an address of the kind, for messages.

    Raises:
        ConfigError: names the part that is wrong and what to write.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        raise ConfigError(
            "an address holds no user and no password; put them into the file that ?config= names"
        )
    servers = tuple(parts.netloc.split(","))
    for server in servers:
        if not _SERVER.fullmatch(server):
            raise ConfigError(f"'{server}' is not host:port; write {example}")
    given = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(given)
    unknown = sorted(set(query) - set(parameters))
    if unknown or len(query) < len(given):
        raise ConfigError(
            f"{parts.scheme} address: parameter {', '.join(unknown) or 'given twice'} is not accepted;"
            f" each of {', '.join(sorted(parameters))} may be given once"
        )
    return Address(servers, unquote(parts.path.strip("/")), query)


def chosen(query: Mapping[str, str], name: str, values: tuple[str, str]) -> bool:
    """Return whether a parameter is the second of two values; the first is its default.

    Raises:
        ConfigError: it is neither.
    """
    value = query.get(name, values[0])
    if value not in values:
        raise ConfigError(f"{name} '{value}' is not {values[0]} or {values[1]}")
    return value == values[1]


def read_settings(path: Path, known: Collection[str]) -> dict[str, str]:
    """Read a file of settings of which only some exist.

    Raises:
        ConfigError: as `setting_lines`, or a name that is not known.
    """
    out: dict[str, str] = {}
    for number, name, value in setting_lines(path):
        if name not in known:
            raise ConfigError(f"{path}:{number}: {name} is none of {', '.join(sorted(known))}")
        out[name] = value
    return out


def setting_lines(path: Path) -> list[tuple[int, str, str]]:
    """Read ``name=value`` lines as (number, name, value); ``#`` begins a comment line.

    Raises:
        ConfigError: not readable, readable by everybody, or a line that is none.
    """
    try:
        if path.stat().st_mode & stat.S_IROTH:
            raise ConfigError(f"{path} can be read by everybody; chmod o-r it, since it may hold a password")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a file of settings: {error}") from error
    out: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise ConfigError(f"{path}:{number}: not name=value")
        out.append((number, name, value))
    return out


def yes_or_no(options: Mapping[str, str], name: str) -> bool:
    """Return a setting that is ``yes`` or ``no``; absent is no.

    Raises:
        ConfigError: it is neither.
    """
    value = options.get(name, "no")
    if value not in ("yes", "no"):
        raise ConfigError(f"{name}={value} is not yes or no")
    return value == "yes"
