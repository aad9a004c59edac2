"""Anchors of the detector and the decoding of what it says about them (numpy only).

The network, its training and the serving without torch all use this file, so that row `i` of the
network's output means the same anchor everywhere: levels from fine to coarse, then rows, then
columns, then shapes (ratios inside of scales).
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.types import Boxes

_MAX_LOG_SIZE = float(np.log(1000.0 / 16))


@dataclass(frozen=True, slots=True)
class AnchorConfig:
    """Which anchors lie on the feature maps.

    Attributes:
        levels: pyramid levels; level `l` has one cell per `2**l` pixels.
        base: side of the smallest square anchor of a level, in cells of that level.
        scales: factors on `base`.
        ratios: width / height of the shapes; all shapes of one scale have the same area.
    """

    levels: tuple[int, ...] = (4, 5, 6, 7)
    base: float = 2.5
    scales: tuple[float, ...] = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)

    def __post_init__(self) -> None:
        levels = list(self.levels)
        if not levels or levels != list(range(levels[0], levels[0] + len(levels))):
            raise ValueError(f"levels: expected consecutive numbers, got {self.levels}")
        if min((self.base, *self.scales, *self.ratios), default=0) <= 0:
            raise ValueError("base, scales and ratios: expected positive numbers")

    @property
    def per_cell(self) -> int:
        """Anchors in each cell."""
        return len(self.scales) * len(self.ratios)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "AnchorConfig":
        """The inverse of `to_json`; unknown keys raise TypeError."""
        fixed: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**fixed)


def anchors(height: int, width: int, config: AnchorConfig) -> Boxes:
    """All anchors of an input, float32 `[A,4]`, `x1,y1,x2,y2` in input pixels.

    A map of level `l` has `ceil(side / 2**l)` cells a side, as strided convolutions leave it;
    anchors are centred in their cells and may reach over the border.
    """
    roots = np.sqrt(np.array(config.ratios, np.float64))
    scales = np.array(config.scales, np.float64)[:, None]
    halves = np.stack([scales * roots, scales / roots], axis=-1).reshape(-1, 2) / 2
    maps = []
    for level in config.levels:
        cell = 2**level
        rows, columns = -(-height // cell), -(-width // cell)
        y, x = np.meshgrid(np.arange(rows) + 0.5, np.arange(columns) + 0.5, indexing="ij")
        centres = np.stack([x, y], axis=-1).reshape(-1, 1, 2) * cell
        sides = halves[None] * (config.base * cell)
        maps.append(np.concatenate([centres - sides, centres + sides], axis=-1).reshape(-1, 4))
    return np.concatenate(maps).astype(np.float32)


def decode(deltas: NDArray[np.float32], base: Boxes) -> Boxes:
    """Boxes float32 `[...,A,4]` in input pixels from box deltas `[...,A,4]` and anchors `[A,4]`.

    A delta is `dx,dy,dw,dh`: the shift of the centre in anchor sides and the logarithm of the
    growth of each side (limited, so that a wild network cannot overflow).
    """
    sides = base[:, 2:] - base[:, :2]
    centres = base[:, :2] + sides / 2 + deltas[..., :2] * sides
    halves = np.exp(np.minimum(deltas[..., 2:], np.float32(_MAX_LOG_SIZE))) * sides / 2
    return np.concatenate([centres - halves, centres + halves], axis=-1).astype(np.float32)


def encode(boxes: Boxes, base: Boxes) -> NDArray[np.float32]:
    """The inverse of `decode` for matching rows: boxes and anchors `[N,4]` -> deltas `[N,4]`."""
    sides = base[:, 2:] - base[:, :2]
    centres = base[:, :2] + sides / 2
    shifts = ((boxes[:, :2] + boxes[:, 2:]) / 2 - centres) / sides
    growth = np.log((boxes[:, 2:] - boxes[:, :2]) / sides)
    return np.concatenate([shifts, growth], axis=1).astype(np.float32)
