"""The demo: a drawn catalogue, photos of it, and three commands to try.

Everything is drawn from fixed seeds, so that two machines show the same. One product is drawn but
not enrolled: the second command does that, and the third one then finds it.
"""

import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from app import images
from app.importer import Enrols
from app.money import format_price
from indexer.errors import ProductNotFound
from indexer.records import Product, ProductInput
from models.data.drawn import Drawing, DrawnProduct, catalogue, draw_photo, draw_tray

VIEWS = 4
"""Photos per enrolled product."""
NEW_SKU = "voltage-energy-drink"
TRAYS: Mapping[str, int] = {"tray-1": 8, "tray-2": 10, "tray-3": 12}
"""Name -> number of products lying on it."""
NEW_TRAY, NEW_TRAY_OTHERS = "tray-new", 5
NEW_PHOTOS = ("new-1", "new-2", "new-3")

Progress = Callable[[DrawnProduct], None]


class Known(Protocol):
    """The part of `indexer.catalog.Catalog` that the demo needs."""

    def product(self, sku: str) -> Product:
        """The product, or ProductNotFound."""
        ...


def demo_products() -> tuple[DrawnProduct, ...]:
    """What is enrolled: every second drawn product, so that few are near twins."""
    return catalogue()[::2]


def new_product() -> DrawnProduct:
    """The one that is drawn but not enrolled."""
    return next(product for product in catalogue() if product.sku == NEW_SKU)


def enroll_catalogue(
    enroller: Enrols, known: Known, currency: str, progress: Progress = lambda _product: None
) -> int:
    """Enroll the demo products that are not there with all views; returns how many were.

    Harmless to repeat, also after an interruption: each product is stored as a whole.
    """
    added = 0
    for number, product in enumerate(demo_products()):
        if not _complete(known, product.sku):
            rng = np.random.default_rng([1, number])
            photos = [draw_photo(product, rng) for _ in range(VIEWS)]
            enroller.enroll(
                _described(product, currency),
                [images.encode(photo.image, "JPEG") for photo in photos],
                [photo.boxes[0].tolist() for photo in photos],
                source="demo",
            )
            added += 1
        progress(product)
    return added


def write_photos(folder: Path) -> None:
    """Draw the trays and the photos of the new product into `folder`; what is there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    products, new = demo_products(), new_product()
    for seed, (name, count) in enumerate(TRAYS.items()):
        rng = np.random.default_rng([2, seed])
        chosen = [products[k] for k in rng.choice(len(products), count, replace=False)]
        _write(folder, name, partial(draw_tray, chosen, rng))
    for seed, name in enumerate(NEW_PHOTOS):
        rng = np.random.default_rng([3, seed])
        _write(folder, name, partial(draw_photo, new, rng))
    rng = np.random.default_rng([4])
    chosen = [products[k] for k in rng.choice(len(products), NEW_TRAY_OTHERS, replace=False)]
    _write(folder, NEW_TRAY, partial(draw_tray, [new, *chosen], rng))


def commands(url: str, folder: Path, currency: str) -> list[tuple[str, str]]:
    """(what it does, shell command) to try in this order."""
    new = new_product()
    price = format_price(new.price_minor, currency)
    fields = [f"sku={new.sku}", f"name={new.name}", f"price={price}", f"category={new.category}"]
    photos = [f"images=@{folder / name}.jpg" for name in NEW_PHOTOS]
    first = next(iter(TRAYS))
    return [
        ("What is on this tray?", _curl([f"image=@{folder / first}.jpg"], f"{url}/detect")),
        ("Enroll a product that it does not know", _curl([*fields, *photos], f"{url}/enroll")),
        (
            "A tray with the new product",
            _curl([f"image=@{folder / NEW_TRAY}.jpg"], f"{url}/detect"),
        ),
    ]


def _described(product: DrawnProduct, currency: str) -> ProductInput:
    return ProductInput(
        product.sku, product.name, product.price_minor, currency, category=product.category
    )


def _complete(known: Known, sku: str) -> bool:
    try:
        return known.product(sku).views >= VIEWS
    except ProductNotFound:
        return False


def _write(folder: Path, name: str, draw: Callable[[], Drawing]) -> None:
    target = folder / f"{name}.jpg"
    if not target.exists():
        partial = target.with_suffix(".part")
        partial.write_bytes(images.encode(draw().image, "JPEG"))
        partial.replace(target)


def _curl(fields: list[str], url: str) -> str:
    return shlex.join(["curl", "-s", *(part for field in fields for part in ("-F", field)), url])
