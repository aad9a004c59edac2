"""Places for the drawn products: table tops, the tray, soft shadows and the camera's noise."""

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data.drawn_solids import Array

SURFACES = ("wood", "laminate", "stone", "belt")


def table(width: int, height: int, rng: np.random.Generator) -> Array:
    """A table top, float32 `[height,width,3]` in 0 to 1."""
    kind = SURFACES[int(rng.integers(len(SURFACES)))]
    if kind == "wood":
        return _wood(width, height, rng)
    tones = {"laminate": (0.62, 0.86), "stone": (0.45, 0.75), "belt": (0.14, 0.26)}
    colour = rng.uniform(*tones[kind]) * rng.uniform(0.93, 1.05, 3)
    grain = {"laminate": 0.012, "stone": 0.05, "belt": 0.02}[kind]
    relief = noise(width, height, 12, rng) * 0.03 + noise(width, height, 300, rng) * grain
    if kind == "stone":
        relief += 0.06 * (noise(width, height, 160, rng) > 1.2)
    if kind == "belt":
        relief += 0.012 * np.sign(np.sin(np.arange(height, dtype=np.float32) * 0.35))[:, None]
    surface: Array = np.clip(colour * (1 + relief[..., None]), 0, 1).astype(np.float32)
    return surface


def _wood(width: int, height: int, rng: np.random.Generator) -> Array:
    """Planks with grain along x."""
    long = noise(width, height, 5, rng, stretch=14) + 0.5 * noise(
        width, height, 40, rng, stretch=30
    )
    light, dark = np.array([0.80, 0.62, 0.43]), np.array([0.55, 0.37, 0.22])
    share = 1 / (1 + np.exp(-long))[..., None]
    wood = light * share + dark * (1 - share)
    plank = int(rng.integers(110, 220))
    for top in range(int(rng.integers(0, plank)), height, plank):
        wood[top : top + plank] *= rng.uniform(0.9, 1.06)
        wood[top : top + 3] *= 0.55
    return np.clip(wood * rng.uniform(0.8, 1.12), 0, 1).astype(np.float32)


def noise(
    width: int, height: int, cells: int, rng: np.random.Generator, stretch: float = 1.0
) -> Array:
    """Smooth noise of about unit variance; `cells` down the height, longer along x by `stretch`."""
    across = max(2, round(cells * width / height / stretch))
    coarse = rng.normal(size=(cells, across)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)


def lay_tray(canvas: Array, rng: np.random.Generator) -> NDArray[np.float64]:
    """Paint a tray with a rim onto the table (in place); returns its inner `x1,y1,x2,y2`."""
    height, width = canvas.shape[:2]
    tones = ((0.90, 0.90, 0.88), (0.78, 0.80, 0.83), (0.24, 0.26, 0.29), (0.70, 0.80, 0.86))
    tone = np.array(tones[int(rng.integers(len(tones)))], np.float32) * rng.uniform(0.92, 1.05)
    inset = rng.uniform(0.02, 0.045, 4) * width
    outer = np.array([inset[0], inset[1], width - inset[2], height - inset[3]])
    shade(canvas, _rounded(width, height, outer, 60), blur=22, offset=(8, 14), strength=0.5)
    for grow, factor in ((0, 0.86), (7, 1.08), (15, 0.93), (21, 1.0)):
        box = outer + np.array([grow, grow, -grow, -grow])
        mask = _rounded(width, height, box, 60 - grow)[..., None]
        colour = np.clip(tone * factor, 0, 1)
        canvas[:] = canvas * (1 - mask) + colour * mask
    grain = noise(width, height, 400, rng) * 0.012 + noise(width, height, 4, rng) * 0.01
    canvas *= 1 + grain[..., None]
    inner: NDArray[np.float64] = outer + np.array([26, 26, -26, -26])
    return inner


def _rounded(width: int, height: int, box: NDArray[np.float64], radius: float) -> Array:
    """Mask of a rounded rectangle, float32 `[height,width]` in 0 to 1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 - radius
    dx = np.clip(np.abs(x - np.float32(centre[0])) - np.float32(half[0]), 0, None)
    dy = np.clip(np.abs(y - np.float32(centre[1])) - np.float32(half[1]), 0, None)
    mask: Array = np.clip(radius - np.hypot(dx, dy) + 0.5, 0, 1).astype(np.float32)
    return mask


def shade(
    canvas: Array, mask: Array, blur: float, offset: tuple[float, float], strength: float
) -> None:
    """Darken the canvas (in place) under a blurred, shifted copy of `mask` `[H,W]`."""
    shift = np.array([[1, 0, offset[0]], [0, 1, offset[1]]], np.float32)
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), max(0.5, blur / 4))
    soft = cv2.resize(small, (mask.shape[1], mask.shape[0]), interpolation=cv2.INTER_LINEAR)
    soft = cv2.warpAffine(soft, shift, (mask.shape[1], mask.shape[0]))
    canvas *= 1 - strength * soft[..., None]


def develop(canvas: Array, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What the camera makes of the scene: uneven light, colour cast, vignette, blur and noise."""
    height, width = canvas.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)).astype(
        np.float32
    )
    vignette = ((x / width - 0.5) ** 2 + (y / height - 0.5) ** 2) * rng.uniform(0.1, 0.35)
    light = rng.uniform(0.9, 1.08) + rng.uniform(0.03, 0.2) * ramp - vignette
    cast = np.array([rng.uniform(0.95, 1.05), 1.0, rng.uniform(0.92, 1.06)], np.float32)
    photo = cv2.GaussianBlur(canvas * light[..., None] * cast, (0, 0), rng.uniform(0.45, 0.9))
    grain = np.empty(photo.shape, np.float32)
    grain[:] = rng.standard_normal(photo.shape, dtype=np.float32)
    photo = photo * 255 + grain * np.float32(rng.uniform(1.0, 3.5))
    pixels: NDArray[np.uint8] = np.clip(photo, 0, 255).astype(np.uint8)
    return pixels
