"""The values that pass between the networks and everyone else, and the Protocols that produce them.

Boxes, everywhere: float32 `[N,4]`, `x1,y1,x2,y2` in pixels of the upright image, half-open,
`0 <= x1 < x2 <= W` and `0 <= y1 < y2 <= H`. Other conventions exist only in readers and
`models.boxes`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""uint8 `[H,W,3]`, RGB, upright (EXIF orientation already applied)."""

Boxes = NDArray[np.float32]
"""float32 `[N,4]`, `x1,y1,x2,y2` in pixels."""

Vectors = NDArray[np.float32]
"""float32 `[N,D]`, rows of L2 norm 1; similarity is the inner product."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Objects found in one image, best first; N may be 0.

    Attributes:
        boxes: float32 `[N,4]`, `x1,y1,x2,y2` in pixels of the image.
        scores: float32 `[N]` in [0,1], descending.
    """

    boxes: Boxes
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        boxes, scores = self.boxes, self.scores
        if boxes.dtype != np.float32 or boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError(f"boxes: expected float32 [N,4], got {boxes.dtype} {boxes.shape}")
        if scores.dtype != np.float32 or scores.shape != (len(boxes),):
            raise ValueError(
                f"scores: expected float32 [{len(boxes)}], got {scores.dtype} {scores.shape}"
            )
        if not (np.isfinite(boxes).all() and (boxes[:, :2] < boxes[:, 2:]).all()):
            raise ValueError("boxes: expected finite x1 < x2 and y1 < y2 in every row")
        if len(scores) and not (scores.min() >= 0.0 and scores.max() <= 1.0):
            raise ValueError(f"scores: expected [0,1], got {scores.min()} to {scores.max()}")
        if (np.diff(scores) > 0).any():
            raise ValueError("scores: expected descending order")

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> "Detections":
        """No objects."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


class Detector(Protocol):
    """Finds every object, whatever it is (class-agnostic)."""

    @property
    def name(self) -> str:
        """Name and version of the bundle, for people and logs."""
        ...

    def detect(self, images: Sequence[Image], min_score: float | None = None) -> list[Detections]:
        """One `Detections` per image, in the same order; boxes in pixels of that image.

        `min_score` in (0,1) is the lowest score to return; None = the network's own threshold.
        """
        ...


class Embedder(Protocol):
    """Turns each crop into a unit vector."""

    @property
    def name(self) -> str:
        """Name and version of the bundle, for people and logs."""
        ...

    @property
    def dim(self) -> int:
        """Length D of a vector."""
        ...

    @property
    def space(self) -> str:
        """Identity of the vector space: vectors of two spaces are never compared."""
        ...

    def embed(self, crops: Sequence[Image]) -> Vectors:
        """float32 `[N,D]`, rows of norm 1, in the order of `crops`; N may be 0."""
        ...
