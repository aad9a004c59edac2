"""A scene while objects are laid on it: pixels, shadows, and who owns which pixel."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data.sample import no_boxes
from models.data.sprites import Sprite
from models.types import Boxes, Image

MOST = 253
"""Objects that fit on a board: owners are 8-bit numbers, and 0 and 255 have other meanings."""

_FILM = 12  # alpha of the faintest film that still belongs to an object
_SEEN = 0.3  # an object of which less is visible is not one that must be found
_SMALLEST = 0.03  # of the side of the board
_SHADOW_STEP = 4  # shadows have no detail: they are blurred at a quarter of the size

_Part = tuple[slice, slice]


class Board:
    """Lay objects from back to front, then ask what is visible.

    Args:
        rng: source of every choice; light direction and softness are drawn at once.
        ground: uint8 `[S,S,3]`, the empty scene; not changed.
    """

    def __init__(self, rng: Generator, ground: Image) -> None:
        self._rng = rng
        self.image = ground.copy()
        self._owner = np.zeros(ground.shape[:2], np.uint8)
        angle = rng.uniform(0, 2 * np.pi)
        self._light = np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.0, 0.12)
        self._softness = float(rng.uniform(0.03, 0.15))
        self._items: list[str] = []
        self._areas: list[int] = []

    def lay(self, sprite: Sprite, item: str, centre: NDArray[np.float64]) -> None:
        """Blend one object and its shadow; `centre` is `x,y` in pixels and may be outside."""
        height, width = sprite.shape[:2]
        left, top = (int(v) for v in np.round(centre - np.array([width, height]) / 2))
        if len(self._items) >= MOST or min(width, height) < 4:
            return
        parts = _overlap(self.image.shape[:2], sprite.shape[:2], left, top)
        if parts is None:
            return
        self._cast_shadow(sprite[..., 3], left, top)
        target, source = parts
        part = sprite[source]
        alpha = cv2.merge([part[..., 3]] * 3)
        brightness = float(np.exp(self._rng.normal(0.0, 0.12)))
        colour = cv2.convertScaleAbs(part[..., :3], alpha=brightness)
        cover = cv2.multiply(colour, alpha, scale=1 / 255)
        rest = cv2.multiply(self.image[target], cv2.bitwise_not(alpha), scale=1 / 255)
        self.image[target] = cv2.add(cover, rest)
        self._items.append(item)
        self._areas.append(int(np.count_nonzero(sprite[..., 3] > _FILM)))
        self._owner[target][part[..., 3] > _FILM] = len(self._items)

    def cover(self, sprite: Sprite) -> None:
        """Lay something that is not an object, uint8 `[S,S,4]`, over everything."""
        alpha = cv2.merge([sprite[..., 3]] * 3)
        over = cv2.multiply(sprite[..., :3], alpha, scale=1 / 255)
        rest = cv2.multiply(self.image, cv2.bitwise_not(alpha), scale=1 / 255)
        self.image = np.asarray(cv2.add(over, rest), np.uint8)
        self._owner[sprite[..., 3] > 127] = 0

    def visible(self) -> tuple[Boxes, tuple[str, ...], Boxes, NDArray[np.uint8]]:
        """What can be seen of each object.

        Returns:
            Tight boxes `[N,4]` and their items; ignore regions `[M,4]` of objects that are mostly
            hidden or cut off; and the owners uint8 `[S,S]`: 0 ground, 1 to N the row of the box
            plus one, 255 ignored.
        """
        names = np.zeros(256, np.uint8)
        boxes, items, ignore = [], [], []
        for number, (item, whole) in enumerate(zip(self._items, self._areas, strict=True), 1):
            mask = (self._owner == number).view(np.uint8)
            seen = cv2.countNonZero(mask)
            if not seen:
                continue
            x, y, width, height = cv2.boundingRect(mask)
            corners = [x, y, x + width, y + height]
            if seen < _SEEN * whole or min(width, height) < _SMALLEST * len(mask):
                ignore.append(corners)
                names[number] = 255
                continue
            boxes.append(corners)
            items.append(item)
            names[number] = len(boxes)
        found = np.array(boxes, np.float32) if boxes else no_boxes()
        unsure = np.array(ignore, np.float32) if ignore else no_boxes()
        return found, tuple(items), unsure, names[self._owner]

    def _cast_shadow(self, alpha: NDArray[np.uint8], left: int, top: int) -> None:
        """Darken around and beside an object: a broad soft shadow and a narrow contact one."""
        rng, step = self._rng, _SHADOW_STEP
        height, width = alpha.shape
        margin = int(0.25 * max(height, width)) + 3
        padded = cv2.copyMakeBorder(
            alpha, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0
        )
        full = padded.shape[1], padded.shape[0]
        size = max(1, full[0] // step), max(1, full[1] // step)
        small = cv2.resize(padded, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        reach = max(height, width) / step
        broad = cv2.GaussianBlur(small, (0, 0), max(0.6, self._softness * reach))
        x, y = self._light * reach
        broad = cv2.warpAffine(broad, np.array([[1, 0, x], [0, 1, y]], np.float32), size)
        contact = cv2.GaussianBlur(small, (0, 0), max(0.5, 0.02 * reach))
        depth = cv2.addWeighted(broad, rng.uniform(0, 0.55), contact, rng.uniform(0, 0.35), 0)
        keep = cv2.resize(1 - np.clip(depth, 0, 0.8), full)
        parts = _overlap(self.image.shape[:2], keep.shape[:2], left - margin, top - margin)
        if parts is not None:
            factors = cv2.merge([keep[parts[1]]] * 3)
            self.image[parts[0]] = cv2.multiply(self.image[parts[0]], factors, dtype=cv2.CV_8U)


def _overlap(
    canvas: tuple[int, ...], piece: tuple[int, ...], left: int, top: int
) -> tuple[_Part, _Part] | None:
    """Where a piece at (left, top) falls on the canvas: slices of both, or None if it does not."""
    y1, x1 = max(0, top), max(0, left)
    y2, x2 = min(canvas[0], top + piece[0]), min(canvas[1], left + piece[1])
    if y1 >= y2 or x1 >= x2:
        return None
    on_canvas = slice(y1, y2), slice(x1, x2)
    return on_canvas, (slice(y1 - top, y2 - top), slice(x1 - left, x2 - left))
