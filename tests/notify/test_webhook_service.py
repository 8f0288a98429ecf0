"""From an event sent to the service to the webhook: the real service, its outbox and a receiver."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hookserver import receiver

sys.path.append(str(Path(__file__).parents[1] / "api"))

from apikit import large, opened

from txmon.clock import Clock
from txmon.notify import Wanted, endpoints, make_dispatcher, master_of
from txmon.settings import Settings, load
from txmon.store import Tx


def settings(folder: Path) -> Settings:
    file = folder / "webhooks.key"
    file.write_text("cd" * 32)
    file.chmod(0o600)
    return load({"TXMON_WEBHOOK_KEY_FILE": str(file), "TXMON_WEBHOOK_TEST_LOOPBACK": "true"})


def doors(clock: Clock, metrics: Any, log: Any) -> Any:
    return SimpleNamespace(clock=clock, random_bytes=random.Random(1).randbytes, metrics=metrics, log=log)


def test_an_alert_of_the_service_arrives_in_both_forms(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    with opened(tmp_path) as api, receiver() as neutral, receiver() as full:
        service = api.service

        def change(make: Any) -> None:
            service.change(make).result(timeout=60)

        def both(tx: Tx) -> None:
            for server, scope in ((neutral, "neutral"), (full, "full")):
                endpoints.add(
                    tx,
                    master_of(chosen),
                    Wanted(server.url(), scope=scope, loopback=True),
                    by="person:psn_ana",
                )

        change(both)
        dispatcher = make_dispatcher(
            chosen, service.store, change, doors(service.doors.clock, service.metrics, service.doors.log)
        )
        results = api.send(*[large(f"e{i}", i, payer=f"acc-{i}") for i in range(5)])
        assert [r["status"] for r in results] == ["accepted"] * 5
        dispatcher.settle()
        dispatcher.stop()
        assert len(neutral.state.got) == len(full.state.got) == 5
        assert {r.headers["webhook-id"] for r in neutral.state.got} == {
            r.headers["webhook-id"] for r in full.state.got
        }
        told = b"".join(r.body for r in neutral.state.got).decode()
        assert not [
            word for word in ("grave", "mule-layering", "acc-", "critical", "large ones") if word in told
        ]
        data = json.loads(full.state.got[0].body)["data"]
        assert data["rule_ids"] == ["grave"]
        assert data["subject_id"].startswith("acc-")
        assert api.get("/v1/alerts", api.person("analyst")).status_code == 200
