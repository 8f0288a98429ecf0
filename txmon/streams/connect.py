"""Opens what a source's address names: a Kafka topic, a file or a folder.

Owns the list of schemes and nothing of what they do.
"""

from __future__ import annotations

from pathlib import Path

from txmon.errors import ConfigError
from txmon.streams.consumer import Consumer, Stored
from txmon.streams.kafka import KafkaConsumer
from txmon.streams.kafkaurl import kafka_address
from txmon.streams.tail import TailConsumer
from txmon.streams.tailfiles import folder_address


def open_consumer(url: str, *, stored: Stored = dict) -> Consumer:
    """Open ``kafka://host:port/topic``, ``file:///path`` or a plain path; `stored` gives its positions.

    Raises:
        ConfigError: an address that is none of these, or wrong in itself.
        SourceError: the client refuses its settings. A broker that is away is no error, see `problem`.
    """
    scheme, mark, _ = url.partition("://")
    if not mark:
        path = Path(url).absolute()
        return TailConsumer(folder_address(path.as_uri() + "/" * path.is_dir()), stored=stored)
    if scheme == "kafka":
        return KafkaConsumer(kafka_address(url), stored=stored)
    if scheme == "file":
        return TailConsumer(folder_address(url), stored=stored)
    raise ConfigError(f"source '{scheme}' is not known; give kafka://host:9092/topic, file:///path or a path")
