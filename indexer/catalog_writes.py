"""The statements of the catalog's write transactions; `indexer.catalog` opens and ends them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from indexer.blobs import StagedCrops
from indexer.catalog_reads import find_answer, find_product
from indexer.catalog_vectors import Vectors, insert_vectors
from indexer.errors import (
    AlreadyAnswered,
    DuplicateBarcode,
    ProductNotFound,
    VersionConflict,
)
from indexer.records import Enrolled, Idempotency, NewView, Product, ProductInput, folded
from indexer.tables import EmbeddingRow, IdempotencyRow, ProductRow, ViewRow
from indexer.transactions import Writer


def refuse_repetition(connection: Connection, idempotency: Idempotency | None) -> None:
    """Raise AlreadyAnswered, or IdempotencyMismatch, if the key was used."""
    if idempotency is None:
        return
    answer = find_answer(connection, idempotency.key, idempotency.request_hash)
    if answer is not None:
        raise AlreadyAnswered(idempotency.key, answer)


def store_answer(
    connection: Connection, idempotency: Idempotency, answer: Mapping[str, Any]
) -> None:
    """Keep the answer for repetitions of the request."""
    row = {
        "key": idempotency.key,
        "request_hash": idempotency.request_hash,
        "answer": dict(answer),
        "created_at": datetime.now(UTC),
    }
    connection.execute(insert(IdempotencyRow), [row])


def enroll(
    writer: Writer,
    product: ProductInput,
    views: Sequence[NewView],
    crops: StagedCrops,
    space: str,
    vectors: Vectors,
) -> Enrolled:
    """Write product, views, crops and vectors (float32 `[N,D]`, already checked)."""
    connection = writer.connection
    stored, created = _upsert(writer, product)
    crops.publish()
    ids = _views_by_crop(connection, stored.id, crops.sha256)
    # Equal crops of a product are one view, decided here, where nobody else writes.
    first = {sha256: row for row, sha256 in reversed(list(enumerate(crops.sha256)))}
    fresh = sorted(row for sha256, row in first.items() if sha256 not in ids)
    names = [crops.sha256[row] for row in fresh]
    new_ids = _insert_views(connection, stored.id, [views[row] for row in fresh], names)
    insert_vectors(connection, space, new_ids, [vectors[row] for row in fresh])
    writer.log(new_ids, "put")
    ids |= dict(zip(names, new_ids, strict=True))
    return Enrolled(
        product=find_product(connection, product.sku),
        created=created,
        view_ids=tuple(ids[sha256] for sha256 in crops.sha256),
        added=tuple(row in fresh for row in range(len(views))),
        revision=writer.revision,
    )


def update_product(writer: Writer, before: Product, changes: Mapping[str, Any]) -> None:
    """Write checked changes; the version grows even if there are none."""
    connection = writer.connection
    after = {"name": before.name, "barcode": before.barcode, "active": before.active, **changes}
    if after["barcode"] != before.barcode:
        refuse_barcode(connection, after["barcode"], before.sku)
    values = {
        **changes,
        "search_text": search_text(after["name"], before.sku, after["barcode"]),
        "version": before.version + 1,
        "updated_at": datetime.now(UTC),
    }
    connection.execute(update(ProductRow).where(ProductRow.id == before.id).values(values))
    if after["active"] != before.active:
        # Only what is sold belongs into the index: retired views would crowd out others.
        statement = select(ViewRow.id).where(ViewRow.product_id == before.id).order_by(ViewRow.id)
        view_ids = connection.execute(statement).scalars().all()
        writer.log(view_ids, "put" if after["active"] else "drop")


def delete_views(writer: Writer, which: ColumnElement[bool]) -> set[str]:
    """Remove views and their vectors; returns the crops that they referred to."""
    connection = writer.connection
    statement = select(ViewRow.id, ViewRow.crop_sha256).where(which).order_by(ViewRow.id)
    rows = connection.execute(statement).all()
    doomed = select(ViewRow.id).where(which)
    connection.execute(delete(EmbeddingRow).where(EmbeddingRow.view_id.in_(doomed)))
    connection.execute(delete(ViewRow).where(which))
    writer.log([row.id for row in rows], "drop")
    return {row.crop_sha256 for row in rows}


def referenced(connection: Connection, crops: Collection[str]) -> set[str]:
    """Those crops that some view refers to."""
    statement = select(ViewRow.crop_sha256).where(ViewRow.crop_sha256.in_(crops)).distinct()
    return set(connection.execute(statement).scalars())


def check_version(product: Product, if_match: int | None) -> Product:
    """The product, or VersionConflict if the caller has seen another version."""
    if if_match is not None and if_match != product.version:
        raise VersionConflict(if_match, product.version)
    return product


def refuse_barcode(connection: Connection, barcode: str | None, sku: str) -> None:
    """Raise DuplicateBarcode if another product than `sku` has the barcode."""
    if barcode is None:
        return
    statement = select(ProductRow.sku).where(ProductRow.barcode == barcode, ProductRow.sku != sku)
    owner = connection.execute(statement).scalar_one_or_none()
    if owner is not None:
        raise DuplicateBarcode(barcode, owner)


def search_text(name: str, sku: str, barcode: str | None) -> str:
    """What searches look through; no search text can span two lines."""
    return folded("\n".join(filter(None, (name, sku, barcode))))


def _upsert(writer: Writer, product: ProductInput) -> tuple[Product, bool]:
    """The stored product and whether it is new."""
    connection = writer.connection
    try:
        before = find_product(connection, product.sku)
    except ProductNotFound:
        _insert_product(connection, product)
        return find_product(connection, product.sku), True
    changes: dict[str, Any] = {
        "name": product.name,
        "price_minor": product.price_minor,
        "currency": product.currency,
        "active": True,
    }
    optional = {
        "barcode": product.barcode,
        "category": product.category,
        "attributes": dict(product.attributes),
    }
    changes |= {name: value for name, value in optional.items() if value}
    update_product(writer, before, changes)
    return before, False


def _insert_product(connection: Connection, product: ProductInput) -> None:
    refuse_barcode(connection, product.barcode, product.sku)
    now = datetime.now(UTC)
    row = {
        "sku": product.sku,
        "name": product.name,
        "price_minor": product.price_minor,
        "currency": product.currency,
        "barcode": product.barcode,
        "category": product.category,
        "attributes": dict(product.attributes),
        "active": True,
        "version": 1,
        "search_text": search_text(product.name, product.sku, product.barcode),
        "created_at": now,
        "updated_at": now,
    }
    connection.execute(insert(ProductRow), [row])


def _views_by_crop(
    connection: Connection, product_id: int, crops: Collection[str]
) -> dict[str, int]:
    """Crop -> id of the product's oldest view with it, for those that have one."""
    statement = select(ViewRow.crop_sha256, ViewRow.id).where(
        ViewRow.product_id == product_id, ViewRow.crop_sha256.in_(crops)
    )
    rows = connection.execute(statement.order_by(ViewRow.id.desc()))
    return {row.crop_sha256: row.id for row in rows}


def _insert_views(
    connection: Connection, product_id: int, views: Sequence[NewView], crops: Sequence[str]
) -> list[int]:
    """The ids of the new views, in the order given."""
    if not views:
        return []
    now = datetime.now(UTC)
    rows = [
        {
            "product_id": product_id,
            "crop_sha256": sha256,
            "box": None if view.box is None else [float(edge) for edge in view.box],
            "quality": dict(view.quality),
            "source": view.source,
            "created_at": now,
        }
        for view, sha256 in zip(views, crops, strict=True)
    ]
    statement = insert(ViewRow).returning(ViewRow.id, sort_by_parameter_order=True)
    return list(connection.execute(statement, rows).scalars())
