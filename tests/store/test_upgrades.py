"""A store made by an earlier version is brought up to date with all it holds, at once or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from storekit import add_batch, fill, open_store

from txmon.store import dialects, migrate, schema
from txmon.store.verify import verify

REVISIONS = [
    s.revision for s in ScriptDirectory(str(Path(migrate.__file__).parent / "migrations")).walk_revisions()
][::-1]


def url_of(place: str) -> str:
    if dialects.is_folder(place):
        Path(place).mkdir(exist_ok=True)
        return dialects.folder_url(Path(place))
    return place


def at_revision(place: str, revision: str) -> None:
    """What a store of an older revision looks like: its tables, with the rows that they had then."""
    engine = dialects.make_engine(url_of(place), read_only=False)
    with engine.connect().execution_options(txmon_writes=True) as conn, conn.begin():
        assert migrate.upgrade(conn, revision) == revision
        assert migrate.upgrade(conn, revision) == revision
    engine.dispose()


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_revision_is_brought_up_to_date_with_its_rows(
    place: str, revision: str, tmp_path: Path
) -> None:
    with open_store(tmp_path / "model") as model:
        fill(model)
        with model.read() as conn:
            rows = {
                t: [dict(r) for r in conn.execute(sa.select(t)).mappings()]
                for t in schema.metadata.sorted_tables
            }
    at_revision(place, revision)
    engine = dialects.make_engine(url_of(place), read_only=False)
    with engine.connect().execution_options(txmon_writes=True) as conn, conn.begin():
        there = set(sa.inspect(conn).get_table_names())
        for t, found in rows.items():
            if found and t.name in there:
                conn.execute(sa.insert(t), found)
    engine.dispose()
    with open_store(place) as store:
        assert store.marks.events == model.marks.events
        assert verify(store).ok
        add_batch(store, hit_count=0)
        assert verify(store).ok


def test_an_upgrade_that_breaks_off_leaves_the_store_as_it_was(place: str) -> None:
    engine = dialects.make_engine(url_of(place), read_only=False)
    with engine.connect().execution_options(txmon_writes=True) as conn:
        transaction = conn.begin()
        migrate.upgrade(conn)
        transaction.rollback()
        assert sa.inspect(conn).get_table_names() == []
    engine.dispose()
    with open_store(place) as store:
        add_batch(store)
        assert verify(store).ok


def test_revisions_form_one_line() -> None:
    assert REVISIONS[0] == "0001"
    scripts = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert len(scripts.get_heads()) == 1
