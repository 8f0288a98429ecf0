"""Every endpoint gets every message at least once, under one id, whatever fails in between."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from dispatchkit import HOUR_US, MASTER, Driven, TurnClock, body, changes, endpoint, open_store, write
from hookserver import Receiver, receiver
from standardwebhooks.webhooks import Webhook

from txmon.errors import InputError, NotFound, StoreConflict, StoreUnavailable
from txmon.notify import endpoints
from txmon.notify.endpoints import Wanted
from txmon.notify.guard import Blocked
from txmon.notify.message import message_id, read_alert
from txmon.notify.signing import secrets_of
from txmon.store import Store, Tx, journal, outbox
from txmon.store.schema import deliveries
from txmon.store.schema import outbox as outbox_table


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiver() as made:
        yield made


def alerts(server: Receiver) -> list[int]:
    """Numbers of the alerts that came, in order."""
    return [int(json.loads(r.body)["subject"][3:], 16) for r in server.state.got]


def ids(server: Receiver) -> list[str]:
    return [r.headers["webhook-id"] for r in server.state.got]


def states(store: Store) -> Counter[str]:
    with store.read() as conn:
        return Counter(conn.execute(sa.select(outbox_table.c.state)).scalars())


def test_an_alert_arrives_as_a_signed_cloud_event(store: Store, clock: TurnClock, server: Receiver) -> None:
    made = endpoint(store, server.url(), scope="full")
    number = write(store, body(7))[0]
    with Driven(store, clock) as driven:
        driven.settle()
    got = server.state.got[0]
    envelope = json.loads(got.body)
    assert got.headers["content-type"] == "application/cloudevents+json"
    assert got.headers["webhook-timestamp"] == str(clock.now_us() // 1_000_000)
    assert {k: envelope[k] for k in ("specversion", "type", "source", "datacontenttype", "time")} == {
        "specversion": "1.0", "type": "txmon.alert.opened", "source": "/txmon/default", "datacontenttype": "application/json", "time": "2026-01-05T12:00:00.000000Z",
    }  # fmt: skip
    assert envelope["id"] == got.headers["webhook-id"]
    assert envelope["data"]["rule_ids"] == ["weekly-fee-out"]
    secret = secrets_of(MASTER, made.nonce)[0]
    theirs = Webhook(secret.text)
    from datetime import UTC, datetime

    signed = theirs.sign(
        got.headers["webhook-id"], datetime.fromtimestamp(clock.now_us() // 1_000_000, UTC), got.body.decode()
    )
    assert signed == got.headers["webhook-signature"]
    with store.read() as conn:
        line = endpoints.log(conn, made.id)[0]
    assert (line.outbox_id, line.attempt, line.outcome, line.status, line.error) == (
        number,
        1,
        "delivered",
        204,
        None,
    )
    assert states(store) == {"done": 1}
    assert (driven.metrics.outcomes, driven.metrics.backlog) == ({"delivered": 1}, 0)


def test_no_secret_is_in_the_store(store: Store, clock: TurnClock, server: Receiver, tmp_path: Path) -> None:
    with store.write() as tx:
        made, secret = endpoints.add(tx, MASTER, Wanted(server.url(), loopback=True), by="person:psn_ana")
        second = endpoints.rotate_secret(tx, MASTER, made.id, by="person:psn_ana")
    write(store, body(1))
    with Driven(store, clock) as driven:
        driven.settle()
    with store.read() as conn:
        texts = [str(row) for t in (endpoints.endpoints, deliveries) for row in conn.execute(sa.select(t))]
    texts += [json.dumps(e.document.decode()) for e in journal.read(store)] + [repr(made)]
    content = "\n".join(texts).encode() + b"".join(
        p.read_bytes() for p in (tmp_path / "store").glob("txmon.db*")
    )
    for kept in (secret, second):
        assert kept.text[6:].encode() not in content
        assert kept.key not in content


def test_neutral_messages_name_no_rule_typology_or_list(
    store: Store, clock: TurnClock, server: Receiver
) -> None:
    from txmon.rules.pack import load_pack

    plan = load_pack()
    words = {rule.id for rule in plan.rules} | {rule.typology for rule in plan.rules}
    words |= {path.stem for path in Path("rules/lists").glob("*") if path.stem != "README"}
    words |= {
        "rule_ids",
        "typolog",
        "severity",
        "score",
        "protect",
        "explanation",
        "subject_id",
        "Anna Example",
    }
    words -= {"test", "other"}
    assert len(words) > 60
    endpoint(store, server.url(), scope="neutral")
    rng, listed = random.Random(2), sorted(words)
    bodies = []
    for number in range(1000):
        made = body(
            number,
            rule_ids=rng.sample(listed, 3),
            typologies=rng.sample(listed, 2),
            explanation="Anna Example: list hit",
            severity="high",
            score=0.9,
            protect=True,
        )
        if number % 2:  # even if the pipeline wrote too much into the neutral form
            made["neutral"] |= {
                k: made["full"][k] for k in ("rule_ids", "typologies", "explanation", "protect", "subject_id")
            }
        bodies.append(made)
    for start in range(0, 1000, 100):
        write(store, *bodies[start : start + 100], kind=rng.choice(["alert.opened", "alert.updated"]))
    with Driven(store, clock, workers=8, timeout_s=10) as driven:
        driven.settle()
    assert sorted(alerts(server)) == list(range(1000))
    text = b"\n".join(
        b" ".join(f"{k}: {v}".encode() for k, v in r.headers.items()) + r.body for r in server.state.got
    ).decode()
    assert [w for w in words if w in text] == []
    assert {tuple(sorted(json.loads(r.body)["data"])) for r in server.state.got} == {
        (
            "alert_id",
            "entity",
            "mode",
            "opened_event_id",
            "opened_source",
            "opened_time",
            "recommendation",
            "revision",
        )
    }


def test_an_endpoint_gets_its_mode_and_entities_only(store: Store, clock: TurnClock) -> None:
    with receiver() as live, receiver() as dutch, receiver() as everything:
        endpoint(store, live.url(), mode="live")
        endpoint(store, dutch.url(), entities=frozenset({"nl", "be"}))
        endpoint(store, everything.url())
        write(store, body(1), body(2, mode="test"), body(3, entity="nl"), body(4, mode="test", entity="be"))
        with Driven(store, clock) as driven:
            driven.settle()
        assert [sorted(alerts(s)) for s in (live, dutch, everything)] == [[1, 3], [3, 4], [1, 2, 3, 4]]
        assert set(ids(live)) < set(ids(everything))
    assert states(store) == {"done": 4}


def test_a_new_endpoint_is_told_what_happens_from_now_on(
    store: Store, clock: TurnClock, server: Receiver
) -> None:
    write(store, body(1), body(2))
    endpoint(store, server.url())
    write(store, body(3))
    with Driven(store, clock) as driven:
        driven.settle()
        assert alerts(server) == [3]
        write(store, body(4))
        driven.settle()
    assert alerts(server) == [3, 4]


def test_a_failed_message_comes_again_under_its_id_and_holds_nothing_up(
    store: Store, clock: TurnClock, server: Receiver
) -> None:
    made = endpoint(store, server.url())
    server.state.script.extend([500])
    write(store, body(1))
    with Driven(store, clock) as driven:
        driven.settle()
        write(store, body(2))
        driven.settle()
        assert alerts(server) == [1, 2]
        assert driven.metrics.backlog == 1
        assert states(store)["pending"] >= 1
        clock.move(3)
        driven.settle()
        assert alerts(server) == [1, 2]
        clock.move(4)
        driven.settle()
        assert alerts(server) == [1, 2, 1]
        assert driven.metrics.backlog == 0
    assert ids(server)[0] == ids(server)[2] != ids(server)[1]
    with store.read() as conn:
        found = [(d.outbox_id, d.attempt, d.outcome) for d in reversed(endpoints.log(conn, made.id))]
    assert found == [(1, 1, "retry"), (2, 1, "delivered"), (1, 2, "delivered")]
    assert states(store) == {"done": 2}


def test_pauses_grow_and_a_retry_after_is_kept_to(store: Store, clock: TurnClock, server: Receiver) -> None:
    endpoint(store, server.url())
    write(store, body(1))
    server.state.script.extend([500, 500, (503, {"Retry-After": "7200"})])
    tried: list[float] = []
    with Driven(store, clock) as driven:
        for _ in range(300):
            before = len(server.state.got)
            driven.settle()
            tried += [clock.now_us() / 1e6] * (len(server.state.got) - before)
            if len(tried) == 4:
                break
            clock.move(1 if len(tried) < 3 else 300)
    gaps = [b - a for a, b in itertools.pairwise(tried)]
    assert 3 <= gaps[0] <= 8
    assert 9 <= gaps[1] <= 17
    assert 7200 <= gaps[2] <= 7800


def test_a_receiver_that_was_down_gets_everything(store: Store, clock: TurnClock, server: Receiver) -> None:
    endpoint(store, server.url())
    server.stop()
    with Driven(store, clock) as driven:
        for minute in range(10):
            write(store, *[body(minute * 20 + i) for i in range(20)])
            driven.settle()
            clock.move(60)
        tries = driven.metrics.outcomes["retry"]
        assert tries < 12  # one message is tried now and then, not 200 of them
        server.start()
        clock.move(1000)
        driven.settle()
        clock.move(1)
        driven.settle()
        assert driven.metrics.backlog == 0
    assert sorted(set(alerts(server))) == list(range(200))
    assert len(alerts(server)) == 200


def test_an_endpoint_is_disabled_after_failures_in_a_row_and_loses_nothing(
    store: Store, clock: TurnClock, server: Receiver
) -> None:
    made = endpoint(store, server.url())
    server.state.always = 500
    write(store, *[body(i) for i in range(10)])
    with Driven(store, clock, tries=6) as driven:
        for _ in range(60):
            driven.settle()
            clock.move(3600)
        with store.read() as conn:
            found = endpoints.find(conn, made.id)
        assert (found.state, found.failures) == ("disabled", 6)
        assert ("webhook.disabled", "server_error") in [(e, v.get("reason")) for e, v in driven.log.lines]
        sent = len(server.state.got)
        assert sent == 6
        write(store, body(10))
        driven.settle()
        assert len(server.state.got) == sent
        assert states(store)["pending"] > 0
        server.state.always = 204
        with store.write() as tx:
            endpoints.enable(tx, made.id, by="person:psn_ana")
        driven.settle()
        driven.settle()
    assert set(alerts(server)[sent:]) == set(range(11))
    assert states(store) == {"done": 11}


def test_gone_disables_at_once(store: Store, clock: TurnClock, server: Receiver) -> None:
    made = endpoint(store, server.url())
    server.state.always = 410
    write(store, body(1))
    with Driven(store, clock) as driven:
        driven.settle()
        write(store, body(2))
        clock.move(100_000)
        driven.settle()
        assert alerts(server) == [1]
        with store.read() as conn:
            assert endpoints.find(conn, made.id).state == "disabled"
            assert [d.outcome for d in endpoints.log(conn, made.id)] == ["gone"]
        server.state.always = 200
        with store.write() as tx:
            endpoints.enable(tx, made.id, by="person:psn_ana")
        driven.settle()
    assert sorted(alerts(server)) == [1, 1, 2]


def test_a_message_that_alone_fails_is_given_up_and_can_be_replayed(
    store: Store, clock: TurnClock, server: Receiver
) -> None:
    made = endpoint(store, server.url())
    write(store, body(99))
    with Driven(store, clock, tries=4) as driven:
        for number in range(12):
            server.state.script.append(422)
            driven.settle()
            server.state.script.clear()
            write(store, body(number))  # others arrive
            driven.settle()
            clock.move(HOUR_US / 1e6)
        assert alerts(server).count(99) == 4
        assert sorted(set(alerts(server)) - {99}) == list(range(12))
        assert driven.metrics.outcomes["exhausted"] == 1
        assert states(store) == {"done": 13}
        with store.write() as tx:
            assert endpoints.replay(tx, made.id, [1, 77_777], by="person:psn_ana") == 1
        driven.settle()
        assert alerts(server)[-1] == 99
        assert len({r for r, a in zip(ids(server), alerts(server), strict=True) if a == 99}) == 1
        with store.read() as conn:
            assert [d.outcome for d in endpoints.log(conn, made.id, limit=2)] == ["delivered", "retry"]


def test_a_range_is_replayed_under_the_same_ids(store: Store, clock: TurnClock, server: Receiver) -> None:
    made = endpoint(store, server.url())
    times = []
    with Driven(store, clock) as driven:
        for number in range(5):
            times.append(clock.now_us())
            write(store, body(number))
            clock.move(60)
        driven.settle()
        before = dict(zip(alerts(server), ids(server), strict=True))
        with store.write() as tx:
            assert endpoints.replay_range(tx, made.id, times[1], times[4], by="person:psn_ana") == 3
        driven.settle()
        assert sorted(alerts(server)[5:]) == [1, 2, 3]
        assert all(before[a] == i for a, i in zip(alerts(server), ids(server), strict=True))
        with store.write() as tx:
            endpoints.disable(tx, made.id, by="person:psn_ana")
            with pytest.raises(StoreConflict):
                endpoints.replay(tx, made.id, [1], by="person:psn_ana")
    decisions = [json.loads(e.document)["decision"] for e in journal.read(store) if e.document != b"{}"]
    assert decisions == ["webhook.added", "webhook.replayed", "webhook.disabled"]


def test_a_replay_survives_a_restart(store: Store, clock: TurnClock, server: Receiver) -> None:
    made = endpoint(store, server.url())
    write(store, body(1))
    with Driven(store, clock) as driven:
        driven.settle()
    with store.write() as tx:
        endpoints.replay(tx, made.id, [1], by="person:psn_ana")
    with Driven(store, clock) as driven:
        driven.settle()
    with Driven(store, clock) as driven:
        driven.settle()
    assert alerts(server) == [1, 1]


def test_a_crash_between_sending_and_recording_repeats_and_never_loses(
    place: str, clock: TurnClock, tmp_path: Path, server: Receiver
) -> None:
    """The process ends at random: before a record, after one. Every alert arrives, repeats carry their id."""
    rng = random.Random(8)
    written = 0
    with open_store(place, clock, tmp_path) as store:
        endpoint(store, server.url())
    for _ in range(12):
        with open_store(place, clock, tmp_path) as store:
            write(store, *[body(written + i) for i in range(4)])
            written += 4
            left = rng.randrange(4)

            def dying(make: Callable[[Tx], None], store: Store = store) -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise StoreUnavailable("the process ends here")
                changes(store)(make)

            server.state.script.extend(rng.choice([204, 204, 500, "drop"]) for _ in range(3))
            driven = Driven(store, clock, change=dying)
            with contextlib.suppress(StoreUnavailable):
                driven.settle()
            driven.dispatcher.stop()
            server.state.script.clear()
            clock.move(rng.choice([0, 10, 100_000]))
    with open_store(place, clock, tmp_path) as store, Driven(store, clock) as driven:
        clock.move(100_000)
        driven.settle()
        clock.move(100_000)
        driven.settle()
        assert driven.metrics.backlog == 0
        assert states(store) == {"done": written}
    assert set(alerts(server)) == set(range(written))
    seen = defaultdict(set)
    for number, name in zip(alerts(server), ids(server), strict=True):
        seen[number].add(name)
    assert all(len(names) == 1 for names in seen.values())
    assert len({next(iter(names)) for names in seen.values()}) == written


def test_a_store_that_fails_is_waited_for(store: Store, clock: TurnClock, server: Receiver) -> None:
    endpoint(store, server.url())
    write(store, *[body(i) for i in range(40)])
    failing = threading.Event()
    failing.set()

    def change(make: Callable[[Tx], None]) -> None:
        if failing.is_set():
            raise StoreUnavailable("gone for a while")
        changes(store)(make)

    with Driven(store, clock, change=change, poll_s=0.01, tidy_s=0.01) as driven:
        driven.dispatcher.start()
        until = time.monotonic() + 20
        while not driven.log.lines and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(0.1)
        assert (
            0 < len(server.state.got) <= 4
        )  # a worker's each: no more is sent while nothing can be recorded
        failing.clear()
        while states(store) != {"done": 40} and time.monotonic() < until:
            time.sleep(0.02)
    assert sorted(alerts(server)) == list(range(40))
    assert states(store) == {"done": 40}


def test_a_slow_endpoint_does_not_hold_up_another(store: Store, clock: TurnClock) -> None:
    with receiver() as slow, receiver() as quick:
        endpoint(store, slow.url())
        endpoint(store, quick.url())
        slow.state.always = ("slow", 0.6)
        write(store, *[body(i) for i in range(40)])
        with Driven(store, clock, timeout_s=0.3) as driven:
            driven.dispatcher.start()
            until = time.monotonic() + 20
            while len(quick.state.got) < 40 and time.monotonic() < until:
                time.sleep(0.01)
            assert len(quick.state.got) == 40
            assert len(slow.state.got) < 10


def test_the_thread_finds_work_by_itself_and_stops(store: Store, clock: TurnClock, server: Receiver) -> None:
    with Driven(store, clock, poll_s=0.05) as driven:
        driven.dispatcher.start()
        endpoint(store, server.url())
        driven.dispatcher.wake()
        write(store, *[body(i) for i in range(250)])
        driven.dispatcher.wake()
        until = time.monotonic() + 30
        while len(server.state.got) < 250 and time.monotonic() < until:
            time.sleep(0.02)
    assert sorted(alerts(server)) == list(range(250))
    assert not [t for t in threading.enumerate() if t.name.startswith("txmon-webhook")]


def test_numbers_of_the_outbox_that_begin_anew_lose_nothing(
    place: str, clock: TurnClock, tmp_path: Path, server: Receiver
) -> None:
    with open_store(place, clock, tmp_path) as store:
        endpoint(store, server.url())
        write(store, *[body(i) for i in range(5)])
        with Driven(store, clock) as driven:
            driven.settle()
        with store.write() as tx:
            assert outbox.forget(tx, clock.now_us() + 1) == 4  # the newest stays, for its number
            tx.conn.execute(sa.delete(outbox_table))  # as an erasure of everybody in it does
    with open_store(place, clock, tmp_path) as store:
        assert write(store, *[body(10 + i) for i in range(3)]) == range(1, 4)
        for _ in range(2):
            with Driven(store, clock) as driven:
                driven.settle()
        write(store, *[body(20 + i) for i in range(9)])
        with Driven(store, clock) as driven:
            driven.settle()
    assert sorted(alerts(server)) == [*range(5), *range(10, 13), *range(20, 29)]
    assert len(set(ids(server))) == 17


def test_an_erased_message_is_not_waited_for(store: Store, clock: TurnClock, server: Receiver) -> None:
    endpoint(store, server.url())
    write(store, body(1), body(2))
    server.state.script.extend([500, 500])
    with Driven(store, clock) as driven:
        driven.settle()
        with store.write() as tx:
            tx.conn.execute(sa.delete(outbox_table).where(outbox_table.c.id == 1))
        clock.move(60)
        driven.settle()
        assert driven.metrics.backlog == 0
    assert alerts(server).count(1) == 1
    assert alerts(server)[-1] == 2


def test_a_damaged_message_is_said_and_passed_over(store: Store, clock: TurnClock, server: Receiver) -> None:
    endpoint(store, server.url())
    with store.write() as tx:
        seq = journal.append(tx, "decision", b"{}", clock.now_us()).seq
        outbox.add(tx, [outbox.Message("alerts", "alert.opened", b"{nonsense")], seq, clock.now_us())
    write(store, body(2))
    with Driven(store, clock) as driven:
        driven.settle()
    assert alerts(server) == [2]
    assert [e for e, _ in driven.log.lines] == ["webhooks.damaged_message"]


def test_what_an_endpoint_may_be(store: Store, clock: TurnClock) -> None:
    def refused(error: type[Exception], url: str = "https://hooks.example.com/", **more: Any) -> None:
        with store.write() as tx, pytest.raises(error):
            endpoints.add(tx, MASTER, Wanted(url, **more), by="person:psn_ana")

    refused(Blocked, "http://hooks.example.com/")
    refused(Blocked, "https://10.0.0.1/")
    refused(Blocked, "http://127.0.0.1/")
    refused(InputError, scope="everything")
    refused(InputError, mode="both")
    refused(InputError, topics=frozenset({"secrets"}))
    refused(InputError, topics=frozenset())
    refused(InputError, entities=frozenset())
    with store.write() as tx:
        made, secret = endpoints.add(
            tx, MASTER, Wanted("https://hooks.example.com/x", entities=frozenset({"nl"})), by="person:psn_ana"
        )
    with store.read() as conn:
        assert endpoints.listed(conn) == [made]
        assert endpoints.find(conn, made.id) == made
        with pytest.raises(NotFound):
            endpoints.find(conn, "hook_none")
    assert secrets_of(MASTER, made.nonce) == (secret,)
    with store.write() as tx:
        new = endpoints.rotate_secret(tx, MASTER, made.id, by="person:psn_ana")
        assert secrets_of(MASTER, endpoints.find(tx.conn, made.id).nonce) == (new, secret)
        endpoints.retire_old_secret(tx, made.id, by="person:psn_ana")
        assert secrets_of(MASTER, endpoints.find(tx.conn, made.id).nonce) == (new,)
        endpoints.remove(tx, made.id, by="person:psn_ana")
    with store.read() as conn:
        assert endpoints.listed(conn) == []


def test_ids_are_those_that_logs_may_show(store: Store, clock: TurnClock, server: Receiver) -> None:
    from txmon.logs import allowed

    made = endpoint(store, server.url())
    write(store, body(1))
    with store.read() as conn:
        stored = outbox.pending(conn, "alerts")[0]
    assert allowed("endpoint_id", made.id)
    assert allowed("delivery_id", message_id(stored))
    assert read_alert(stored).id == "al-" + "0" * 23 + "1"


def test_it_is_put_together_as_the_settings_say(
    store: Store, clock: TurnClock, server: Receiver, tmp_path: Path
) -> None:
    from types import SimpleNamespace

    from dispatchkit import Log

    from txmon.errors import ConfigError
    from txmon.metrics import Metrics
    from txmon.notify import make_dispatcher, master_of
    from txmon.settings import load

    file = tmp_path / "webhooks.key"
    file.write_text(MASTER.secret.hex())
    file.chmod(0o600)
    metrics = Metrics()
    doors = SimpleNamespace(clock=clock, random_bytes=random.Random(1).randbytes, metrics=metrics, log=Log())
    with pytest.raises(ConfigError, match="TXMON_WEBHOOK_KEY_FILE"):
        make_dispatcher(load({}), store, changes(store), doors)
    settings = load(
        {
            "TXMON_WEBHOOK_KEY_FILE": str(file),
            "TXMON_WEBHOOK_TEST_LOOPBACK": "true",
            "TXMON_WEBHOOK_TRIES": "2",
        }
    )
    made = make_dispatcher(settings, store, changes(store), doors)
    assert master_of(settings) == MASTER
    endpoint(store, server.url())
    server.state.script.append(500)
    write(store, body(1))
    made.settle()
    clock.move(60)
    made.settle()
    made.stop()
    text = metrics.render("")[0].decode()
    assert 'txmon_webhook_deliveries_total{outcome="delivered"} 1.0' in text
    assert 'txmon_webhook_deliveries_total{outcome="retry"} 1.0' in text
    assert "txmon_webhook_backlog 0.0" in text


def test_a_message_erased_while_it_waits_is_not_sent(
    store: Store, clock: TurnClock, server: Receiver
) -> None:
    endpoint(store, server.url())
    server.state.always = 500
    write(store, *[body(i) for i in range(20)])
    with Driven(store, clock) as driven:
        driven.settle()
        with store.write() as tx:
            tx.conn.execute(sa.delete(outbox_table).where(outbox_table.c.id > 15))
        server.state.always = 204
        clock.move(1000)
        driven.settle()
        assert driven.metrics.backlog == 0
    assert set(alerts(server)) == set(range(15))
    assert states(store) == {"done": 15}


def test_a_fault_of_ours_is_said_and_tried_again(
    store: Store, clock: TurnClock, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from txmon.notify import dispatcher as module

    endpoint(store, server.url())
    write(store, body(1))
    with Driven(store, clock, poll_s=0.01, tidy_s=0.02) as driven:
        with monkeypatch.context() as broken:
            broken.setattr(module, "envelope", lambda *_: 1 / 0)
            driven.settle()
        assert [e for e, _ in driven.log.lines] == ["webhook.internal"]
        clock.move(60)
        with monkeypatch.context() as broken:
            broken.setattr(module.backlog, "newest_id", lambda *_: 1 / 0)
            driven.dispatcher.start()
            until = time.monotonic() + 20
            while "webhooks.internal" not in [e for e, _ in driven.log.lines] and time.monotonic() < until:
                time.sleep(0.01)
        while states(store) != {"done": 1} and time.monotonic() < until:
            time.sleep(0.01)
    assert alerts(server) == [1]
    assert (
        next(value["exc_info"].__class__ for event, value in driven.log.lines if event == "webhooks.internal")
        is ZeroDivisionError
    )


def test_a_damaged_nonce_gives_messages_up_and_says_so(
    store: Store, clock: TurnClock, server: Receiver
) -> None:
    made = endpoint(store, server.url())
    with store.write() as tx:
        endpoints.change(tx, made.id, secret_nonce=b"short")
    write(store, body(1))
    with Driven(store, clock) as driven:
        driven.settle()
    assert [e for e, _ in driven.log.lines] == ["webhooks.unusable", "webhook.exhausted"]
    with store.read() as conn:
        assert [(d.outcome, d.error) for d in endpoints.log(conn, made.id)] == [("exhausted", "damaged")]
    assert server.state.got == []
