"""The projection against a real catalog, on both databases."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.errors import IndexBehind, SpaceMismatch
from indexer.faiss_index import FaissIndex
from indexer.projection import Projection
from indexer.vectors import BruteForceIndex, VectorIndex
from tests.indexer.entries import DIM, SPACE, product, put, unit_vectors


class Kept:
    """Makes indexes and keeps the last one, so that tests can damage it."""

    index: VectorIndex

    def __call__(self) -> VectorIndex:
        self.index = FaissIndex(DIM)
        return self.index


def project(catalog: Catalog, space: str = SPACE, snapshots: Path | None = None) -> Projection:
    return Projection(catalog, space, DIM, lambda: BruteForceIndex(DIM), snapshots)


def started(catalog: Catalog) -> Projection:
    projection = project(catalog)
    projection.start()
    return projection


def assert_true(projection: Projection, catalog: Catalog) -> None:
    """All ids and vectors are those of SQL, at its revision."""
    result = projection.verify(sample=10_000)
    assert result.ok, result
    assert result.sampled == result.rows == catalog.counts().vectors[projection.space]
    assert projection.revision == catalog.head()
    assert projection.check_count().ok


def test_an_empty_catalog(catalog: Catalog) -> None:
    projection = started(catalog)
    assert (projection.revision, projection.lag(), len(projection)) == (0, 0, 0)
    assert projection.search(unit_vectors(1), 3)[0].tolist() == [[-1, -1, -1]]
    assert_true(projection, catalog)


def test_enrolled_views_are_found_after_catching_up(catalog: Catalog) -> None:
    projection = started(catalog)
    enrolled = put(catalog, "A1", 3)
    vectors = catalog.vectors(SPACE, enrolled.view_ids)[1]
    assert projection.lag() == 3
    assert projection.catch_up(at_least=enrolled.revision) == enrolled.revision
    ids, scores = projection.search(vectors, 1)
    assert ids[:, 0].tolist() == list(enrolled.view_ids)
    np.testing.assert_allclose(scores[:, 0], 1.0, atol=1e-5)
    assert_true(projection, catalog)


def test_deleted_and_retired_views_leave_the_index(catalog: Catalog) -> None:
    projection = started(catalog)
    first, second = put(catalog, "A1", 2), put(catalog, "B2", 2)
    projection.catch_up()
    catalog.delete_view("A1", first.view_ids[0])
    catalog.update_product("B2", {"active": False})
    projection.catch_up()
    assert len(projection) == 1
    assert_true(projection, catalog)
    catalog.update_product("B2", {"active": True})
    revision = catalog.delete_product("A1")
    projection.catch_up(at_least=revision)
    query = catalog.vectors(SPACE, second.view_ids)[1]
    assert set(projection.search(query, 9)[0].ravel().tolist()) == {-1, *second.view_ids}
    assert_true(projection, catalog)


def test_rebuild_is_the_same_as_the_replay_of_everything(catalog: Catalog) -> None:
    for number in range(12):
        put(catalog, f"P{number}", 3)
    for number in range(0, 12, 3):
        catalog.delete_product(f"P{number}")
    replayed, rebuilt = project(catalog), project(catalog)
    assert replayed.catch_up() == rebuilt.rebuild() == catalog.head()
    queries = unit_vectors(5, seed=99)
    for got, expected in zip(
        replayed.search(queries, 30), rebuilt.search(queries, 30), strict=True
    ):
        np.testing.assert_array_equal(got, expected)
    assert_true(replayed, catalog)
    assert_true(rebuilt, catalog)


def test_batches_of_any_size_give_the_same(catalog: Catalog) -> None:
    for number in range(5):
        put(catalog, f"P{number}", 2)
    catalog.delete_product("P3")
    for batch in (1, 2, 3, 7):
        for way in ("catch_up", "rebuild"):
            small = Projection(catalog, SPACE, DIM, lambda: BruteForceIndex(DIM), batch=batch)
            getattr(small, way)()
            assert_true(small, catalog)


def test_views_without_a_vector_in_the_space_are_left_out(catalog: Catalog) -> None:
    catalog.register_space("space1", DIM, "another embedder")
    old, new = started(catalog), project(catalog, "space1")
    new.start()
    enrolled = put(catalog, "A1", 3)
    new.catch_up()
    assert (len(new), new.revision) == (0, catalog.head())
    revision = catalog.add_embeddings("space1", enrolled.view_ids[:2], unit_vectors(2, seed=5))
    for projection in (old, new):
        projection.catch_up(at_least=revision)
        assert_true(projection, catalog)
    assert (len(old), len(new)) == (3, 2)
    catalog.delete_product("A1")
    new.catch_up()
    assert len(new) == 0


def test_a_replaced_vector_replaces(catalog: Catalog) -> None:
    projection = started(catalog)
    enrolled = put(catalog, "A1", 1)
    projection.catch_up()
    fresh = unit_vectors(1, seed=77)
    projection.catch_up(catalog.add_embeddings(SPACE, enrolled.view_ids, fresh))
    assert projection.search(fresh, 1)[1][0, 0] == pytest.approx(1.0, abs=1e-5)
    assert_true(projection, catalog)


def test_an_unknown_space_is_an_error(catalog: Catalog) -> None:
    with pytest.raises(SpaceMismatch, match="nowhere"):
        project(catalog, "nowhere").start()


def test_verify_names_every_difference(catalog: Catalog) -> None:
    kept = Kept()
    projection = Projection(catalog, SPACE, DIM, kept)
    enrolled = put(catalog, "A1", 4)
    projection.start()
    a, b, c, d = enrolled.view_ids
    kept.index.drop(np.array([a]))
    kept.index.put(np.array([b, d + 50]), unit_vectors(2, seed=31))
    result = projection.verify(sample=100, rng=np.random.default_rng(0))
    assert not result.ok
    assert (result.missing, result.extra, result.different) == ((a,), (d + 50,), (b,))
    assert (result.rows, result.sampled, result.revision) == (4, 4, 4)
    assert projection.verify(sample=0).different == ()
    kept.index.drop(np.array([c]))
    count = projection.check_count()
    assert (count.ok, count.rows, count.expected, count.settled) == (False, 3, 4, True)
    projection.rebuild()
    assert_true(projection, catalog)


def test_a_later_server_starts_from_the_snapshot(catalog: Catalog, tmp_path: Path) -> None:
    put(catalog, "A1", 3)
    first = project(catalog, snapshots=tmp_path / "index")
    first.start()
    first.close()
    put(catalog, "B2", 2)
    catalog.delete_product("A1")
    second = project(catalog, snapshots=tmp_path / "index")
    second.start()
    assert_true(second, catalog)
    second.close()
    assert len(list((tmp_path / "index").iterdir())) == 2


def test_the_snapshot_of_another_catalog_is_not_believed(
    catalog: Catalog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Same space, same revision, same ids, other products."""

    class Foreign(Kept):
        def __call__(self) -> VectorIndex:
            self.index = BruteForceIndex(DIM)
            return self.index

    put(catalog, "A1", 3)
    kept = Foreign()
    other = Projection(catalog, SPACE, DIM, kept, tmp_path)
    other.start()
    kept.index.put(np.array([2]), unit_vectors(1, seed=13))
    other.close()
    projection = project(catalog, snapshots=tmp_path)
    projection.start()
    assert "of another catalog" in caplog.text
    assert_true(projection, catalog)


def test_a_revision_that_the_catalog_has_not_got_is_refused_at_once(catalog: Catalog) -> None:
    projection = started(catalog)
    put(catalog, "A1", 2)
    begun = time.monotonic()
    with pytest.raises(IndexBehind, match="expected index revision 3 or later, it is at 0"):
        projection.catch_up(at_least=3, timeout_s=20)
    assert time.monotonic() - begun < 5
    assert projection.catch_up(at_least=2) == 2


def test_two_servers_enroll_and_delete_while_a_third_follows(
    catalog: Catalog, blobs: BlobStore
) -> None:
    follower = started(catalog)
    follower.start_tail(0.01)
    failures: list[BaseException] = []

    def serve(name: str) -> None:
        own = started(catalog)
        try:
            for number in range(8):
                enrolled = put(catalog, f"{name}{number}", 2)
                own.catch_up(at_least=enrolled.revision)
                query = catalog.vectors(SPACE, enrolled.view_ids)[1]
                assert own.search(query, 1)[0][:, 0].tolist() == list(enrolled.view_ids)
                if number % 3 == 0:
                    own.catch_up(at_least=catalog.delete_product(f"{name}{number}"))
        except BaseException as error:
            failures.append(error)

    servers = [threading.Thread(target=serve, args=(name,)) for name in "XY"]
    for server in servers:
        server.start()
    while any(server.is_alive() for server in servers):
        assert follower.verify(sample=20).ok
        assert follower.check_count().ok
    for server in servers:
        server.join()
    assert not failures
    follower.catch_up(at_least=catalog.head())
    assert follower.tail_error is None
    assert_true(follower, catalog)
    follower.close()


def test_rebuilding_while_others_enroll_misses_nothing(catalog: Catalog) -> None:
    projection = started(catalog)
    writer = threading.Thread(
        target=lambda: [put(catalog, f"P{number}", 2) for number in range(12)]
    )
    writer.start()
    revisions = [projection.revision]
    while writer.is_alive():
        projection.catch_up()
        revisions.append(projection.revision)
        projection.rebuild()
        revisions.append(projection.revision)
    writer.join()
    assert revisions == sorted(revisions)
    projection.catch_up()
    assert_true(projection, catalog)


def test_products_are_not_confused_with_views(catalog: Catalog) -> None:
    """Ids in the index are those of views, which differ from the product's."""
    put(catalog, "A1", 5)
    catalog.enroll(product("B2"), [], SPACE, unit_vectors(0))
    last = put(catalog, "C3", 1)
    projection = started(catalog)
    query = catalog.vectors(SPACE, last.view_ids)[1]
    found = projection.search(query, 1)[0][0].tolist()
    assert catalog.resolve(found)[found[0]].product.sku == "C3"
