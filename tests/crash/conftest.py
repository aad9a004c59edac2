"""The catalog of the tests of indexer."""

from tests.indexer.conftest import blobs, catalog, engine

__all__ = ["blobs", "catalog", "engine"]
