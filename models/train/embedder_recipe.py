"""The recipe of an embedder training run."""

from typing import Literal, Self

from pydantic import Field, model_validator

from models.data.views import ViewOptions
from models.nets.embedder import Pooling, Trunk
from models.preprocess import Fit, Preprocess
from models.train.mining import OtherLoss, Stage, TripletLoss
from models.train.recipe import Part, Recipe


class Erasing(Part):
    """Random erasing of the finished view."""

    probability: float = Field(0.3, ge=0, le=1)
    area: tuple[float, float] = (0.02, 0.2)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not 0 < self.area[0] <= self.area[1] < 1:
            raise ValueError(f"area: expected 0 < low <= high < 1, got {self.area}")
        return self


class Views(Part):
    """Synthetic views; the fields are those of `models.data.views.ViewOptions`."""

    any_turn: float = Field(0.6, ge=0, le=1)
    stretch: float = Field(0.3, ge=0, le=1)
    tilt: float = Field(0.14, ge=0, le=0.4)
    pad: float = Field(0.04, ge=0, le=0.5)
    box_noise: float = Field(0.05, ge=0, le=0.2)
    background: float = Field(0.65, ge=0, le=1)
    neighbours: float = Field(0.35, ge=0, le=1)
    light: float = Field(1.0, ge=0, le=1.5)

    def options(self) -> ViewOptions:
        """The same as the value that `ViewMaker` takes."""
        return ViewOptions(**self.model_dump())


class EmbedderRecipe(Recipe):
    """Which network, on which data, judged how, and for how long.

    `batch` is P x K: `batch // views_per_class` classes with `views_per_class` views each.
    `shares` gives the collections and how often a class is drawn from each.
    """

    kind: Literal["embedder"] = "embedder"
    trunk: Trunk = "resnet18"
    dim: int = Field(256, ge=8)
    pooling: Pooling = "gem"
    size: int = Field(128, ge=32)
    fit: Fit = "letterbox"
    views_per_class: int = Field(4, ge=2)
    shares: dict[str, float]
    views: Views = Field(default_factory=Views)  # type: ignore[arg-type]
    erasing: Erasing = Field(default_factory=Erasing)  # type: ignore[arg-type]
    loss: TripletLoss | OtherLoss = Field(default_factory=TripletLoss, discriminator="kind")
    stages: tuple[Stage, ...] = (Stage(),)  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _whole_classes(self) -> Self:
        if self.batch % self.views_per_class or self.batch < 2 * self.views_per_class:
            raise ValueError(
                f"batch: expected a multiple of views_per_class of at least two classes, "
                f"got {self.batch} and {self.views_per_class}"
            )
        return self

    @property
    def preprocess(self) -> Preprocess:
        """What the finished network will be served with."""
        return Preprocess(self.size, self.size, self.fit)

    @property
    def stored_side(self) -> int:
        """Longer side of a stored crop in pixels: views may enlarge a part of it."""
        return round(1.3 * self.size)
