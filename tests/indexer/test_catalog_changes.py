"""Changes and deletions in the catalog, on both databases."""

import errno
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.errors import (
    BadProduct,
    ProductNotFound,
    VersionConflict,
    ViewNotFound,
    WrongCurrency,
)
from tests.indexer.entries import SPACE, assert_empty, files, product, put


def actions(catalog: Catalog, after: int = 0) -> list[tuple[int, str]]:
    return [(change.view_id, change.action) for change in catalog.changes_after(after)]


def test_update_changes_only_what_is_given(catalog: Catalog) -> None:
    before = put(catalog, "A1", category="milk").product
    after = catalog.update_product("A1", {"price_minor": 5, "currency": "EUR"}, if_match=1)
    assert (after.price_minor, after.version) == (5, 2)
    assert (after.name, after.category) == (before.name, "milk")
    assert after.updated_at >= before.updated_at
    assert catalog.update_product("A1", {}) == after
    assert catalog.update_product("A1", {"category": None, "attributes": {"b": [1]}}).attributes
    assert catalog.head() == 1


def test_versions_are_compared(catalog: Catalog) -> None:
    put(catalog, "A1")
    catalog.update_product("A1", {"name": "Other"}, if_match=1)
    calls: list[Callable[[], object]] = [
        lambda: catalog.update_product("A1", {"name": "Third"}, if_match=1),
        lambda: catalog.delete_product("A1", if_match=1),
    ]
    for call in calls:
        with pytest.raises(VersionConflict, match="expected version 1") as caught:
            call()
        assert (caught.value.expected, caught.value.actual) == (1, 2)
    assert catalog.product("A1").name == "Other"
    catalog.delete_product("A1", if_match=2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " x"),
        ("name", "a\x00b"),
        ("name", "\ud800"),
        ("name", "x" * 201),
        ("name", None),
        ("price_minor", -1),
        ("price_minor", 1.5),
        ("price_minor", True),
        ("price_minor", 2**63),
        ("barcode", ""),
        ("category", 3),
        ("attributes", {"a": float("nan")}),
        ("attributes", {"a": "\x00"}),
        ("attributes", {"a": "\ud800"}),
        ("attributes", {"a": object()}),
        ("attributes", {1: 2}),
        ("attributes", {"a": "x" * 20_000}),
        ("attributes", []),
    ],
)
def test_fields_that_cannot_be_stored(catalog: Catalog, field: str, value: Any) -> None:
    with pytest.raises(BadProduct, match=f"^{field}: expected") as caught:
        product(**{field: value})
    assert caught.value.field == field
    put(catalog, "A1")
    with pytest.raises(BadProduct):
        catalog.update_product("A1", {field: value})
    assert catalog.product("A1").version == 1


@pytest.mark.parametrize("field", ["sku", "id", "version", "colour"])
def test_fields_that_cannot_be_changed(catalog: Catalog, field: str) -> None:
    put(catalog, "A1")
    with pytest.raises(BadProduct, match="a field that can be changed"):
        catalog.update_product("A1", {field: "x"})


def test_the_largest_values_fit(catalog: Catalog) -> None:
    stored = put(catalog, "s" * 64, name="n" * 200, price_minor=2**63 - 1).product
    assert stored.price_minor == 2**63 - 1


def test_retired_products_leave_the_index_and_come_back(catalog: Catalog) -> None:
    view_id = put(catalog, "A1").view_ids[0]
    assert not catalog.update_product("A1", {"active": False}).active
    assert actions(catalog, 1) == [(view_id, "drop")]
    assert catalog.resolve([view_id]) == {}
    assert catalog.counts().vectors == {SPACE: 0}
    assert len(catalog.vectors(SPACE, [view_id])[0]) == 0
    assert catalog.update_product("A1", {"active": True}).active
    assert actions(catalog, 2) == [(view_id, "put")]
    assert catalog.resolve([view_id])[view_id].product.sku == "A1"


def test_enrolling_sells_a_retired_product_again(catalog: Catalog) -> None:
    old = put(catalog, "A1").view_ids
    catalog.update_product("A1", {"active": False})
    done = put(catalog, "A1", [b"new"])
    assert done.product.active
    assert actions(catalog, 2) == [(old[0], "put"), (done.view_ids[0], "put")]


def test_delete_purges_everything(catalog: Catalog, blobs: BlobStore) -> None:
    view_ids = put(catalog, "A1", 2).view_ids
    assert catalog.delete_product("A1") == 4
    assert_empty(catalog, blobs)
    assert actions(catalog, 2) == [(view_id, "drop") for view_id in view_ids]
    with pytest.raises(ProductNotFound):
        catalog.product("A1")
    with pytest.raises(ProductNotFound):
        catalog.delete_product("A1")


def test_a_shared_crop_stays_until_its_last_view_goes(catalog: Catalog, blobs: BlobStore) -> None:
    put(catalog, "A1", [b"shared", b"own"])
    [second] = put(catalog, "B2", [b"shared"]).view_ids
    [third] = put(catalog, "C3", [b"shared"]).view_ids
    catalog.delete_product("A1")
    assert catalog.crop("B2", second) == b"shared"
    catalog.delete_view("B2", second)
    assert catalog.crop("C3", third) == b"shared"
    catalog.delete_view("C3", third)
    assert files(blobs) == set()


def test_delete_view(catalog: Catalog) -> None:
    first, last = put(catalog, "A1", 2).view_ids
    put(catalog, "B2")
    assert catalog.delete_view("A1", first) == 4
    assert [view.id for view in catalog.views("A1")] == [last]
    assert catalog.product("A1").version == 2
    for sku, view_id in (("A1", first), ("B2", last)):
        with pytest.raises(ViewNotFound):
            catalog.delete_view(sku, view_id)
    catalog.delete_view("A1", last)
    assert catalog.product("A1").views == 0
    assert catalog.counts().views == 1


def test_ids_are_never_reused(catalog: Catalog) -> None:
    seen_views: set[int] = set()
    seen_products: set[int] = set()
    for _ in range(3):
        done = put(catalog, "A1", 2)
        assert not seen_views & set(done.view_ids)
        assert done.product.id not in seen_products
        seen_views |= set(done.view_ids)
        seen_products.add(done.product.id)
        catalog.delete_product("A1")


def test_sweep_removes_what_no_view_refers_to(catalog: Catalog, blobs: BlobStore) -> None:
    put(catalog, "A1", [b"kept"])
    kept = files(blobs)
    blobs.put(b"left by a crash")
    (blobs.root / "staging" / "left").write_bytes(b"by a crash")
    assert catalog.sweep_crops(older_than_s=60) == 0
    assert catalog.sweep_crops(older_than_s=0) == 2
    assert files(blobs) == kept


def test_a_crop_that_cannot_be_removed_does_not_undo_the_deletion(
    catalog: Catalog,
    blobs: BlobStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(_: str) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    put(catalog, "A1")
    with monkeypatch.context() as patch:
        patch.setattr(blobs, "delete", broken)
        catalog.delete_product("A1")
    assert "1 crops are left to the next sweep" in caplog.text
    assert catalog.sweep_crops(older_than_s=0) == 1
    assert_empty(catalog, blobs)


def test_the_currency_of_the_installation(
    catalog: Catalog, engine: Engine, blobs: BlobStore
) -> None:
    put(catalog, "A1")
    catalog.check_currency()
    with pytest.raises(WrongCurrency, match="expected prices in USD, got EUR"):
        Catalog(engine, blobs, "USD").check_currency()
    with pytest.raises(WrongCurrency):
        catalog.update_product("A1", {"currency": "USD"})
