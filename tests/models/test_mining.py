"""Triplet losses against plain loops; the curriculum's stages and miners."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.train.mining import (
    Curriculum,
    OtherLoss,
    Stage,
    TripletLoss,
    all_triplets,
    distances,
    mine,
    triplet_loss,
)


def batch(seed: int = 0, classes: int = 4, views: int = 3, dim: int = 6) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vectors = F.normalize(torch.randn(classes * views, dim, generator=generator), dim=1)
    return vectors, torch.arange(classes).repeat_interleave(views)


def distance(a: Tensor, b: Tensor, kind: str) -> float:
    return float((a - b).norm()) if kind == "euclidean" else float(1 - a @ b)


def triplets_by_loops(labels: Tensor) -> set[tuple[int, int, int]]:
    count = range(len(labels))
    return {
        (a, p, n)
        for a in count
        for p in count
        for n in count
        if a != p and labels[a] == labels[p] and labels[a] != labels[n]
    }


def as_set(triplets: tuple[Tensor, Tensor, Tensor]) -> set[tuple[int, int, int]]:
    return set(zip(*(t.tolist() for t in triplets), strict=True))


def test_all_triplets_against_loops() -> None:
    _, labels = batch()
    assert as_set(all_triplets(labels)) == triplets_by_loops(labels)


@pytest.mark.parametrize("kind", ["euclidean", "cosine"])
@pytest.mark.parametrize("scale", [1.0, 9.0])
def test_soft_margin_over_each_triplet(kind: str, scale: float) -> None:
    vectors, labels = batch()
    costs = [
        math.log1p(
            math.exp(
                scale
                * (distance(vectors[a], vectors[p], kind) - distance(vectors[a], vectors[n], kind))
            )
        )
        for a, p, n in triplets_by_loops(labels)
    ]
    rule = TripletLoss.model_validate({"distance": kind})
    judged = triplet_loss(vectors, all_triplets(labels), rule, scale)
    assert judged.loss.item() == pytest.approx(sum(costs) / len(costs), rel=1e-4)


@pytest.mark.parametrize("scale", [1.0, 200.0])
def test_pooled_negatives(scale: float) -> None:
    vectors, labels = batch(seed=1)
    triplets = triplets_by_loops(labels)
    costs = []
    for a, p in sorted({(a, p) for a, p, _ in triplets}):
        gaps = [
            scale * float(vectors[a] @ vectors[n] - vectors[a] @ vectors[p])
            for x, y, n in triplets
            if (x, y) == (a, p)
        ]
        top = max(0.0, *gaps)
        costs.append(top + math.log(math.exp(-top) + sum(math.exp(g - top) for g in gaps)))
    rule = TripletLoss(negatives="pooled", distance="cosine")
    judged = triplet_loss(vectors, all_triplets(labels), rule, scale)
    assert judged.loss.item() == pytest.approx(sum(costs) / len(costs), rel=1e-4)


def test_fixed_margin_and_active_share() -> None:
    vectors, labels = batch(seed=2)
    gaps = [
        distance(vectors[a], vectors[p], "euclidean")
        - distance(vectors[a], vectors[n], "euclidean")
        for a, p, n in triplets_by_loops(labels)
    ]
    judged = triplet_loss(vectors, all_triplets(labels), TripletLoss(margin=0.2), 1.0)
    assert judged.loss.item() == pytest.approx(
        sum(max(0.0, g + 0.2) for g in gaps) / len(gaps), rel=1e-4
    )
    assert judged.active == pytest.approx(sum(g + 0.2 > 0 for g in gaps) / len(gaps))


@pytest.mark.parametrize(
    "rule",
    [
        TripletLoss(),
        TripletLoss(margin=0.3),
        TripletLoss(negatives="pooled", distance="cosine"),
    ],
)
def test_slopes_are_finite_even_for_equal_vectors(rule: TripletLoss) -> None:
    vectors = torch.ones(4, 3, requires_grad=True)
    labels = torch.tensor([0, 0, 1, 1])
    triplet_loss(F.normalize(vectors, dim=1), all_triplets(labels), rule, 30.0).loss.backward()
    assert vectors.grad is not None
    assert torch.isfinite(vectors.grad).all()


def test_no_triplet_costs_nothing() -> None:
    vectors, _ = batch()
    vectors.requires_grad_()
    judged = triplet_loss(vectors, all_triplets(torch.zeros(12)), TripletLoss(), 1.0)
    judged.loss.backward()
    assert judged.loss.item() == 0.0
    assert judged.active is None


def test_distances_are_those_of_the_vectors() -> None:
    vectors, _ = batch()
    expected = torch.cdist(vectors, vectors)
    found = distances(vectors, "euclidean")
    off = ~torch.eye(len(vectors), dtype=torch.bool)
    torch.testing.assert_close(found[off], expected[off], rtol=1e-4, atol=1e-4)


def test_semihard_against_loops() -> None:
    vectors, labels = batch(seed=3)
    expected = set()
    for a, p, n in triplets_by_loops(labels):
        near = distance(vectors[a], vectors[p], "euclidean")
        gap = distance(vectors[a], vectors[n], "euclidean") - near
        if 0 < gap <= 0.3:
            expected.add((a, p, n))
    found = mine(vectors, labels, Stage(triplets="semihard", mining_margin=0.3))
    assert found is not None
    assert as_set(found) == expected
    assert expected


def test_hard_against_loops() -> None:
    vectors, labels = batch(seed=3)
    expected = {
        (a, p, n)
        for a, p, n in triplets_by_loops(labels)
        if distance(vectors[a], vectors[n], "euclidean")
        < distance(vectors[a], vectors[p], "euclidean")
    }
    found = mine(vectors, labels, Stage(triplets="hard"))
    assert found is not None
    assert as_set(found) == expected
    assert expected


def test_hardest_against_loops() -> None:
    vectors, labels = batch(seed=4)
    expected = set()
    for a in range(len(labels)):
        same = [p for p in range(len(labels)) if p != a and labels[p] == labels[a]]
        other = [n for n in range(len(labels)) if labels[n] != labels[a]]
        far = max(same, key=lambda p: distance(vectors[a], vectors[p], "euclidean"))
        near = min(other, key=lambda n: distance(vectors[a], vectors[n], "euclidean"))
        expected.add((a, far, near))
    found = mine(vectors, labels, Stage(triplets="hardest"))
    assert found is not None
    assert as_set(found) == expected


def test_stages_follow_progress_and_the_scale_grows_within_one() -> None:
    stages = [Stage(until=0.5, scale=(2, 8)), Stage(until=1.0, triplets="hard", scale=(8, 8))]
    curriculum = Curriculum(TripletLoss(), stages)
    assert curriculum.stage(0.0).triplets == "all"
    assert curriculum.scale(0.0) == pytest.approx(2)
    assert curriculum.scale(0.25) == pytest.approx(4)
    assert curriculum.stage(0.5).triplets == "hard"
    assert curriculum.scale(0.75) == pytest.approx(8)
    assert curriculum.stage(0.1).triplets == "hard"  # never back


def test_few_active_triplets_end_a_stage() -> None:
    stages = [Stage(until=0.9, until_active=0.3), Stage(triplets="hard")]
    curriculum = Curriculum(TripletLoss(margin=0.1), stages)
    apart = torch.eye(3).repeat_interleave(2, dim=0)  # perfect: no triplet costs anything
    curriculum.judge(apart, torch.tensor([0, 0, 1, 1, 2, 2]), 0.1)
    assert curriculum.stage(0.1).triplets == "hard"


@pytest.mark.parametrize("ends", [[], [0.5], [0.5, 0.5, 1.0], [1.0, 0.5]])
def test_stages_must_rise_to_one(ends: list[float]) -> None:
    with pytest.raises(ValueError, match="rising"):
        Curriculum(TripletLoss(), [Stage(until=end) for end in ends])


@pytest.mark.parametrize(
    "name",
    OtherLoss.model_fields["name"].annotation.__args__,  # type: ignore[union-attr]
)
def test_other_losses_fall_when_classes_are_apart(name: str) -> None:
    curriculum = Curriculum(OtherLoss.model_validate({"kind": "other", "name": name}), [Stage()])
    vectors, labels = batch(classes=3, views=2)
    apart = torch.eye(6)[:3].repeat_interleave(2, dim=0)
    mixed = curriculum.judge(vectors, labels, 0.0).loss
    assert curriculum.judge(apart, labels, 0.0).loss < mixed


def test_pooled_needs_the_soft_margin() -> None:
    with pytest.raises(ValueError, match="soft"):
        TripletLoss(negatives="pooled", margin=0.2)
