"""JetStream and Redis consumers against real servers: what every broker must do, and what is each one's own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from feedkit import KEY, event
from railkit import Nats, Redis, drain, running

from txmon.errors import SourceError
from txmon.model.rates import Rates
from txmon.streams import load_feed
from txmon.streams.connect import open_consumer
from txmon.streams.consumer import Consumer, Message
from txmon.streams.decode import Decoder


@dataclass
class Rail:
    """A server and how the tests speak to it."""

    server: Any
    make: Callable[[str], None]  # a stream of a name
    send: Callable[[str, list[bytes]], None]

    def open(self, name: str, stored: dict[str, int] | None = None, **query: str) -> Consumer:
        url = self.server.url(name, **query)
        return open_consumer(url, lambda _: stored or {})


def _nats(server: Nats) -> Rail:
    return Rail(
        server, lambda name: server.stream(name) and None, lambda name, p: server.send(f"{name}.pay", p)
    )


def _redis(server: Redis) -> Rail:
    return Rail(server, lambda name: None, server.send)


@pytest.fixture(scope="module", params=["nats", "redis"])
def rail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rail]:
    kind, dress = (Nats, _nats) if request.param == "nats" else (Redis, _redis)
    with running(kind, tmp_path_factory.mktemp(request.param)) as server:  # type: ignore[arg-type]
        yield dress(server)  # type: ignore[operator]


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    with running(Nats, tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with running(Redis, tmp_path_factory.mktemp("redis")) as server:
        yield server


def payloads(count: int, prefix: str = "e") -> list[bytes]:
    return [json.dumps(event(event_id=f"{prefix}{i}")).encode() for i in range(count)]


def take(c: Consumer, want: int, limit: int = 500) -> list[Message]:
    found = drain(lambda: c.poll(limit, 0.2), want)
    assert len(found) == want
    return found


def texts(messages: list[Message]) -> list[bytes]:
    return [m.payload for m in messages]


def test_every_message_in_order(rail: Rail) -> None:
    rail.make("all")
    rail.send("all", payloads(2500))
    c = rail.open("all")
    assert c.problem == "not connected yet"
    found = take(c, 2500, limit=100)
    assert c.problem is None
    assert texts(found) == payloads(2500)
    assert {m.partition for m in found} == {"0"}
    positions = [m.position for m in found]
    assert positions == sorted(set(positions))
    assert c.poll(10, 0.1) == []
    assert dict(c.lag()) == {"0": 0}
    assert not c.ended
    c.close()


def test_begins_behind_the_stored_position_and_seeks_back(rail: Rail) -> None:
    rail.make("stored")
    rail.send("stored", payloads(10))
    c = rail.open("stored")
    at = [m.position for m in take(c, 10)]
    c.close()
    c = rail.open("stored", {"0": at[6]})
    assert texts(take(c, 3)) == payloads(10)[7:]
    rail.send("stored", payloads(1, "new"))
    assert texts(take(c, 1)) == payloads(1, "new")
    c.seek({"0": at[8]})
    assert texts(take(c, 2)) == [payloads(10)[9], *payloads(1, "new")]
    c.seek({})  # where it was first begun
    assert [m.position for m in take(c, 4)][:3] == at[7:]
    c.close()


def test_waits_for_no_full_batch_and_never_exceeds_the_limit(rail: Rail) -> None:
    rail.make("limit")
    c = rail.open("limit")
    assert c.poll(1000, 0.01) == []
    rail.send("limit", payloads(3))
    found = [c.poll(1, 5.0) for _ in range(3)]
    assert [len(f) for f in found if f] == [1] * sum(map(bool, found))
    assert len(take(c, 3 - sum(map(len, found)), limit=1)) == 3 - sum(map(len, found))
    c.close()


def test_pause_holds_and_resume_goes_on(rail: Rail) -> None:
    rail.make("pause")
    rail.send("pause", payloads(5))
    c = rail.open("pause")
    assert texts(take(c, 2, limit=2)) == payloads(5)[:2]
    c.pause()
    rail.send("pause", payloads(5, "late"))
    assert [c.poll(10, 0.05) for _ in range(5)] == [[]] * 5
    c.resume()
    assert texts(take(c, 8)) == [*payloads(5)[2:], *payloads(5, "late")]
    c.close()


def test_latest_skips_what_is_there(rail: Rail) -> None:
    rail.make("latest")
    rail.send("latest", payloads(1, "old"))
    c = rail.open("latest", start="latest")
    drain(lambda: [1] if c.poll(10, 0.1) == [] and c.problem is None else [], 1)
    rail.send("latest", payloads(2, "new"))
    assert texts(take(c, 2)) == payloads(2, "new")
    c.seek({})
    assert texts(take(c, 2)) == payloads(2, "new")
    c.close()


def test_large_messages_do_not_fill_the_memory_and_all_come(rail: Rail) -> None:
    rail.make("large")
    large = [b"%06d" % i + b"x" * 600_000 for i in range(60)]
    for part in range(0, 60, 10):
        rail.send("large", large[part : part + 10])
    c = rail.open("large")
    assert [m.payload[:6] for m in take(c, 60)] == [m[:6] for m in large]
    c.close()


def test_dead_letters_say_why_and_hold_no_card_number(rail: Rail) -> None:
    rail.make("work")
    rail.make("dead")
    bad = event(event_id="x1", amount="much", memo="card 4111 1111 1111 1111")
    rail.send("work", [payloads(1)[0], json.dumps(bad).encode(), b"no json"])
    to = "dead.letters" if isinstance(rail.server, Nats) else "dead"
    c = rail.open("work", dead_letter=to)
    messages = take(c, 3)
    batch = Decoder(load_feed("native"), KEY, Rates("EUR")).decode(messages)
    assert batch.events.column("event_id").to_pylist() == ["e0"]
    for index, reason, body in batch.dead_letters():
        c.dead_letter(messages[index], reason, body)
    c.flush(10)
    c.close()
    letters = _letters(rail)
    assert [said["txmon-reason"] for _, said in letters] == ["bad_type", "bad_json"]
    assert {said["txmon-stream"] for _, said in letters} == {"work"}
    where = "txmon-sequence" if isinstance(rail.server, Nats) else "txmon-id"
    own = [str(m.position) if isinstance(rail.server, Nats) else (m.key or b"").decode() for m in messages]
    assert [said[where] for _, said in letters] == own[1:]
    assert b"4111" not in letters[0][0]
    assert b"pan_0123abcd_" in letters[0][0]
    assert letters[1][0] == b"no json"


def _letters(rail: Rail) -> list[tuple[bytes, dict[str, str]]]:
    if isinstance(rail.server, Nats):
        reader = rail.open("dead")
        found = [(m.payload, {k: (v or b"").decode() for k, v in m.headers}) for m in take(reader, 2)]
        reader.close()
        return found
    client = rail.server.client()
    rows = [fields for _, fields in client.xrange("dead")]
    client.close()
    return [(r[b"data"], {k.decode(): v.decode() for k, v in r.items() if k != b"data"}) for r in rows]


def test_a_flood_of_poison_is_set_aside_at_once(rail: Rail) -> None:
    rail.make("flood")
    rail.make("flooddead")
    rail.send("flood", [b"poison %d" % i for i in range(3000)])
    c = rail.open("flood", dead_letter="flooddead.a" if isinstance(rail.server, Nats) else "flooddead")
    for message in take(c, 3000, limit=3000):
        c.dead_letter(message, "bad_json", message.payload)
    c.flush(5)
    c.close()
    reader = rail.open("flooddead")
    assert sorted(texts(take(reader, 3000))) == sorted(b"poison %d" % i for i in range(3000))
    reader.close()


def test_no_place_for_dead_letters_is_told_and_they_are_sent_later(rail: Rail) -> None:
    rail.make("work2")
    rail.send("work2", [b"no json"])
    nats_rail = isinstance(rail.server, Nats)
    c = rail.open("work2", dead_letter="later.letters" if nats_rail else "later")
    (message,) = take(c, 1)
    if not nats_rail:
        client = rail.server.client()
        client.set("later", "no stream")
    c.dead_letter(message, "bad_json", b"no json")
    with pytest.raises(SourceError, match=r"took not all|did not take"):
        c.flush(10)
    if nats_rail:
        rail.make("later")
    else:
        client.delete("later")
    c.flush(10)
    c.flush(10)
    c.close()
    if nats_rail:
        reader = rail.open("later")
        assert texts(take(reader, 1)) == [b"no json"]
        reader.close()
    else:
        assert client.xlen("later") == 1
        client.close()


def test_a_stream_shorter_than_what_was_read_is_refused(rail: Rail) -> None:
    rail.make("short")
    rail.send("short", payloads(3))
    c = rail.open("short", {"0": 1 << 62})
    with pytest.raises(SourceError, match="was read before"):
        drain(lambda: c.poll(10, 0.2), 1, seconds=15)
    c.close()


def test_no_stream_is_a_problem_until_there_is_one(rail: Rail) -> None:
    c = rail.open("notyet")
    drain(lambda: [1] if c.poll(10, 0.1) == [] and c.problem != "not connected yet" else [], 1)
    assert c.problem is not None
    rail.make("notyet")
    rail.send("notyet", payloads(2))
    assert len(take(c, 2)) == 2
    assert c.problem is None
    c.close()


@pytest.mark.parametrize("kind", [Nats, Redis])
def test_a_server_that_is_away_is_a_problem_and_no_error(
    kind: type[Nats] | type[Redis], tmp_path: Path
) -> None:
    with running(kind, tmp_path / "server") as server:
        rail = _nats(server) if kind is Nats else _redis(server)
        rail.make("t")
        rail.send("t", payloads(4))
        c = rail.open("t")
        assert len(take(c, 4)) == 4
        server.stop()
        until = time.monotonic() + 20
        while time.monotonic() < until and c.problem is None:
            assert c.poll(10, 0.2) == []
        assert c.problem is not None
        assert c.poll(10, 0.1) == []
        server.start()
        rail.send("t", payloads(5, "again"))
        assert texts(take(c, 5)) == payloads(5, "again")
        assert c.problem is None
        c.close()


def test_a_closed_port_is_a_problem_from_the_first(tmp_path: Path) -> None:
    for url in ("nats://127.0.0.1:1/s", "redis://127.0.0.1:1/s"):
        c = open_consumer(url)
        found: list[str | None] = []
        until = time.monotonic() + 20
        while time.monotonic() < until and c.problem == "not connected yet":
            assert c.poll(1, 0.05) == []
        found.append(c.problem)
        assert found[0] is not None
        assert c.lag() == {}
        c.dead_letter(Message(b""), "bad_json", b"")
        c.flush(1)  # no place was named
        c.close()


# -- JetStream's own ---------------------------------------------------------------------------------


def test_a_subject_of_a_stream(nats: Nats) -> None:
    nats.stream("shop")
    nats.send("shop.pay.eu", payloads(3, "a"))
    nats.send("shop.log", [b"noise"] * 5)
    nats.send("shop.pay.us", payloads(2, "b"))
    c = open_consumer(nats.url("shop", subject="shop.pay.*"))
    found = take(c, 5)
    assert texts(found) == [*payloads(3, "a"), *payloads(2, "b")]
    assert [m.position for m in found] == [1, 2, 3, 9, 10]
    assert [m.key for m in found][-1] == b"shop.pay.us"
    assert c.name == "nats:shop:shop.pay.*"
    c.close()


def test_messages_that_were_deleted_unread_are_told(nats: Nats) -> None:
    nats.stream("keep", max_msgs=5)
    nats.send("keep.a", payloads(20))
    c = open_consumer(nats.url("keep"), lambda _: {"0": 3})
    with pytest.raises(SourceError, match="deleted them unread"):
        drain(lambda: c.poll(10, 0.2), 1, seconds=15)
    c.close()
    c = open_consumer(nats.url("keep", gap="accept"), lambda _: {"0": 3})
    assert [m.position for m in take(c, 5)] == [16, 17, 18, 19, 20]
    c.close()
    c = open_consumer(nats.url("keep"), lambda _: {"0": 15})
    assert len(take(c, 5)) == 5
    c.close()


def test_a_stream_that_would_read_its_own_dead_letters_is_refused(nats: Nats) -> None:
    nats.stream("own")
    c = open_consumer(nats.url("own", dead_letter="own.dead"))
    with pytest.raises(SourceError, match="its own dead-letter"):
        drain(lambda: c.poll(10, 0.2), 1, seconds=15)
    c.close()


def test_a_consumer_taken_away_by_the_server_is_made_anew(nats: Nats) -> None:
    nats.stream("gone")
    nats.send("gone.a", payloads(5))
    c = open_consumer(nats.url("gone"))
    assert len(take(c, 5)) == 5

    async def remove(js: Any) -> None:
        for info in await js.consumers_info("gone"):
            await js.delete_consumer("gone", info.name)

    nats.do(remove)
    nats.send("gone.a", payloads(5, "more"))
    assert texts(take(c, 5)) == payloads(5, "more")
    c.close()


def test_whatever_the_library_raises_is_a_problem_and_passes(
    nats: Nats, monkeypatch: pytest.MonkeyPatch
) -> None:
    nats.stream("odd")
    nats.send("odd.a", payloads(2))

    async def broken(*_: object) -> int:
        raise KeyError("what no one expected")

    with monkeypatch.context() as patch:
        patch.setattr("txmon.streams.natslink.NatsLink._where", broken)
        c = open_consumer(nats.url("odd"))
        drain(lambda: [1] if c.poll(10, 0.1) == [] and c.problem != "not connected yet" else [], 1)
        assert "expected" in (c.problem or "")
    assert len(take(c, 2)) == 2
    assert c.problem is None
    c.close()


def test_a_letter_too_large_for_the_server_is_cut(nats: Nats) -> None:
    nats.stream("cut")
    nats.stream("cutdead")
    nats.send("cut.a", [b"x"])
    c = open_consumer(nats.url("cut", dead_letter="cutdead.a"))
    (message,) = take(c, 1)
    c.dead_letter(message, "too_long", b"y" * 3_000_000)
    c.flush(10)
    c.close()
    reader = open_consumer(nats.url("cutdead"))
    (letter,) = take(reader, 1)
    reader.close()
    assert dict(letter.headers)["txmon-truncated"] == b"yes"
    assert 900_000 < len(letter.payload) < 1_048_576


# -- Redis's own -------------------------------------------------------------------------------------


def test_an_entry_of_fields_is_a_row(redis: Redis) -> None:
    client = redis.client()
    client.xadd("fields", {k: str(v) for k, v in event(event_id="f1").items()})
    client.xadd("fields", {b"event_id": b"\xff"})
    client.execute_command("XADD", "fields", "*", "event_id", "a", "event_id", "b")
    client.close()
    c = open_consumer(redis.url("fields"))
    found = take(c, 3)
    c.close()
    batch = Decoder(load_feed("native"), KEY, Rates("EUR")).decode(found)
    assert batch.events.column("event_id").to_pylist() == ["f1"]
    assert batch.events.column("amount_minor").to_pylist() == [1250]
    assert batch.quarantine.column("reason").to_pylist() == ["bad_utf8", "bad_json"]


def test_trimmed_entries_are_told_when_they_were_unread(redis: Redis) -> None:
    client = redis.client()
    redis.send("trim", payloads(20))
    c = open_consumer(redis.url("trim"))
    at = [m.position for m in take(c, 20)]
    client.xtrim("trim", maxlen=5, approximate=False)
    c.close()
    old = open_consumer(redis.url("trim"), lambda _: {"0": at[3]})
    with pytest.raises(SourceError, match="may have been trimmed unread"):
        drain(lambda: old.poll(10, 0.2), 1, seconds=15)
    old.close()
    kept = open_consumer(redis.url("trim"), lambda _: {"0": at[16]})
    assert [m.position for m in take(kept, 3)] == at[17:]
    # what was read may go; what was not may not
    client.xtrim("trim", maxlen=0, approximate=False)
    redis.send("trim", payloads(2, "next"))
    assert texts(take(kept, 2)) == payloads(2, "next")
    redis.send("trim", payloads(3, "lost"))
    client.xtrim("trim", maxlen=1, approximate=False)
    with pytest.raises(SourceError, match="were trimmed unread"):
        drain(lambda: kept.poll(10, 0.2), 1, seconds=15)
    kept.close()
    easy = open_consumer(redis.url("trim", gap="accept"), lambda _: {"0": at[3]})
    assert len(take(easy, 1)) == 1
    easy.close()
    client.close()


def test_ids_that_fit_no_position_come_again_and_are_never_passed_over(redis: Redis) -> None:
    client = redis.client()
    ids = ["5-1", "5-2097151", "5-2097152", "5-9000000", "6-0", f"{2**42}-0", f"{2**50}-7", f"{2**64 - 1}-9"]
    for i, id in enumerate(ids):
        client.xadd("odd", {"data": b"%d" % i}, id=id)
    client.close()
    c = open_consumer(redis.url("odd"))
    found = take(c, len(ids), limit=3)
    c.close()
    assert [m.key for m in found] == [i.encode() for i in ids]
    positions = [m.position for m in found]
    assert positions == sorted(positions)
    assert positions[-1] == 2**63 - 1
    for i in range(len(ids)):  # killed behind any of them, nothing that follows is missed
        c = open_consumer(redis.url("odd"), lambda _, i=i: {"0": positions[i]})  # type: ignore[misc]
        rest = ids[i + 1 :]
        again = [m.key.decode() for m in drain(lambda: c.poll(10, 0.05), len(rest), seconds=1)]  # type: ignore[union-attr] # noqa: B023
        assert [x for x in again if x in rest] == rest
        c.close()


def test_lag_is_known_from_the_beginning(redis: Redis) -> None:
    redis.send("lag", payloads(10))
    c = open_consumer(redis.url("lag"))
    assert len(c.poll(4, 1)) == 4
    assert c.lag() == {"0": 6}
    redis.send("lag", payloads(5, "n"))
    assert len(c.poll(4, 1)) == 4
    assert c.lag() == {"0": 7}
    c.close()


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    config = tmp_path / "rail.conf"
    config.write_text("# secret\npassword = wonder\n")
    config.chmod(0o600)

    class Guarded(Redis):
        def command(self) -> list[str]:
            return [*super().command(), "--requirepass", "wonder"]

    class Guarded2(Nats):
        def command(self) -> list[str]:
            return [*super().command(), "--user", "tx", "--pass", "wonder"]

    with running(Guarded, tmp_path / "redis") as server:
        refused = open_consumer(server.url("s"))
        assert refused.poll(1, 0.1) == []
        assert "uthentication" in (refused.problem or "")
        refused.close()
        c = open_consumer(server.url("s", config=str(config)))
        assert c.poll(1, 0.1) == []
        assert "no stream s yet" in (c.problem or "")
        c.close()
    config.write_text("user=tx\npassword=wonder\n")
    with running(Guarded2, tmp_path / "nats") as server:
        for url, says in (
            (server.url("s"), "uthorization"),
            (server.url("s", config=str(config)), "stream not found"),
        ):
            c = open_consumer(url)
            until = time.monotonic() + 20
            while time.monotonic() < until and c.problem == "not connected yet":
                c.poll(1, 0.1)
            assert says in (c.problem or "")
            c.close()
