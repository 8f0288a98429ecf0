"""Preservation orders: secret to all but those on their list, ended by two people; what they hold is never lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from apikit import on_bench, problem
from caseskit import WHY, Desk, ok
from keepkit import BY, FileKeeper, Filled, rows_of
from servicekit import Bench
from test_retire import findings, opened

from txmon.errors import StateError
from txmon.store import journal
from txmon.store.keeping import proof_of
from txmon.store.preserved import GRACE_US
from txmon.store.retention import DAY_US
from txmon.store.retentionfile import load_classes
from txmon.store.retire import retire

TERMS: dict[str, Any] = {
    "authority": "Police of the north", "reference": "12/2030", "reason": "investigation",
    "subjects": ["planted-linked"],
}  # fmt: skip


def made(desk: Desk, key: str | None = None, **more: Any) -> str:
    answer = desk.api.post("/v1/preservation", key or desk.ben, json=TERMS | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["order_id"])


def step(desk: Desk, order_id: str, what: str, body: Any, key: str, version: int) -> Any:
    path = f"/v1/preservation/{order_id}/{what}"
    return desk.api.post(path, key, json=body, headers={"if-match": f'"v{version}"'})


def test_an_order_is_known_to_its_list_alone(desk: Desk) -> None:
    order_id = made(desk)
    other, path = desk.person("approver"), f"/v1/preservation/{order_id}"
    for key in (other, desk.sara, desk.ana):
        problem(desk.api.get(path, key, purpose=WHY), 404, "not_found")
        assert desk.get("/v1/preservation", key)["items"] == []
    for what, body in (("renewal", {"reason": WHY}), ("release", {"reason": WHY})):
        problem(step(desk, order_id, what, body, other, 1), 404, "not_found")
    shown = desk.get(path, desk.ben, purpose=WHY)
    assert (shown["subjects"], shown["in_force"]) == (["planted-linked"], True)
    assert "subjects" not in desk.get(path, desk.ben)  # without a purpose it names nobody
    ok(step(desk, order_id, "access", {"person_id": desk.id_of(desk.ana)}, desk.ben, 1))
    assert desk.get(path, desk.ana, purpose=WHY)["reference"] == "12/2030"
    ok(step(desk, order_id, "access", {"person_id": desk.id_of(desk.ana), "allowed": False}, desk.ben, 2))
    problem(desk.api.get(path, desk.ana, purpose=WHY), 404, "not_found")
    problem(step(desk, order_id, "renewal", {"reason": WHY}, desk.ben, 1), 412, "conflict")
    # the journal tells that there is an order, and never whom it names
    assert "planted-linked" not in json.dumps(desk.decisions())


def test_the_record_of_reads_does_not_tell_which_order(desk: Desk) -> None:
    order_id = made(desk)
    desk.get(f"/v1/preservation/{order_id}", desk.ben, purpose="answer to the north")
    desk.change(desk.api.audit.write)
    lines = desk.get("/v1/audit", desk.audit, purpose=WHY)["items"]
    assert order_id not in str(lines)
    assert "answer to the north" not in str(lines)
    assert desk.get("/v1/audit?purpose=north", desk.audit, purpose=WHY)["items"] == []
    assert desk.get(f"/v1/audit?subject={order_id}", desk.audit, purpose=WHY)["items"] == []
    text = desk.api.get(f"/v1/audit/export?subject={order_id}", desk.audit, purpose=WHY).text
    assert order_id not in text


def test_it_ends_by_two_people_or_by_its_time(desk: Desk) -> None:
    order_id = made(desk, people=[desk.id_of(desk.sara), desk.id_of(desk.ana)])
    asked = step(desk, order_id, "release", {"reason": "withdrawn"}, desk.ben, 1)
    assert asked.status_code == 202, asked.text
    problem(desk.decide(asked, desk.ben), 403, "four_eyes")
    problem(desk.decide(asked, desk.ana), 403, "forbidden")
    stranger = desk.person("approver")
    problem(desk.decide(asked, stranger), 404, "not_found")
    assert desk.get("/v1/proposals?kind=hold_release", stranger)["items"] == []
    assert desk.decide(asked, desk.sara).status_code == 200
    assert desk.get(f"/v1/preservation/{order_id}", desk.ben)["in_force"] is False
    problem(step(desk, order_id, "renewal", {"reason": WHY}, desk.ben, 2), 409, "transition")
    second = made(desk)
    clock = desk.api.service.doors.clock
    clock.time_us += 89 * DAY_US  # type: ignore[attr-defined]
    assert desk.get(f"/v1/preservation/{second}", desk.ben)["in_force"] is True
    ok(step(desk, second, "renewal", {"reason": WHY, "days": 30}, desk.ben, 1))
    clock.time_us += 29 * DAY_US  # type: ignore[attr-defined]
    assert desk.get(f"/v1/preservation/{second}", desk.ben)["in_force"] is True
    clock.time_us += 2 * DAY_US  # type: ignore[attr-defined]
    assert desk.get(f"/v1/preservation/{second}", desk.ben)["in_force"] is False


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        ({"subjects": []}, "invalid", 422),
        ({"days": 0}, "invalid", 422),
        ({"days": 367}, "invalid", 422),
        ({"authority": ""}, "invalid", 422),
        ({"cases": ["case_none"]}, "not_found", 404),
        ({"people": ["psn_aaaaaaaaaaaaaaaa"]}, "not_found", 404),
        ({"since": "2030-01-02T00:00:00Z", "until": "2030-01-01T00:00:00Z"}, "input", 422),
    ],
)
def test_what_cannot_be_ordered(desk: Desk, body: dict[str, Any], code: str, status: int) -> None:
    problem(desk.api.post("/v1/preservation", desk.ben, json=TERMS | body), status, code)


def test_who_may_not_see_a_case_cannot_hold_it_either(desk: Desk) -> None:
    case_id = desk.open(desk.alert(), restriction="police_hold")
    problem(desk.api.post("/v1/preservation", desk.ben, json=TERMS | {"cases": [case_id]}), 404, "not_found")


def test_held_data_is_copied_whole_and_the_store_is_the_same_as_without(bench: Bench, tmp_path: Path) -> None:
    with on_bench(bench) as api:
        desk = Desk(api)
        filled = Filled(desk)
        filled.later()
        order_id = made(desk, subjects=["planted-alone", "planted-linked"])
    keeper = FileKeeper(tmp_path / "copies")
    with opened(bench) as store:
        past = load_classes().at(bench.clock.now_us())
        before = rows_of(store)
        with pytest.raises(StateError, match="vault"):
            retire(store, past, BY)
        assert rows_of(store) == before  # nothing was erased
        done = retire(store, past, BY, keeper)
        kept = keeper.kept(order_id)
        assert done.copied == len(kept) > 0
        events = [item for item in kept if item["what"] == "event"]
        assert {item["event"]["payer"] for item in events} == {"planted-alone", "planted-linked"}
        seq, head = journal.head(store)
        for item in events:
            proof = proof_of(store, item)
            assert proof.verify(head)
            assert not proof_of(store, item | {"content": item["content"] + " "}).verify(head)
            assert proof.links[-1].seq == seq
        tables = {item["table"] for item in kept if item["what"] == "row"}
        assert {"alerts", "hits"} <= tables
        assert {line["until"] for line in keeper.lines()} == {
            rows_of(store)["preservation"][0]["until_us"] + GRACE_US
        }
        left = rows_of(store)
        assert "planted-" not in str({name: rows for name, rows in left.items() if name != "preservation"})
        assert findings(store) == []
        again = retire(store, past, BY, keeper)
        assert (again.copied, again.outcome.rows) == (0, 0)


def test_a_held_case_is_copied_with_its_files(bench: Bench, tmp_path: Path) -> None:
    with on_bench(bench) as api:
        desk = Desk(api)
        filled = Filled(desk)
        order_id = made(desk, subjects=[], cases=[filled.case_id], days=366)
    keeper = FileKeeper(tmp_path / "copies")
    classes = type(load_classes())(**(dict.fromkeys(vars(load_classes()), 1)))
    bench.clock.time_us += 2 * DAY_US
    with opened(bench) as store:
        retire(store, classes.at(bench.clock.now_us()), BY, keeper)
        assert rows_of(store)["cases"] == []
    kept = keeper.kept(order_id)
    (file,) = [item["row"] for item in kept if item.get("table") == "case_files"]
    assert bytes.fromhex(file["content"]["hex"]) == b"planted-file came again"
    tables = {item["table"] for item in kept if item["what"] == "row"}
    assert {"cases", "case_parties", "case_log", "alerts", "hits"} <= tables
    assert any(item["what"] == "document" for item in kept)


def test_a_renewed_order_keeps_its_copies_as_long(bench: Bench, tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "copies")
    with on_bench(bench) as api:
        desk = Desk(api)
        filled = Filled(desk)
        filled.later()
        order_id = made(desk)
    with opened(bench) as store:
        retire(store, load_classes().at(bench.clock.now_us()), BY, keeper)
    first = len(keeper.lines())
    bench.clock.time_us += 30 * DAY_US
    with on_bench(bench) as api:
        desk = Desk.__new__(Desk)
        desk.api = api
        desk.ben = api.person("approver")
        order = rows_of(api.service.store)["preservation"][0]
        who = api.access.known[desk.ben]
        api.access.known[desk.ben] = type(who)(
            **(
                vars(who)
                | {"person_id": order["author"].removeprefix("person:"), "identity": order["author"]}
            )
        )
        ok(step(desk, order_id, "renewal", {"reason": WHY, "days": 200}, desk.ben, 1))
    with opened(bench) as store:
        until = rows_of(store)["preservation"][0]["until_us"] + GRACE_US
        done = retire(store, load_classes().at(bench.clock.now_us()), BY, keeper)
        assert done.copied == first
        assert retire(store, load_classes().at(bench.clock.now_us()), BY, keeper).copied == 0
    assert {line["until"] for line in keeper.lines()[first:]} == {until}


class _Stop(Exception):
    """Ends a run at a place."""


def test_a_run_that_breaks_off_behind_the_copy_loses_nothing(bench: Bench, tmp_path: Path) -> None:
    with on_bench(bench) as api:
        desk = Desk(api)
        filled = Filled(desk)
        filled.later()
        order_id = made(desk)

    def stop() -> None:
        raise _Stop

    keeper = FileKeeper(tmp_path / "copies", stop)
    past = load_classes().at(bench.clock.now_us())
    with opened(bench) as store:
        before = rows_of(store)
        with pytest.raises(_Stop):
            retire(store, past, BY, keeper)
        after = rows_of(store)
        assert keeper.kept(order_id)
        assert after == before  # both are there
        keeper.fault = None
        retire(store, past, BY, keeper)
        salts = [item["salt"] for item in keeper.kept(order_id) if item["what"] == "event"]
        assert len(salts) == len(set(salts)) > 0  # copied once


_KILLED = """
import os, random, signal, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from keepkit import BY, FileKeeper
from txmon.store import Store
from txmon.store.retentionfile import load_classes
from txmon.store.retire import retire
class Clock:
    def now_us(self): return {now}
def kill(): os.kill(os.getpid(), signal.SIGKILL)
with Store.open(Path({place!r}), clock=Clock(), random_bytes=random.Random(5).randbytes) as store:
    retire(store, load_classes().at({now}), BY, FileKeeper(Path({copies!r}), kill))
"""


def test_a_killed_run_leaves_both(desk: Desk, tmp_path: Path) -> None:
    filled = Filled(desk)
    filled.later()
    order_id = made(desk)
    now, place = desk.api.service.doors.clock.now_us(), str(tmp_path / "store")
    desk.api.service.close()
    copies = tmp_path / "copies"
    script = _KILLED.format(paths=sys.path, now=now, place=place, copies=str(copies))
    ended = subprocess.run([sys.executable, "-c", script], check=False, env=dict(os.environ))
    assert ended.returncode == -signal.SIGKILL
    keeper = FileKeeper(copies)
    assert keeper.kept(order_id)
    bench = Bench(tmp_path, tmp_path, place)
    bench.clock.time_us = now
    with opened(bench) as store:
        assert "planted-linked" in str(rows_of(store)["alerts"])
        assert findings(store) == []
        retire(store, load_classes().at(now), BY, keeper)
        assert "planted-linked" not in str(rows_of(store)["alerts"])
        assert findings(store) == []
