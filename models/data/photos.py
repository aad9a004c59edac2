"""Real annotated photos as training pictures: reframed, turned, mirrored."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models import boxes as box_ops
from models.data.sample import Sample
from models.types import Boxes, Image

_VISIBLE = 0.4


def reframe(
    rng: Generator, sample: Sample, size: int, zoom: tuple[float, float] = (0.75, 1.5)
) -> tuple[Image, Boxes, Boxes]:
    """A square view of a photo: another scale and place, a quarter turn, perhaps mirrored.

    Args:
        rng: source of every choice.
        sample: the photo and its boxes.
        size: side of the result in pixels.
        zoom: longer side of the photo in the result, as a share of `size`.

    Returns:
        The picture uint8 `[size,size,3]`, its boxes `[N,4]` and its ignore regions `[M,4]`. A box
        of which less than 40 % is left in the frame becomes an ignore region.
    """
    image = sample.load()
    height, width = image.shape[:2]
    scale = size * np.exp(rng.uniform(*np.log(zoom))) / max(height, width)
    turn = _quarter(int(rng.integers(4)), mirrored=bool(rng.random() < 0.5))
    linear = turn * scale * np.exp(rng.uniform(-0.1, 0.1))
    extent = np.abs(linear) @ np.array([width, height])
    room = size - extent
    # Smaller than the frame: anywhere inside. Larger: anywhere that leaves no empty border.
    corner = np.minimum(room, 0) + rng.uniform(0, 1, 2) * np.abs(room)
    shift = corner + extent / 2 - linear @ (np.array([width, height]) / 2)
    matrix = np.concatenate([linear, shift[:, None]], axis=1)
    if scale < 0.7:  # average before shrinking, against aliasing
        image = np.asarray(cv2.blur(image, (round(1 / scale),) * 2), np.uint8)
    grey = int(rng.integers(40, 200))
    # Boxes count from the corner of a pixel, OpenCV from its centre.
    centred = matrix + np.array([[0, 0, 1], [0, 0, 1]]) * (linear @ [0.5, 0.5] - 0.5)[:, None]
    framed = cv2.warpAffine(image, centred, (size, size), borderValue=(grey,) * 3)
    boxes, rest = _move(sample.boxes, matrix, size)
    ignore, slivers = _move(sample.ignore, matrix, size)
    regions = np.concatenate([ignore, slivers, rest])
    return np.asarray(framed, np.uint8), boxes, regions


def letterbox(
    rng: Generator, image: Image, boxes: Boxes, ignore: Boxes, fill: int
) -> tuple[Image, Boxes, Boxes]:
    """A square picture squeezed to a usual photo format, with bars as `Preprocess` leaves them."""
    size = len(image)
    inner = max(1, round(size * rng.choice([9 / 16, 2 / 3, 3 / 4, 4 / 5])))
    start = (size - inner) // 2
    canvas = np.full_like(image, fill)
    if rng.random() < 0.5:
        canvas[start : start + inner] = cv2.resize(
            image, (size, inner), interpolation=cv2.INTER_AREA
        )
        scale, shift = [1, inner / size], [0, start]
    else:
        canvas[:, start : start + inner] = cv2.resize(
            image, (inner, size), interpolation=cv2.INTER_AREA
        )
        scale, shift = [inner / size, 1], [start, 0]
    matrix = np.array([scale * 2, shift * 2], np.float32)
    return canvas, boxes * matrix[0] + matrix[1], ignore * matrix[0] + matrix[1]


def _quarter(turns: int, mirrored: bool) -> NDArray[np.float64]:
    turn = np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), turns)
    return turn @ np.diag([-1.0 if mirrored else 1.0, 1.0])


def _move(boxes: Boxes, matrix: NDArray[np.float64], size: int) -> tuple[Boxes, Boxes]:
    """Boxes through an axis-preserving map: those mostly in the frame, and the rests of others."""
    corners = boxes.reshape(-1, 2, 2) @ matrix[:, :2].T + matrix[:, 2]
    moved = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)
    inside = box_ops.clip(moved, size, size)
    usable = box_ops.valid(inside, 2.0)
    kept = box_ops.area(inside) >= _VISIBLE * box_ops.area(moved)
    return inside[usable & kept], inside[usable & ~kept]
