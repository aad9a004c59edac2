"""Triplet losses, miners and the curriculum that chooses among them while training goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from pytorch_metric_learning import losses, miners
from pytorch_metric_learning.utils import loss_and_miner_utils as lmu
from torch import Tensor
from torch.nn import functional as F

from models.train.recipe import Part

Triplets = tuple[Tensor, Tensor, Tensor]
"""Indices of anchors, positives and negatives: three int64 `[T]`."""


class TripletLoss(Part):
    """How a triplet is judged.

    With `margin: soft` a triplet costs ln(1 + exp(scale * (d_ap - d_an))); with a number it costs
    max(0, d_ap - d_an + margin). `negatives: each` averages over triplets; `pooled` adds up the
    negatives of a pair inside of the logarithm, ln(1 + sum_n exp(scale * (d_ap - d_an))), so that
    near negatives weigh most and none has to be picked. `distance` is Euclidean or one minus the
    cosine.
    """

    kind: Literal["triplet"] = "triplet"
    margin: Literal["soft"] | Annotated[float, Field(ge=0)] = "soft"
    negatives: Literal["each", "pooled"] = "each"
    distance: Literal["euclidean", "cosine"] = "euclidean"

    @model_validator(mode="after")
    def _pooled_is_soft(self) -> "TripletLoss":
        if self.negatives == "pooled" and self.margin != "soft":
            raise ValueError("negatives: pooled needs margin: soft")
        return self


class OtherLoss(Part):
    """A loss of pytorch-metric-learning by the name of its class, with its arguments.

    Losses with weights of their own per class (ArcFace and the like) are not supported.
    """

    kind: Literal["other"] = "other"
    name: Literal[
        "CircleLoss",
        "ContrastiveLoss",
        "FastAPLoss",
        "GeneralizedLiftedStructureLoss",
        "LiftedStructureLoss",
        "MultiSimilarityLoss",
        "NTXentLoss",
        "SupConLoss",
        "TripletMarginLoss",
    ]
    arguments: dict[str, float | bool] = Field(default_factory=dict)


class Stage(Part):
    """One step of the curriculum.

    Attributes:
        until: share of the run, 0 to 1, at which the next stage begins.
        until_active: the next stage also begins when fewer triplets than this share still cost
            something noticeable (running mean); only counted by the triplet loss.
        triplets: all of a batch; `semihard` (negative farther than the positive, by less than
            `mining_margin`); `hard` (negative nearer than the positive); `hardest` (per anchor
            the farthest positive and the nearest negative).
        scale: steepness of the soft margin at the begin and the end of the stage.
        size: input size in pixels while training; small pictures first save time.
    """

    until: float = Field(1.0, gt=0, le=1)
    until_active: float | None = Field(None, gt=0, lt=1)
    triplets: Literal["all", "semihard", "hard", "hardest"] = "all"
    mining_margin: float = Field(0.2, gt=0)
    scale: tuple[float, float] = (1.0, 1.0)
    size: int | None = Field(None, ge=32)


@dataclass(frozen=True, slots=True)
class Judged:
    """The loss of one batch, and the share of triplets that still cost something noticeable."""

    loss: Tensor
    active: float | None


def distances(vectors: Tensor, kind: Literal["euclidean", "cosine"]) -> Tensor:
    """Pairwise distances of unit vectors `[B,D]`: float32 `[B,B]`."""
    cosine = vectors @ vectors.T
    if kind == "cosine":
        return 1.0 - cosine
    # The root has no slope at 0, where every vector meets itself.
    return (2.0 - 2.0 * cosine).clamp(min=1e-6).sqrt()


def all_triplets(labels: Tensor) -> Triplets:
    """Every (anchor, positive, negative) of a batch with class numbers int64 `[B]`."""
    anchors, positives, negatives = lmu.get_all_triplets_indices(labels)
    return anchors, positives, negatives


def triplet_loss(vectors: Tensor, triplets: Triplets, rule: TripletLoss, scale: float) -> Judged:
    """Loss of the given triplets over unit vectors float32 `[B,D]`; 0 if there is no triplet.

    A triplet is active if its slope is more than a tenth of the steepest (soft margin), or if it
    costs anything (fixed margin).
    """
    anchors, positives, negatives = triplets
    if not len(anchors):
        return Judged(vectors.sum() * 0.0, None)
    apart = distances(vectors, rule.distance)
    gap = apart[anchors, positives] - apart[anchors, negatives]  # [T]
    if rule.margin != "soft":
        cost = F.relu(gap + rule.margin)
        return Judged(cost.mean(), float((cost > 0).float().mean()))
    active = float((torch.sigmoid(scale * gap.detach()) > 0.1).float().mean())
    if rule.negatives == "each":
        return Judged(F.softplus(scale * gap).mean(), active)
    return Judged(_pooled(scale * gap, anchors * len(vectors) + positives), active)


def _pooled(gaps: Tensor, pairs: Tensor) -> Tensor:
    """Mean over pairs of ln(1 + sum of exp(gap) over the pair's triplets): `[T]`, `[T]` -> []."""
    names, where = torch.unique(pairs, return_inverse=True)
    top = torch.full((len(names),), -torch.inf, dtype=gaps.dtype, device=gaps.device)
    top = top.scatter_reduce(0, where, gaps.detach(), "amax").clamp(min=0.0)
    sums = torch.zeros_like(top).scatter_add(0, where, (gaps - top[where]).exp())
    # ln(1 + sum exp g) = m + ln(exp(-m) + sum exp(g - m)), safe for any gap.
    return (top + torch.log((-top).exp() + sums)).mean()


class Curriculum:
    """Judges batches by the stage that the run has reached."""

    def __init__(self, loss: TripletLoss | OtherLoss, stages: Sequence[Stage]) -> None:
        ends = [stage.until for stage in stages]
        if not stages or ends != sorted(set(ends)) or ends[-1] != 1.0:
            raise ValueError(f"stages: expected rising `until` that ends at 1, got {ends}")
        self._loss = loss
        self._stages = list(stages)
        self._other: Callable[..., Tensor] | None = (
            getattr(losses, loss.name)(**loss.arguments) if isinstance(loss, OtherLoss) else None
        )
        self._passed = 0
        self._begin = 0.0
        self._active: float | None = None

    def stage(self, progress: float) -> Stage:
        """The stage at a share of the run, 0 to 1; never goes back."""
        current = self._stages[self._passed]
        last = self._passed == len(self._stages) - 1
        tired = (
            current.until_active is not None
            and self._active is not None
            and self._active < current.until_active
        )
        if not last and (progress >= current.until or tired):
            self._passed += 1
            self._begin = progress
            self._active = None
            return self.stage(progress)
        return current

    def scale(self, progress: float) -> float:
        """Steepness of the soft margin, growing evenly in the logarithm over the stage."""
        stage = self.stage(progress)
        low, high = stage.scale
        share = (progress - self._begin) / max(stage.until - self._begin, 1e-9)
        return float(low * (high / low) ** min(max(share, 0.0), 1.0))

    def judge(self, vectors: Tensor, labels: Tensor, progress: float) -> Judged:
        """Loss of a batch: unit vectors float32 `[B,D]`, class numbers int64 `[B]`."""
        stage = self.stage(progress)
        triplets = mine(vectors, labels, stage)
        if self._other is not None:
            return Judged(self._other(vectors, labels, triplets), None)
        assert isinstance(self._loss, TripletLoss)  # the only other kind
        judged = triplet_loss(
            vectors, triplets or all_triplets(labels), self._loss, self.scale(progress)
        )
        if judged.active is not None:
            old = judged.active if self._active is None else self._active
            self._active = 0.98 * old + 0.02 * judged.active
        return judged


def mine(vectors: Tensor, labels: Tensor, stage: Stage) -> Triplets | None:
    """The triplets that a stage picks from a batch; None stands for all of them."""
    if stage.triplets == "all":
        return None
    if stage.triplets == "hardest":
        miner = miners.BatchHardMiner()
    else:
        miner = miners.TripletMarginMiner(stage.mining_margin, type_of_triplets=stage.triplets)
    anchors, positives, negatives = miner(vectors.detach(), labels)
    return anchors, positives, negatives
