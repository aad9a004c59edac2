"""Objects cut out of photos: RGBA pieces that the scene composer lays on backgrounds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models import boxes as box_ops
from models.data.sample import Sample, read_image
from models.types import Image

_WHITE_TOLERANCE = 10
_CONTEXT = 0.12
_CUT_SIDE = 128


@dataclass(frozen=True, slots=True, eq=False)
class CutOut:
    """One object without its background.

    Attributes:
        pixels: uint8 `[H,W,4]`, RGB and straight (not premultiplied) alpha, trimmed to the object.
        item: name of the product or physical item it shows.
        solid: True for an upright rectangular front of a pack, which may become a face of a box.
    """

    pixels: NDArray[np.uint8]
    item: str
    solid: bool = False

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 4:
            raise ValueError(f"pixels: expected uint8 [H,W,4], got {self.pixels.dtype} {shape}")


def studio_alpha(image: Image) -> NDArray[np.uint8]:
    """Alpha `[H,W]` of a picture on white: what a flood fill from the border does not reach."""
    height, width = image.shape[:2]
    padded = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    reached = np.zeros((height + 4, width + 4), np.uint8)
    tolerance = (_WHITE_TOLERANCE,) * 3
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (255 << 8)
    cv2.floodFill(padded, reached, (0, 0), (255, 255, 255), tolerance, tolerance, flags)
    outside = reached[2:-2, 2:-2]
    # One pixel of the object's rim is mixed with white: leave it out and soften the edge.
    inside = cv2.erode(255 - outside, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(inside, (3, 3), 0), np.uint8)


def segmented_alpha(image: Image, box: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Alpha `[H,W]` of the object in a box of a photo by GrabCut, or None if it is not plausible.

    Plausible: one connected piece that fills 40 to 97 % of the box and reaches near its sides.
    """
    height, width = image.shape[:2]
    x1, y1, x2, y2 = (round(float(v)) for v in box)
    mask = np.full((height, width), cv2.GC_BGD, np.uint8)
    mask[y1:y2, x1:x2] = cv2.GC_PR_FGD
    # The four corners of a tight box nearly always show the background.
    cut = max(2, min(x2 - x1, y2 - y1) // 16)
    for ys in (slice(y1, y1 + cut), slice(y2 - cut, y2)):
        for xs in (slice(x1, x1 + cut), slice(x2 - cut, x2)):
            mask[ys, xs] = cv2.GC_PR_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # the clustering inside of GrabCut starts at random
    cv2.grabCut(image, mask, None, *models, 3, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    found = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    if count < 2:
        return None
    best = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    outline, _ = cv2.findContours(
        (pieces == best).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    filled = np.zeros((height, width), np.uint8)
    cv2.drawContours(filled, outline, -1, 255, cv2.FILLED)
    share = np.count_nonzero(filled) / max(1, (x2 - x1) * (y2 - y1))
    spans = stats[best, 2] / max(1, x2 - x1), stats[best, 3] / max(1, y2 - y1)
    if not 0.4 <= share <= 0.97 or min(spans) < 0.85:
        return None
    return np.asarray(cv2.GaussianBlur(filled, (3, 3), 0), np.uint8)


def trim(image: Image, alpha: NDArray[np.uint8], item: str, solid: bool = False) -> CutOut:
    """Join colour and alpha and cut to the part that is not transparent."""
    ys, xs = np.nonzero(alpha > 127)
    if not len(ys):
        raise ValueError(f"cut-out of {item!r}: alpha is empty")
    part = slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1)
    return CutOut(np.dstack([image[part], alpha[part]]), item, solid)


def studio_cutouts(folder: Path) -> list[CutOut]:
    """Cut-outs of all studio pictures on white below a folder, sorted by path."""
    result = []
    for path in sorted(folder.rglob("*.jpg")):
        image = read_image(path)
        result.append(trim(image, studio_alpha(image), path.stem))
    return result


def photo_cutouts(
    samples: Iterable[Sample], *, min_side: float = 48.0, limit: int = 1000
) -> list[CutOut]:
    """Cut-outs of annotated boxes by segmentation; implausible ones are left out."""
    result: list[CutOut] = []
    for sample in samples:
        if len(result) >= limit:
            break
        image = sample.load()
        for index, box in enumerate(sample.boxes):
            if not box_ops.valid(box[None], min_side)[0] or _crowded(sample, index):
                continue
            piece, inner = _window(image, box)
            alpha = segmented_alpha(piece, inner)
            if alpha is not None:
                item = sample.items[index] or f"{sample.name}/{index}"
                result.append(trim(piece, alpha, item))
    return result


def fronts(samples: Iterable[Sample], *, min_side: float = 56.0, limit: int = 1000) -> list[CutOut]:
    """Whole boxes as opaque rectangles: fronts of packs, to be laid flat or put on boxes."""
    result: list[CutOut] = []
    for sample in samples:
        if len(result) >= limit:
            break
        image = sample.load()
        for index, box in enumerate(sample.boxes):
            if not box_ops.valid(box[None], min_side)[0] or _crowded(sample, index):
                continue
            inner = box_ops.pad(box[None], -0.03, image.shape[1], image.shape[0])[0]
            pixels = _shrink(box_ops.crop(image, inner), 160)
            alpha = np.full(pixels.shape[:2], 255, np.uint8)
            item = sample.items[index] or f"{sample.name}/{index}"
            result.append(CutOut(np.dstack([pixels, alpha]), item, solid=True))
    return result


def save(path: Path, cutouts: Sequence[CutOut]) -> None:
    """Write cut-outs to one `.npz` file (cutting thousands takes minutes)."""
    sizes = np.array([c.pixels.shape[:2] for c in cutouts], np.int32).reshape(-1, 2)
    flat = [c.pixels.reshape(-1) for c in cutouts]
    np.savez(
        path,
        sizes=sizes,
        pixels=np.concatenate(flat) if flat else np.zeros(0, np.uint8),
        items=np.array([c.item for c in cutouts], np.str_),
        solid=np.array([c.solid for c in cutouts], np.bool_),
    )


def load(path: Path) -> list[CutOut]:
    """The inverse of `save`; the pieces share one block of memory."""
    with np.load(path) as stored:
        sizes, pixels = stored["sizes"], stored["pixels"]
        items, solid = stored["items"], stored["solid"]
    lengths = sizes[:, 0].astype(np.int64) * sizes[:, 1] * 4
    ends = np.cumsum(lengths)
    return [
        CutOut(pixels[start:end].reshape(height, width, 4), str(item), bool(flag))
        for start, end, (height, width), item, flag in zip(
            ends - lengths, ends, sizes, items, solid, strict=True
        )
    ]


def _crowded(sample: Sample, index: int) -> bool:
    """True if another box covers more than a tenth of this one (it may be in front)."""
    others = np.delete(sample.boxes, index, axis=0)
    box = sample.boxes[index : index + 1]
    if not len(others):
        return False
    return bool(box_ops.intersection(box, others).max() > 0.1 * box_ops.area(box)[0])


def _window(image: Image, box: NDArray[np.float32]) -> tuple[Image, NDArray[np.float32]]:
    """The box with some context, shrunk so that its longer side has `_CUT_SIDE` pixels at most."""
    outer = box_ops.pad(box[None], _CONTEXT, image.shape[1], image.shape[0])[0]
    piece = box_ops.crop(image, outer)
    small = _shrink(piece, round(_CUT_SIDE * (1 + 2 * _CONTEXT)))
    scale = np.array([small.shape[1] / piece.shape[1], small.shape[0] / piece.shape[0]] * 2)
    corner = np.floor(np.array([outer[0], outer[1]] * 2))
    return small, ((box - corner) * scale).astype(np.float32)


def _shrink(image: Image, side: int) -> Image:
    scale = side / max(image.shape[:2])
    if scale >= 1.0:
        return np.ascontiguousarray(image)
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
