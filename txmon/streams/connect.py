"""Opens what a source's address names: a Kafka topic, a file or a folder.

Owns the list of schemes and nothing of what they do.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from txmon.errors import ConfigError
from txmon.streams.consumer import Consumer, Positions
from txmon.streams.kafka import KafkaConsumer
from txmon.streams.kafkaurl import kafka_address
from txmon.streams.tail import TailConsumer
from txmon.streams.tailfiles import folder_address

StoredOf = Callable[[str], Positions]  # the stored positions of the consumer of a name


def nothing_stored(_name: str) -> Positions:
    """Begin as a consumer that was never seen."""
    return {}


def open_consumer(url: str, stored_of: StoredOf = nothing_stored) -> Consumer:
    """Open ``kafka://host:port/topic``, ``file:///path`` or a plain path.

    Raises:
        ConfigError: an address that is none of these, or wrong in itself.
        SourceError: the client refuses its settings. A broker that is away is no error, see `problem`.
    """
    scheme, mark, _ = url.partition("://")
    if scheme == "kafka" and mark:
        address = kafka_address(url)
        return KafkaConsumer(address, stored=partial(stored_of, address.name))
    if mark and scheme != "file":
        raise ConfigError(
            f"source '{scheme}' is not known; give kafka://host:9092/topic, file:///path or a path"
        )
    path = Path(url).absolute()
    folder = folder_address(url if mark else path.as_uri() + "/" * path.is_dir())
    return TailConsumer(folder, stored=partial(stored_of, folder.name))
