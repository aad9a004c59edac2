"""Runs migrations in one transaction; started by alembic, see `migrations.schema`.

A new migration, for a database that is current:

    from alembic import command
    from indexer.database import create_engine
    from migrations.schema import configuration

    config = configuration(create_engine("sqlite:///some.db"))
    command.revision(config, "add the colour", autogenerate=True, rev_id="0002")
"""

from typing import cast

from alembic import context
from sqlalchemy import Connection, Engine, text

from indexer.database import WRITE_OPTION
from indexer.tables import Base

_LOCK = 7_461_355
"""Number of the PostgreSQL advisory lock that keeps two upgrades apart."""


def _run(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # Both databases can undo DDL; alembic does not expect that of SQLite. A crash in the
        # middle of an upgrade therefore leaves the old schema, whole.
        transactional_ddl=True,
        # SQLite cannot alter a column in place.
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with context.begin_transaction():
        context.run_migrations()


_engine = cast(Engine, context.config.attributes["engine"])
with _engine.execution_options(**{WRITE_OPTION: True}).begin() as _connection:
    _run(_connection)
