"""Database, catalog and services for commands that run without a server.

What a command writes reaches a running server through the change log, within its tail interval.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from app.errors import BadSettings
from app.settings import Settings
from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.database import create_engine
from migrations import schema

if TYPE_CHECKING:
    from app.services import Services


@contextmanager
def open_database(settings: Settings) -> Iterator[Any]:
    """The engine of the configured database, whatever its schema; closed at the end."""
    if settings.embedded:
        try:
            settings.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise BadSettings(f"TILLSIGHT_DATA_DIR: cannot be used: {exc}") from exc
    database = create_engine(
        settings.database_url,
        pool_size=1,
        connect_timeout_s=settings.database.connect_timeout_s,
        busy_timeout_s=settings.database.busy_timeout_s,
    )
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def open_catalog(settings: Settings) -> Iterator[Catalog]:
    """The catalog without networks or index; the embedded database upgrades itself.

    Raises:
        SchemaOutdated, DatabaseUnavailable, WrongCurrency
    """
    with open_database(settings) as database:
        if settings.embedded:
            schema.upgrade(database)
        schema.check(database)
        catalog = Catalog(database, BlobStore(settings.crops_dir), settings.catalog.currency)
        catalog.check_currency()
        yield catalog


@contextmanager
def open_services(settings: Settings) -> "Iterator[Services]":
    """Everything, started: networks loaded and warm, index caught up."""
    # Imported here: it pulls in the inference engine, which `--help` must not wait for.
    from app.services import build

    with Console(stderr=True).status("Loading networks and index"):
        services = build(settings)
        try:
            services.start()
        except BaseException:
            services.close()
            raise
    try:
        yield services
    finally:
        services.close()
