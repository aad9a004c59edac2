"""The recipe of a detector training run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.anchors import AnchorConfig
from models.nets.retinanet import RetinaConfig, Trunk
from models.preprocess import Fit, Preprocess
from models.train.recipe import Part, Recipe


class Anchors(Part):
    """The fields of `models.anchors.AnchorConfig`."""

    levels: tuple[int, ...] = (4, 5, 6, 7)
    base: float = Field(2.5, gt=0)
    scales: tuple[float, ...] = (1.0, 1.26, 1.587)
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)


class Loss(Part):
    """Matching and weights: focal loss on scores, GIoU or smooth L1 on boxes."""

    positive: float = Field(0.5, gt=0, le=1)
    negative: float = Field(0.4, gt=0, le=1)
    alpha: float = Field(0.25, ge=0, le=1)
    gamma: float = Field(2.0, ge=0)
    box: Literal["giou", "smooth_l1"] = "giou"
    box_weight: float = Field(2.0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.negative > self.positive:
            raise ValueError(f"negative {self.negative} must not exceed positive {self.positive}")
        return self


class Stage(Part):
    """The input size up to a share of the run."""

    until: float = Field(gt=0, le=1)
    size: int = Field(ge=64, multiple_of=32)


class CutOuts(Part):
    """How many cut-outs are made of each kind, how often each kind is drawn, and drawn tables."""

    limits: dict[str, int] = Field(
        default_factory=lambda: {
            "studio": 100,
            "fronts": 3000,
            "packs": 2500,
            "pieces": 1200,
            "drawn": 260,
        }
    )
    weights: dict[str, float] = Field(
        default_factory=lambda: {
            "studio": 0.25,
            "fronts": 0.27,
            "packs": 0.2,
            "pieces": 0.18,
            "drawn": 0.1,
        }
    )
    tables: int = Field(16, ge=0)

    @model_validator(mode="after")
    def _weighted(self) -> Self:
        missing = {kind for kind, limit in self.limits.items() if limit} - {
            kind for kind, weight in self.weights.items() if weight > 0
        }
        if missing:
            raise ValueError(f"weights: expected a positive weight for {sorted(missing)}")
        return self


class DetectorRecipe(Recipe):
    """Which network, on which pictures, at which sizes, and for how long.

    `shares` gives how often a training picture is a composed scene, an ECUSTFD photo (half of
    them with objects laid on it) or a Freiburg photo. `size` is the input size of the finished
    network; `stages` are the training sizes over the run.
    """

    kind: Literal["detector"] = "detector"
    trunk: Trunk = "resnet18"
    head: Literal["full", "slim"] = "slim"
    channels: int = Field(128, ge=16)
    anchors: Anchors = Field(default_factory=Anchors)  # type: ignore[arg-type]
    size: int = Field(384, ge=64, multiple_of=32)
    fit: Fit = "letterbox"
    stages: tuple[Stage, ...] = Field(min_length=1)
    shares: dict[Literal["composed", "ecustfd", "freiburg"], float]
    cutouts: CutOuts = Field(default_factory=CutOuts)  # type: ignore[arg-type]
    loss: Loss = Field(default_factory=Loss)  # type: ignore[arg-type]
    epoch_steps: int = Field(50, gt=0)
    validate_sizes: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _stages_in_order(self) -> Self:
        ends = [stage.until for stage in self.stages]
        if ends != sorted(set(ends)) or ends[-1] != 1.0:
            raise ValueError(f"stages: expected rising `until` that ends at 1, got {ends}")
        if not self.shares or min(self.shares.values()) < 0 or not sum(self.shares.values()):
            raise ValueError(f"shares: expected weights of at least 0, got {self.shares}")
        return self

    @property
    def network(self) -> RetinaConfig:
        """The architecture."""
        anchors = AnchorConfig(**self.anchors.model_dump())
        return RetinaConfig(self.trunk, self.head, self.channels, anchors)

    def preprocess(self, size: int | None = None) -> Preprocess:
        """What the finished network is served with, at its own or another size."""
        side = size or self.size
        return Preprocess(side, side, self.fit)

    def stage_size(self, progress: float) -> int:
        """Training size at a share of the run in [0,1]."""
        return next(s.size for s in self.stages if progress < s.until or s.until == 1.0)
