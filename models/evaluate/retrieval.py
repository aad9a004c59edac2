"""How well vectors find the right product: nearest neighbours, few views, open set (numpy only)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.types import Vectors

Labels = NDArray[np.int64]
Scores = NDArray[np.float32]


def nearest(queries: Vectors, references: Vectors, labels: Labels, k: int = 1) -> Labels:
    """Predicted labels int64 `[Q]` by vote among the k most similar references.

    A tie goes to the label whose voters have the larger sum of similarities.
    """
    if not 1 <= k <= len(references):
        raise ValueError(f"k: expected 1 to {len(references)} references, got {k}")
    similarity = queries @ references.T
    if k == 1:
        return np.asarray(labels[similarity.argmax(axis=1)], np.int64)
    top = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    result = np.empty(len(queries), np.int64)
    for row, (columns, values) in enumerate(zip(top, similarity, strict=True)):
        names, where = np.unique(labels[columns], return_inverse=True)
        votes = np.bincount(where)
        sums = np.bincount(where, weights=values[columns])
        result[row] = names[np.lexsort((sums, votes))[-1]]
    return result


def recall_at(vectors: Vectors, labels: Labels, ks: Sequence[int]) -> dict[int, float]:
    """Share of rows with a row of their own label among the k most similar others.

    Rows whose label occurs once have nothing to find and are left out.
    """
    similarity = vectors @ vectors.T
    np.fill_diagonal(similarity, -np.inf)
    order = np.argsort(-similarity, axis=1, kind="stable")
    hits = labels[order[:, :-1]] == labels[:, None]
    possible = hits.any(axis=1)
    if not possible.any():
        raise ValueError("recall: no label occurs twice")
    return {k: float(hits[possible, :k].any(axis=1).mean()) for k in ks}


@dataclass(frozen=True, slots=True)
class FewViews:
    """Result of `few_views`: mean and standard deviation over trials, in [0,1]."""

    accuracy: float
    deviation: float
    per_label: dict[int, float]


def pick_references(
    labels: Labels,
    groups: Labels,
    views: int,
    rng: np.random.Generator,
    enrolled: Sequence[int] | None = None,
) -> NDArray[np.intp]:
    """Rows of `views` random references per label, each from another group (photo) of that label.

    Labels with `views` or fewer groups are left out: nothing would remain to ask about.
    """
    chosen: list[int] = []
    for label in np.unique(labels) if enrolled is None else enrolled:
        rows = rng.permutation(np.flatnonzero(labels == label))
        _, first = np.unique(groups[rows], return_index=True)
        if len(first) > views:
            chosen.extend(rows[rng.permutation(first)[:views]])
    return np.array(sorted(chosen), np.intp)


def few_views(
    vectors: Vectors,
    labels: Labels,
    groups: Labels,
    *,
    views: int,
    trials: int,
    rng: np.random.Generator,
) -> FewViews:
    """1-NN accuracy when each label is known from a few random reference views.

    Args:
        vectors: float32 `[N,D]`.
        labels: int64 `[N]`.
        groups: int64 `[N]`, the photo of each row; photos that gave a reference are not asked.
        views: references per label.
        trials: how often references are drawn.
        rng: source of randomness.

    Returns:
        Mean over trials of the share of right queries, and the mean per label.
    """
    accuracies, right, asked = [], dict[int, int](), dict[int, int]()
    for _ in range(trials):
        rows = pick_references(labels, groups, views, rng)
        queries = _queries(labels, groups, rows, known=np.unique(labels[rows]))
        hits = nearest(vectors[queries], vectors[rows], labels[rows]) == labels[queries]
        accuracies.append(float(hits.mean()))
        for label, hit in zip(labels[queries], hits, strict=True):
            right[int(label)] = right.get(int(label), 0) + int(hit)
            asked[int(label)] = asked.get(int(label), 0) + 1
    per_label = {label: right[label] / asked[label] for label in sorted(asked)}
    return FewViews(float(np.mean(accuracies)), float(np.std(accuracies)), per_label)


@dataclass(frozen=True, slots=True, eq=False)
class OpenSet:
    """Top similarities of queries, pooled over trials.

    Attributes:
        known: float32, queries of enrolled labels: their most similar reference.
        correct: bool, in the order of `known`: that reference has the right label.
        unknown: float32, queries of labels that were not enrolled.
        same: float32, in the order of `known`: most similar reference of the right label.
        other: float32, in the order of `known`: most similar reference of a wrong label.
    """

    known: Scores
    correct: NDArray[np.bool_]
    unknown: Scores
    same: Scores
    other: Scores

    @property
    def auroc(self) -> float:
        """Chance that a known query is more similar to its best reference than an unknown one."""
        return auroc(self.known, self.unknown)


def open_set(
    vectors: Vectors,
    labels: Labels,
    groups: Labels,
    *,
    enrolled: int,
    views: int,
    trials: int,
    rng: np.random.Generator,
) -> OpenSet:
    """Enrol some labels only and see how similar known and unknown queries come out.

    Args as in `few_views`; `enrolled` is the number of labels drawn per trial.
    """
    names, parts = np.unique(labels), []
    if not 2 <= enrolled < len(names):
        raise ValueError(f"enrolled: expected 2 to {len(names) - 1}, got {enrolled}")
    for _ in range(trials):
        chosen = rng.choice(names, enrolled, replace=False)
        rows = pick_references(labels, groups, views, rng, chosen.tolist())
        known = _queries(labels, groups, rows, known=np.unique(labels[rows]))
        strange = _queries(labels, groups, rows, known=np.setdiff1d(names, chosen))
        similarity = vectors[known] @ vectors[rows].T
        right = labels[known][:, None] == labels[rows][None, :]
        same = np.where(right, similarity, -1.0).max(axis=1)
        other = np.where(right, -1.0, similarity).max(axis=1)
        unknown = (vectors[strange] @ vectors[rows].T).max(axis=1)
        parts.append((np.maximum(same, other), same > other, unknown, same, other))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    tops = [np.asarray(column, np.float32) for column in columns]
    return OpenSet(tops[0], np.asarray(columns[1], np.bool_), tops[2], tops[3], tops[4])


def _queries(
    labels: Labels, groups: Labels, rows: NDArray[np.intp], known: Labels
) -> NDArray[np.intp]:
    """Rows of the given labels in photos that gave no reference."""
    fresh = ~np.isin(groups, groups[rows]) & np.isin(labels, known)
    return np.flatnonzero(fresh)


def auroc(positive: Scores, negative: Scores) -> float:
    """Area under the ROC curve by ranks: chance that a positive is larger; ties count half."""
    if not len(positive) or not len(negative):
        raise ValueError(f"auroc: expected both kinds, got {len(positive)} and {len(negative)}")
    values, where = np.unique(np.concatenate([positive, negative]), return_inverse=True)
    counts = np.bincount(where, minlength=len(values))
    ranks = np.cumsum(counts) - (counts - 1) / 2  # mean rank of equal values, from 1
    total = ranks[where[: len(positive)]].sum()
    n = len(positive)
    return float((total - n * (n + 1) / 2) / (n * len(negative)))


def fine_and_coarse(
    predicted: Labels, fine: Labels, coarse_of: Mapping[int, int]
) -> tuple[float, float]:
    """Share of right fine labels, and of right coarse labels (`coarse_of` maps fine to coarse)."""
    hits = predicted == fine
    coarse = [coarse_of[int(a)] == coarse_of[int(b)] for a, b in zip(predicted, fine, strict=True)]
    return float(hits.mean()), float(np.mean(coarse))


def quantiles(
    values: Scores, shares: Sequence[float] = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
) -> dict[str, float]:
    """Quantiles of a distribution, for reports: share as text -> value."""
    return {f"{share:g}": float(np.quantile(values, share)) for share in shares}
