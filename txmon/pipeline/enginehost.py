"""The process of an engine: takes words from the service, gives back what came of them.

It reads the store to stand where the journal ends, and never writes it. To save its state it forks once more:
the copy of its memory is the moment, and is written while the engine goes on. It ends when its connection
does; what a snapshot still needs is given up then. Owns what each word does; `txmon.pipeline.far` is the
other end.
"""

from __future__ import annotations

import gc
import os
import signal
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow as pa

from txmon.clock import SystemClock, random_bytes, resident_bytes
from txmon.errors import StateError
from txmon.logs import PLACES
from txmon.pipeline.config import Config, load_config
from txmon.pipeline.history import epochs
from txmon.pipeline.recover import fresh_scorer, stand
from txmon.pipeline.rehearsal import rehearse
from txmon.pipeline.scorer import Scorer
from txmon.pipeline.scoring import Near, pulse_of, save_copy, score
from txmon.pipeline.snapshots import Order, Snapshots, write
from txmon.pipeline.wire import pack, pack_error, unpack
from txmon.store import Store

Answer = tuple[Any, Mapping[str, pa.Table]]
# Garbage of a batch is seldom in circles: looking for it after every 700 objects takes a tenth of the time.
_GARBAGE = (50_000, 20, 100)
fork = os.fork
_NICE = 10  # a snapshot must not take the time of events


@dataclass(frozen=True)
class Setup:
    """What an engine must know from its birth: the store's place, and configs that need not be read again."""

    place: str | Path
    snapshots: Path
    known: Sequence[Config] = ()


def child_of(setup: Setup) -> Callable[[Connection], None]:
    """Return what an engine does with its end of a connection."""
    return lambda connection: _Host(setup, connection).run()


class _Host:
    def __init__(self, setup: Setup, connection: Connection) -> None:
        self._setup, self._connection = setup, connection
        self._turn = threading.Lock()  # a snapshot's end is told by a thread of its own
        self._scorer: Scorer | None = None
        self._kept: pa.Table | None = None
        self._saving = 0
        self._words: dict[str, Callable[[Any, Mapping[str, pa.Table]], Answer]] = {
            "stand": self._stand,
            "fresh": self._fresh,
            "rehearse": self._rehearse,
            "score": self._score,
            "keep": self._keep,
            "back": self._back,
            "drop": self._drop,
            "warm": self._warm,
            "alerts": self._alerts,
            "take_alerts": self._take_alerts,
            "save": self._save,
        }

    def run(self) -> None:
        gc.freeze()  # what was there before the fork is never ours to tidy up
        gc.set_threshold(*_GARBAGE)
        while True:
            try:
                message = self._connection.recv_bytes()
            except (EOFError, ConnectionError):
                break
            self._send(self._answer(message))
        if self._saving:
            with suppress(ProcessLookupError):
                os.kill(self._saving, signal.SIGKILL)

    def _answer(self, message: bytes) -> bytes:
        try:
            word, values, tables = unpack(message)
            found, out = self._words[word](values, tables)
            pulse = None
            if self._scorer is not None:
                pulse = replace(pulse_of(self._scorer), resident_bytes=resident_bytes())
            return pack("done", (found, pulse), out)
        except Exception as error:  # told to the service, which knows what to do
            places = [(f.filename, f.lineno, f.name) for f in traceback.extract_tb(error.__traceback__)]
            setattr(error, PLACES, places)
            return pack_error(error)

    def _send(self, message: bytes) -> None:
        with self._turn, suppress(ConnectionError):  # the next reading sees the end
            self._connection.send_bytes(message)

    @property
    def _at_work(self) -> Scorer:
        if self._scorer is None:
            raise StateError("the engine has no state yet")
        return self._scorer

    @contextmanager
    def _store(self) -> Any:
        opened = Store.open(self._setup.place, clock=SystemClock(), random_bytes=random_bytes, read_only=True)
        with opened:
            yield opened

    # -- words ---------------------------------------------------------------------------------------

    def _stand(self, _values: Any, _tables: Any) -> Answer:
        with self._store() as store:
            self._scorer, found = stand(store, Snapshots(self._setup.snapshots), self._setup.known)
        _settle()
        return found, {}

    def _fresh(self, document: bytes, _tables: Any) -> Answer:
        with self._store() as store:
            found = epochs(store, self._setup.known)
        self._scorer = fresh_scorer(found, self._config(document))
        _settle()
        return None, {}

    def _rehearse(self, document: bytes, _tables: Any) -> Answer:
        rehearse(self._config(document))
        return None, {}

    def _score(self, _values: Any, tables: Mapping[str, pa.Table]) -> Answer:
        applied = score(self._at_work, tables["events"])
        arrays = (applied.verdict, applied.seq, applied.late, applied.warming)
        found = {"hits": applied.hits, "changes": applied.changes, "alerts": applied.alerts}
        return arrays, {name: table for name, table in found.items() if len(table)}

    def _keep(self, _values: Any, _tables: Any) -> Answer:
        self._kept = self._at_work.snapshot()
        return None, {}

    def _back(self, _values: Any, _tables: Any) -> Answer:
        if self._kept is None:
            raise StateError("the engine has kept no state")
        self._at_work.restore(self._kept)
        return None, {}

    def _drop(self, _values: Any, _tables: Any) -> Answer:
        self._kept = None
        return None, {}

    def _warm(self, rows: tuple[int, int], _tables: Any) -> Answer:
        with self._store() as store:
            Near(self._at_work, store).warm(*rows, lambda count: self._send(pack("warmed", count)))
        return None, {}

    def _alerts(self, _values: Any, _tables: Any) -> Answer:
        return None, self._at_work.alerts.snapshot()

    def _take_alerts(self, _values: Any, tables: Mapping[str, pa.Table]) -> Answer:
        self._at_work.take_alerts(tables)
        return None, {}

    def _save(self, order: Order, _tables: Any) -> Answer:
        reads, writes = os.pipe()
        try:
            self._saving = pid = fork()
        except OSError:  # there is no room for another process of this size: stand still for a copy instead
            os.close(reads)
            os.close(writes)
            save_copy(self._at_work, order, lambda error: self._tell(error.detail if error else ""))
            return None, {}
        if pid == 0:
            self._write(order, writes)
        os.close(writes)
        threading.Thread(target=self._saved, args=(pid, reads), daemon=True).start()
        return None, {}

    def _write(self, order: Order, writes: int) -> None:
        """In the copy: write its state, say what went wrong, end."""
        said = b"the process that wrote it has ended"
        parent = os.getppid()
        try:
            self._connection.close()
            os.nice(_NICE)
            write(self._at_work.snapshot(), order, lambda: os.getppid() == parent)
            said = b""
        except StateError as error:
            said = error.detail.encode()
        finally:
            os.write(writes, b"!" + said)
            os._exit(0)

    def _saved(self, pid: int, reads: int) -> None:
        said = b""
        while part := os.read(reads, 65_536):
            said += part
        os.close(reads)
        os.waitpid(pid, 0)
        self._saving = 0
        self._tell(said[1:].decode() if said else "the process that wrote it was killed")

    def _tell(self, problem: str) -> None:
        self._send(pack("saved", problem))

    def _config(self, document: bytes) -> Config:
        known = {config.document: config for config in self._setup.known}
        return known.get(document) or load_config(document)


def _settle() -> None:
    """What a scorer is made of stays: never look through it for garbage."""
    gc.collect()
    gc.freeze()
