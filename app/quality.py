"""Is an enrolment photo good enough to learn from? Refuses only clearly useless ones (pure).

The limit for blur is far from good photos: of 1,900 real ones (trays, shops, shelves, plates,
studio) the least sharp measures 3.2 and the median 20 to 100. A Gaussian blur with a deviation of
1.6 % of the object's side brings the median to 1.4, of 2.3 % to 0.4.
"""

from dataclasses import asdict, dataclass

import cv2
import numpy as np

from app.settings import QualitySettings
from models.types import Image

NORMAL_SIDE = 256
"""Longest side in pixels at which sharpness is measured, so that it does not depend on size."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Numbers about one object in a photo.

    Attributes:
        width: of the object's box, in pixels.
        height: of the object's box, in pixels.
        sharpness: variance of the Laplacian of the smoothed grey crop at `NORMAL_SIDE`, divided
            by the square of `bright` / 255, so that it does not depend on the light.
        bright: 99th percentile of grey, 0 to 255.
        dark: 1st percentile of grey, 0 to 255.
    """

    width: int
    height: int
    sharpness: float
    bright: float
    dark: float

    def to_json(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def measure(crop: Image, width: int, height: int) -> Quality:
    """Numbers about a crop `[H,W,3]` that shows a box of `width` x `height` pixels.

    The crop may be larger than the box: an evenly coloured object is sharp where it ends.
    """
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    scale = NORMAL_SIDE / max(grey.shape)
    if scale < 1:  # never enlarged: that would blur
        size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    dark, bright = np.percentile(grey, (1, 99))
    light = max(float(bright), 1.0) / 255.0
    # A little smoothing first: rounding and sensor noise are no detail.
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    sharpness = float(cv2.Laplacian(smooth, cv2.CV_32F).var()) / light**2
    return Quality(width, height, round(sharpness, 2), float(bright), float(dark))


def complaints(quality: Quality, limits: QualitySettings) -> list[str]:
    """What is wrong, each with the number and its limit; empty for a usable photo."""
    found = []
    if min(quality.width, quality.height) < limits.min_side:
        found.append(
            f"too small: {quality.width} x {quality.height} pixels, expected at least "
            f"{limits.min_side} on each side"
        )
    if quality.bright < limits.min_bright:
        found.append(
            f"too dark: brightest grey {quality.bright:.0f}, expected at least "
            f"{limits.min_bright:.0f}"
        )
    elif quality.dark > limits.max_dark:
        found.append(
            f"too bright: darkest grey {quality.dark:.0f}, expected at most {limits.max_dark:.0f}"
        )
    elif quality.sharpness < limits.min_sharpness:
        found.append(
            f"too blurred: sharpness {quality.sharpness:.1f}, expected at least "
            f"{limits.min_sharpness:.1f}"
        )
    return found
