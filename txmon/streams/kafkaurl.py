"""Addresses of Kafka topics: ``kafka://host:9092,host2:9092/topic?group=...`` and what may follow.

Owns parsing and the settings of the client; never connects. Secrets stay out of the address: they are
in the file that `config` names.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from txmon.errors import ConfigError

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_SERVER = re.compile(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}")
_PARAMETERS = ("config", "dead_letter", "gap", "group", "name", "start")
# settings that decide whether anything is lost or doubled are not the user's
_OWN = frozenset(
    (
        "auto.offset.reset",
        "bootstrap.servers",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.protocol",
        "isolation.level",
        "partition.assignment.strategy",
    )
)
_SHARED = ("broker.", "client.", "sasl.", "security.", "socket.", "ssl.")


@dataclass(frozen=True)
class KafkaAddress:
    """A topic and how to read it.

    group: consumer group, for a stand-by that takes over; without it all partitions of the topic are read
        and a restart need not wait for anybody. dead_letter: topic for what is no event. start: where to
        begin without a stored position. accept_gap: go on although the broker deleted unread messages.
    """

    servers: str
    topic: str
    group: str | None = None
    dead_letter: str | None = None
    start: str = "earliest"
    accept_gap: bool = False
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def consumer_settings(self) -> dict[str, object]:
        """Return the settings of a consumer."""
        return {
            "session.timeout.ms": 10_000,
            "heartbeat.interval.ms": 1_000,
            "queued.min.messages": 50_000,
            "queued.max.messages.kbytes": 65_536,
            "fetch.wait.max.ms": 50,
            "fetch.queue.backoff.ms": 10,
            "log.connection.close": False,
            **self.options,
            "bootstrap.servers": self.servers,
            "group.id": self.group or f"txmon-{self.topic}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest" if self.accept_gap else "error",
        }

    def producer_settings(self) -> dict[str, object]:
        """Return the settings of a producer that neither loses nor repeats while it lives."""
        shared = {k: v for k, v in self.options.items() if k.startswith(_SHARED)}
        return {
            "linger.ms": 5,
            "message.timeout.ms": 60_000,
            "log.connection.close": False,
            **shared,
            "bootstrap.servers": self.servers,
            "enable.idempotence": True,
        }


def kafka_address(url: str) -> KafkaAddress:
    """Read an address.

    Raises:
        ConfigError: names the part that is wrong and what to write.
    """
    parts = urlsplit(url)
    if parts.scheme != "kafka":
        raise ConfigError(f"'{parts.scheme}' is not kafka; write kafka://host:9092/topic")
    if "@" in parts.netloc:
        raise ConfigError(
            "a Kafka address holds no user; put sasl.username into the file that ?config= names"
        )
    servers = parts.netloc.split(",")
    for server in servers:
        if not _SERVER.fullmatch(server):
            raise ConfigError(f"'{server}' is not host:port; write kafka://host:9092,host2:9092/topic")
    topic = parts.path.strip("/")
    _check_topic(topic, "the address")
    given = parse_qsl(parts.query, keep_blank_values=True)
    query = dict(given)
    unknown = sorted(set(query) - set(_PARAMETERS))
    if unknown or len(query) < len(given):
        raise ConfigError(
            f"Kafka address: parameter {', '.join(unknown) or 'given twice'} is not accepted;"
            f" each of {', '.join(_PARAMETERS)} may be given once"
        )
    if "dead_letter" in query:
        _check_topic(query["dead_letter"], "dead_letter")
        if query["dead_letter"] == topic:
            raise ConfigError("dead_letter must be another topic, else refused messages come back for ever")
    start, gap = query.get("start", "earliest"), query.get("gap", "refuse")
    if start not in ("earliest", "latest"):
        raise ConfigError(f"start '{start}' is not earliest or latest")
    if gap not in ("refuse", "accept"):
        raise ConfigError(f"gap '{gap}' is not refuse or accept")
    return KafkaAddress(
        servers=parts.netloc,
        topic=topic,
        group=query.get("group") or None,
        dead_letter=query.get("dead_letter"),
        start=start,
        accept_gap=gap == "accept",
        name=query.get("name") or f"kafka:{topic}",
        options=read_options(Path(query["config"])) if "config" in query else {},
    )


def read_options(path: Path) -> dict[str, str]:
    """Read ``name=value`` lines of the client's own settings; ``#`` begins a comment line.

    Raises:
        ConfigError: not readable, readable by everybody, or a setting that is not the user's to make.
    """
    try:
        if path.stat().st_mode & stat.S_IROTH:
            raise ConfigError(f"{path} can be read by everybody; chmod o-r it, since it may hold a password")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as a file of Kafka settings: {error}") from error
    options: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not name:
            raise ConfigError(f"{path}:{number}: not name=value")
        if name in _OWN:
            raise ConfigError(f"{path}:{number}: {name} is set by txmon, so that nothing is lost; remove it")
        options[name] = value
    return options


def _check_topic(topic: str, where: str) -> None:
    if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise ConfigError(f"{where}: '{topic}' is not a topic's name (letters, digits, . _ -)")
