"""Values of the service -> answers of the API; minor units -> decimal text."""

import math
from collections.abc import Mapping
from typing import Any

from app.catalog_schemas import (
    Confusable,
    EnrollAnswer,
    EnrolledImage,
    ProductAnswer,
    ViewAnswer,
)
from app.drawing import Drawn, readable
from app.money import format_price
from app.receipt import Receipt
from app.recognition import BasketLine, Item, RankedProduct, Recognition
from app.schemas import (
    BasketEntry,
    DetectAnswer,
    ItemAnswer,
    ModelNames,
    RankedAnswer,
    Size,
    Timings,
)
from indexer.records import Product, View


def recognized(found: Recognition, request_id: str, currency: str) -> DetectAnswer:
    """The answer of /detect."""
    return DetectAnswer(
        request_id=request_id,
        image=Size(width=found.width, height=found.height),
        items=[item_answer(item) for item in found.items],
        basket=[basket_line(line) for line in found.basket],
        total=format_price(found.total_minor, currency),
        currency=currency,
        needs_attention=found.needs_attention,
        index_revision=found.index_revision,
        models=model_names(found.models),
        timings_ms=Timings(**found.timings_ms),
    )


def item_answer(item: Item) -> ItemAnswer:
    """One object; name and price are null when nobody knows it."""
    product = item.product
    return ItemAnswer(
        box=list(item.box),
        score=_rounded(item.score),
        decision=item.outcome,
        sku=product.sku if product else None,
        name=product.name if product else None,
        price=format_price(product.price_minor, product.currency) if product else None,
        similarity=_finite(item.similarity),
        confidence=_rounded(item.confidence),
        margin=_finite(item.margin),
        candidates=[ranked(candidate) for candidate in item.candidates],
    )


def ranked(candidate: RankedProduct) -> RankedAnswer:
    """One candidate."""
    product = candidate.product
    return RankedAnswer(
        sku=product.sku,
        name=product.name,
        price=format_price(product.price_minor, product.currency),
        similarity=_rounded(candidate.similarity),
        confidence=_rounded(candidate.confidence),
    )


def basket_line(line: BasketLine) -> BasketEntry:
    """Accepted objects of one product."""
    product = line.product
    return BasketEntry(
        sku=product.sku,
        name=product.name,
        quantity=line.quantity,
        unit_price=format_price(product.price_minor, product.currency),
        line_total=format_price(line.total_minor, product.currency),
    )


def model_names(models: Mapping[str, str]) -> ModelNames:
    """Names of the networks and the vector space."""
    return ModelNames(**models)


def product_answer(product: Product) -> ProductAnswer:
    """A product of the catalogue."""
    return ProductAnswer(
        sku=product.sku,
        name=product.name,
        price=format_price(product.price_minor, product.currency),
        currency=product.currency,
        barcode=product.barcode,
        category=product.category,
        attributes=product.attributes,
        active=product.active,
        version=product.version,
        views=product.views,
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def view_answer(view: View) -> ViewAnswer:
    """A stored reference view."""
    return ViewAnswer(
        id=view.id,
        sku=view.sku,
        box=None if view.box is None else list(view.box),
        quality=view.quality,
        source=view.source,
        crop_sha256=view.crop_sha256,
        created_at=view.created_at,
    )


def enrolled(receipt: Receipt, request_id: str) -> EnrollAnswer:
    """The answer of /enroll."""
    return EnrollAnswer(
        request_id=request_id,
        product=product_answer(receipt.product),
        created=receipt.created,
        images=[
            EnrolledImage(
                view_id=image.view_id,
                box=list(image.box),
                quality=dict(image.quality),
                status=image.status,
                complaints=list(image.complaints),
            )
            for image in receipt.images
        ],
        confusable=[
            Confusable(sku=other.sku, name=other.name, similarity=other.similarity)
            for other in receipt.confusable
        ],
        index_revision=receipt.revision,
    )


def drawn(item: Item) -> Drawn:
    """What is written on the photo for one object."""
    product = item.product
    if product is None:
        return Drawn(item.box, item.outcome, ("unknown",))
    price = f"{format_price(product.price_minor, product.currency)} {product.currency}"
    name = _short(readable(product.name) or product.sku)
    doubt = "" if item.outcome == "accept" else "?"
    return Drawn(item.box, item.outcome, (name + doubt, price))


def log_fields(found: Recognition) -> dict[str, Any]:
    """What the log line of a recognition tells beside the request."""
    return {
        "objects": len(found.items),
        "needs_attention": found.needs_attention,
        "index_revision": found.index_revision,
        "timings_ms": dict(found.timings_ms),
    }


def _short(text: str, longest: int = 28) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."


def _rounded(value: float) -> float:
    return round(value, 4)


def _finite(value: float) -> float | None:
    """None where there was nothing to compare with (minus infinity or NaN)."""
    return round(value, 4) if math.isfinite(value) else None
