"""What leaves a service: webhooks, and alerts to a broker's topic. Owns their wiring, not their work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from txmon.errors import ConfigError
from txmon.notify import Dispatcher, make_dispatcher
from txmon.notify.message import envelope, message_id, read_alert
from txmon.pipeline.messages import TOPIC
from txmon.pipeline.service import Service
from txmon.store import Tx
from txmon.store.outbox import Stored
from txmon.streams.alertout import AlertOut, Sending
from txmon.streams.kafkaurl import kafka_address
from txmon.streams.publish import Outgoing

T = TypeVar("T")
_CHANGE_S = 60.0


def dispatcher_of(service: Service) -> Dispatcher | None:
    """Return the dispatcher of webhooks, None where no key file for their signatures is set."""
    if service.settings.webhook_key_file is None:
        return None

    def change(make: Callable[[Tx], T]) -> T:
        return service.change(make).result(timeout=_CHANGE_S)

    return make_dispatcher(service.settings, service.store, change, service.doors)


def alert_out_of(service: Service) -> AlertOut | None:
    """Return the publisher of alerts, None where no topic is set.

    Raises:
        ConfigError: the address is not that of a Kafka topic.
    """
    url = service.settings.alerts_url
    if url is None:
        return None
    if not url.startswith("kafka://"):
        raise ConfigError(
            f"TXMON_ALERTS_URL: {url.partition(':')[0]!r} is no broker; give kafka://host:9092/topic"
        )

    def outgoing(stored: Stored) -> Outgoing:
        alert = read_alert(stored)
        return Outgoing(message_id(stored), alert.id, envelope(stored, alert, service.settings.alerts_scope))

    def change(make: Callable[[Tx], Any]) -> Any:
        return service.change(make)

    return AlertOut(Sending(service.store, change, TOPIC, kafka_address(url), outgoing), service.doors.log)
