"""Whether every reference view has its crop: the part of the catalog that is not in SQL."""

from collections.abc import Callable, Iterator

from indexer.catalog import Catalog
from indexer.errors import CropUnreadable, ProductNotFound, ViewNotFound
from indexer.records import Product

PAGE = 500


def unreadable_crops(
    catalog: Catalog, on_view: Callable[[int], object] = lambda count: None
) -> list[CropUnreadable]:
    """Read every crop and compare its checksum; what is deleted meanwhile does not count.

    Args:
        on_view: Told the number of crops that were just read.
    """
    damaged = []
    for product in _products(catalog):
        try:
            views = catalog.views(product.sku)
        except ProductNotFound:
            continue
        for view in views:
            try:
                catalog.crop(view.sku, view.id)
            except CropUnreadable as error:
                damaged.append(error)
            except (ProductNotFound, ViewNotFound):
                continue
        on_view(len(views))
    return damaged


def _products(catalog: Catalog) -> Iterator[Product]:
    cursor: str | None = None
    while True:
        page = catalog.products(cursor=cursor, limit=PAGE)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            return
