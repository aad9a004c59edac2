"""One photo -> named and priced items. A straight line, nothing fetched twice:

image -> detect -> crop all boxes -> embed all crops in one batch -> search all vectors in one
call -> resolve all hits in one SELECT -> decide per box.

SQL has the last word: a hit that it no longer knows, or whose product is retired, is skipped.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from app import images
from app.ports import Resolver, Search
from app.recognition import Item, RankedProduct, Recognition
from app.settings import Settings
from app.stopwatch import Stopwatch
from indexer.decide import Decision, Neighbour, Policy, decide
from indexer.records import Product, ResolvedView
from models.types import Detections, Detector, Embedder, Image

SPARE = 8
"""Hits fetched beyond those wanted, so that retired products do not crowd out others."""

SCORE_STEP = 1e-4
"""Smallest difference of detection scores that means anything."""


class Recognizer:
    """Detector, embedder, index and catalog in a line. Safe to use from many threads.

    Args:
        detector, embedder: the two networks.
        search: the index.
        catalog: where hits become products.
        policy: accept, review or unknown.
        settings: of decisions, limits and the index.
    """

    def __init__(
        self,
        detector: Detector,
        embedder: Embedder,
        search: Search,
        catalog: Resolver,
        policy: Policy,
        *,
        settings: Settings,
    ) -> None:
        self._detector = detector
        self._embedder = embedder
        self._search = search
        self._catalog = catalog
        self._policy = policy
        self._decisions = settings.decisions
        self._limits = settings.limits
        self.models: Mapping[str, str] = {
            "detector": detector.name,
            "embedder": embedder.name,
            "space": embedder.space,
        }

    def recognize_bytes(
        self,
        data: bytes,
        *,
        top_k: int = 5,
        min_score: float | None = None,
        min_revision: int | None = None,
    ) -> Recognition:
        """An image file -> `Recognition`; the decoding is timed as well."""
        watch = Stopwatch()
        with watch.stage("decode"):
            image = images.decode(data, self._limits)
        return self._recognize(image, watch, top_k, min_score, min_revision)

    def recognize(
        self,
        image: Image,
        *,
        top_k: int = 5,
        min_score: float | None = None,
        min_revision: int | None = None,
    ) -> Recognition:
        """Image `[H,W,3]` -> `Recognition`.

        Args:
            image: RGB, upright.
            top_k: most candidates per item.
            min_score: least detection score; None = the setting, else the bundle's.
            min_revision: the index is first brought to this revision, or IndexBehind is raised.
        """
        return self._recognize(image, Stopwatch(), top_k, min_score, min_revision)

    def _recognize(
        self,
        image: Image,
        watch: Stopwatch,
        top_k: int,
        min_score: float | None,
        min_revision: int | None,
    ) -> Recognition:
        if min_revision is not None and self._search.revision < min_revision:
            self._search.catch_up(min_revision)
        with watch.stage("detect"):
            found = self._detect(image, min_score)
        with watch.stage("embed"):
            cut = images.crops(image, found.boxes, self._decisions.crop_padding)
            vectors = self._embedder.embed(cut)
        with watch.stage("search"):
            # Read before the search, so that the answer never claims to know more than it did.
            revision = self._search.revision
            wanted = max(self._decisions.top_k_views, 2 * top_k) + SPARE
            ids, similarities = self._search.search(vectors, wanted)
        with watch.stage("decide"):
            items = self._decide(found, ids, similarities, top_k)
        height, width = image.shape[:2]
        return Recognition(width, height, items, revision, self.models, watch.read())

    def _detect(self, image: Image, min_score: float | None) -> Detections:
        least = self._decisions.min_score if min_score is None else min_score
        if least is not None:  # a detector takes scores between 0 and 1, without the ends
            least = min(max(least, SCORE_STEP), 1.0 - SCORE_STEP)
        return self._detector.detect([image], min_score=least)[0]

    def _decide(
        self,
        found: Detections,
        ids: NDArray[np.int64],
        similarities: NDArray[np.float32],
        top_k: int,
    ) -> tuple[Item, ...]:
        """Boxes `[N,4]` and their hits `[N,k]` -> N items in the same order."""
        resolved = self._catalog.resolve(np.unique(ids[ids >= 0]).tolist())
        products = {view.product.id: view.product for view in resolved.values()}
        items = []
        for index in range(len(found)):
            neighbours = list(_neighbours(ids[index], similarities[index], resolved))
            decision = decide(
                neighbours,
                self._policy,
                top_k,
                view_weight=self._decisions.view_weight,
                truncated=bool((ids[index] >= 0).all()),
            )
            items.append(_item(found, index, decision, products))
        return tuple(items)


def _neighbours(
    ids: NDArray[np.int64],
    similarities: NDArray[np.float32],
    resolved: Mapping[int, ResolvedView],
) -> Iterator[Neighbour]:
    """The hits `[k]` of one box that SQL still knows."""
    for view_id, similarity in zip(ids.tolist(), similarities.tolist(), strict=True):
        if view_id in resolved:
            product = resolved[view_id].product
            yield Neighbour(product.id, view_id, similarity, product.views)


def _item(
    found: Detections, index: int, decision: Decision, products: Mapping[int, Product]
) -> Item:
    x1, y1, x2, y2 = (round(float(v), 2) for v in found.boxes[index])
    ranked = (
        RankedProduct(products[c.product_id], c.similarity, c.confidence)
        for c in decision.candidates
    )
    return Item(
        box=(x1, y1, x2, y2),
        score=float(found.scores[index]),
        outcome=decision.outcome,
        product=None if decision.product_id is None else products[decision.product_id],
        similarity=decision.similarity,
        confidence=decision.confidence,
        margin=decision.margin,
        candidates=tuple(ranked),
    )
