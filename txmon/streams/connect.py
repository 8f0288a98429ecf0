"""Opens what a source's address names: a topic or stream of a broker, a file or a folder.

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
from txmon.streams.nats import NatsConsumer
from txmon.streams.natsurl import nats_address
from txmon.streams.redis import RedisConsumer
from txmon.streams.redisurl import redis_address
from txmon.streams.tail import TailConsumer
from txmon.streams.tailfiles import folder_address

StoredOf = Callable[[str], Positions]  # the stored positions of the consumer of a name
BROKERS = ("kafka", "nats", "redis")


def source_kind(url: str) -> str:
    """Return the kind of source that an address names, as metrics label it."""
    scheme, mark, _ = url.partition("://")
    return scheme if mark and scheme in BROKERS else "file"


def nothing_stored(_name: str) -> Positions:
    """Begin as a consumer that was never seen."""
    return {}


def open_consumer(url: str, stored_of: StoredOf = nothing_stored) -> Consumer:
    """Open ``kafka://host:port/topic``, nats and redis alike, ``file:///path`` or a plain path.

    Raises:
        ConfigError: an address that is none of these, or wrong in itself.
        SourceError: the client refuses its settings. A broker that is away is no error, see `problem`.
    """
    scheme, mark, _ = url.partition("://")
    if mark and scheme == "kafka":
        topic = kafka_address(url)
        return KafkaConsumer(topic, stored=partial(stored_of, topic.name))
    if mark and scheme == "nats":
        subject = nats_address(url)
        return NatsConsumer(subject, stored=partial(stored_of, subject.name))
    if mark and scheme == "redis":
        stream = redis_address(url)
        return RedisConsumer(stream, stored=partial(stored_of, stream.name))
    if mark and scheme != "file":
        raise ConfigError(
            f"source '{scheme}' is not known; give kafka://host:9092/topic, nats://host:4222/stream,"
            " redis://host:6379/stream, file:///path or a path"
        )
    path = Path(url).absolute()
    folder = folder_address(url if mark else path.as_uri() + "/" * path.is_dir())
    return TailConsumer(folder, stored=partial(stored_of, folder.name))
