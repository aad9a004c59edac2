"""CSV rows -> products, one by one: a bad row is reported and does not stop the others.

An import is resumed by running it again. The photos of a row are stored under an idempotency key
made from their content, so that a row that was stored is only compared with the catalog.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.enroller import OnConfusable
from app.error_table import row
from app.errors import AppError, InvalidInput
from app.import_photos import Photos
from app.money import parse_price
from app.product_csv import Row
from app.receipt import Receipt
from app.strict_json import parse_attributes, parse_boxes
from indexer.errors import IndexerError, ProductNotFound
from indexer.records import Product, ProductInput
from models.errors import ModelsError

Outcome = Literal["created", "updated", "unchanged", "refused"]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that was not stored, and why."""

    line: int
    sku: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all rows."""

    created: int
    updated: int
    unchanged: int
    refused: tuple[Refused, ...]
    revision: int

    @property
    def rows(self) -> int:
        """All rows of the file."""
        return self.created + self.updated + self.unchanged + len(self.refused)


class Enrols(Protocol):
    """The part of `app.enroller.Enroller` that an import needs."""

    def enroll(
        self,
        product: ProductInput,
        photos: Sequence[bytes],
        boxes: Sequence[Sequence[Any] | None] | None = None,
        on_confusable: OnConfusable = "warn",
        *,
        idempotency_key: str | None = None,
        request_hash: str | None = None,
        source: str = "photo",
    ) -> Receipt:
        """Store a product and its photos."""
        ...


class Updates(Protocol):
    """The part of `indexer.catalog.Catalog` that an import needs."""

    def product(self, sku: str) -> Product:
        """The product, or ProductNotFound."""
        ...

    def update_product(
        self, sku: str, changes: Mapping[str, Any], if_match: int | None = None
    ) -> Product:
        """Change fields of a product."""
        ...

    def idempotent_answer(self, key: str, request_hash: str) -> dict[str, Any] | None:
        """The answer stored under a key."""
        ...

    def head(self) -> int:
        """The newest revision."""
        ...


class Importer:
    """Imports rows into one catalog."""

    def __init__(self, enroller: Enrols, catalog: Updates, currency: str) -> None:
        self._enroller = enroller
        self._catalog = catalog
        self._currency = currency

    def run(
        self,
        rows: Iterable[Row],
        photos: Photos,
        progress: Callable[[Row, Outcome], None] = lambda _row, _outcome: None,
    ) -> Report:
        """Import all rows in order; `progress` is called after each.

        Raises:
            AppError, IndexerError, ModelsError: of the service and not of a row, such as
                DatabaseUnavailable; the rows before are stored, run it again to resume.
        """
        counts: dict[Outcome, int] = dict.fromkeys(("created", "updated", "unchanged"), 0)
        refused: list[Refused] = []
        for record in rows:
            try:
                outcome = self._import(record, photos)
                counts[outcome] += 1
            except (AppError, IndexerError, ModelsError) as exc:
                found = row(exc)
                if found.status >= 500:
                    raise
                refused.append(Refused(record.line, record.sku, found.code, str(exc)))
                outcome = "refused"
            progress(record, outcome)
        return Report(
            counts["created"],
            counts["updated"],
            counts["unchanged"],
            tuple(refused),
            self._catalog.head(),
        )

    def _import(self, record: Row, photos: Photos) -> Outcome:
        product, active = self._product(record), _active(record)
        names = [n.strip() for n in record.cells.get("images", "").split("|") if n.strip()]
        if not names:
            return self._update(product, active)
        files = [photos.read(name) for name in names]
        boxes = parse_boxes(record.cells["boxes"]) if record.cells.get("boxes") else None
        digest = _content_digest(product.sku, files, boxes)
        key = f"import-{digest}"
        answered = self._catalog.idempotent_answer(key, digest) is not None
        if answered and self._known(product.sku):
            return self._update(product, active)
        # What was deleted after it was imported is stored again: the old answer must not count.
        once = None if answered else key
        receipt = self._enroller.enroll(
            product,
            files,
            boxes,
            idempotency_key=once,
            request_hash=digest,
            source="import",
        )
        if active is False:
            self._catalog.update_product(product.sku, {"active": False})
        return "created" if receipt.created else "updated"

    def _product(self, record: Row) -> ProductInput:
        cells = record.cells
        if "" in cells:
            raise InvalidInput(f"expected as many cells as columns, got more: {cells[''][:40]!r}")
        return ProductInput(
            sku=cells.get("sku", ""),
            name=cells.get("name", ""),
            price_minor=parse_price(cells.get("price", ""), self._currency),
            currency=cells.get("currency") or self._currency,
            barcode=cells.get("barcode") or None,
            category=cells.get("category") or None,
            attributes=parse_attributes(cells["attributes"]) if cells.get("attributes") else {},
        )

    def _known(self, sku: str) -> bool:
        try:
            self._catalog.product(sku)
        except ProductNotFound:
            return False
        return True

    def _update(self, product: ProductInput, active: bool | None) -> Outcome:
        """Bring a stored product to the values of its row; blank cells keep what is stored."""
        try:
            stored = self._catalog.product(product.sku)
        except ProductNotFound:
            raise InvalidInput("images: a new product needs at least one photo", "images") from None
        given = {
            "name": product.name,
            "price_minor": product.price_minor,
            "currency": product.currency,
            "barcode": product.barcode,
            "category": product.category,
            "attributes": dict(product.attributes) or None,
            "active": active,
        }
        changes = {
            name: value
            for name, value in given.items()
            if value is not None and value != getattr(stored, name)
        }
        if not changes:
            return "unchanged"
        self._catalog.update_product(product.sku, changes)
        return "updated"


def _active(record: Row) -> bool | None:
    text = record.cells.get("active", "").lower()
    if text not in ("", "true", "false"):
        raise InvalidInput(f"active: expected true, false or nothing, got {text[:40]!r}", "active")
    return None if text == "" else text == "true"


def _content_digest(sku: str, files: Sequence[bytes], boxes: Sequence[Any] | None) -> str:
    """Hash of the photos of a row; its other cells are compared with the catalog instead."""
    told = [sku, [hashlib.sha256(data).hexdigest() for data in files], boxes]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
