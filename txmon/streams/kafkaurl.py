"""Addresses of Kafka topics: ``kafka://host:9092,host2:9092/topic?group=...`` and what may follow.

Owns parsing and the settings of the client; never connects. Secrets stay out of the address: they are
in the file that `config` names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from txmon.errors import ConfigError
from txmon.streams.brokerurl import chosen, setting_lines, split_address

_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_EXAMPLE = "kafka://host:9092,host2:9092/topic"
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
    parts = split_address(url, _PARAMETERS, _EXAMPLE)
    query = parts.query
    _check_topic(parts.name, "the address")
    if "dead_letter" in query:
        _check_topic(query["dead_letter"], "dead_letter")
        if query["dead_letter"] == parts.name:
            raise ConfigError("dead_letter must be another topic, else refused messages come back for ever")
    return KafkaAddress(
        servers=",".join(parts.servers),
        topic=parts.name,
        group=query.get("group") or None,
        dead_letter=query.get("dead_letter"),
        start="latest" if chosen(query, "start", ("earliest", "latest")) else "earliest",
        accept_gap=chosen(query, "gap", ("refuse", "accept")),
        name=query.get("name") or f"kafka:{parts.name}",
        options=read_options(Path(query["config"])) if "config" in query else {},
    )


def read_options(path: Path) -> dict[str, str]:
    """Read ``name=value`` lines of the client's own settings; ``#`` begins a comment line.

    Raises:
        ConfigError: not readable, readable by everybody, or a setting that is not the user's to make.
    """
    options: dict[str, str] = {}
    for number, name, value in setting_lines(path):
        if name in _OWN:
            raise ConfigError(f"{path}:{number}: {name} is set by txmon, so that nothing is lost; remove it")
        options[name] = value
    return options


def _check_topic(topic: str, where: str) -> None:
    if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise ConfigError(f"{where}: '{topic}' is not a topic's name (letters, digits, . _ -)")
