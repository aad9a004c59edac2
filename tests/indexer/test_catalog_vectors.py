"""Spaces, vectors and the log of changes, on both databases."""

import numpy as np
import pytest
from sqlalchemy import Engine, text

from indexer.catalog import Catalog
from indexer.errors import BadVectors, SpaceMismatch
from tests.indexer.entries import DIM, SPACE, put, unit_vectors


def test_vectors_lie_as_little_endian_float32(catalog: Catalog, engine: Engine) -> None:
    put(catalog, "A1")
    with engine.connect() as connection:
        stored = connection.execute(text("SELECT vector FROM embeddings")).scalar_one()
    _, vectors = catalog.live_vectors(SPACE)
    assert np.frombuffer(stored, "<f4").tolist() == vectors[0].tolist()


def test_live_vectors_come_in_pages(catalog: Catalog) -> None:
    ids = [view_id for sku in "ABCDE" for view_id in put(catalog, sku, 3).view_ids]
    seen: list[int] = []
    while True:
        page, vectors = catalog.live_vectors(SPACE, seen[-1] if seen else 0, limit=4)
        assert page.dtype == np.int64
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(page), DIM)
        if not len(page):
            break
        seen += page.tolist()
    assert seen == ids


def test_vectors_of_some_views(catalog: Catalog) -> None:
    first = put(catalog, "A1", 2).view_ids
    second = put(catalog, "B2", 1).view_ids
    ids, vectors = catalog.vectors(SPACE, np.array([second[0], 999, first[1], -1], np.int64))
    assert ids.tolist() == [first[1], second[0]]
    everything, all_vectors = catalog.live_vectors(SPACE)
    np.testing.assert_array_equal(vectors, all_vectors[np.isin(everything, ids)])
    empty, none = catalog.vectors(SPACE, [])
    assert (empty.shape, none.shape) == ((0,), (0, DIM))


def test_more_ids_than_parameters(catalog: Catalog) -> None:
    view_id = put(catalog, "A1").view_ids[0]
    ids, _ = catalog.vectors(SPACE, list(range(view_id, view_id + 40_000)))
    assert ids.tolist() == [view_id]


def test_changes_come_in_pages_without_gaps(catalog: Catalog) -> None:
    for sku in "ABC":
        put(catalog, sku, 3)
    catalog.delete_product("B")
    seen: list[int] = []
    while changes := catalog.changes_after(seen[-1] if seen else 0, limit=5):
        assert len(changes) <= 5
        seen += [change.revision for change in changes]
    assert seen == list(range(1, catalog.head() + 1)) == list(range(1, 13))


def test_spaces(catalog: Catalog) -> None:
    catalog.register_space(SPACE, DIM, "another name")
    with pytest.raises(SpaceMismatch, match="has dimension 8, got 9"):
        catalog.register_space(SPACE, 9, "embedder")
    with pytest.raises(SpaceMismatch, match="1 or more"):
        catalog.register_space("new", 0, "embedder")
    for call in (catalog.live_vectors, lambda space: catalog.vectors(space, [1])):
        with pytest.raises(SpaceMismatch, match="'new' is not registered"):
            call("new")


def test_reembedding_fills_another_space(catalog: Catalog) -> None:
    ids = [*put(catalog, "A1", 2).view_ids, *put(catalog, "B2", 2).view_ids]
    catalog.register_space("new", 4, "better")
    page = catalog.views_without_embedding("new", limit=3)
    assert [view.id for view in page] == ids[:3]
    rest = catalog.views_without_embedding("new", limit=3, after=page[-1].id)
    assert [view.id for view in rest] == ids[3:]

    catalog.delete_view("A1", ids[0])
    vectors = unit_vectors(3, dim=4)
    head = catalog.head()
    assert catalog.add_embeddings("new", ids[:3], vectors) == head + 2
    assert [change.view_id for change in catalog.changes_after(head)] == ids[1:3]
    assert [view.id for view in catalog.views_without_embedding("new")] == ids[3:]
    stored, found = catalog.live_vectors("new")
    assert stored.tolist() == ids[1:3]
    np.testing.assert_array_equal(found, vectors[1:])
    assert catalog.counts().vectors == {SPACE: 3, "new": 2}


def test_embeddings_are_replaced(catalog: Catalog) -> None:
    first, second = put(catalog, "A1", 2).view_ids
    vectors = unit_vectors(2, seed=99)
    catalog.add_embeddings(SPACE, [second, first], vectors)
    ids, found = catalog.live_vectors(SPACE)
    assert ids.tolist() == [first, second]
    np.testing.assert_array_equal(found, vectors[::-1])


def test_bad_embeddings_change_nothing(catalog: Catalog) -> None:
    view_id = put(catalog, "A1").view_ids[0]
    with pytest.raises(BadVectors, match="shape"):
        catalog.add_embeddings(SPACE, [view_id], unit_vectors(1, dim=9))
    with pytest.raises(SpaceMismatch):
        catalog.add_embeddings("new", [view_id], unit_vectors(1))
    assert catalog.head() == 1


def test_a_damaged_vector_is_told(catalog: Catalog, engine: Engine) -> None:
    view_id = put(catalog, "A1").view_ids[0]
    with engine.begin() as connection:
        connection.execute(text("UPDATE embeddings SET vector = :short"), {"short": b"123"})
    with pytest.raises(BadVectors, match=f"view {view_id}: expected 32 stored bytes, got 3"):
        catalog.live_vectors(SPACE)
