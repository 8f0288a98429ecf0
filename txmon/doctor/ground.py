"""What checks stand on: settings with their faults, where things lie, the store opened for reading only.

Opened once and shared by all checks. Owns the opening; a store that cannot be opened is a fact like others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import sqlalchemy as sa

from txmon.clock import Clock, RandomBytes, monotonic_s
from txmon.engine.engine import Limits
from txmon.errors import TxmonError
from txmon.model.keys import default_key_path
from txmon.pipeline.config import Config, load_config, read_config
from txmon.settings import Examined, Settings
from txmon.store import Store, journal
from txmon.store.db import ERASURES_FILE, HEADS_FILE
from txmon.store.dialects import DATABASE_FILE
from txmon.store.schema import journal as rows

ANSWER_S = 3.0  # how long anything outside may take to answer
SNAPSHOTS = "snapshots"


@dataclass
class Ground:
    """See the module. `store` is None where there is none, or `store_problem` says why it cannot be read."""

    examined: Examined
    clock: Clock
    random_bytes: RandomBytes
    monotonic: Callable[[], float] = monotonic_s
    answer_s: float = ANSWER_S
    store: Store | None = field(default=None, init=False)
    store_problem: TxmonError | None = field(default=None, init=False)

    @property
    def settings(self) -> Settings:
        """The settings, as far as they could be read."""
        return self.examined.settings

    @property
    def folder(self) -> Path:
        """Where snapshots and the warehouse lie, and a folder's journal."""
        s = self.settings
        return s.state_dir if s.store_is_database else Path(s.store)

    @property
    def standing(self) -> Path:
        """The folder, or the nearest one above it that is there."""
        place = self.folder.absolute()
        return next(path for path in (place, *place.parents) if path.exists())

    @property
    def heads(self) -> Path | None:
        """The log of heads."""
        beside = None if self.settings.store_is_database else self.folder / HEADS_FILE
        return self.settings.heads_file or beside

    @property
    def erasures(self) -> Path:
        """The file of erasures."""
        return self.folder / ERASURES_FILE

    @property
    def key_file(self) -> Path:
        """The key of card tokens."""
        return self.settings.key_file or default_key_path()

    @cached_property
    def from_files(self) -> Config:
        """The config that rule files and rates make now.

        Raises:
            RuleErrors, ConfigError: they are wrong.
        """
        s = self.settings
        return read_config(
            None if s.rules is None else [s.rules],
            base_currency=s.base_currency,
            entity_tz=s.entity_tz,
            rates=s.rates_file,
            limits=Limits(s.max_lateness_days, s.dedup_days),
        )

    @cached_property
    def document(self) -> bytes | None:
        """The config in force as the journal has it; None before the first start."""
        if self.store is None:
            return None
        query = sa.select(rows.c.seq).where(rows.c.kind == "config").order_by(rows.c.seq.desc()).limit(1)
        with self.store.read() as conn:
            seq = conn.execute(query).scalar()
        return None if seq is None else next(journal.read(self.store, seq, seq)).document

    @cached_property
    def in_force(self) -> Config | None:
        """The config in force.

        Raises:
            StoreCorrupt: its row is damaged.
        """
        return None if self.document is None else load_config(self.document)

    @property
    def opened(self) -> Store:
        """The store, for checks that the table makes only where there is one."""
        if self.store is None:
            raise AssertionError("the table says that this check needs a store")
        return self.store

    def open(self) -> None:
        """Open the store for reading, if there is one."""
        s = self.settings
        if not s.store_is_database and not (self.folder / DATABASE_FILE).exists():
            return
        try:
            self.store = Store.open(
                s.store if s.store_is_database else self.folder,
                clock=self.clock,
                random_bytes=self.random_bytes,
                heads=self.heads,
                read_only=True,
            )
        except TxmonError as error:
            self.store_problem = error

    def close(self) -> None:
        """Let go of the store."""
        if self.store is not None:
            self.store.close()
            self.store = None
