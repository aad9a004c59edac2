"""What the recogniser finds on a photo: items, candidates, basket. Values without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass

from indexer.decide import Outcome
from indexer.records import Product

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class RankedProduct:
    """A candidate for an item."""

    product: Product
    similarity: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Item:
    """One object on the photo.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the upright image.
        score: of the detection, 0 to 1.
        outcome: accept, review or unknown.
        product: what it is, or for `review` may be; None for `unknown`.
        similarity: cosine similarity to the best product.
        confidence: 0 to 1.
        margin: similarity ahead of the second product.
        candidates: best first, at most `top_k`.
    """

    box: Box
    score: float
    outcome: Outcome
    product: Product | None
    similarity: float
    confidence: float
    margin: float
    candidates: tuple[RankedProduct, ...]


@dataclass(frozen=True, slots=True)
class BasketLine:
    """Accepted items of one product; amounts in minor units."""

    product: Product
    quantity: int

    @property
    def total_minor(self) -> int:
        """Quantity times unit price."""
        return self.quantity * self.product.price_minor


@dataclass(frozen=True, slots=True)
class Recognition:
    """What is on one photo.

    Attributes:
        width, height: of the upright image in pixels.
        index_revision: what the search knew.
        models: names of detector and embedder, and the vector space.
        timings_ms: milliseconds per stage of `app.stopwatch.STAGES`.
    """

    width: int
    height: int
    items: tuple[Item, ...]
    index_revision: int
    models: Mapping[str, str]
    timings_ms: Mapping[str, float]

    @property
    def basket(self) -> tuple[BasketLine, ...]:
        """Accepted items by product, in the order of their first appearance."""
        accepted = [i.product for i in self.items if i.outcome == "accept" and i.product]
        counts: dict[str, int] = {}
        for product in accepted:
            counts[product.sku] = counts.get(product.sku, 0) + 1
        products = {product.sku: product for product in accepted}
        return tuple(BasketLine(products[sku], count) for sku, count in counts.items())

    @property
    def total_minor(self) -> int:
        """Sum of the basket in minor units."""
        return sum(line.total_minor for line in self.basket)

    @property
    def needs_attention(self) -> int:
        """Number of items that were not accepted."""
        return sum(item.outcome != "accept" for item in self.items)
