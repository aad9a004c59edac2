"""From the nearest views of one object to accept, review or unknown. Pure functions."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

Outcome = Literal["accept", "review", "unknown"]

DEFAULT_VIEW_WEIGHT = 0.7
DEFAULT_TOP_K = 5


@dataclass(frozen=True)
class Neighbour:
    """One reference view near the object.

    Attributes:
        product_id: The product that the view shows.
        view_id: The view.
        similarity: Cosine in [-1, 1].
        product_views: Views the product has in all, near or not; at least 1.
    """

    product_id: int
    view_id: int
    similarity: float
    product_views: int


@dataclass(frozen=True)
class Candidate:
    """A product the object may be; confidence in [0, 1]."""

    product_id: int
    similarity: float
    confidence: float


@dataclass(frozen=True)
class Decision:
    """What to do with one object.

    Attributes:
        outcome: accept (sell it), review (ask a person) or unknown (nothing is near enough).
        product_id: The best product; None if the outcome is unknown.
        similarity: Score of the best product, in [-1, 1]; 0 if nothing was near.
        confidence: Chance in [0, 1] that the best product is the right one.
        margin: Score of the best product above that of the second, or above the most that a
            second can have if none was near.
        candidates: Best first, the best product included, also when the outcome is unknown.
    """

    outcome: Outcome
    product_id: int | None
    similarity: float
    confidence: float
    margin: float
    candidates: tuple[Candidate, ...]


class Policy(Protocol):
    """Turns a product's similarity and its margin over the best other product into a judgement.

    It must be monotone: more similarity or more margin never lowers outcome or confidence.
    """

    def judge(self, similarity: float, margin: float) -> tuple[Outcome, float]:
        """Return the outcome, and the chance in [0, 1] that the product is the right one."""


@dataclass(frozen=True)
class ThresholdPolicy:
    """Accept and review by fixed thresholds.

    The confidence is the product of two logistic curves: that the object is a known product at
    all (of the similarity) and that it is this one rather than the rival (of the margin). At
    margin 0 the second is one half, so two products with equal scores share the confidence.

    Attributes:
        accept: Least similarity to accept.
        review: Least similarity to ask a person; below it the object is unknown.
        margin: Least margin to accept.
        known_at: Similarity at which half of the objects are known products.
        known_slope: Steepness of that curve, per unit of similarity.
        margin_slope: Steepness of the margin's curve, per unit of similarity.
    """

    accept: float = 0.82
    review: float = 0.7
    margin: float = 0.03
    known_at: float = 0.86
    known_slope: float = 24.0
    margin_slope: float = 33.0

    def __post_init__(self) -> None:
        if not -1.0 <= self.review <= self.accept <= 1.0:
            raise ValueError(
                f"expected -1 <= review <= accept <= 1, got {self.review} and {self.accept}"
            )
        if self.margin < 0 or self.known_slope <= 0 or self.margin_slope <= 0:
            raise ValueError(f"expected margin >= 0 and slopes > 0, got {self}")

    def judge(self, similarity: float, margin: float) -> tuple[Outcome, float]:
        """Return the outcome, and the chance in [0, 1] that the product is the right one."""
        known = _logistic(self.known_slope * (similarity - self.known_at))
        confidence = known * _logistic(self.margin_slope * margin)
        if similarity >= self.accept and margin >= self.margin:
            return "accept", confidence
        return ("review" if similarity >= self.review else "unknown"), confidence


def decide(
    neighbours: Sequence[Neighbour],
    policy: Policy,
    top_k: int = DEFAULT_TOP_K,
    *,
    view_weight: float = DEFAULT_VIEW_WEIGHT,
    truncated: bool = False,
) -> Decision:
    """Decide about one object from its nearest views, in any order.

    A product with one view scores its similarity. A product with more scores
    `view_weight * best + (1 - view_weight) * second best`, so one bad view (a wrong photo
    enrolled, a lucky background) does not reach the score of two good ones. If the second view
    is not among the neighbours it is taken to be as near as the farthest neighbour, which it
    cannot exceed. So is another product if there is none among them and they are `truncated`:
    farther views exist. The many views of one product must not hide its twin.
    """
    if top_k < 1 or not 0.0 <= view_weight <= 1.0:
        raise ValueError(
            f"expected top_k >= 1 and view_weight in [0, 1], got {top_k} and {view_weight}"
        )
    ranked = _rank(neighbours, view_weight)
    if not ranked:
        return Decision("unknown", None, 0.0, 0.0, 0.0, ())
    best_id, best_score = ranked[0]
    if len(ranked) > 1:
        margin = best_score - ranked[1][1]
    else:
        unseen = min(near.similarity for near in neighbours) if truncated else 0.0
        margin = max(0.0, best_score - unseen)
    outcome, confidence = policy.judge(best_score, margin)
    others = [
        Candidate(product_id, score, policy.judge(score, score - best_score)[1])
        for product_id, score in ranked[1:]
    ]
    best = Candidate(best_id, best_score, confidence)
    candidates = (best, *_sharing(others, 1.0 - confidence))[:top_k]
    named = None if outcome == "unknown" else best_id
    return Decision(outcome, named, best_score, confidence, margin, candidates)


def _rank(neighbours: Sequence[Neighbour], view_weight: float) -> list[tuple[int, float]]:
    """Return product ids with their scores, best first, ties by id."""
    if not neighbours:
        return []
    farthest = min(neighbour.similarity for neighbour in neighbours)
    views: dict[int, list[Neighbour]] = {}
    for neighbour in neighbours:
        views.setdefault(neighbour.product_id, []).append(neighbour)
    scores = {product_id: _score(near, farthest, view_weight) for product_id, near in views.items()}
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _score(near: Iterable[Neighbour], farthest: float, view_weight: float) -> float:
    """Return the score of one product from its views among the neighbours."""
    near = sorted(near, key=lambda neighbour: -neighbour.similarity)
    best = near[0].similarity
    if len(near) == 1 and near[0].product_views < 2:
        return best
    second = near[1].similarity if len(near) > 1 else farthest
    # written as a step down from the best, so that equal views give exactly their similarity
    return best - (1.0 - view_weight) * (best - second)


def _sharing(others: Sequence[Candidate], left: float) -> list[Candidate]:
    """Scale confidences down to a sum of at most `left`: only one product can be right."""
    total = sum(candidate.confidence for candidate in others)
    scale = min(1.0, left / total) if total > 0 else 1.0
    return [replace(candidate, confidence=candidate.confidence * scale) for candidate in others]


def _logistic(x: float) -> float:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1.0 + math.tanh(0.5 * x))
