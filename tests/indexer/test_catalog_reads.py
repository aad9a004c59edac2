"""Reads of the catalog, on both databases."""

import pytest

from indexer.blobs import BlobStore
from indexer.catalog import Catalog
from indexer.errors import BadCursor, CropUnreadable, ProductNotFound, ViewNotFound
from indexer.records import Counts, Page
from tests.indexer.entries import SPACE, put


def skus(page: Page) -> list[str]:
    return [item.sku for item in page.items]


def test_an_empty_catalog(catalog: Catalog) -> None:
    assert catalog.products() == Page((), None)
    assert catalog.counts() == Counts(products=0, active=0, views=0, vectors={SPACE: 0})
    assert catalog.resolve([]) == {}
    assert catalog.head() == 0
    assert catalog.changes_after(0) == []


@pytest.mark.parametrize("sku", ["unknown", "", "a\x00b", "\ud800"])
def test_unknown_products(catalog: Catalog, sku: str) -> None:
    for call in (catalog.product, catalog.views):
        with pytest.raises(ProductNotFound):
            call(sku)
    with pytest.raises(ProductNotFound):
        catalog.view(sku, 1)


@pytest.mark.parametrize("view_id", [0, -1, 99, 2**63, 10**30])
def test_unknown_views(catalog: Catalog, view_id: int) -> None:
    put(catalog, "A1")
    with pytest.raises(ViewNotFound):
        catalog.view("A1", view_id)
    with pytest.raises(ViewNotFound):
        catalog.crop("A1", view_id)


def test_a_view_belongs_to_its_product(catalog: Catalog) -> None:
    view_id = put(catalog, "A1").view_ids[0]
    put(catalog, "B2")
    assert catalog.view("A1", view_id).sku == "A1"
    with pytest.raises(ViewNotFound):
        catalog.view("B2", view_id)


def test_a_lost_crop_is_told(catalog: Catalog, blobs: BlobStore) -> None:
    view_id = put(catalog, "A1").view_ids[0]
    blobs.delete(catalog.view("A1", view_id).crop_sha256)
    with pytest.raises(CropUnreadable, match="missing"):
        catalog.crop("A1", view_id)


def test_pages_cover_everything_once(catalog: Catalog) -> None:
    names = [f"{letter}{number}" for number in range(4) for letter in "ZBA"]
    for name in names:
        put(catalog, name, 0)
    seen: list[str] = []
    cursor = None
    while True:
        page = catalog.products(cursor=cursor, limit=5)
        seen += skus(page)
        if (cursor := page.next_cursor) is None:
            break
    assert seen == names


def test_pages_are_stable_under_inserts_and_deletes(catalog: Catalog) -> None:
    for name in ("B", "C", "D", "E"):
        put(catalog, name, 0)
    page = catalog.products(limit=2)
    put(catalog, "A", 0)
    catalog.delete_product("C")
    assert skus(page) == ["B", "C"]
    assert skus(catalog.products(cursor=page.next_cursor, limit=9)) == ["D", "E", "A"]


def test_a_full_last_page_has_no_cursor(catalog: Catalog) -> None:
    put(catalog, "A", 0)
    put(catalog, "B", 0)
    assert catalog.products(limit=2).next_cursor is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "!!!!",
        "AAAA",
        "YWZ0ZXI6",
        "YWZ0ZXI6LTE",
        "YWZ0ZXI6" + "OTk5" * 2000,
        "\u00e9",
        "\x00",
    ],
)
def test_bad_cursors(catalog: Catalog, cursor: str) -> None:
    with pytest.raises(BadCursor, match="expected a cursor from an earlier page"):
        catalog.products(cursor=cursor)


def test_a_limit_below_one(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="expected 1 or more, got 0"):
        catalog.products(limit=0)


def test_search_looks_at_name_sku_and_barcode_in_any_case(catalog: Catalog) -> None:
    put(catalog, "Milk-1", 0, name="Frische Müllermilch GROẞ", barcode="4001")
    put(catalog, "B2", 0, name="50% off_er / 100", barcode="9%")
    put(catalog, "C3", 0, name="Ölçek İstanbul")
    for text in ("milk-1", "MÜLLER", "gross", "400", "\ufb01"[:0] + "frische MÜ"):
        assert skus(catalog.products(text)) == ["Milk-1"], text
    for text in ("50%", "OFF_", "/ 1", "9%"):
        assert skus(catalog.products(text)) == ["B2"], text
    for text in ("%", "_"):
        assert skus(catalog.products(text)) == ["B2"], text
    assert skus(catalog.products("öLÇ")) == ["C3"]
    for text in ("xyz", "1\n4", "a\x00", "\ud800", "\\", "1 4001"):
        assert skus(catalog.products(text)) == [], text
    assert len(catalog.products("").items) == 3


def test_search_follows_changes(catalog: Catalog) -> None:
    put(catalog, "A1", 0, name="Old", barcode="111")
    catalog.update_product("A1", {"name": "New"})
    assert skus(catalog.products("new")) == ["A1"]
    assert skus(catalog.products("old")) == []
    assert skus(catalog.products("111")) == ["A1"]
    catalog.update_product("A1", {"barcode": None})
    assert skus(catalog.products("111")) == []


def test_category_is_exact_and_joins_the_search(catalog: Catalog) -> None:
    put(catalog, "A1", 0, category="milk")
    put(catalog, "B2", 0, category="Milk")
    put(catalog, "C3", 0)
    assert skus(catalog.products(category="milk")) == ["A1"]
    assert skus(catalog.products("b2", category="milk")) == []
    assert skus(catalog.products(category="\x00")) == []


def test_resolve_names_what_is_sold(catalog: Catalog) -> None:
    first = put(catalog, "A1", 2).view_ids
    second = put(catalog, "B2", 1, price_minor=5).view_ids
    retired = put(catalog, "C3").view_ids
    gone = put(catalog, "D4").view_ids
    catalog.update_product("C3", {"active": False})
    catalog.delete_product("D4")
    found = catalog.resolve([*second, -1, *first, *first, *retired, *gone, 10**6])
    assert set(found) == {*first, *second}
    assert found[first[0]].product == catalog.product("A1")
    assert found[first[0]].product is found[first[1]].product
    assert found[first[0]].product.views == 2
    assert (found[second[0]].view_id, found[second[0]].product.price_minor) == (second[0], 5)


def test_counts(catalog: Catalog) -> None:
    catalog.register_space("space1", 4, "other")
    put(catalog, "A1", 2)
    put(catalog, "B2", 3)
    catalog.update_product("B2", {"active": False})
    assert catalog.counts() == Counts(2, 1, 5, {SPACE: 2, "space1": 0})
