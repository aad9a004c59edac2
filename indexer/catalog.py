"""The catalog: the one place that writes products, views and vectors.

Every write is one transaction that holds the head lock (see `indexer.transactions`), so writers
of all processes run one after the other. Crops are published and removed under the same lock:
whoever removes one can be sure that nobody is about to refer to it.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Engine, delete, select

from indexer.blobs import BlobStore
from indexer.catalog_reads import CatalogReads, find_product, find_view
from indexer.catalog_vectors import CatalogVectors, Vectors, check_vectors, find_dim
from indexer.catalog_writes import (
    check_version,
    delete_views,
    enroll,
    referenced,
    refuse_repetition,
    store_answer,
    update_product,
)
from indexer.errors import IndexerError, WrongCurrency
from indexer.records import (
    Enrolled,
    Idempotency,
    NewView,
    Product,
    ProductInput,
    check_field,
    check_text,
)
from indexer.tables import IdempotencyRow, ProductRow, ViewRow
from indexer.transactions import reading, writing

_log = logging.getLogger(__name__)

Receipt = Callable[[Enrolled], dict[str, Any]]
"""Makes the answer to a request from what was stored."""
_MAX_KEY = 255
_SWEEP_CHUNK = 500


class Catalog(CatalogReads, CatalogVectors):
    """Reads and writes. Safe to use from several threads and processes.

    Args:
        engine: From `indexer.database.create_engine`, with a current schema.
        blobs: Where the crops are.
        currency: The one currency of the installation, such as EUR.
    """

    def __init__(self, engine: Engine, blobs: BlobStore, currency: str) -> None:
        CatalogReads.__init__(self, engine, blobs)
        CatalogVectors.__init__(self, engine)
        self._currency = currency

    def enroll(
        self,
        product: ProductInput,
        views: Sequence[NewView],
        space: str,
        vectors: Vectors,
        *,
        idempotency: Idempotency | None = None,
        receipt: Receipt | None = None,
    ) -> Enrolled:
        """Store a product and its views, or add views to a product; all of it or nothing.

        A product that exists takes the given name and price and is sold again if it was retired.
        A crop that is a view of it already is not stored again.

        Args:
            vectors: float32 `[N,D]`, rows of norm 1, one per view.
            idempotency: With it, a second call with the same key raises AlreadyAnswered.
            receipt: Its result is stored as the answer to repeated requests.
        """
        if product.currency != self._currency:
            raise WrongCurrency(self._currency, product.currency)
        if idempotency is not None:
            check_text("idempotency key", idempotency.key, _MAX_KEY)
        with self._blobs.stage([view.crop for view in views]) as crops:
            try:
                with writing(self._engine) as writer:
                    refuse_repetition(writer.connection, idempotency)
                    check_vectors(vectors, len(views), find_dim(writer.connection, space))
                    enrolled = enroll(writer, product, views, crops, space, vectors)
                    if idempotency is not None:
                        answer = receipt(enrolled) if receipt is not None else {}
                        store_answer(writer.connection, idempotency, answer)
            except BaseException:
                if crops.published:
                    self._remove_unused(crops.sha256)
                raise
        return enrolled

    def update_product(
        self, sku: str, changes: Mapping[str, Any], if_match: int | None = None
    ) -> Product:
        """Change name, price_minor, currency, barcode, category, attributes or active.

        Args:
            changes: New values by field; None clears a barcode or a category.
            if_match: The version that the caller has seen, if it cares.
        """
        for name, value in changes.items():
            if name == "currency":
                if value != self._currency:
                    raise WrongCurrency(self._currency, str(value))
            else:
                check_field(name, value)
        with writing(self._engine) as writer:
            before = check_version(find_product(writer.connection, sku), if_match)
            if changes:
                update_product(writer, before, changes)
            return find_product(writer.connection, sku)

    def delete_product(self, sku: str, if_match: int | None = None) -> int:
        """Remove a product with its views, vectors and crops; returns the revision."""
        with writing(self._engine) as writer:
            product = check_version(find_product(writer.connection, sku), if_match)
            crops = delete_views(writer, ViewRow.product_id == product.id)
            writer.connection.execute(delete(ProductRow).where(ProductRow.id == product.id))
            revision = writer.revision
        self._remove_unused(crops)
        return revision

    def delete_view(self, sku: str, view_id: int) -> int:
        """Remove one view with its vectors and its crop; returns the revision.

        The last view may go as well: the product stays and cannot be recognised.
        """
        with writing(self._engine) as writer:
            product = find_product(writer.connection, sku)
            find_view(writer.connection, sku, view_id)
            crops = delete_views(writer, ViewRow.id == view_id)
            update_product(writer, product, {})
            revision = writer.revision
        self._remove_unused(crops)
        return revision

    def sweep_crops(self, older_than_s: float) -> int:
        """Remove crops that no view refers to, which only a crash leaves behind.

        Args:
            older_than_s: Younger files stay: another process may be about to use them.

        Returns:
            How many files were removed.
        """
        removed = self._blobs.remove_staged(older_than_s)
        for chunk in _chunks(self._blobs.stored(older_than_s), _SWEEP_CHUNK):
            with reading(self._engine) as connection:
                unused = set(chunk) - referenced(connection, chunk)
            if unused:
                removed += self._remove(sorted(unused))
        return removed

    def forget_answers(self, older_than_s: float) -> int:
        """Remove answers to idempotency keys of that age; returns how many."""
        oldest = datetime.now(UTC) - timedelta(seconds=older_than_s)
        with writing(self._engine) as writer:
            statement = delete(IdempotencyRow).where(IdempotencyRow.created_at < oldest)
            return writer.connection.execute(statement).rowcount

    def check_currency(self) -> None:
        """Raise WrongCurrency if products are priced in another currency than the configured."""
        statement = select(ProductRow.currency).where(ProductRow.currency != self._currency)
        with reading(self._engine) as connection:
            other = connection.execute(statement.limit(1)).scalar_one_or_none()
        if other is not None:
            raise WrongCurrency(self._currency, other)

    def _remove_unused(self, crops: Collection[str]) -> None:
        """Remove those crops that no view refers to; a failure leaves them to the next sweep."""
        if not crops:
            return
        try:
            self._remove(crops)
        except (IndexerError, OSError) as error:
            _log.warning("%d crops are left to the next sweep: %s", len(crops), error)

    def _remove(self, crops: Collection[str]) -> int:
        with writing(self._engine) as writer:
            unused = set(crops) - referenced(writer.connection, crops)
            for sha256 in unused:
                self._blobs.delete(sha256)
        return len(unused)


def _chunks(items: Iterator[str], size: int) -> Iterator[list[str]]:
    while chunk := list(islice(items, size)):
        yield chunk
