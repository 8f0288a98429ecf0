"""The nursery of engines: what its children have of their parent, and when they end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from txmon.errors import EngineLost
from txmon.pipeline.nursery import Child, Nursery

Start = Callable[[Child], Nursery]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start nurseries that end with the test."""
    nurseries: list[Nursery] = []

    def started(child: Child) -> Nursery:
        nurseries.append(Nursery.start(child))
        return nurseries[-1]

    yield started
    for nursery in nurseries:
        nursery.close()


def test_a_child_works_and_its_end_is_seen(start: Start) -> None:
    nursery = start(lambda end: end.send_bytes(end.recv_bytes() * 2))
    for word in (b"a", b"b"):
        connection = nursery.engine()
        connection.send_bytes(word)
        assert connection.recv_bytes() == word * 2
        with pytest.raises(EOFError):
            connection.recv_bytes()


def test_a_child_that_fails_ends_and_tells_the_place_but_not_what_it_was_about(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Connection) -> None:
        raise ValueError("4111111111111111")

    with pytest.raises(EOFError):
        start(fail).engine().recv_bytes()
    told = capfd.readouterr().err
    assert "ValueError" in told
    assert "test_nursery.py" in told
    assert "4111" not in told


def test_a_file_that_came_along_is_closed_and_cannot_close_another(start: Start, tmp_path: Path) -> None:
    """Objects of the parent still close their numbers in the child, which may be others' by then."""
    held = (tmp_path / "held").open("w", encoding="utf-8")
    number = held.fileno()

    def work(end: Connection) -> None:
        before = Path(f"/dev/fd/{number}").resolve()
        reads, writes = os.pipe()
        held.close()
        os.write(writes, b"mine")
        end.send_bytes(os.read(reads, 4) + str(before).encode())

    assert start(work).engine().recv_bytes() == b"mine/dev/null"
    held.close()


def test_signals_are_not_for_children(start: Start) -> None:
    def work(end: Connection) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        end.send_bytes(b"alive")

    assert start(work).engine().recv_bytes() == b"alive"


def test_a_nursery_that_is_gone_starts_nothing(start: Start) -> None:
    nursery = start(lambda end: end.send_bytes(b"x"))
    os.kill(nursery._pid, signal.SIGKILL)
    os.waitpid(nursery._pid, 0)
    with pytest.raises(EngineLost, match="restart the service"):
        nursery.engine()
