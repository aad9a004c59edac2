"""The box convention and everything that converts into or out of it (numpy only).

Boxes are float32 `[N,4]` as `x1,y1,x2,y2` in pixels, half-open: a box covers the pixel columns
`x1 <= x < x2`. COCO (`x,y,w,h`) and Pascal VOC (one-based, inclusive) exist only in this file.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.types import Boxes, Image


def area(boxes: Boxes) -> NDArray[np.float32]:
    """Areas in square pixels, float32 `[N]`."""
    result: NDArray[np.float32] = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return result


def intersection(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Pairwise intersection areas: `[N,4]`, `[M,4]` -> float32 `[N,M]`."""
    # One coordinate at a time: the same over [N,M,2] arrays is ten times slower.
    p, q = np.ascontiguousarray(a.T), np.ascontiguousarray(b.T)
    width = np.minimum(p[2][:, None], q[2]) - np.maximum(p[0][:, None], q[0])
    height = np.minimum(p[3][:, None], q[3]) - np.maximum(p[1][:, None], q[1])
    result: NDArray[np.float32] = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    return result


def iou(a: Boxes, b: Boxes) -> NDArray[np.float32]:
    """Pairwise intersection over union in [0,1]: `[N,4]`, `[M,4]` -> float32 `[N,M]`."""
    inter = intersection(a, b)
    union = area(a)[:, None] + area(b)[None, :] - inter
    result: NDArray[np.float32] = inter / np.maximum(union, np.float32(1e-9))
    return result


def clip(boxes: Boxes, width: float, height: float) -> Boxes:
    """Boxes cut to the image; a box outside of it keeps no area (filter with `valid`)."""
    limits = np.array([width, height, width, height], np.float32)
    return np.clip(boxes, 0.0, limits).astype(np.float32)


def valid(boxes: Boxes, min_side: float = 1.0) -> NDArray[np.bool_]:
    """True for rows whose both sides are at least `min_side` pixels, bool `[N]`."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return np.asarray((sides >= min_side).all(axis=1), np.bool_)


def pad(boxes: Boxes, share: float, width: float, height: float) -> Boxes:
    """Boxes grown on each side by `share` of their own side, cut to the image."""
    margin = (boxes[:, 2:] - boxes[:, :2]) * np.float32(share)
    return clip(np.concatenate([boxes[:, :2] - margin, boxes[:, 2:] + margin], 1), width, height)


def crop(image: Image, box: Boxes) -> Image:
    """The pixels of one box `[4]`, grown to whole pixels; a view into `image`, not a copy."""
    height, width = image.shape[:2]
    x1, y1 = (max(0, int(np.floor(v))) for v in box[:2])
    x2, y2 = min(width, int(np.ceil(box[2]))), min(height, int(np.ceil(box[3])))
    if x2 <= x1 or y2 <= y1:
        raise ValueError(f"crop: box {[float(v) for v in box]} is outside of {width} x {height}")
    return image[y1:y2, x1:x2]


def from_coco(xywh: ArrayLike) -> Boxes:
    """COCO `x,y,w,h` (top left corner and size) -> `x1,y1,x2,y2`, float32 `[N,4]`."""
    rows = np.asarray(xywh, np.float32).reshape(-1, 4)
    return np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1)


def to_coco(boxes: Boxes) -> Boxes:
    """`x1,y1,x2,y2` -> COCO `x,y,w,h`, float32 `[N,4]`."""
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def from_voc(corners: ArrayLike) -> Boxes:
    """Pascal VOC (first pixel is 1, last pixel is inside) -> half-open, float32 `[N,4]`."""
    rows = np.asarray(corners, np.float32).reshape(-1, 4)
    return rows - np.array([1, 1, 0, 0], np.float32)


def to_voc(boxes: Boxes) -> Boxes:
    """Half-open `x1,y1,x2,y2` -> Pascal VOC, float32 `[N,4]`."""
    return boxes + np.array([1, 1, 0, 0], np.float32)


def nms(
    boxes: Boxes, scores: NDArray[np.float32], threshold: float, contained: float = 1.0
) -> NDArray[np.intp]:
    """Greedy non-maximum suppression: indices of kept rows, best first, intp `[K]`.

    A row is dropped when its IoU with a better kept row exceeds `threshold`, or when more than
    the share `contained` of its own area lies inside of one: a part is not an object.
    """
    order = np.argsort(-scores, kind="stable")
    inter = intersection(boxes, boxes)
    sizes = area(boxes)
    union = sizes[:, None] + sizes[None, :] - inter
    # Row i is dropped by a better row j.
    dropped_by = (inter > threshold * union) | (inter > contained * sizes[:, None])
    alive = np.ones(len(boxes), np.bool_)
    kept = []
    for index in order:
        if alive[index]:
            kept.append(index)
            alive &= ~dropped_by[:, index]
    return np.array(kept, np.intp)
