"""What can go wrong in the catalog and its index.

IndexerError
  ProductNotFound        no product with this sku
  ViewNotFound           the product has no such view
  BadProduct             a field that cannot be stored
  DuplicateBarcode       the barcode belongs to another product
  VersionConflict        the product was changed since the caller read it
  WrongCurrency          a price in another currency than the installation's
  BadCursor              a page cursor that this catalog did not hand out
  IdempotencyMismatch    the key was used for another request
  AlreadyAnswered        the key was used for the same request: carries its answer
  BadVectors             wrong dtype, shape, dimension or norm, or not finite
  SpaceMismatch          unknown vector space, or known with another dimension
  CropUnreadable         a stored crop is missing or damaged
  StorageFull            no space left for a crop or for the database
  DatabaseUnavailable    the database cannot be reached or is busy for too long
  SchemaOutdated         the tables are not those of this version
  SnapshotInvalid        an index snapshot that cannot be used
  IndexBehind            the index did not reach the wanted revision in time
"""

from collections.abc import Mapping
from typing import Any


class IndexerError(Exception):
    """Base of every error of this package."""


class ProductNotFound(IndexerError):
    """No product has this sku."""

    def __init__(self, sku: str) -> None:
        super().__init__(f"no product with sku {sku!r}")
        self.sku = sku


class ViewNotFound(IndexerError):
    """The product has no view with this id."""

    def __init__(self, sku: str, view_id: int) -> None:
        super().__init__(f"product {sku!r} has no view {view_id}")
        self.sku = sku
        self.view_id = view_id


class BadProduct(IndexerError):
    """A product field that cannot be stored."""

    def __init__(self, field: str, expected: str, actual: object) -> None:
        shown = repr(actual)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        super().__init__(f"{field}: expected {expected}, got {shown}")
        self.field = field
        self.expected = expected
        self.actual = actual


class DuplicateBarcode(IndexerError):
    """The barcode belongs to another product."""

    def __init__(self, barcode: str, sku: str) -> None:
        super().__init__(f"barcode {barcode!r} belongs to product {sku!r}")
        self.barcode = barcode
        self.sku = sku


class VersionConflict(IndexerError):
    """The product was changed since the caller read it."""

    def __init__(self, expected: int, actual: int) -> None:
        super().__init__(f"expected version {expected}, the product is at version {actual}")
        self.expected = expected
        self.actual = actual


class WrongCurrency(IndexerError):
    """A price in another currency than the one of this installation."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected prices in {expected}, got {actual}")
        self.expected = expected
        self.actual = actual


class BadCursor(IndexerError):
    """A page cursor that this catalog did not hand out."""

    def __init__(self, cursor: str) -> None:
        super().__init__(f"expected a cursor from an earlier page, got {cursor[:80]!r}")
        self.cursor = cursor


class IdempotencyMismatch(IndexerError):
    """The idempotency key was used for a request with other content."""

    def __init__(self, key: str) -> None:
        super().__init__(f"idempotency key {key!r} was used for another request")
        self.key = key


class AlreadyAnswered(IndexerError):
    """The same request with the same idempotency key was committed first; nothing was written.

    Raised when two such requests race. The caller hands out `answer` instead of its own.
    """

    def __init__(self, key: str, answer: Mapping[str, Any]) -> None:
        super().__init__(f"the request with idempotency key {key!r} was already answered")
        self.key = key
        self.answer = dict(answer)


class BadVectors(IndexerError):
    """Vectors of a wrong dtype, shape, dimension or norm, or with values that are not finite."""


class SpaceMismatch(IndexerError):
    """The vector space is not registered, or it is with another dimension."""


class CropUnreadable(IndexerError):
    """A stored crop is missing or its bytes do not have its checksum."""

    def __init__(self, sha256: str, reason: str) -> None:
        super().__init__(f"crop {sha256}: {reason}")
        self.sha256 = sha256


class StorageFull(IndexerError):
    """No space left where crops or the database are kept; nothing was stored."""


class DatabaseUnavailable(IndexerError):
    """The database cannot be reached, or it stayed busy for too long. Worth a retry."""


class SchemaOutdated(IndexerError):
    """The tables of the database are not those of this version of the program."""

    def __init__(self, current: str | None, expected: str, command: str) -> None:
        found = f"schema {current}" if current else "no schema"
        super().__init__(f"expected schema {expected}, the database has {found}; run: {command}")
        self.current = current
        self.expected = expected
        self.command = command


class SnapshotInvalid(IndexerError):
    """A snapshot that is damaged, incomplete, or of another space."""


class IndexBehind(IndexerError):
    """The index did not reach the wanted revision in time."""

    def __init__(self, wanted: int, have: int) -> None:
        super().__init__(f"expected index revision {wanted} or later, it is at {have}")
        self.wanted = wanted
        self.have = have
