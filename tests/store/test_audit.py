"""The record of reads: complete, in order, written once, and empty of those who were erased."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from accesskit import Office, open_office
from storekit import fill, open_store
from txkit import START_US

from txmon.errors import InputError, StoreConflict, StoreUnavailable
from txmon.store import Store, audit, foureyes
from txmon.store.audit import AuditLog, read
from txmon.store.erase import Why, erase_subjects


@pytest.fixture
def office(store: Store) -> Office:
    return open_office(store)


def test_reads_are_written_with_who_what_and_why(office: Office) -> None:
    log = AuditLog(office.store)
    log.record(office.ana, "alert.read", "al-1", "review \0 of the queue", START_US)
    log.record(office.ben, "entity.read", None, "second look", START_US + 1)
    with office.store.read() as conn:
        assert read(conn) == []
    with office.store.write() as tx:
        assert log.write(tx) == 2
    with office.store.read() as conn:
        second, first = read(conn)
        assert (first.identity, first.key_id, first.action) == (
            office.ana.identity,
            office.ana.key_id,
            "alert.read",
        )
        assert (first.subject, first.purpose, first.at_us) == ("al-1", "review \\x00 of the queue", START_US)
        assert (second.id, second.subject) == (2, None)
        assert read(conn, identity=office.ben.identity) == [second] == read(conn, action="entity.read")
        assert read(conn, subject="al-1") == [first] == read(conn, before=2) == read(conn, to_us=START_US + 1)
        assert read(conn, from_us=START_US + 1) == [second] == read(conn, limit=1)


def test_what_a_failed_transaction_took_along_is_written_with_the_next_one(office: Office) -> None:
    log = AuditLog(office.store)
    for i in range(5):
        log.record(office.ana, "alert.read", str(i), "p", START_US)

    def fail() -> None:
        with office.store.write() as tx:
            assert log.write(tx) == 5
            foureyes.Proposals().decide(
                tx,
                foureyes.Proposals().propose(tx, "erasure", {"a": 1}, office.ana),
                office.ben,
                True,
                "",
                version=3,
            )

    with pytest.raises(StoreConflict):
        fail()
    log.record(office.ana, "alert.read", "5", "p", START_US)
    with office.store.write() as tx:
        assert log.write(tx) == 6
    with office.store.write() as tx:
        assert log.write(tx) == 0
    assert log.waiting == 0
    with office.store.read() as conn:
        assert [r.subject for r in read(conn)] == ["5", "4", "3", "2", "1", "0"]


def test_numbers_go_on_after_a_restart(place: str, side: dict[str, Path]) -> None:
    with open_store(place, **side) as store:
        office = open_office(store)
        log = AuditLog(store)
        log.record(office.ana, "alert.read", "a", "p", START_US)
        with store.write() as tx:
            log.write(tx)
        log.record(office.ana, "alert.read", "lost with the process", "p", START_US)
    with open_store(place, **side) as store:
        log = AuditLog(store)
        log.record(office.ana, "alert.read", "b", "p", START_US)
        with store.write() as tx:
            log.write(tx)
        with store.read() as conn:
            assert [(r.id, r.subject) for r in read(conn)] == [(2, "b"), (1, "a")]


def test_a_read_without_a_purpose_is_refused(office: Office) -> None:
    log = AuditLog(office.store)
    for purpose in ("", "  ", "x" * 201):
        with pytest.raises(InputError, match="what the data is read for"):
            log.record(office.ana, "alert.read", "a", purpose, START_US)
    log.record(office.ana, "alert.read", "y" * 5000, "p", START_US)
    with office.store.write() as tx:
        log.write(tx)
    with office.store.read() as conn:
        assert read(conn)[0].subject == "y" * 200


def test_reads_are_refused_rather_than_unrecorded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "WAITING_MAX", 3)
    log = AuditLog(office.store)
    for _ in range(3):
        log.record(office.ana, "alert.read", "a", "p", START_US)
    with pytest.raises(StoreUnavailable, match="cannot be recorded"):
        log.record(office.ana, "alert.read", "a", "p", START_US)
    with office.store.write() as tx:
        log.write(tx)
    with office.store.write() as tx:
        log.write(tx)
    log.record(office.ana, "alert.read", "a", "p", START_US)


def test_notes_of_many_threads_are_all_written_once(office: Office) -> None:
    log = AuditLog(office.store)

    def note(who: int) -> None:
        for i in range(200):
            log.record(office.ana, "alert.read", f"{who}-{i}", "p", START_US)

    threads = [threading.Thread(target=note, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or log.waiting:
        with office.store.write() as tx:
            log.write(tx)
    with office.store.read() as conn:
        found = read(conn, limit=10_000)
    assert len({r.subject for r in found}) == len(found) == 800
    assert [r.id for r in found] == list(range(800, 0, -1))


def test_an_erased_subject_is_gone_from_the_record_and_the_read_stays(office: Office) -> None:
    fill(office.store)
    log = AuditLog(office.store)
    log.record(office.ana, "entity.read", "account person-1", "asked about person-1", START_US)
    log.record(office.ana, "entity.read", "account person-12", "p", START_US)
    with office.store.write() as tx:
        log.write(tx)
    erase_subjects(office.store, ["person-1"], Why("request", "psn_a", "psn_b"))
    with office.store.read() as conn:
        other, erased = read(conn)
    assert (erased.subject, erased.purpose, erased.identity) == (
        "account [erased]",
        "asked about [erased]",
        office.ana.identity,
    )
    assert other.subject == "account person-12"
