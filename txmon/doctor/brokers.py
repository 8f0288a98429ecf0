"""Asks a broker for the topic or stream that an address names, and looks at a folder that is followed.

Owns the asking, one short connection each; consumes nothing and makes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import nats
import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError
from redis.backoff import NoBackoff
from redis.retry import Retry

from txmon.doctor.report import FAIL, OK, WARN, Finding
from txmon.streams.connect import source_kind
from txmon.streams.kafkaurl import kafka_address
from txmon.streams.natsurl import nats_address
from txmon.streams.redisurl import redis_address
from txmon.streams.tailfiles import folder_address

_OPEN = "start it, correct the address, or open the way to it"
_CLIENT = ("broker.", "client.", "sasl.", "security.", "socket.", "ssl.")


def broker_answers(url: str, seconds: float) -> Iterator[Finding]:
    """Ask what an address names.

    Raises:
        ConfigError: the address is wrong in itself.
    """
    kind = source_kind(url)
    if kind == "kafka":
        yield from _kafka(url, seconds)
    elif kind == "nats":
        yield from _nats(url, seconds)
    elif kind == "redis":
        yield from _redis(url, seconds)
    else:
        yield from _files(url)


def _kafka(url: str, seconds: float) -> Iterator[Finding]:
    address = kafka_address(url)
    options = {k: v for k, v in address.options.items() if k.startswith(_CLIENT)}
    log = logging.getLogger("txmon.kafka")
    try:
        client = AdminClient({**options, "bootstrap.servers": address.servers}, logger=log)
        found = client.list_topics(timeout=seconds)
    except (KafkaException, ValueError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else "a setting is not one"
        yield Finding(FAIL, f"{address.servers}: {reason}", _OPEN)
        return
    for topic in (address.topic, address.dead_letter):
        if topic is None:
            continue
        known = found.topics.get(topic)
        if known is None:
            yield Finding(
                WARN,
                f"{address.servers} answers, but has no topic {topic}",
                "make it, unless the broker makes topics when they are first used",
            )
        elif known.error is not None:
            yield Finding(FAIL, f"topic {topic}: {known.error.str()}", "let this client read and write it")
        else:
            yield Finding(OK, f"{address.servers}: topic {topic} has {len(known.partitions)} partitions")


def _nats(url: str, seconds: float) -> Iterator[Finding]:
    address = nats_address(url)
    servers = ",".join(address.servers)
    settings = {**address.connection(), "connect_timeout": seconds, "allow_reconnect": False}

    async def ask() -> int:
        async def quiet(_error: Exception) -> None:
            """What failed is raised as well."""

        client = await asyncio.wait_for(nats.connect(error_cb=quiet, **settings), 2 * seconds)
        try:
            return int((await client.jetstream(timeout=seconds).stream_info(address.stream)).state.messages)
        finally:
            await client.close()

    try:
        count = asyncio.run(ask())
    except NotFoundError:
        yield Finding(FAIL, f"{servers} answers, but has no stream {address.stream}", "make it")
    except (NatsError, OSError, TimeoutError) as error:
        yield Finding(FAIL, f"{servers}: {type(error).__name__}", _OPEN)
    else:
        yield Finding(OK, f"{servers}: stream {address.stream} has {count:,} messages")


def _redis(url: str, seconds: float) -> Iterator[Finding]:
    address = redis_address(url)
    server = f"{address.host}:{address.port}"
    client = redis.Redis(
        **address.connection(),
        protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=seconds, socket_connect_timeout=seconds,
    )  # fmt: skip
    try:
        there = client.exists(address.stream)
        count = client.xlen(address.stream) if there else 0
    except (redis.RedisError, OSError) as error:
        yield Finding(FAIL, f"{server}: {type(error).__name__}", _OPEN)
    else:
        if there:
            yield Finding(OK, f"{server}: stream {address.stream} has {count:,} entries")
        else:
            text = f"{server} answers, but has no stream {address.stream} yet"
            yield Finding(WARN, text, "its first entry makes it")
    finally:
        client.close()


def _files(url: str) -> Iterator[Finding]:
    path = Path(url).absolute()
    place = folder_address(url if "://" in url else path.as_uri() + "/" * path.is_dir())
    folder = place.folder
    if not folder.is_dir():
        yield Finding(FAIL, f"{folder}: no such folder", "make it, or correct TXMON_SOURCE_URL")
        return
    count = len({path for pattern in place.patterns for path in folder.glob(pattern)})
    text = f"{folder}: {count} files of {' '.join(place.patterns)}"
    if count:
        yield Finding(OK, text)
    else:
        yield Finding(WARN, text, "its first file is read when it is there")
