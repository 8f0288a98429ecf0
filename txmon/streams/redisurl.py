"""Addresses of Redis streams: ``redis://host:6379/stream?field=...`` and what may follow.

Owns parsing and the settings of the connection; never connects.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from txmon.errors import ConfigError
from txmon.streams.brokerurl import chosen, read_settings, split_address, yes_or_no

_EXAMPLE = "redis://host:6379/stream"
_PARAMETERS = ("config", "db", "dead_letter", "field", "gap", "name", "start")
_OPTIONS = ("password", "tls", "tls_ca_file", "tls_cert_file", "tls_key_file", "user")
_STREAM = re.compile(r"[A-Za-z0-9_.:{}-][A-Za-z0-9_.:{}/-]{0,254}")
_TLS = {"tls_ca_file": "ssl_ca_certs", "tls_cert_file": "ssl_certfile", "tls_key_file": "ssl_keyfile"}


@dataclass(frozen=True)
class RedisAddress:
    """A stream and how to read it.

    payload_field: the field of an entry that is the message; of an entry without it all fields are one row.
    dead_letter: stream for what is no event. from_end: begin at the end without a stored position.
    accept_gap: go on although unread entries may have been trimmed.
    """

    host: str
    port: int
    stream: str
    db: int = 0
    payload_field: str = "data"
    dead_letter: str | None = None
    from_end: bool = False
    accept_gap: bool = False
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def connection(self) -> dict[str, Any]:
        """Return the settings of a connection."""
        out: dict[str, Any] = {"host": self.host, "port": self.port, "db": self.db}
        names = {"user": "username", "password": "password"}
        out |= {names[k]: v for k, v in self.options.items() if k in names}
        if yes_or_no(self.options, "tls"):
            out["ssl"] = True
            out |= {_TLS[k]: v for k, v in self.options.items() if k in _TLS}
        return out


def redis_address(url: str) -> RedisAddress:
    """Read an address.

    Raises:
        ConfigError: names the part that is wrong and what to write.
    """
    parts = split_address(url, _PARAMETERS, _EXAMPLE)
    if len(parts.servers) != 1:
        raise ConfigError(f"a Redis address names one server; write {_EXAMPLE}")
    host, _, port = parts.servers[0].rpartition(":")
    query = parts.query
    dead = query.get("dead_letter")
    for where, name in (("the address", parts.name), ("dead_letter", dead)):
        if name is not None and not _STREAM.fullmatch(name):
            raise ConfigError(f"{where}: '{name}' is not a stream's name (letters, digits, _ . : - {{}} /)")
    if dead == parts.name:
        raise ConfigError("dead_letter must be another stream, else refused messages come back for ever")
    if not query.get("db", "0").isdecimal():
        raise ConfigError(f"db '{query['db']}' is not the number of a database")
    return RedisAddress(
        host=host.strip("[]"),
        port=int(port),
        stream=parts.name,
        db=int(query.get("db", "0")),
        payload_field=query.get("field") or "data",
        dead_letter=dead,
        from_end=chosen(query, "start", ("earliest", "latest")),
        accept_gap=chosen(query, "gap", ("refuse", "accept")),
        name=query.get("name") or f"redis:{parts.name}",
        options=read_settings(Path(query["config"]), _OPTIONS) if "config" in query else {},
    )
