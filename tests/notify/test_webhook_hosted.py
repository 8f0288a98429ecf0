"""A whole service on its port: a receiver added over HTTP is told of the next alert, without a restart."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import httpx
import pytest
from hookserver import receiver

sys.path.append(str(Path(__file__).parents[1] / "api"))
sys.path.append(str(Path(__file__).parents[1] / "service"))

from apikit import CRITICAL, hook_key, large
from servicekit import WAIT_S, Bench, simple_rules, until

from txmon.cli import hosting
from txmon.cli.port import Port
from txmon.store.access import Access


def test_a_receiver_added_over_http_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, CRITICAL), str(tmp_path / "store"))
    service = bench.open(
        port=0, warehouse=False, webhook_key_file=hook_key(tmp_path), webhook_test_loopback=True
    )
    access = Access(service.store)
    ana, _ = service.change(lambda tx: access.bootstrap(tx, [("Ana", ["ingest"]), ("Ben", [])])).result(60)
    ports: list[Port] = []
    start = Port.start

    def started(port: Port) -> None:
        start(port)
        ports.append(port)

    monkeypatch.setattr(Port, "start", started)
    stop = threading.Event()
    running = threading.Thread(target=hosting.run, args=(service, stop), kwargs={"http": True})
    running.start()
    try:
        until(lambda: bool(ports))
        with (
            receiver() as server,
            httpx.Client(
                base_url=ports[0].address, headers={"authorization": f"Bearer {ana.token}"}, timeout=WAIT_S
            ) as client,
        ):
            made = client.post("/v1/webhooks", json={"url": server.url()})
            assert made.status_code == 201, made.text
            sent = client.post(
                "/v1/events", content=large("w-1"), headers={"content-type": "application/json"}
            )
            assert sent.json()["status"] == "accepted", sent.text
            until(lambda: bool(server.state.got))
            tries = f"/v1/webhooks/{made.json()['webhook_id']}/deliveries"
            until(lambda: bool(client.get(tries).json()["items"]))
    finally:
        stop.set()
        running.join(WAIT_S)
    assert not running.is_alive()
