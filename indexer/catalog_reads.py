"""What can be asked of the catalog. Every method is one SELECT, except where it says otherwise."""

import base64
import binascii
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, func, select

from indexer.blobs import BlobStore
from indexer.errors import (
    BadCursor,
    CropUnreadable,
    IdempotencyMismatch,
    ProductNotFound,
    ViewNotFound,
)
from indexer.records import MAX_INTEGER, Page, Product, ResolvedView, View, folded, storable
from indexer.tables import IdempotencyRow, ProductRow, ViewRow
from indexer.transactions import reading


class CatalogReads:
    """Products, views and crops. Safe to use from several threads."""

    def __init__(self, engine: Engine, blobs: BlobStore) -> None:
        self._engine = engine
        self._blobs = blobs

    def product(self, sku: str) -> Product:
        """The product with this sku, active or not."""
        with reading(self._engine) as connection:
            return find_product(connection, sku)

    def products(
        self,
        search: str | None = None,
        category: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page:
        """Products in the order of their creation, which inserts between two pages do not disturb.

        Args:
            search: Part of the name, the sku or the barcode, in any case.
            category: Exactly this category.
            cursor: `next_cursor` of the page before.
            limit: Most items on the page, from 1.
        """
        if limit < 1:
            raise ValueError(f"limit: expected 1 or more, got {limit}")
        statement = select_products().order_by(ProductRow.id).limit(limit + 1)
        if cursor is not None:
            statement = statement.where(ProductRow.id > _decode_cursor(cursor))
        for text in filter(None, (search, category)):
            if not storable(text):
                return Page((), None)
        if search:
            statement = statement.where(
                ProductRow.search_text.contains(folded(search), autoescape=True)
            )
        if category is not None:
            statement = statement.where(ProductRow.category == category)
        with reading(self._engine) as connection:
            found = [to_product(row) for row in connection.execute(statement)]
        more = len(found) > limit
        items = tuple(found[:limit])
        return Page(items, _encode_cursor(items[-1].id) if more else None)

    def views(self, sku: str) -> list[View]:
        """The views of a product, oldest first. Two SELECTs."""
        statement = select_views().where(ProductRow.sku == sku).order_by(ViewRow.id)
        with reading(self._engine) as connection:
            find_product(connection, sku)
            return [to_view(row) for row in connection.execute(statement)]

    def view(self, sku: str, view_id: int) -> View:
        """One view of a product. Two SELECTs."""
        with reading(self._engine) as connection:
            find_product(connection, sku)
            return find_view(connection, sku, view_id)

    def crop(self, sku: str, view_id: int) -> bytes:
        """The encoded picture of a view."""
        found = self.view(sku, view_id)
        try:
            return self._blobs.get(found.crop_sha256)
        except CropUnreadable:
            # Deleted between the two reads: then this raises the error that says so.
            self.view(sku, view_id)
            raise

    def resolve(self, view_ids: Iterable[int]) -> dict[int, ResolvedView]:
        """What hits of the vector index stand for; views of retired or deleted products are absent.

        Args:
            view_ids: Any ids; unknown ones (such as the index's -1 for "no hit") are ignored.
        """
        wanted = sorted({int(view_id) for view_id in view_ids if view_id > 0})
        if not wanted:
            return {}
        statement = (
            select_products()
            .add_columns(ViewRow.id.label("view_id"))
            .join(ViewRow, ViewRow.product_id == ProductRow.id)
            .where(ViewRow.id.in_(wanted), ProductRow.active)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(statement).all()
        # Views of one product share one value.
        products: dict[int, Product] = {}
        for row in rows:
            if row.id not in products:
                products[row.id] = to_product(row)
        return {row.view_id: ResolvedView(row.view_id, products[row.id]) for row in rows}

    def idempotent_answer(self, key: str, request_hash: str) -> dict[str, Any] | None:
        """The stored answer of this request, or None if the key was never used."""
        with reading(self._engine) as connection:
            return find_answer(connection, key, request_hash)


def select_products() -> Select[Any]:
    """Every column of `Product`, by name."""
    views = (
        select(func.count())
        .select_from(ViewRow)
        .where(ViewRow.product_id == ProductRow.id)
        # Only of the products: a query that also joins views must not make this one count them.
        .correlate(ProductRow)
        .scalar_subquery()
    )
    return select(
        ProductRow.id,
        ProductRow.sku,
        ProductRow.name,
        ProductRow.price_minor,
        ProductRow.currency,
        ProductRow.barcode,
        ProductRow.category,
        ProductRow.attributes,
        ProductRow.active,
        ProductRow.version,
        views.label("views"),
        ProductRow.created_at,
        ProductRow.updated_at,
    )


def select_views() -> Select[Any]:
    """Every column of `View`, by name."""
    return select(
        ViewRow.id,
        ProductRow.sku,
        ViewRow.crop_sha256,
        ViewRow.box,
        ViewRow.quality,
        ViewRow.source,
        ViewRow.created_at,
    ).join(ProductRow, ViewRow.product_id == ProductRow.id)


def find_product(connection: Connection, sku: str) -> Product:
    """The product, or ProductNotFound."""
    # A text that no database can hold cannot be the sku of a product.
    if storable(sku):
        row = connection.execute(select_products().where(ProductRow.sku == sku)).one_or_none()
        if row is not None:
            return to_product(row)
    raise ProductNotFound(sku)


def find_view(connection: Connection, sku: str, view_id: int) -> View:
    """The view, or ViewNotFound."""
    if 0 < view_id <= MAX_INTEGER:
        statement = select_views().where(ViewRow.id == view_id, ProductRow.sku == sku)
        row = connection.execute(statement).one_or_none()
        if row is not None:
            return to_view(row)
    raise ViewNotFound(sku, view_id)


def find_answer(connection: Connection, key: str, request_hash: str) -> dict[str, Any] | None:
    """The answer stored under the key; IdempotencyMismatch if it answers another request."""
    statement = select(IdempotencyRow.request_hash, IdempotencyRow.answer).where(
        IdempotencyRow.key == key
    )
    row = connection.execute(statement).one_or_none() if storable(key) else None
    if row is None:
        return None
    if row.request_hash != request_hash:
        raise IdempotencyMismatch(key)
    return dict(row.answer)


def to_product(row: Row[Any]) -> Product:
    """A row of `select_products`, whatever other columns it has."""
    columns = row._mapping
    return Product(**{name: columns[name] for name in Product.__dataclass_fields__})


def to_view(row: Row[Any]) -> View:
    """A row of `select_views`."""
    columns = dict(row._mapping)
    columns["box"] = None if columns["box"] is None else tuple(columns["box"])
    return View(**columns)


def _encode_cursor(product_id: int) -> str:
    return base64.urlsafe_b64encode(f"after:{product_id}".encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise BadCursor(cursor) from error
    label, _, digits = text.partition(":")
    # The length comes first: Python refuses to read numbers of thousands of digits.
    if label != "after" or not digits.isdecimal() or len(digits) > len(str(MAX_INTEGER)):
        raise BadCursor(cursor)
    return min(int(digits), MAX_INTEGER)
