"""What a training run does, as typed values from a YAML file; unknown keys are refused."""

from pathlib import Path
from typing import Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class RecipeError(ValueError):
    """A recipe cannot be read; the message names the file and every wrong key."""


class Part(BaseModel):
    """Base of every part of a recipe: frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Optimizer(Part):
    """AdamW with a linear warm-up."""

    lr: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.05, ge=0)
    warmup_steps: int = Field(200, ge=0)
    clip_norm: float = Field(5.0, gt=0)


class Schedule(Part):
    """How long to train, by steps or by the wall clock, and how the learning rate falls.

    `cosine` falls over the whole run to `final` of its peak; `plateau` is multiplied by `factor`
    when the watched metric has not risen for `patience` validations.
    """

    kind: Literal["cosine", "plateau"] = "cosine"
    steps: int | None = Field(None, gt=0)
    minutes: float | None = Field(None, gt=0)
    final: float = Field(0.01, ge=0, lt=1)
    factor: float = Field(0.3, gt=0, lt=1)
    patience: int = Field(3, ge=1)

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give exactly one of steps and minutes")
        return self


class Recipe(Part):
    """What every training run has in common."""

    name: str = Field(pattern=r"^[a-z0-9_-]+$")
    seed: int = 0
    batch: int = Field(16, gt=0)
    workers: int = Field(1, ge=0)
    threads: int = Field(2, gt=0)
    precision: Literal["32", "bf16"] = "bf16"
    ema: float = Field(0.998, ge=0, lt=1)
    optimizer: Optimizer = Field(default_factory=Optimizer)  # type: ignore[arg-type]
    schedule: Schedule
    validate_minutes: float = Field(10.0, gt=0)


R = TypeVar("R", bound=Recipe)


def load_recipe(path: Path, kind: type[R]) -> R:
    """Read a recipe of one kind.

    Raises:
        RecipeError: not readable, not YAML, or a key is missing, unknown or out of range.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: is not YAML: {error}") from error
    if not isinstance(document, dict):
        raise RecipeError(f"{path}: expected a mapping, got {type(document).__name__}")
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, problem['loc'])) or 'recipe'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise RecipeError(f"{path}: " + "; ".join(lines)) from error
