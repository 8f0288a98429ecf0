"""Snapshots of the scorer beside the journal: where a start begins, so that it need not replay everything.

    FOLDER/<journal seq, 20 digits>-<first 16 digits of the config's essence>.arrow

A snapshot is derived: one that is missing, damaged, ahead of the journal or made with another config or
format is passed over and costs time, never truth. Owns the folder; never the journal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from txmon.errors import StateError
from txmon.pipeline.scorer import Scorer
from txmon.pipeline.statefile import GoingOn, always, read_state, write_state

KEPT = 2
HeadAt = Callable[[int], bytes | None]
_NAME = re.compile(r"(\d{20})-([0-9a-f]{16})\.arrow")


@dataclass(frozen=True)
class Place:
    """Where the journal stands that a snapshot holds: its newest row and the head of that row."""

    seq: int
    head: bytes


@dataclass(frozen=True)
class Order:
    """A snapshot to be written: its file, and what it says of itself."""

    path: Path
    tags: dict[str, str]


def write(state: pa.Table, order: Order, going_on: GoingOn = always) -> None:
    """Write a snapshot.

    Raises:
        StateError: it cannot be written.
    """
    tags = {**(state.schema.metadata or {}), **{k.encode(): v.encode() for k, v in order.tags.items()}}
    write_state(state.replace_schema_metadata(tags), order.path, going_on)


class Snapshots:
    """The snapshots of one store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[StateError] = []  # why snapshots were passed over

    def order(self, place: Place, essence: str) -> Order:
        """Return what is to be written where, of the state behind the newest journal row."""
        name = f"{place.seq:020d}-{essence[:16]}.arrow"
        return Order(self.folder / name, {"essence": essence, "head": place.head.hex()})

    def tidy(self, place: Place) -> None:
        """Drop all but the newest, now that the one of `place` is written.

        What stands behind a later row is of a journal that was replaced by an older backup: dropped, too.
        """
        kept = 0
        for seq, old in self._found():
            kept += seq <= place.seq
            if seq > place.seq or kept > KEPT:
                old.unlink(missing_ok=True)
        for half in self.folder.glob("*.new"):  # left by a crash
            half.unlink(missing_ok=True)

    def restore(self, make: Callable[[], Scorer], essence: str, head_at: HeadAt) -> tuple[Scorer, int]:
        """Return a scorer at the newest usable snapshot and its journal row; a fresh one and 0 for none.

        Args:
            head_at: the head of a journal row, None where there is no such row.
        """
        self.problems = []
        for seq, path in self._found():
            scorer = make()
            try:
                state = read_state(path)
                tags = state.schema.metadata or {}
                if tags.get(b"essence", b"").decode() != essence:
                    continue
                head = head_at(seq)
                if head is None or head.hex() != tags.get(b"head", b"").decode():
                    raise StateError(f"snapshot {path.name} stands behind a row that is not in the journal")
                scorer.restore(state)
            except StateError as error:
                self.problems.append(error)
                continue
            return scorer, seq
        return make(), 0

    def places(self) -> list[int]:
        """Return the journal rows that snapshots stand behind, newest first."""
        return [seq for seq, _ in self._found()]

    def clear(self) -> None:
        """Remove every snapshot and what a crash left of one."""
        for path in [path for _, path in self._found()] + list(self.folder.glob("*.new")):
            path.unlink(missing_ok=True)

    def _found(self) -> Iterator[tuple[int, Path]]:
        try:
            names = sorted(self.folder.iterdir(), reverse=True)
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems.append(StateError(f"{self.folder} cannot be read: {error.strerror}"))
            return
        for path in names:
            match = _NAME.fullmatch(path.name)
            if match:
                yield int(match[1]), path
