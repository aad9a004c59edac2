"""What a camera does to a picture: exposure, colour, blur, noise, compression."""

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.random import Generator

from models.types import Image


def distort(rng: Generator, image: Image, strength: float = 1.0) -> Image:
    """A new picture with another camera's colour, sharpness and noise; boxes stay valid.

    Args:
        rng: source of every choice.
        image: uint8 `[H,W,3]`; not changed.
        strength: 0 leaves tone and colour as they are, 1 is the usual range.
    """
    result: MatLike = _tone(rng, image, strength)
    kind = rng.random()
    if kind < 0.3:
        result = cv2.GaussianBlur(result, (0, 0), float(rng.uniform(0.4, 1.4) * strength + 0.1))
    elif kind < 0.4:
        result = _shake(rng, result)
    if rng.random() < 0.4:
        noise = np.empty(result.shape, np.int8)
        # OpenCV's generator is fast and seeded from ours, so scenes stay reproducible.
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(noise, np.zeros(3), np.full(3, rng.uniform(1, 9) * strength))
        result = cv2.add(result, noise, dtype=cv2.CV_8U)
    if rng.random() < 0.25:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 92))]
        decoded = cv2.imdecode(cv2.imencode(".jpg", result, quality)[1], cv2.IMREAD_COLOR)
        result = result if decoded is None else decoded
    return np.asarray(result, np.uint8)


def _tone(rng: Generator, image: Image, strength: float) -> Image:
    """Gamma, gain and white balance as one table per channel, then saturation."""
    ramp = np.linspace(0, 1, 256)
    gamma = np.exp(rng.normal(0, 0.25 * strength))
    gain = np.exp(rng.normal(0, 0.16 * strength))
    balance = np.exp(rng.normal(0, 0.04 * strength, 3))
    offset = rng.normal(0, 0.03 * strength)
    table = np.clip((ramp**gamma)[:, None] * gain * balance + offset, 0, 1) * 255
    toned = cv2.LUT(image, table.astype(np.uint8)[:, None, :].reshape(1, 256, 3))
    if rng.random() < 0.5 * strength:
        grey = cv2.cvtColor(cv2.cvtColor(toned, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = float(rng.uniform(0.4, 1.5))
        toned = cv2.addWeighted(toned, keep, grey, 1 - keep, 0)
    if rng.random() < 0.04 * strength:
        toned = toned[..., rng.permutation(3)]
    return np.ascontiguousarray(toned)


def _shake(rng: Generator, image: MatLike) -> Image:
    length = int(rng.integers(3, 8))
    kernel = np.zeros((length, length), np.float32)
    middle, angle = (length - 1) / 2, rng.uniform(0, np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * middle
    ends = [tuple(round(v) for v in middle + sign * reach) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
