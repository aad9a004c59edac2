"""A catalog on each of both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.database import create_engine
from migrations import schema
from tests.indexer.entries import DIM, SPACE


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database with the current schema."""
    engine = create_engine(database_url)
    schema.upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "crops")


@pytest.fixture
def catalog(engine: Engine, blobs: BlobStore) -> Catalog:
    """An empty catalog with one registered space."""
    catalog = Catalog(engine, blobs, "EUR")
    catalog.register_space(SPACE, DIM, "embedder")
    return catalog
