"""Light and camera: what makes two photos of one thing differ although nothing was moved."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.types import Image


def photograph(scene: Image, strength: float, rng: np.random.Generator) -> Image:
    """Random exposure, white balance, shading, glare, blur, noise and compression.

    Args:
        scene: uint8 `[h,w,3]`, RGB.
        strength: 0 changes nothing, 1 is a wide range of indoor photos.
        rng: source of randomness.
    """
    if strength <= 0:
        return scene
    result = tones(scene, strength, rng)
    if rng.random() < 0.5 * strength:
        result = shading(result, strength, rng)
    if rng.random() < 0.5 * strength:
        result = soften(result, strength, rng)
    if rng.random() < 0.3 * strength:
        noise = rng.normal(0, rng.uniform(2, 9) * strength, result.shape).astype(np.float32)
        result = np.clip(result + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.3 * strength:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 85))]
        _, data = cv2.imencode(".jpg", result, quality)
        result = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return result


def tones(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Exposure, contrast, gamma and white balance by one table per channel, then saturation."""
    levels = np.arange(256, dtype=np.float32) / 255
    gamma = np.exp(rng.uniform(-0.4, 0.4) * strength)
    gain = np.exp(rng.uniform(-0.35, 0.3) * strength)
    contrast = 1 + rng.uniform(-0.3, 0.2) * strength
    offset = rng.uniform(-0.06, 0.1) * strength
    curve = ((levels**gamma) * gain - 0.5) * contrast + 0.5 + offset
    # Warm to cold lies mostly between red and blue; green moves less.
    balance = np.exp(rng.normal(0, 1, 3) * strength * np.array([0.09, 0.04, 0.11]))
    table = np.clip(curve[:, None] * balance[None, :] * 255, 0, 255).astype(np.uint8)
    result = np.asarray(cv2.LUT(image, table.reshape(1, 256, 3)), np.uint8)
    if rng.random() < 0.6:
        grey = cv2.cvtColor(cv2.cvtColor(result, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        share = 1 + rng.uniform(-0.45, 0.35) * strength
        result = np.asarray(cv2.addWeighted(result, share, grey, 1 - share, 0), np.uint8)
    return result


def shading(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """A slope of light over the picture, sometimes with the glare of a lamp."""
    height, width = image.shape[:2]
    angle = rng.uniform(0, 2 * np.pi)
    ys, xs = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    slope = rng.uniform(0.05, 0.4) * strength
    light = 1 + slope * (np.cos(angle) * xs + np.sin(angle) * ys).astype(np.float32)
    lit = image * light[..., None]
    if rng.random() < 0.35:
        x, y = rng.uniform(-0.8, 0.8, 2)
        spread = rng.uniform(0.02, 0.15)
        spot = np.exp(-((xs - x) ** 2 + (ys - y) ** 2 * rng.uniform(0.5, 4)) / spread)
        lit = lit + (rng.uniform(60, 190) * strength * spot)[..., None]
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def soften(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Out of focus, shaken, or taken from far away."""
    kind = rng.random()
    height, width = image.shape[:2]
    if kind < 0.4:
        sigma = rng.uniform(0.4, 1.6) * strength
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    if kind < 0.65:
        length = int(rng.integers(3, 3 + max(1, round(5 * strength))))
        angle = rng.uniform(0, np.pi)
        kernel = np.zeros((length, length), np.float32)
        middle = (length - 1) / 2
        step = middle * np.array([np.cos(angle), np.sin(angle)])
        start, end = (np.round(middle + sign * step).astype(int) for sign in (-1, 1))
        cv2.line(kernel, tuple(map(int, start)), tuple(map(int, end)), 1.0)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    scale = rng.uniform(0.35, 0.8)
    small = cv2.resize(
        image,
        (max(2, int(width * scale)), max(2, int(height * scale))),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def shadow(ground: Image, alpha: NDArray[np.uint8], rng: np.random.Generator) -> Image:
    """Darken the ground where an object of outline `alpha` `[h,w]` keeps the light away."""
    height, width = alpha.shape
    side = max(height, width)
    dx, dy = rng.uniform(-0.07, 0.07, 2) * side
    move = np.array([[1, 0, dx], [0, 1, dy]], np.float64)
    moved = cv2.warpAffine(alpha, move, (width, height))
    blurred = cv2.blur(moved, (max(3, side // 14) | 1,) * 2).astype(np.float32)
    dark = 1 - blurred * np.float32(rng.uniform(0.2, 0.7) / 255)
    return np.asarray(ground * dark[..., None], np.uint8)


def plain(size: tuple[int, int], rng: np.random.Generator) -> Image:
    """A table top of one colour, mostly bright and grey: uint8 `[height,width,3]`."""
    width, height = size
    level = rng.uniform(120, 250) if rng.random() < 0.7 else rng.uniform(10, 250)
    spread = 6 if rng.random() < 0.7 else 45
    colour = np.clip(level + rng.normal(0, spread, 3), 0, 255)
    ground = np.full((height, width, 3), colour, np.uint8)
    if rng.random() < 0.3:
        grain = rng.normal(0, rng.uniform(2, 12), (max(2, height // 4), max(2, width // 4)))
        rough = cv2.resize(grain.astype(np.float32), size)
        ground = np.clip(ground + rough[..., None], 0, 255).astype(np.uint8)
    return ground


def erase(
    image: Image,
    probability: float,
    area: tuple[float, float],
    rng: np.random.Generator,
) -> Image:
    """Random erasing: with `probability` one rectangle of `area` (share of the image) is lost.

    The rectangle is filled with one random colour or with noise; proportions 0.3 to 3.3.
    Returns a new image when something is erased, else the same one.
    """
    if rng.random() >= probability:
        return image
    height, width = image.shape[:2]
    target = rng.uniform(*area) * height * width
    ratio = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
    h = int(np.clip(round(np.sqrt(target * ratio)), 1, height))
    w = int(np.clip(round(np.sqrt(target / ratio)), 1, width))
    y, x = rng.integers(height - h + 1), rng.integers(width - w + 1)
    result = image.copy()
    if rng.random() < 0.5:
        result[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    else:
        result[y : y + h, x : x + w] = rng.integers(0, 256, (h, w, 3), dtype=np.uint8)
    return result
