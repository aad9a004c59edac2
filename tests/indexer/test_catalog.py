"""Enrolment into the catalog, on both databases."""

import errno
import os
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, event

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.errors import (
    AlreadyAnswered,
    BadVectors,
    DuplicateBarcode,
    IdempotencyMismatch,
    SpaceMismatch,
    StorageFull,
    WrongCurrency,
)
from indexer.records import Change, Enrolled, Idempotency, NewView
from tests.indexer.entries import DIM, SPACE, assert_empty, files, product, put, unit_vectors


def test_enroll_stores_everything(catalog: Catalog) -> None:
    vectors = unit_vectors(2)
    views = [
        NewView(b"first", (1, 2, 30.5, 40), {"blur": 0.5}, "upload"),
        NewView(b"second"),
    ]
    given = product(
        "A1", name="Oat milk", price_minor=249, barcode="400", category="milk", attributes={"l": 1}
    )
    done = catalog.enroll(given, views, SPACE, vectors)

    assert done.created
    assert done.revision == catalog.head() == 2
    stored = catalog.product("A1")
    assert done.product == stored
    assert (stored.name, stored.price_minor, stored.currency) == ("Oat milk", 249, "EUR")
    assert (stored.barcode, stored.category, stored.attributes) == ("400", "milk", {"l": 1})
    assert (stored.active, stored.version, stored.views) == (True, 1, 2)
    assert stored.created_at.utcoffset() is not None

    first, second = catalog.views("A1")
    assert (first.id, second.id) == done.view_ids
    assert first.box == (1, 2, 30.5, 40)
    assert (first.quality, first.source, first.sku) == ({"blur": 0.5}, "upload", "A1")
    assert second.box is None
    assert [catalog.crop("A1", view_id) for view_id in done.view_ids] == [b"first", b"second"]
    assert catalog.changes_after(0) == [
        Change(1, done.view_ids[0], "put"),
        Change(2, done.view_ids[1], "put"),
    ]
    ids, found = catalog.vectors(SPACE, done.view_ids)
    assert ids.tolist() == list(done.view_ids)
    np.testing.assert_array_equal(found, vectors)


def test_view_ids_keep_the_order_of_the_views(catalog: Catalog) -> None:
    crops = [f"{number}".encode() for number in range(50)]
    done = put(catalog, "A1", crops)
    assert list(done.view_ids) == sorted(done.view_ids)
    assert [catalog.crop("A1", view_id) for view_id in done.view_ids] == crops


def test_enroll_again_adds_views(catalog: Catalog) -> None:
    first = put(catalog, "A1", 1, barcode="400", category="milk", attributes={"a": 1})
    second = put(catalog, "A1", [b"x", b"y"], name="New name", price_minor=5)
    assert not second.created
    assert second.product.id == first.product.id
    assert (second.product.views, second.product.version) == (3, 2)
    assert (second.product.name, second.product.price_minor) == ("New name", 5)
    assert second.product.barcode == "400"
    assert (second.product.category, second.product.attributes) == ("milk", {"a": 1})
    assert catalog.head() == 3
    assert catalog.products("new NAME").items == (second.product,)


def test_equal_crops_of_a_product_are_one_view(catalog: Catalog, blobs: BlobStore) -> None:
    first = put(catalog, "A1", [b"x"])
    again = put(catalog, "A1", [b"y", b"x", b"y", b"z"])
    y, x, same, z = again.view_ids
    assert (x, same) == (first.view_ids[0], y)
    assert again.added == (True, False, False, True)
    assert [view.id for view in catalog.views("A1")] == [x, y, z]
    assert [catalog.crop("A1", view_id) for view_id in (x, y, z)] == [b"x", b"y", b"z"]
    assert (again.product.views, again.revision, len(files(blobs))) == (3, 3, 3)
    expected = unit_vectors(4, int.from_bytes(b"A1", "big"))
    np.testing.assert_array_equal(catalog.vectors(SPACE, [y, z])[1], expected[[0, 3]])
    assert put(catalog, "B2", [b"x"]).added == (True,), "of another product"


def test_enroll_without_views(catalog: Catalog, blobs: BlobStore) -> None:
    done = put(catalog, "A1", 0)
    assert (done.created, done.view_ids, done.revision) == (True, (), 0)
    assert catalog.views("A1") == []
    assert files(blobs) == set()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (unit_vectors(2).astype(np.float64), "expected float32, got float64"),
        (unit_vectors(2).tolist(), "expected float32, got list"),
        (unit_vectors(1), r"expected shape \(2, 8\), got \(1, 8\)"),
        (unit_vectors(2, dim=9), r"expected shape \(2, 8\), got \(2, 9\)"),
        (unit_vectors(2)[0], r"expected shape \(2, 8\), got \(8,\)"),
        (np.full((2, DIM), np.nan, np.float32), "finite"),
        (np.full((2, DIM), np.inf, np.float32), "finite"),
        (np.full((2, DIM), 3e38, np.float32), "norm 1, row 0"),
        (unit_vectors(2) * np.array([[1], [1.01]], np.float32), "row 1 has norm 1.01"),
        (np.zeros((2, DIM), np.float32), "norm 0"),
    ],
)
def test_bad_vectors_leave_nothing(
    catalog: Catalog, blobs: BlobStore, vectors: Any, message: str
) -> None:
    with pytest.raises(BadVectors, match=message):
        catalog.enroll(product(), [NewView(b"1"), NewView(b"2")], SPACE, vectors)
    assert_empty(catalog, blobs)
    assert catalog.head() == 0


def test_other_refusals_leave_nothing(catalog: Catalog, blobs: BlobStore) -> None:
    views, vectors = [NewView(b"1")], unit_vectors(1)
    with pytest.raises(SpaceMismatch, match="'other' is not registered"):
        catalog.enroll(product(), views, "other", vectors)
    with pytest.raises(WrongCurrency, match="expected prices in EUR, got USD"):
        catalog.enroll(product(currency="USD"), views, SPACE, vectors)
    assert_empty(catalog, blobs)


def test_a_failure_after_the_crops_leaves_only_what_others_use(
    catalog: Catalog, blobs: BlobStore
) -> None:
    def fail(_: Enrolled) -> dict[str, Any]:
        raise RuntimeError("no receipt")

    put(catalog, "A1", [b"shared"])
    before = files(blobs)
    views = [NewView(b"shared"), NewView(b"own")]
    key = Idempotency("key", "hash")
    with pytest.raises(RuntimeError, match="no receipt"):
        catalog.enroll(product("B2"), views, SPACE, unit_vectors(2), idempotency=key, receipt=fail)
    assert files(blobs) == before
    assert catalog.counts().products == 1
    assert catalog.head() == 1
    assert catalog.idempotent_answer("key", "hash") is None


def test_a_full_disk_leaves_nothing(
    catalog: Catalog, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageFull):
            put(catalog, "A1", 3)
    assert_empty(catalog, blobs)
    # Full only when the crops get their names, with the transaction open.
    with monkeypatch.context() as patch:
        patch.setattr("indexer.blobs._sync_folder", full)
        with pytest.raises(StorageFull):
            put(catalog, "A1", 3)
    assert_empty(catalog, blobs)
    put(catalog, "A1", 3)


def test_a_full_database_leaves_nothing(catalog: Catalog, blobs: BlobStore, engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        pytest.skip("only SQLite can be told to be full")
    event.listen(engine, "checkout", lambda raw, *_: raw.execute("PRAGMA max_page_count = 1"))
    views = [NewView(bytes([number]), quality={"note": "x" * 10_000}) for number in range(9)]
    with pytest.raises(StorageFull, match="database or disk is full"):
        catalog.enroll(product(), views, SPACE, unit_vectors(len(views)))
    assert_empty(catalog, blobs)


def test_an_idempotent_request_is_done_once(catalog: Catalog, blobs: BlobStore) -> None:
    def enroll(crop: bytes, request_hash: str) -> None:
        catalog.enroll(
            product(),
            [NewView(crop)],
            SPACE,
            unit_vectors(1),
            idempotency=Idempotency("key", request_hash),
            receipt=lambda done: {"revision": done.revision},
        )

    assert catalog.idempotent_answer("key", "hash") is None
    enroll(b"1", "hash")
    assert catalog.idempotent_answer("key", "hash") == {"revision": 1}
    with pytest.raises(AlreadyAnswered) as caught:
        enroll(b"1", "hash")
    assert caught.value.answer == {"revision": 1}
    with pytest.raises(IdempotencyMismatch):
        enroll(b"2", "another")
    with pytest.raises(IdempotencyMismatch):
        catalog.idempotent_answer("key", "another")
    assert catalog.product("A1").views == 1
    assert len(files(blobs)) == 1
    assert catalog.forget_answers(older_than_s=60) == 0
    assert catalog.forget_answers(older_than_s=-60) == 1
    assert catalog.idempotent_answer("key", "hash") is None


def test_barcodes_are_unique_where_there_are_any(catalog: Catalog) -> None:
    put(catalog, "A1", barcode="400")
    put(catalog, "B2")
    put(catalog, "C3")
    with pytest.raises(DuplicateBarcode, match="'400' belongs to product 'A1'") as caught:
        put(catalog, "D4", barcode="400")
    assert (caught.value.barcode, caught.value.sku) == ("400", "A1")
    with pytest.raises(DuplicateBarcode):
        catalog.update_product("B2", {"barcode": "400"})
    assert put(catalog, "A1", barcode="400").product.barcode == "400"
    assert catalog.update_product("A1", {"barcode": None}).barcode is None
    assert catalog.update_product("B2", {"barcode": "400"}).barcode == "400"
