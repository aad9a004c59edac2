"""Retrieval measures against plain loops, and the rules of few-view trials."""

import numpy as np
import pytest
from numpy.typing import NDArray

from models.evaluate import retrieval


def unit(rng: np.random.Generator, count: int, dim: int = 5) -> NDArray[np.float32]:
    rows = rng.normal(size=(count, dim))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def clustered(noise: float, per_label: int = 6) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(3)
    centres = unit(rng, 4, 16)
    labels = np.repeat(np.arange(4), per_label).astype(np.int64)
    rows = centres[labels] + noise * rng.normal(size=(len(labels), 16))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32), labels


def test_nearest_takes_the_most_similar_reference() -> None:
    rng = np.random.default_rng(0)
    queries, references = unit(rng, 7), unit(rng, 9)
    labels = rng.integers(0, 4, 9)
    expected = []
    for query in queries:
        best = max(range(9), key=lambda j: float(query @ references[j]))
        expected.append(labels[best])
    assert retrieval.nearest(queries, references, labels).tolist() == expected


def test_vote_beats_the_single_nearest_and_ties_go_to_the_larger_sum() -> None:
    query = np.array([[1, 0]], np.float32)
    angles = np.array([0.1, 0.2, 0.25, 1.0])
    references = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)
    assert retrieval.nearest(query, references, np.array([5, 6, 6, 7]), k=3).tolist() == [6]
    assert retrieval.nearest(query, references, np.array([6, 5, 5, 6]), k=4).tolist() == [5]


def test_nearest_refuses_more_neighbours_than_references() -> None:
    rows = unit(np.random.default_rng(0), 2)
    with pytest.raises(ValueError, match="1 to 2 references, got 3"):
        retrieval.nearest(rows, rows, np.array([0, 1]), k=3)


def test_recall_against_loops() -> None:
    rng = np.random.default_rng(1)
    vectors, labels = unit(rng, 20), rng.integers(0, 6, 20)
    labels[0] = 99  # occurs once: has nothing to find
    found = {1: 0, 3: 0}
    asked = 0
    for i in range(20):
        others = sorted((j for j in range(20) if j != i), key=lambda j: -vectors[i] @ vectors[j])
        if not any(labels[j] == labels[i] for j in others):
            continue
        asked += 1
        for k in found:
            found[k] += any(labels[j] == labels[i] for j in others[:k])
    expected = {k: count / asked for k, count in found.items()}
    assert retrieval.recall_at(vectors, labels, [1, 3]) == pytest.approx(expected)


def test_auroc_counts_pairs() -> None:
    rng = np.random.default_rng(2)
    positive = rng.integers(0, 6, 30).astype(np.float32)  # whole numbers: many ties
    negative = rng.integers(-2, 5, 40).astype(np.float32)
    wins = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative)
    assert retrieval.auroc(positive, negative) == pytest.approx(wins / (30 * 40))


def test_auroc_needs_both_kinds() -> None:
    with pytest.raises(ValueError, match="got 0 and 1"):
        retrieval.auroc(np.zeros(0, np.float32), np.zeros(1, np.float32))


def test_references_come_from_different_photos_and_leave_something_to_ask() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 2], np.int64)
    photos = np.array([1, 1, 2, 3, 1, 2, 3], np.int64)
    for seed in range(20):
        rows = retrieval.pick_references(labels, photos, 2, np.random.default_rng(seed))
        assert labels[rows].tolist() == [0, 0]  # 1 and 2 have too few photos
        assert len(set(photos[rows])) == 2


def test_few_views_is_perfect_on_clusters_and_chance_on_noise() -> None:
    vectors, labels = clustered(noise=0.01)
    photos = np.arange(len(labels))
    rng = np.random.default_rng(0)
    good = retrieval.few_views(vectors, labels, photos, views=1, trials=5, rng=rng)
    assert good.accuracy == 1.0
    assert good.deviation == 0.0
    assert good.per_label == {0: 1.0, 1: 1.0, 2: 1.0, 3: 1.0}
    noise = unit(np.random.default_rng(5), 200, 16)
    classes = np.arange(200) % 4
    chance = retrieval.few_views(noise, classes, np.arange(200), views=1, trials=20, rng=rng)
    assert chance.accuracy == pytest.approx(0.25, abs=0.06)


def test_queries_never_share_a_photo_with_a_reference() -> None:
    # Two labels that are told apart only within one photo: across photos every guess is wrong.
    vectors = np.array([[1, 0], [0, 1], [0, 1], [1, 0]], np.float32)
    labels, photos = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    for seed in range(8):
        rng = np.random.default_rng(seed)
        rows = retrieval.pick_references(labels, photos, 1, rng)
        if len(set(photos[rows])) == 1:
            rng = np.random.default_rng(seed)
            result = retrieval.few_views(vectors, labels, photos, views=1, trials=1, rng=rng)
            assert result.accuracy == 0.0


def test_open_set_tops_against_loops() -> None:
    vectors, labels = clustered(noise=0.05)
    photos = np.arange(len(labels))
    found = retrieval.open_set(
        vectors, labels, photos, enrolled=2, views=2, trials=1, rng=np.random.default_rng(4)
    )
    rng = np.random.default_rng(4)
    chosen = rng.choice(np.unique(labels), 2, replace=False)
    rows = retrieval.pick_references(labels, photos, 2, rng, chosen.tolist())
    known = [i for i in range(len(labels)) if labels[i] in chosen and i not in rows]
    unknown = [i for i in range(len(labels)) if labels[i] not in chosen]
    assert found.same.tolist() == pytest.approx(
        [max(vectors[i] @ vectors[j] for j in rows if labels[j] == labels[i]) for i in known]
    )
    assert found.other.tolist() == pytest.approx(
        [max(vectors[i] @ vectors[j] for j in rows if labels[j] != labels[i]) for i in known]
    )
    assert found.unknown.tolist() == pytest.approx(
        [max(vectors[i] @ vectors[j] for j in rows) for i in unknown]
    )
    assert found.correct.all()
    assert found.auroc == 1.0


def test_same_seed_same_result() -> None:
    vectors, labels = clustered(noise=0.6)
    photos = np.arange(len(labels))

    def run() -> retrieval.FewViews:
        rng = np.random.default_rng(11)
        return retrieval.few_views(vectors, labels, photos, views=2, trials=4, rng=rng)

    assert run() == run()


def test_fine_and_coarse() -> None:
    coarse_of = {0: 0, 1: 0, 2: 1}
    fine, coarse = retrieval.fine_and_coarse(
        np.array([0, 0, 2, 2]), np.array([0, 1, 1, 2]), coarse_of
    )
    assert (fine, coarse) == (0.5, 0.75)
