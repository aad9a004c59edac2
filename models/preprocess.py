"""From an upright image of any size to the network's input, and the way back for boxes.

Training and serving call the same function, so that a network never meets other pixels than it
was trained on. Normalisation is part of the network (engines eat uint8), and its constants travel
in the same value.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from models import boxes as box_ops
from models.types import Boxes, Image

Fit = Literal["letterbox", "stretch"]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where an image of `width` x `height` pixels lies in the network's input."""

    scale_x: float
    scale_y: float
    left: float
    top: float
    width: int
    height: int

    def to_image(self, boxes: Boxes) -> Boxes:
        """Boxes `[N,4]` in input pixels -> boxes in image pixels, cut to the image."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        return box_ops.clip((boxes - offset) / scale, self.width, self.height)

    def to_input(self, boxes: Boxes) -> Boxes:
        """Boxes `[N,4]` in image pixels -> boxes in input pixels."""
        offset = np.array([self.left, self.top] * 2, np.float32)
        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        return (boxes * scale + offset).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Preprocess:
    """How an image becomes `[height,width,3]` uint8.

    `letterbox` keeps the proportions and fills the rest with `fill` (image centred);
    `stretch` resizes both sides on their own. `mean` and `std` are in units of 0 to 255 and are
    applied inside the network.
    """

    height: int
    width: int
    fit: Fit = "letterbox"
    fill: int = 114
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    def __post_init__(self) -> None:
        if self.height < 1 or self.width < 1:
            raise ValueError(f"size: expected positive, got {self.height} x {self.width}")
        if self.fit not in ("letterbox", "stretch"):
            raise ValueError(f"fit: expected letterbox or stretch, got {self.fit!r}")

    def place(self, image: Image) -> tuple[Image, Placement]:
        """Image `[H,W,3]` -> input uint8 `[height,width,3]` and its `Placement`."""
        height, width = image.shape[:2]
        if self.fit == "stretch":
            resized = _resize(image, self.width, self.height)
            placement = Placement(self.width / width, self.height / height, 0, 0, width, height)
            return resized, placement
        scale = min(self.width / width, self.height / height)
        new_w, new_h = max(1, round(width * scale)), max(1, round(height * scale))
        left, top = (self.width - new_w) // 2, (self.height - new_h) // 2
        canvas = np.full((self.height, self.width, 3), self.fill, np.uint8)
        canvas[top : top + new_h, left : left + new_w] = _resize(image, new_w, new_h)
        return canvas, Placement(new_w / width, new_h / height, left, top, width, height)

    def batch(self, images: Sequence[Image]) -> tuple[NDArray[np.uint8], list[Placement]]:
        """Images -> uint8 `[B,height,width,3]` and one `Placement` per image; B may be 0."""
        placed = [self.place(image) for image in images]
        if not placed:
            return np.zeros((0, self.height, self.width, 3), np.uint8), []
        return np.stack([p[0] for p in placed]), [p[1] for p in placed]

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocess":
        """The inverse of `to_json`; unknown or missing keys raise TypeError."""
        fixed: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**fixed)


def _resize(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    # INTER_AREA averages when shrinking (no aliasing); it is nearest neighbour when enlarging.
    shrinking = width < image.shape[1] and height < image.shape[0]
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)
