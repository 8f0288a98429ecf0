"""How alembic runs a revision: on the connection it is handed, in that connection's transaction.

Runs nothing of its own: there is no offline mode and no configuration file.
"""

from __future__ import annotations

from alembic import context

from txmon.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
