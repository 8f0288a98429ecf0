"""Receivers of webhooks through the API: added, told, rotated, replayed, removed; and who may."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from apikit import Api, hook_key, large, opened, problem

sys.path.append(str(Path(__file__).parents[1] / "notify"))

from hookserver import receiver
from standardwebhooks.webhooks import Webhook

from txmon.notify import make_dispatcher
from txmon.store import journal

HOOK = {"url": "https://hooks.example.com/a"}


class Woken:
    """Counts how often the deliveries were told to look."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def hooks(tmp_path: Path, woken: Woken) -> Iterator[Api]:
    """An API that may send webhooks to this machine."""
    with opened(
        tmp_path, webhook_key_file=hook_key(tmp_path), webhook_test_loopback=True, parts={"wake": woken}
    ) as api:
        yield api


def decisions(api: Api) -> list[dict[str, Any]]:
    found = [json.loads(entry.document) for entry in journal.read(api.service.store, kinds=["decision"])]
    return [each for each in found if each["decision"].startswith("webhook.")]


def test_a_receiver_is_added_told_and_told_again(hooks: Api, woken: Woken) -> None:
    admin = hooks.person("admin")
    with receiver() as server:
        made = hooks.post("/v1/webhooks", admin, json={"url": server.url(), "scope": "full"})
        assert made.status_code == 201
        secret, number = made.json()["secret"], made.json()["webhook_id"]
        assert woken.times == 1
        listed = hooks.get("/v1/webhooks", admin)
        assert [each["webhook_id"] for each in listed.json()["items"]] == [number]
        assert secret not in listed.text
        assert "whsec_" not in listed.text

        service = hooks.service
        dispatcher = make_dispatcher(
            service.settings, service.store, lambda make: service.change(make).result(60), service.doors
        )
        hooks.send(*[large(f"h{i}", i, payer=f"acc-{i}") for i in range(3)])
        dispatcher.settle()
        assert len(server.state.got) == 3
        first = server.state.got[0]
        sent = datetime.fromtimestamp(int(first.headers["webhook-timestamp"]), UTC)
        signed = Webhook(secret).sign(first.headers["webhook-id"], sent, first.body.decode())
        assert first.headers["webhook-signature"] == signed

        tries = hooks.get(f"/v1/webhooks/{number}/deliveries?limit=2", admin).json()
        assert [each["outcome"] for each in tries["items"]] == ["delivered"] * 2
        rest = hooks.get(f"/v1/webhooks/{number}/deliveries?cursor={tries['next_cursor']}", admin).json()
        assert (len(rest["items"]), rest["next_cursor"]) == (1, None)
        again = hooks.post(
            f"/v1/webhooks/{number}/replay", admin, json={"messages": [rest["items"][0]["message"], 999]}
        )
        assert (again.status_code, again.json()["messages"]) == (202, 1)
        since = hooks.post(f"/v1/webhooks/{number}/replay", admin, json={"since": "2026-01-05T00:00:00Z"})
        assert since.json()["messages"] == 3
        assert woken.times == 3
        dispatcher.settle()
        dispatcher.stop()
        ids = [got.headers["webhook-id"] for got in server.state.got]
        assert len(ids) > 3
        assert len(set(ids)) == 3


def test_every_change_is_a_journal_row_of_its_person_and_wakes_the_deliveries(
    hooks: Api, woken: Woken
) -> None:
    admin = hooks.person("admin")
    made = hooks.post("/v1/webhooks", admin, json=HOOK).json()
    path = f"/v1/webhooks/{made['webhook_id']}"
    assert hooks.post(f"{path}/disable", admin).json()["state"] == "disabled"
    problem(hooks.post(f"{path}/replay", admin, json={"messages": [1]}), 409, "exists")
    assert hooks.post(f"{path}/enable", admin).json()["state"] == "active"
    rotated = hooks.post(f"{path}/rotation", admin)
    assert rotated.status_code == 201
    assert rotated.json()["secret"] != made["secret"]
    assert hooks.get("/v1/webhooks", admin).json()["items"][0]["secrets"] == 2
    assert hooks.post(f"{path}/retirement", admin).json()["secrets"] == 1
    assert hooks.get("/v1/webhooks", admin).json()["items"][0]["secrets"] == 1
    assert hooks.call("DELETE", path, admin).json()["state"] == "removed"
    problem(hooks.call("DELETE", path, admin), 404, "not_found")
    told = decisions(hooks)
    assert [each["decision"] for each in told] == [
        "webhook.added", "webhook.disabled", "webhook.enabled", "webhook.secret_rotated",
        "webhook.secret_retired", "webhook.removed",
    ]  # fmt: skip
    assert {each["by"] for each in told} == {hooks.access.known[admin].identity}
    assert "whsec" not in json.dumps(told)
    assert woken.times == 6


def test_a_repeated_request_adds_once_and_its_secret_is_not_written(hooks: Api, tmp_path: Path) -> None:
    admin = hooks.person("admin")
    again = {"idempotency-key": "hook-1"}
    one, two = (hooks.post("/v1/webhooks", admin, json=HOOK, headers=again) for _ in range(2))
    assert one.json() == two.json()
    assert len(hooks.get("/v1/webhooks", admin).json()["items"]) == 1
    secret = one.json()["secret"].encode()
    assert not [p for p in (tmp_path / "store").rglob("*") if p.is_file() and secret in p.read_bytes()]


@pytest.mark.parametrize(
    "body",
    [
        {"url": "http://hooks.example.com/a"},
        {"url": "https://10.0.0.1/"},
        {"url": "https://169.254.169.254/latest"},
        {"url": "https://user:pw@hooks.example.com/"},
        {"url": "https://hooks.example.com/ a"},
        {"url": "https://hooks.example.com/4111111111111111"},
        {"url": "https://hooks.example.com/", "scope": "all"},
        {"url": "https://hooks.example.com/", "entities": []},
        {"url": "https://hooks.example.com/", "loopback": True},
        {},
    ],
)
def test_what_is_no_receiver_is_refused_without_repeating_it(hooks: Api, body: dict[str, Any]) -> None:
    answer = hooks.post("/v1/webhooks", hooks.person("admin"), json=body)
    assert answer.status_code == 422
    assert "4111" not in answer.text
    assert "user:pw" not in answer.text
    assert decisions(hooks) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"messages": []},
        {"messages": [0]},
        {"messages": [1], "since": "2026-01-05T00:00:00Z"},
        {"messages": [1], "until": "2026-01-05T00:00:00Z"},
        {"until": "2026-01-05T00:00:00Z"},
        {"since": "2026-01-05"},
    ],
)
def test_a_replay_names_messages_or_a_time(hooks: Api, body: dict[str, Any]) -> None:
    admin = hooks.person("admin")
    made = hooks.post("/v1/webhooks", admin, json=HOOK).json()
    answer = hooks.post(f"/v1/webhooks/{made['webhook_id']}/replay", admin, json=body)
    problem(answer, 422, "invalid")


def test_an_administrator_of_one_entity_manages_receivers_of_that_one(hooks: Api) -> None:
    whole = hooks.person("admin")
    bounds = (("entities", frozenset({"north"})), ("mode", "test"))
    narrow = hooks.person("admin", **dict(bounds))
    everything = hooks.post("/v1/webhooks", whole, json=HOOK).json()["webhook_id"]
    north = HOOK | {"entities": ["north"], "mode": "test"}
    for wrong in (
        HOOK,
        HOOK | {"entities": ["north"]},
        HOOK | {"mode": "test"},
        north | {"entities": ["north", "south"]},
    ):
        problem(hooks.post("/v1/webhooks", narrow, json=wrong), 403, "forbidden")
    own = hooks.post("/v1/webhooks", narrow, json=north).json()["webhook_id"]
    assert [each["webhook_id"] for each in hooks.get("/v1/webhooks", narrow).json()["items"]] == [own]
    assert len(hooks.get("/v1/webhooks", whole).json()["items"]) == 2
    steps = itertools.chain(
        (("POST", f"/{word}") for word in ("enable", "disable", "rotation", "retirement")),
        (("DELETE", ""), ("GET", "/deliveries")),
    )
    for method, step in steps:
        problem(hooks.call(method, f"/v1/webhooks/{everything}{step}", narrow), 404, "not_found")
    assert hooks.post(f"/v1/webhooks/{own}/disable", narrow).status_code == 200


def test_reasons_are_told_to_others_only_by_who_may_read_them(hooks: Api) -> None:
    blind = hooks.person("admin", scopes=frozenset({"admin"}))
    problem(hooks.post("/v1/webhooks", blind, json=HOOK | {"scope": "full"}), 403, "forbidden")
    assert hooks.post("/v1/webhooks", blind, json=HOOK).status_code == 201


def test_without_a_key_file_nothing_is_added(shared_api: Api) -> None:
    found = problem(shared_api.post("/v1/webhooks", shared_api.person("admin"), json=HOOK), 409, "state")
    assert "TXMON_WEBHOOK_KEY_FILE" in found["detail"]
