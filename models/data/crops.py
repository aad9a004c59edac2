"""Labelled crops from several collections as one data set for metric learning.

A class is whatever two crops must share to be called the same: a product, a physical item, or
one single crop (then all of its views are made by `models.data.views`). Two classes of one
*group* may show the same thing without a label saying so, for example neighbours on one shelf
photo; a batch never holds both.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import boxes as box_ops
from models.data.cutouts import segmented_alpha, studio_alpha
from models.data.sample import Sample, read_image
from models.types import Boxes, Image

CONTEXT = 0.1
"""Share of a box's side that a crop keeps around it on each side."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """One object with a little of its surroundings.

    Attributes:
        pixels: uint8 `[H,W,3]`, RGB.
        box: float32 `[4]`, the object in pixels of this crop.
        alpha: uint8 `[H,W]`, the object's outline; None if it is not known.
        label: name of the class, unique over all collections.
        group: classes of one group are never contrasted with each other.
        source: name of the collection.
        scene: the object fills the whole crop and any part of it shows it (a heap of fruit).
    """

    pixels: Image
    box: NDArray[np.float32]
    alpha: NDArray[np.uint8] | None
    label: str
    group: str
    source: str
    scene: bool = False

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
            raise ValueError(f"pixels: expected uint8 [H,W,3], got {self.pixels.dtype} {shape}")
        if self.box.shape != (4,) or not (self.box[:2] < self.box[2:]).all():
            raise ValueError(f"box of {self.label}: expected x1 < x2 and y1 < y2, got {self.box}")
        if self.alpha is not None and self.alpha.shape != shape[:2]:
            raise ValueError(f"alpha: expected {shape[:2]}, got {self.alpha.shape}")


def whole(image: Image) -> NDArray[np.float32]:
    """The box of all pixels, float32 `[4]`."""
    return np.array([0, 0, image.shape[1], image.shape[0]], np.float32)


def from_boxes(
    samples: Iterable[Sample], source: str, *, side: int, min_side: float = 24.0, cut: bool = True
) -> list[Crop]:
    """One crop per annotated box. A box with a known item belongs to the class of that item.

    Args:
        samples: annotated photos; each is decoded once.
        source: name of the collection.
        side: longer side of the stored crop, in pixels, without the context.
        min_side: smaller boxes are left out.
        cut: look for the outline of boxes that no other box overlaps.
    """
    crops = []
    for sample in samples:
        keep = np.flatnonzero(box_ops.valid(sample.boxes, min_side))
        image = sample.load() if len(keep) else None
        for index in keep:
            assert image is not None  # loaded above when anything is kept
            pixels, box = _window(image, sample.boxes[index], side)
            alone = _alone(sample.boxes, int(index))
            alpha = segmented_alpha(pixels, box) if cut and alone else None
            item = sample.items[index]
            label = f"{source}/{item}" if item else f"{source}/{sample.name}/{index}"
            group = label if item else f"{source}/{sample.name}"
            crops.append(Crop(pixels, box, alpha, label, group, source))
    return crops


def from_photos(rows: Iterable[tuple[Path, str]], source: str, *, side: int) -> list[Crop]:
    """Whole photos of one class each, given as (file, class name)."""
    crops = []
    for path, name in rows:
        pixels = _shrink(read_image(path), side)
        label = f"{source}/{name}"
        crops.append(Crop(pixels, whole(pixels), None, label, label, source, scene=True))
    return crops


def from_studio(
    rows: Iterable[tuple[Path, str]], source: str, group: str, *, side: int
) -> list[Crop]:
    """Pictures on white as (file, class name): a class each, in the group `group/class name`."""
    crops = []
    for path, name in rows:
        image = read_image(path)
        alpha = studio_alpha(image)
        ys, xs = np.nonzero(alpha > 127)
        if not len(ys):
            continue
        box = np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)
        pixels, inner = _window(np.dstack([image, alpha]), box, side)
        outline = np.ascontiguousarray(pixels[..., 3])
        colours = np.ascontiguousarray(pixels[..., :3])
        crops.append(Crop(colours, inner, outline, f"{source}/{name}", f"{group}/{name}", source))
    return crops


def class_ids(crops: Sequence[Crop]) -> NDArray[np.int64]:
    """int64 `[N]`: consecutive class numbers in the order of first appearance."""
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(c.label, len(numbers)) for c in crops], np.int64)


def save(path: Path, crops: Sequence[Crop]) -> None:
    """Write crops to one `.npz` file: decoding and cutting thousands takes minutes."""
    planes = [
        np.dstack(
            [c.pixels, np.zeros(c.pixels.shape[:2], np.uint8) if c.alpha is None else c.alpha]
        )
        for c in crops
    ]
    np.savez(
        path,
        sizes=np.array([p.shape[:2] for p in planes], np.int32).reshape(-1, 2),
        planes=np.concatenate([p.reshape(-1) for p in planes] or [np.zeros(0, np.uint8)]),
        boxes=np.array([c.box for c in crops], np.float32).reshape(-1, 4),
        names=np.array([(c.label, c.group, c.source) for c in crops], np.str_).reshape(-1, 3),
        flags=np.array([(c.alpha is not None, c.scene) for c in crops], np.bool_).reshape(-1, 2),
    )


def load(path: Path) -> list[Crop]:
    """The inverse of `save`."""
    with np.load(path) as stored:
        sizes, planes, boxes = stored["sizes"], stored["planes"], stored["boxes"]
        names, flags = stored["names"], stored["flags"]
    ends = np.cumsum(sizes[:, 0].astype(np.int64) * sizes[:, 1] * 4)
    crops = []
    for index, (height, width) in enumerate(sizes):
        plane = planes[ends[index] - int(height) * width * 4 : ends[index]]
        plane = plane.reshape(height, width, 4)
        alpha = np.ascontiguousarray(plane[..., 3]) if flags[index, 0] else None
        label, group, source = (str(name) for name in names[index])
        pixels = np.ascontiguousarray(plane[..., :3])
        crops.append(Crop(pixels, boxes[index], alpha, label, group, source, bool(flags[index, 1])))
    return crops


def _alone(boxes: Boxes, index: int) -> bool:
    others = np.delete(boxes, index, axis=0)
    box = boxes[index : index + 1]
    return not len(others) or bool(
        box_ops.intersection(box, others).max() <= 0.1 * box_ops.area(box)[0]
    )


def _window(
    image: NDArray[np.uint8], box: NDArray[np.float32], side: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The box with context, shrunk to `side` (plus context), and the box in its pixels."""
    outer = box_ops.pad(box[None], CONTEXT, image.shape[1], image.shape[0])[0]
    piece = box_ops.crop(image, outer)
    small = _shrink(piece, round(side * (1 + 2 * CONTEXT)))
    scale = np.array([small.shape[1] / piece.shape[1], small.shape[0] / piece.shape[0]] * 2)
    corner = np.floor(np.array([outer[0], outer[1]] * 2))
    return small, ((box - corner) * scale).astype(np.float32)


def _shrink(image: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    scale = side / max(image.shape[:2])
    if scale >= 1.0:
        return np.ascontiguousarray(image)
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
