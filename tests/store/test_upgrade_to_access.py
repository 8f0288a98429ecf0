"""From revision 0001 to 0002: all rows stay, access works, and a break in between leaves revision 0001."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from accesskit import open_office
from alembic.runtime.migration import MigrationContext
from storekit import add_batch, fill, open_store
from test_upgrades import at_revision, url_of

from txmon.errors import StateError
from txmon.store import Store, audit, dialects, migrate, schema
from txmon.store.verify import verify

NEW = {"people", "api_keys", "proposals", "audit", "endpoints", "deliveries"}


def rows_of(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.read() as conn:
        return {
            t.name: [dict(r) for r in conn.execute(sa.select(t).order_by(*t.primary_key)).mappings()]
            for t in schema.metadata.sorted_tables
        }


def make_old(place: str, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """A store of revision 0001 with rows in every table; returns them."""
    with open_store(tmp_path / "model") as model:
        fill(model)
        rows = rows_of(model)
    at_revision(place, "0001")
    engine = dialects.make_engine(url_of(place), read_only=False)
    with engine.connect().execution_options(txmon_writes=True) as conn, conn.begin():
        assert not NEW & set(sa.inspect(conn).get_table_names())
        for name, found in rows.items():
            if found:
                conn.execute(sa.insert(schema.metadata.tables[name]), found)
    engine.dispose()
    return rows


def test_all_rows_stay_and_access_works(place: str, tmp_path: Path) -> None:
    rows = make_old(place, tmp_path)
    assert rows["journal"]
    assert rows["alerts"]
    assert rows["quarantine"]
    with pytest.raises(StateError, match="open it once for writing"):
        open_store(place, read_only=True)
    with open_store(place) as store:
        assert rows_of(store) == rows
        office = open_office(store)
        cem, key = office.hire("Cem", {"analyst"})
        log = audit.AuditLog(store)
        log.record(cem, "alert.read", "al-4", "review", 1)
        with store.write() as tx:
            log.write(tx)
            hook = {
                "id": "hook_a",
                "url": "https://example.org/x",
                "secret_nonce": b"n",
                "scope": "neutral",
                "topics": "[]",
            }
            tx.conn.execute(
                sa.insert(schema.endpoints),
                hook | {"state": "active", "failures": 0, "created_us": 1, "created_by": cem.identity},
            )
            sent = {
                "id": 1,
                "endpoint_id": "hook_a",
                "outbox_id": 1,
                "attempt": 1,
                "at_us": 1,
                "outcome": "retry",
                "status": 503,
            }
            tx.conn.execute(sa.insert(schema.deliveries), sent | {"duration_ms": 5})
        add_batch(store)
        assert verify(store).ok
    with open_store(place) as store:
        assert open_again(store, key.token) == cem.identity
        assert verify(store).ok
        assert len(rows_of(store)["deliveries"]) == 1
    with open_store(place, read_only=True) as store:
        assert open_again(store, key.token) == cem.identity


def open_again(store: Store, token: str) -> str:
    from txmon.store.access import Access

    return Access(store).authenticate(token, store.clock.now_us()).identity


def test_an_upgrade_that_breaks_off_leaves_the_older_revision_with_its_rows(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_old(place, tmp_path)
    real = migrate.command.upgrade

    def broken(*arguments: Any) -> None:
        real(*arguments)
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(migrate.command, "upgrade", broken)
        with pytest.raises(RuntimeError, match="killed"):
            open_store(place)
    engine = dialects.make_engine(url_of(place), read_only=True)
    with engine.connect() as conn:
        assert MigrationContext.configure(conn).get_current_revision() == "0001"
        assert not NEW & set(sa.inspect(conn).get_table_names())
    engine.dispose()
    with open_store(place) as store:
        assert rows_of(store) == rows
