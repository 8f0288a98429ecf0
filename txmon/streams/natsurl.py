"""Addresses of JetStream streams: ``nats://host:4222,host2:4222/stream?subject=...`` and what may follow.

Owns parsing and the settings of the connection; never connects.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from txmon.errors import ConfigError
from txmon.streams.brokerurl import chosen, read_settings, split_address, yes_or_no

_EXAMPLE = "nats://host:4222,host2:4222/stream"
_PARAMETERS = ("config", "dead_letter", "gap", "name", "start", "subject")
_OPTIONS = ("password", "tls", "tls_ca_file", "tls_cert_file", "tls_key_file", "token", "user")
_STREAM = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TOKEN = r"(?:[^\s.*>]+|\*)"  # noqa: S105 - a part of a subject
_SUBJECT = re.compile(rf"{_TOKEN}(?:\.{_TOKEN})*(?:\.>)?|>")


@dataclass(frozen=True)
class NatsAddress:
    """A stream and how to read it.

    subject: only messages of it; None for all of the stream. dead_letter: subject for what is no event.
    from_end: begin at the end without a stored position. accept_gap: go on although unread messages are gone.
    """

    servers: tuple[str, ...]
    stream: str
    subject: str | None = None
    dead_letter: str | None = None
    from_end: bool = False
    accept_gap: bool = False
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def connection(self) -> dict[str, Any]:
        """Return the settings of a connection.

        Raises:
            ConfigError: a file of certificates cannot be read.
        """
        out: dict[str, Any] = {"servers": [f"nats://{server}" for server in self.servers]}
        out |= {name: self.options[name] for name in ("user", "password", "token") if name in self.options}
        if yes_or_no(self.options, "tls"):
            out["tls"] = _tls(self.options)
        return out


def nats_address(url: str) -> NatsAddress:
    """Read an address.

    Raises:
        ConfigError: names the part that is wrong and what to write.
    """
    parts = split_address(url, _PARAMETERS, _EXAMPLE)
    if not _STREAM.fullmatch(parts.name):
        raise ConfigError(f"'{parts.name}' is not a stream's name (letters, digits, _ -); write {_EXAMPLE}")
    query = parts.query
    subject, dead = query.get("subject"), query.get("dead_letter")
    if subject is not None and not _SUBJECT.fullmatch(subject):
        raise ConfigError(
            f"subject '{subject}' is not names parted by dots, with * for one and > for the rest"
        )
    if dead is not None:
        if not _SUBJECT.fullmatch(dead) or "*" in dead or ">" in dead:
            raise ConfigError(f"dead_letter '{dead}' is not a subject without * and >")
        if subject is not None and covers(subject, dead):
            raise ConfigError(
                f"dead_letter '{dead}' is among subject '{subject}': refused messages would come back"
            )
    return NatsAddress(
        servers=parts.servers,
        stream=parts.name,
        subject=subject,
        dead_letter=dead,
        from_end=chosen(query, "start", ("earliest", "latest")),
        accept_gap=chosen(query, "gap", ("refuse", "accept")),
        name=query.get("name") or f"nats:{parts.name}" + (f":{subject}" if subject else ""),
        options=read_settings(Path(query["config"]), _OPTIONS) if "config" in query else {},
    )


def covers(pattern: str, subject: str) -> bool:
    """Return whether a subject with wildcards takes another, which has none."""
    wanted, given = pattern.split("."), subject.split(".")
    for i, part in enumerate(wanted):
        if part == ">":
            return len(given) > i
        if i >= len(given) or part not in ("*", given[i]):
            return False
    return len(wanted) == len(given)


def _tls(options: Mapping[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.get("tls_ca_file"))
        if "tls_cert_file" in options:
            context.load_cert_chain(options["tls_cert_file"], options.get("tls_key_file"))
    except OSError as error:
        raise ConfigError(f"tls_ca_file, tls_cert_file or tls_key_file cannot be read: {error}") from error
    return context
