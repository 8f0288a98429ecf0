"""Brings the tables of a store to the revision of this program, before anything else happens.

Owns the running of revisions; what they do is in `migrations/versions`.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from txmon.errors import StateError

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(connection: sa.Connection, revision: str = "head") -> str:
    """Bring the tables to a revision, in the caller's transaction; returns the one they are at.

    Raises:
        StateError: the store was made by a newer program.
    """
    config = _config()
    current = check_known(connection, config)
    head = ScriptDirectory.from_config(config).get_current_head()
    wanted = head if revision == "head" else revision
    if current != wanted:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return wanted or ""


def require_current(connection: sa.Connection) -> None:
    """Check that the tables are this program's, without changing them.

    Raises:
        StateError: they are older or newer.
    """
    config = _config()
    current = check_known(connection, config)
    if current != ScriptDirectory.from_config(config).get_current_head():
        raise StateError(
            f"the store has revision {current or 'none'} of its tables, an older one; back it up with the "
            "version that made it, then open it once for writing, as a start of the service does"
        )


def check_known(connection: sa.Connection, config: Config) -> str | None:
    """Return the revision of the tables.

    Raises:
        StateError: this program does not know it.
    """
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StateError(
            f"the store has revision {current!r} of its tables, which this version does not know; "
            "install the newer version that made it, or restore a backup made before the upgrade"
        )
    return current


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    return config
