"""Engines for the two databases: SQLite (the default) and PostgreSQL."""

import sqlite3
import time
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from indexer.errors import DatabaseUnavailable

WRITE_OPTION = "tillsight_write"
"""Execution option of connections that will write; see `transactions.writing`."""

_WAL_ATTEMPTS = 50
_WAL_PAUSE_S = 0.1


def create_engine(
    url: str,
    *,
    pool_size: int = 10,
    max_overflow: int = 20,
    connect_timeout_s: float = 5.0,
    busy_timeout_s: float = 30.0,
) -> Engine:
    """An engine for `sqlite:///PATH` or `postgresql://...`; connects only when first used.

    Args:
        url: The database; a bare `postgresql://` or `postgres://` means the psycopg driver.
        pool_size: Connections kept open.
        max_overflow: Connections opened beyond that under load.
        connect_timeout_s: How long to wait for a connection, from the server or from the pool.
        busy_timeout_s: How long a writer waits for another writer.
    """
    parsed = normalized_url(url)
    options: dict[str, Any] = {
        "pool_pre_ping": True,
        "pool_size": pool_size,
        "max_overflow": max_overflow,
        "pool_timeout": connect_timeout_s,
    }
    if parsed.get_backend_name() == "sqlite":
        engine = sqlalchemy.create_engine(
            parsed, connect_args={"timeout": busy_timeout_s}, **options
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = _postgres_arguments(parsed, connect_timeout_s, busy_timeout_s)
    try:
        return sqlalchemy.create_engine(parsed, connect_args=arguments, **options)
    except ModuleNotFoundError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL needs the package {error.name}; install the extra [postgres]"
        ) from error


def normalized_url(url: str) -> URL:
    """`url` parsed, with the driver that is used; ValueError for a database that is not known."""
    prefix, separator, rest = url.partition("://")
    if separator and prefix == "postgres":
        url = f"postgresql://{rest}"
    try:
        parsed = make_url(url)
    except sqlalchemy.exc.ArgumentError as error:
        # The message must not repeat the URL: it may carry a password.
        raise ValueError("database url: expected sqlite:///PATH or postgresql://...") from error
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ValueError("database url: expected sqlite:///PATH, got SQLite without a file")
    if backend not in ("sqlite", "postgresql"):
        raise ValueError(f"database url: expected sqlite or postgresql, got {backend}")
    return parsed.set(drivername="sqlite" if backend == "sqlite" else "postgresql+psycopg")


def _postgres_arguments(
    url: URL, connect_timeout_s: float, busy_timeout_s: float
) -> dict[str, Any]:
    """Time limits for a server that is gone or a session that is stuck; the URL may override."""
    busy_ms = int(busy_timeout_s * 1000)
    limits = f"-c lock_timeout={busy_ms} -c idle_in_transaction_session_timeout={2 * busy_ms}"
    arguments = {
        # libpq counts in whole seconds and takes 1 as 2.
        "connect_timeout": max(2, round(connect_timeout_s)),
        "tcp_user_timeout": busy_ms,
        "options": limits,
    }
    return {key: value for key, value in arguments.items() if key not in url.query}


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Settings of every new SQLite connection."""
    assert isinstance(connection, sqlite3.Connection)
    # The driver must not open transactions by itself: `_begin_sqlite` does.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # FULL, not NORMAL: an acknowledged product survives a power cut as well as a crash.
    connection.execute("PRAGMA synchronous = FULL")
    for attempt in range(_WAL_ATTEMPTS):
        try:
            # Changing the mode does not wait for other connections by itself (first start only).
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if attempt == _WAL_ATTEMPTS - 1:
                raise
            time.sleep(_WAL_PAUSE_S)


def _begin_sqlite(connection: Connection) -> None:
    """Writers lock at once: a reader that turns into a writer can fail without waiting."""
    writes = connection.get_execution_options().get(WRITE_OPTION, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
