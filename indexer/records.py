"""The values that go into the catalog and come out of it."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from indexer.errors import BadProduct

MAX_SKU, MAX_NAME, MAX_BARCODE, MAX_CATEGORY = 64, 200, 64, 100
"""Longest texts of a product, in characters."""
MAX_ATTRIBUTES = 16 * 1024
"""Largest attributes of a product, in bytes of JSON."""
MAX_INTEGER = 2**63 - 1
"""Largest price, in minor units, and largest row id."""


@dataclass(frozen=True, slots=True)
class ProductInput:
    """A product as a caller describes it.

    On a product that exists, an absent barcode or category and empty attributes keep what is
    stored; `Catalog.update_product` can clear them.

    Attributes:
        price_minor: Price in minor units of the currency (cents).
    """

    sku: str
    name: str
    price_minor: int
    currency: str
    barcode: str | None = None
    category: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        _check_sku(self.sku)
        for name in ("name", "price_minor", "barcode", "category", "attributes"):
            check_field(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it is stored.

    Attributes:
        price_minor: Price in minor units of the currency (cents).
        version: Grows with every change of the product or of its set of views.
        views: Number of reference views.
    """

    id: int
    sku: str
    name: str
    price_minor: int
    currency: str
    barcode: str | None
    category: str | None
    attributes: dict[str, Any]
    active: bool
    version: int
    views: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewView:
    """A reference crop to store.

    Attributes:
        crop: The encoded picture (PNG or JPEG).
        box: `x1,y1,x2,y2` in pixels of the photo that the crop was cut from, if known.
        quality: Measures of the crop, for people.
        source: Where the photo came from, for people.
    """

    crop: bytes
    box: tuple[float, float, float, float] | None = None
    quality: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    source: str = "photo"


@dataclass(frozen=True, slots=True)
class View:
    """A stored reference crop; `id` is its id in the vector index."""

    id: int
    sku: str
    crop_sha256: str
    box: tuple[float, float, float, float] | None
    quality: dict[str, Any]
    source: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The key that a caller gave to a request, and a hash of the request's content."""

    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What an enrolment has stored.

    Attributes:
        created: False if the product was there before.
        view_ids: One per given view, in the order given.
        added: Whether each is new; else the product has had a view with this crop.
        revision: An index at this revision knows all of it.
    """

    product: Product
    created: bool
    view_ids: tuple[int, ...]
    added: tuple[bool, ...]
    revision: int


@dataclass(frozen=True, slots=True)
class ResolvedView:
    """What a hit in the vector index stands for at this moment."""

    view_id: int
    product: Product


@dataclass(frozen=True, slots=True)
class Page:
    """Some products in the order of their creation; `next_cursor` is None on the last page."""

    items: tuple[Product, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One step of the vector index: read the view again (put) or forget it (drop)."""

    revision: int
    view_id: int
    action: Literal["put", "drop"]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much is stored.

    Attributes:
        vectors: Live vectors by space, which is what an index of that space must hold.
    """

    products: int
    active: int
    views: int
    vectors: dict[str, int]


def storable(text: str) -> bool:
    """Whether both databases can hold `text`: no control characters, no lone surrogates."""
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in text)


def folded(text: str) -> str:
    """`text` in the form in which searches compare it."""
    return unicodedata.normalize("NFKC", text).casefold()


def check_text(name: str, value: object, longest: int) -> None:
    """Refuse what is not a trimmed text of 1 to `longest` characters."""
    expected = f"a text of 1 to {longest} characters without spaces around it"
    if not isinstance(value, str) or not 0 < len(value) <= longest or value != value.strip():
        raise BadProduct(name, expected, value)
    if not storable(value):
        raise BadProduct(name, "a text without control characters", value)


def check_field(name: str, value: object) -> None:
    """Refuse a value that the product field `name` cannot hold."""
    if name == "name":
        check_text(name, value, MAX_NAME)
    elif name == "price_minor":
        # bool is an int to isinstance.
        if type(value) is not int or not 0 <= value <= MAX_INTEGER:
            raise BadProduct(name, "an integer from 0, in minor units", value)
    elif name in ("barcode", "category"):
        if value is not None:
            check_text(name, value, MAX_BARCODE if name == "barcode" else MAX_CATEGORY)
    elif name == "attributes":
        _check_attributes(value)
    elif name == "active":
        if not isinstance(value, bool):
            raise BadProduct(name, "true or false", value)
    else:
        raise BadProduct(name, "a field that can be changed", value)


def _check_sku(value: str) -> None:
    """A SKU also becomes a part of addresses (`.../SKU/views/7`), where some parts mean more."""
    check_text("sku", value, MAX_SKU)
    if not {".", "..", "views"}.isdisjoint(value.split("/")):
        raise BadProduct("sku", "a text without the parts '.', '..' or 'views' in a path", value)


def _check_attributes(value: object) -> None:
    expected = f"a JSON object of at most {MAX_ATTRIBUTES} bytes without control characters"
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BadProduct("attributes", expected, value)
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError) as error:
        raise BadProduct("attributes", expected, value) from error
    # PostgreSQL cannot store the escaped NUL in JSON.
    if size > MAX_ATTRIBUTES or "\\u0000" in text:
        raise BadProduct("attributes", expected, value)
