"""One enrolment photo -> the crop of its one object, checked and measured. Nothing is stored."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app import images
from app.errors import BadBox, NoObject, SeveralObjects
from app.quality import Quality, complaints, measure
from app.receipt import Box
from app.settings import Settings
from app.single import main_object
from models import boxes as box_ops
from models.types import Boxes, Detections, Detector, Image

BORDER = 0.15
"""Width of the border of a second look, as a share of the longer side."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """The one object of a photo.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the upright photo.
        crop: the padded crop as it is stored (JPEG).
        sha256: of `crop`, hexadecimal.
        complaints: why the photo is too poor; empty if it is not.
    """

    box: Box
    crop: bytes
    sha256: str
    quality: Quality
    complaints: tuple[str, ...]


class PhotoReader:
    """Decodes a photo, finds its object and judges it."""

    def __init__(self, detector: Detector, settings: Settings) -> None:
        self._detector = detector
        self._settings = settings

    def prepare(self, data: bytes, box: Sequence[Any] | None) -> Prepared:
        """Bytes of a photo, and the box of its object if the caller knows it.

        Raises:
            BadImage, UploadTooLarge, BadBox, NoObject, SeveralObjects
        """
        image = images.decode(data, self._settings.limits)
        rows = self._find(image) if box is None else checked_box(box, image)
        [padded] = images.crops(image, rows, self._settings.decisions.crop_padding)
        x1, y1, x2, y2 = (round(float(v), 2) for v in rows[0])
        quality = measure(padded, math.ceil(x2 - x1), math.ceil(y2 - y1))
        crop = images.encode_crop(padded)
        return Prepared(
            box=(x1, y1, x2, y2),
            crop=crop,
            sha256=hashlib.sha256(crop).hexdigest(),
            quality=quality,
            complaints=tuple(complaints(quality, self._settings.quality)),
        )

    def _find(self, image: Image) -> Boxes:
        """The box of the one object, float32 `[1,4]`.

        A close-up leaves nothing around its object, which the detector then misses or takes for
        several; so a photo without one plain object is looked at once more with a border.
        """
        found = self._detect(image)
        single = _single(found)
        if single is None:
            height, width = image.shape[:2]
            wider, margin = with_border(image)
            single = _single(self._detect(wider))
            if single is not None:
                single = box_ops.clip(single - np.float32(margin), width, height)
        if single is not None and box_ops.valid(single)[0]:
            return single
        details = _describe(found, image)
        if not len(found):
            raise NoObject("expected one object, found none; give its box", **details)
        raise SeveralObjects(
            f"expected one object, found {len(found)}; give the box of the one that is meant",
            **details,
        )

    def _detect(self, image: Image) -> Detections:
        return self._detector.detect([image], min_score=self._settings.decisions.min_score)[0]


def _single(found: Detections) -> Boxes | None:
    """The box of the one object, float32 `[1,4]`, or None."""
    index = main_object(found)
    return None if index is None else found.boxes[index : index + 1]


def with_border(image: Image) -> tuple[Image, int]:
    """The image on a ground in the colour of its edge, and the width of the border in pixels."""
    height, width = image.shape[:2]
    margin = max(1, round(BORDER * max(height, width)))
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    wider = np.empty((height + 2 * margin, width + 2 * margin, 3), np.uint8)
    wider[:] = np.median(edge, axis=0)
    wider[margin : margin + height, margin : margin + width] = image
    return wider, margin


def checked_box(box: Sequence[Any], image: Image) -> Boxes:
    """A caller's box -> float32 `[1,4]`; BadBox unless it is one inside of the image."""
    height, width = image.shape[:2]
    numbers = [v for v in box if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(box) != 4 or len(numbers) != 4 or not all(math.isfinite(v) for v in numbers):
        raise BadBox("expected four finite numbers x1, y1, x2, y2", None, box, width, height)
    x1, y1, x2, y2 = numbers
    if min(x1, y1) < 0 or x2 > width or y2 > height:
        raise BadBox("expected a box inside of the image", None, box, width, height)
    if x2 - x1 < 1 or y2 - y1 < 1:
        raise BadBox("expected x1 < x2 and y1 < y2, a pixel apart", None, box, width, height)
    return np.array([numbers], np.float32)


def _describe(found: Detections, image: Image) -> dict[str, Any]:
    return {
        "boxes": found.boxes.round(2).astype(float).tolist(),
        "scores": found.scores.round(4).astype(float).tolist(),
        "image": {"width": image.shape[1], "height": image.shape[0]},
    }
