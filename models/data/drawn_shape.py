"""What every drawn shape is described by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.data.drawn_solids import Array, Pose

Renderer = Callable[[float, Pose, np.random.Generator], Array]
"""(pixels per centimetre, pose, folds) -> float32 RGBA."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Name of the builder and the real size in centimetres (width, height, depth)."""

    kind: str
    width: float
    height: float
    depth: float = 0.0
    tint: str = "#dddddd"
    """Colour of what is not printed: cap, liquid, lid or peel."""
