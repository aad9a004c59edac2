"""Which thresholds suit an embedder: the decisions of a whole pipeline on annotated photos.

Some products are enrolled from a few annotated views, the others stay unknown; every detected
object of the remaining photos is then decided upon. Drawn many times, this tells how often an
accepted item is right, and how many objects are accepted, for each pair of thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app import images
from indexer.decide import Neighbour, Outcome, decide
from models import boxes as box_ops
from models.data.sample import Sample
from models.types import Detector, Embedder, Vectors

MATCH_IOU = 0.5
"""Overlap from which a detection shows an annotated object."""

STRANGER = -1
"""Label of a detection that shows no annotated object."""


@dataclass(frozen=True, slots=True, eq=False)
class Objects:
    """Objects on photos: vectors float32 `[N,D]`, labels and photo numbers int64 `[N]`."""

    vectors: Vectors
    labels: NDArray[np.int64]
    photos: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What was decided about every object, pooled over all trials.

    Attributes:
        similarity, margin: float64 `[N]`, of the best product.
        right: bool `[N]`, the best product is the object's product.
        known: bool `[N]`, the object's product was enrolled.
    """

    similarity: NDArray[np.float64]
    margin: NDArray[np.float64]
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]

    def accepted(self, accept: float, margin: float) -> tuple[float, float]:
        """(share of accepted objects that are right, share of known objects accepted rightly)."""
        taken = (self.similarity >= accept) & (self.margin >= margin)
        precision = float(self.right[taken].mean()) if taken.any() else 1.0
        return precision, float((taken & self.right).sum() / max(1, self.known.sum()))

    def reviewed(self, review: float) -> tuple[float, float]:
        """(share of known objects at or above `review`, share of unknown objects below it)."""
        above = self.similarity >= review
        kept = float(above[self.known].mean()) if self.known.any() else 0.0
        strange = ~self.known
        return kept, float((~above)[strange].mean()) if strange.any() else 0.0


def read_objects(
    samples: Sequence[Sample], detector: Detector, embedder: Embedder, padding: float
) -> tuple[Objects, Objects]:
    """(annotated objects, detected objects) of all photos; labels are numbers of class names."""
    names = sorted({label for sample in samples for label in sample.labels})
    annotated, detected = _Collector(), _Collector()
    for photo, sample in enumerate(samples):
        image = sample.load()
        truth = np.array([names.index(label) for label in sample.labels], np.int64)
        crops = images.crops(image, sample.boxes, padding)
        annotated.add(embedder.embed(crops), truth, photo)
        found = detector.detect([image])[0].boxes
        overlaps = box_ops.iou(found, sample.boxes)
        labels = np.full(len(found), STRANGER, np.int64)
        if overlaps.size:
            best = overlaps.argmax(axis=1)
            hit = overlaps[np.arange(len(found)), best] >= MATCH_IOU
            labels[hit] = truth[best[hit]]
        detected.add(embedder.embed(images.crops(image, found, padding)), labels, photo)
    return annotated.objects(), detected.objects()


class _Collector:
    def __init__(self) -> None:
        self._parts: list[tuple[Vectors, NDArray[np.int64], NDArray[np.int64]]] = []

    def add(self, vectors: Vectors, labels: NDArray[np.int64], photo: int) -> None:
        self._parts.append((vectors, labels, np.full(len(labels), photo, np.int64)))

    def objects(self) -> Objects:
        vectors, labels, photos = zip(*self._parts, strict=True)
        return Objects(np.concatenate(vectors), np.concatenate(labels), np.concatenate(photos))


class _Anything:
    """A policy for when only similarity and margin are of interest."""

    def judge(self, similarity: float, margin: float) -> tuple[Outcome, float]:
        return "review", 0.0


def run_trials(
    annotated: Objects,
    detected: Objects,
    *,
    views: int,
    enrolled: float,
    trials: int,
    view_weight: float,
    rng: np.random.Generator,
) -> Trials:
    """Enrol a random share `enrolled` of the products from `views` views each, `trials` times.

    Photos that gave a view are not asked about. Products with `views` annotations or fewer are
    never enrolled.
    """
    names, counts = np.unique(annotated.labels, return_counts=True)
    usable = names[counts > views]
    count = max(2, round(enrolled * len(usable)))
    if len(usable) < count:
        raise ValueError(f"expected 2 products with more than {views} views, got {len(usable)}")
    rows: list[tuple[float, float, bool, bool]] = []
    for _ in range(trials):
        chosen = rng.choice(usable, count, replace=False)
        picks = np.concatenate(
            [
                rng.choice(np.flatnonzero(annotated.labels == c), views, replace=False)
                for c in chosen
            ]
        )
        asked = np.flatnonzero(~np.isin(detected.photos, annotated.photos[picks]))
        similarities = detected.vectors[asked] @ annotated.vectors[picks].T
        for truth, row in zip(detected.labels[asked].tolist(), similarities, strict=True):
            rows.append(_one(truth, row, annotated.labels[picks], views, view_weight, chosen))
    similarity, margin, right, known = (np.array(column) for column in zip(*rows, strict=True))
    return Trials(similarity, margin, right, known)


def _one(
    truth: int,
    similarities: NDArray[np.float32],
    labels: NDArray[np.int64],
    views: int,
    view_weight: float,
    chosen: NDArray[np.int64],
) -> tuple[float, float, bool, bool]:
    neighbours = [
        Neighbour(int(label), view, float(similarity), views)
        for view, (label, similarity) in enumerate(zip(labels, similarities, strict=True))
    ]
    decision = decide(neighbours, _Anything(), 1, view_weight=view_weight)
    return decision.similarity, decision.margin, decision.product_id == truth, truth in chosen
