"""What the service stores is what `txmon score` finds: however the stream is cut, restarted or repeated."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servicekit import (
    Bench,
    busy_rules,
    events_stored,
    messages,
    metric,
    pay,
    rows_of,
    send,
    simple_rules,
    stored,
    stream,
    submit,
    until,
)
from txkit import START_US
from typer.testing import CliRunner

from txmon.cli.score import app
from txmon.engine.hits import HIT_COLUMNS
from txmon.pipeline.batch import assemble
from txmon.pipeline.replay import replay
from txmon.pipeline.work import Sender, Work
from txmon.store.schema import quarantine
from txmon.store.texts import as_json, column

SEED = 11


def scored(folder: Path, rules: Path, payloads: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Score a file of these payloads with `txmon score`; returns its folder of results."""
    monkeypatch.setenv("TXMON_KEY_FILE", str(folder / "pan.key"))
    (folder / "in.ndjson").write_bytes(b"\n".join(payloads) + b"\n")
    arguments = [folder / "in.ndjson", "--feed", "native", "--rules", rules, "--out", folder / "out"]
    more = ["--entity-tz", "Europe/Berlin", "--json"]
    result = CliRunner().invoke(app, [*map(str, arguments), *more])
    assert result.exit_code == 0, result.output
    return folder / "out"


def hits_of_file(out: Path) -> list[dict[str, Any]]:
    table = pq.read_table(out / "hits.parquet")
    columns = {name: column(table, name) for name in HIT_COLUMNS.names}
    columns["leg"] = [leg or "" for leg in columns["leg"]]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def alerts_of_file(out: Path) -> list[tuple[Any, ...]]:
    names = ("alert_id", "subject_id", "severity", "score", "protect", "hit_count")
    rows = pq.read_table(out / "alerts.parquet").to_pylist()
    return sorted((*(r[n] for n in names), as_json(r["rule_ids"]), as_json(r["typologies"])) for r in rows)


def alerts_of_store(found: dict[str, list[Any]]) -> list[tuple[Any, ...]]:
    names = ("alert_id", "subject_id", "severity", "score", "protect", "hit_count", "rule_ids", "typologies")
    return sorted(tuple(row[n] for n in names) for row in found["alerts"])


def test_the_same_hits_and_alerts_as_txmon_score(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, busy_rules(tmp_path), place)
    payloads = stream(SEED)
    out = scored(tmp_path, bench.rules, payloads, monkeypatch)
    service = bench.open()
    cuts = random.Random(1).sample(range(len(payloads)), 60)
    outcomes = send(service, payloads, cuts)
    found = stored(service)
    expected = hits_of_file(out)
    assert [{n: h[n] for n in HIT_COLUMNS.names} for h in found["hits"]] == expected
    assert len(expected) > 50
    assert alerts_of_store(found) == alerts_of_file(out)
    refused = pq.read_table(out / "quarantine.parquet")
    assert sum(o.quarantined for o in outcomes) == len(refused)
    assert sorted(r["reason"] for r in rows_of(service, quarantine)) == sorted(refused["reason"].to_pylist())
    assert sum(o.hits for o in outcomes) == len(expected)
    assert sum(o.alerts for o in outcomes) == len(found["alerts"])
    told = messages(service)
    assert sorted(a for kind, a in told if kind == "alert.opened") == [a["alert_id"] for a in found["alerts"]]
    assert service.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What the stream leads to when it is sent at once."""
    folder = tmp_path_factory.mktemp("whole")
    service = Bench(folder, busy_rules(folder), str(folder / "store")).open()
    send(service, stream(SEED))
    found = stored(service)
    assert service.close()
    return found


@pytest.mark.parametrize(("size", "batch"), [(1, 1), (1, 4096), (7, 16), (97, 4096)])
def test_the_cutting_into_works_and_batches_changes_nothing(
    bench: Bench, whole: dict[str, list[Any]], size: int, batch: int
) -> None:
    service = bench.open(batch_events=batch)
    send(service, stream(SEED), range(size, 400, size))
    assert stored(service) == whole
    assert service.close()


def test_tables_that_are_canonical_already_lead_to_the_same(
    bench: Bench, whole: dict[str, list[Any]]
) -> None:
    service = bench.open()
    intake = service._intake_of(service.config.rates)
    for at in range(0, 400, 133):
        decoded = intake.decode(Sender("native"), stream(SEED)[at : at + 133])
        (outcome,) = submit(service, (), decoded=decoded, kind="bulk").outcomes()
        assert outcome.accepted + outcome.duplicates + outcome.quarantined == len(decoded.events)
        assert len(outcome.rows) == len(decoded.events)
    assert stored(service) == whole
    assert service.close()


def test_each_event_is_answered_in_the_order_of_its_payloads(simple: Bench) -> None:
    service = simple.open()
    payloads = [pay("a"), b"{no json", pay("b", 1), pay("a"), pay("a", amount="11.00"), pay("c", 2)]
    (outcome,) = send(service, payloads)
    rows = outcome.rows
    assert [r.index for r in rows] == [0, 1, 2, 3, 4, 5]
    assert [r.status for r in rows] == ["accepted", "quarantined", "accepted", "duplicate", "quarantined", "accepted"]  # fmt: skip
    assert [r.ingest_seq for r in rows] == [0, None, 1, None, None, 2]
    assert (rows[1].reason, rows[4].reason) == ("bad_json", "conflict")
    assert [(r.recommendation, r.reason_code) for r in rows] == [
        ("allow", "none"), ("allow", "not_scored"), ("allow", "none"), ("allow", "duplicate"),
        ("allow", "not_scored"), ("review", "review_needed"),
    ]  # fmt: skip
    (hit,) = rows[5].hits
    assert (hit["rule_id"], hit["explanation"], hit["alert_id"]) == ("three", "3 payments", rows[5].alerts[0])
    kept = {row["id"]: row for row in rows_of(service, quarantine)}
    assert [kept[r.quarantine_id]["reason"] for r in (rows[1], rows[4])] == ["bad_json", "conflict"]
    assert kept[rows[4].quarantine_id]["event_id"] == "a"
    assert json.loads(kept[rows[4].quarantine_id]["raw"])["event_id"] == "a"
    assert [(r.line, r.reason) for r in outcome.refused] == [(1, "bad_json"), (4, "conflict")]
    assert service.close()


def test_lines_of_refused_rows_count_in_each_request_though_many_are_read_together(simple: Bench) -> None:
    service = simple.open()
    works = (
        submit(service, [pay("a"), b"{no json"]),
        submit(service, [b"{no", pay("b", 1), pay("b", amount="2")]),
    )
    for answers in works:
        answers.wait()
    rows = [(r["line"], r["reason"]) for r in rows_of(service, quarantine)]
    assert sorted(rows) == [(1, "bad_json"), (2, "bad_json"), (3, "conflict")]
    intake = service._intake_of(service.config.rates)
    both = [Work(Sender("native"), "http", START_US, (pay("c", 3), b"{no json")) for _ in range(2)]
    batch = assemble(both, intake)
    assert batch.refused.column("line").to_pylist() == [2, 2]
    assert batch.event_place.position.tolist() == [1, 1]
    assert service.close()


def test_what_was_sent_before_has_no_effect_and_keeps_its_recommendation(simple: Bench) -> None:
    service = simple.open()
    payloads = [pay("a"), pay("b", 1), pay("c", 2)]
    (first,) = send(service, payloads)
    before, marks = stored(service), service.store.marks
    for _ in range(2):
        (again,) = send(service, payloads)
        assert (again.accepted, again.duplicates, again.hits, again.alerts) == (0, 3, 0, 0)
        assert [r.recommendation for r in again.rows] == [r.recommendation for r in first.rows]
        assert [r.reason_code for r in again.rows] == ["duplicate"] * 3
    assert stored(service) == before
    assert service.store.marks == marks
    assert service.close()
    service = simple.open()  # identities are known behind a restart, too
    (again,) = send(service, payloads)
    assert (again.accepted, again.duplicates) == (0, 3)
    (other,) = send(service, [pay("b", 1, memo="other")])
    assert (other.quarantined, other.rows[0].reason) == (1, "conflict")
    assert service.close()


def test_refused_rows_of_several_senders_keep_their_numbers(simple: Bench) -> None:
    service = simple.open(batch_events=100)
    sent = [
        [pay(f"w{w}-{i}", w) if (w + i) % 3 else b"{bad %d %d" % (w, i) for i in range(5)] for w in range(6)
    ]
    outcomes = send(service, [p for work in sent for p in work], range(5, 30, 5))
    kept = {row["id"]: row["raw"] for row in rows_of(service, quarantine)}
    for payloads, outcome in zip(sent, outcomes, strict=True):
        for row in outcome.rows:
            if row.status == "quarantined":
                assert kept.pop(row.quarantine_id) == payloads[row.index].decode()
            else:
                assert row.event_id is not None
                assert row.event_id.encode() in payloads[row.index]
    assert not kept
    assert service.close()


def test_times_ahead_of_the_clock_are_refused(simple: Bench) -> None:
    simple.clock.time_us = START_US
    service = simple.open()
    ahead, near = pay("far", 24 * 60 + 1), pay("near", 24 * 60 - 1)
    (outcome,) = send(service, [ahead, near])
    assert [r.reason for r in outcome.rows] == ["ahead_of_clock", None]
    assert metric(service, "txmon_quarantined_total", reason="ahead_of_clock") == 1
    simple.clock.time_us += 3_600_000_000
    (outcome,) = send(service, [ahead])  # the same event, once its time has come
    assert outcome.accepted == 1
    assert service.close()


def test_entities_and_modes_that_a_sender_may_not_send(simple: Bench) -> None:
    service = simple.open()
    sender = Sender("native", "shop", "test", frozenset({"shop"}), frozenset({"test"}))
    payloads = [
        pay("a"),
        pay("b", entity="bank"),
        pay("c", mode="live"),
        pay("d", entity="shop", mode="test"),
    ]
    (outcome,) = send(service, payloads, sender=sender)
    rows = outcome.rows
    assert [r.status for r in rows] == ["accepted", "quarantined", "quarantined", "accepted"]
    assert [r.reason for r in rows] == [None, "not_permitted", "not_permitted", None]
    assert [r["field"] for r in rows_of(service, quarantine)] == ["entity", "mode"]
    assert events_stored(service) == [("native", "a"), ("native", "d")]
    (other,) = send(service, payloads, sender=Sender("native", "bank", "live"))
    assert [r.status for r in other.rows] == ["quarantined", "accepted", "accepted", "duplicate"]
    assert service.close()


RULES = (
    {"id": "two", "subject": "payer", "let": {"n": "count(*) over payer_3d"}, "when": "n >= 2"},
    {
        "id": "much",
        "subject": "account",
        "let": {"s": "sum(amount) over account_3d", "e": "hits('two') over account_3d"},
        "when": "s >= 30 or e >= 1",
    },
)
_EVENT = st.tuples(st.sampled_from(["live", "test"]), st.sampled_from(["shop", "bank", "default"]),
                   st.sampled_from(["p", "q"]), st.integers(0, 40))  # fmt: skip


@settings(max_examples=6)
@given(st.lists(_EVENT, min_size=30, max_size=80), st.integers(1, 20))
def test_modes_and_entities_never_mix(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[str, str, str, int]], size: int
) -> None:
    """All streams together give what each gives alone."""
    folder = tmp_path_factory.mktemp("mixed")
    rules = simple_rules(folder, *RULES)
    payloads = [
        pay(f"e{i}", minute, mode=mode, entity=entity, payer=who, payee="r")
        for i, (mode, entity, who, minute) in enumerate(drawn)
    ]
    together = Bench(folder, rules, str(folder / "all")).open()
    send(together, payloads, range(size, len(payloads), size))
    hits = {"hits": stored(together)["hits"], "alerts": stored(together)["alerts"]}
    together.close()
    for mode in ("live", "test"):
        for entity in ("shop", "bank", "default"):
            own = [p for p, d in zip(payloads, drawn, strict=True) if d[:2] == (mode, entity)]
            alone = Bench(folder, rules, str(folder / f"{mode}-{entity}")).open()
            if own:
                send(alone, own)
            for name, rows in stored(alone).items():
                if name == "fed":
                    continue
                mine = [r for r in hits[name] if (r["mode"], r["entity"]) == (mode, entity)]
                drop = {"ingest_seq"}
                assert [{k: v for k, v in r.items() if k not in drop} for r in mine] == [
                    {k: v for k, v in r.items() if k not in drop} for r in rows
                ]
            alone.close()


def test_history_alerts_nobody_until_something_new_feeds_it(simple: Bench) -> None:
    service = simple.open(history_until="2026-01-05T13:00:00Z")
    (old,) = send(service, [pay("a"), pay("b", 1), pay("c", 2)])
    assert (old.hits, [r.recommendation for r in old.rows]) == (1, ["allow"] * 3)
    assert [r.alerts for r in old.rows] == [(), (), ()]
    (alert,) = stored(service)["alerts"]
    assert alert["historic"]
    assert messages(service) == []
    assert metric(service, "txmon_alerts_total", typology="other", severity="medium", change="opened") == 0
    (quiet,) = send(service, [pay("d", 3)])  # still of the past
    assert (quiet.rows[0].recommendation, messages(service)) == ("allow", [])
    assert stored(service)["alerts"][0]["historic"]
    (live,) = send(service, [pay("e", 61)])
    assert (live.rows[0].recommendation, live.rows[0].alerts) == ("review", (alert["alert_id"],))
    assert not stored(service)["alerts"][0]["historic"]
    assert messages(service) == [("alert.opened", alert["alert_id"])]
    assert service.close()
    service = simple.open(history_until="2026-01-05T13:00:00Z")
    send(service, [pay("f", 62)])
    assert messages(service)[0] == ("alert.opened", alert["alert_id"])
    assert [kind for kind, _ in messages(service)].count("alert.opened") == 1
    assert service.close()


def test_history_and_present_in_one_batch(simple: Bench) -> None:
    service = simple.open(history_until="2026-01-05T13:00:00Z")
    payloads = [pay(f"o{i}", i) for i in range(4)] + [pay(f"n{i}", 61 + i, payer="q") for i in range(4)]
    (outcome,) = send(service, payloads)
    assert [r.recommendation for r in outcome.rows] == ["allow"] * 6 + ["review"] * 2
    by_subject = {a["subject_id"]: a["historic"] for a in stored(service)["alerts"]}
    assert by_subject == {"p": True, "q": False}
    assert [kind for kind, _ in messages(service)].count("alert.opened") == 1
    assert service.close()


SILENT = {
    "id": "silent", "subject": "payer", "tick": True,
    "let": {"n": "count(*) over payer_3d", "fresh": "count(*) over payer_1h"},
    "when": "n >= 1 and fresh = 0",
}  # fmt: skip


def test_marks_of_time_are_journaled_and_come_again_in_a_replay(tmp_path: Path) -> None:
    bench = Bench(tmp_path, simple_rules(tmp_path, SILENT), str(tmp_path / "store"))

    def clock(minute: int) -> None:
        bench.clock.time_us = START_US + minute * 60_000_000

    clock(631)  # 22:31
    service = bench.open()
    send(service, [pay("a", 630)])
    for number, minute in enumerate((631, 661, 721, 781), 1):
        clock(minute)
        until(lambda n=number: len(events_stored(service)) > n)  # type: ignore[misc]
    names = [name for _, name in events_stored(service)]
    assert names[1:] == [
        f"tick-2026-01-0{d}T{h}:00:00.000000Z" for d, h in ((5, "22"), (5, "23"), (6, "00"), (6, "01"))
    ]
    found = stored(service)
    assert [(h["event_id"], h["trigger"]) for h in found["hits"]] == [("a", "tick")]
    assert (replay(service.store).differences, replay(service.store).hits) == (0, 1)
    assert service.close()
    service = bench.open()  # the mark of this hour is not taken twice
    send(service, [pay("b", 780)])
    assert [name for _, name in events_stored(service)] == [*names, "b"]
    assert len(stored(service)["hits"]) == 1
    assert service.close()
