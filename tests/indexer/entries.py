"""Short ways to put products into a catalog."""

from typing import Any

import numpy as np

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.catalog_vectors import Vectors
from indexer.records import Enrolled, NewView, ProductInput

DIM = 8
SPACE = "space0"


def unit_vectors(count: int, seed: int = 0, dim: int = DIM) -> Vectors:
    """Random float32 `[count,dim]` with rows of norm 1."""
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def product(sku: str = "A1", **fields: Any) -> ProductInput:
    """A product with a name and a price, if none are given."""
    return ProductInput(
        **{"sku": sku, "name": f"Product {sku}", "price_minor": 199, "currency": "EUR", **fields}
    )


def put(catalog: Catalog, sku: str = "A1", crops: int | list[bytes] = 1, **fields: Any) -> Enrolled:
    """Enroll with so many crops of its own, or with these."""
    if isinstance(crops, int):
        crops = [f"{sku} crop {number}".encode() for number in range(crops)]
    views = [NewView(crop) for crop in crops]
    seed = int.from_bytes(sku.encode()[-6:], "big")
    return catalog.enroll(product(sku, **fields), views, SPACE, unit_vectors(len(views), seed))


def files(blobs: BlobStore) -> set[str]:
    """Names of all files of the store, staged ones included."""
    return {path.name for path in blobs.root.rglob("*") if path.is_file()}


def assert_empty(catalog: Catalog, blobs: BlobStore) -> None:
    """Nothing was written, or everything is gone; the log may know of it."""
    counts = catalog.counts()
    assert (counts.products, counts.views, counts.vectors) == (0, 0, {SPACE: 0})
    assert files(blobs) == set()
