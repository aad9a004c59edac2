"""Bottles, cans, jars and loose fruit: solids of revolution with a label around them."""

import math

import cv2
import numpy as np

from models.data import drawn_labels as labels
from models.data.drawn_shape import Renderer, Shape
from models.data.drawn_solids import Array, Pose, revolve
from models.types import Image

Profile = tuple[tuple[float, float], ...]
"""(share of the height from the top, radius as a share of the largest radius)."""

PROFILES: dict[str, tuple[Profile, tuple[float, float] | None]] = {
    # name: (profile, rows of the label as shares of the height; None for loose fruit)
    "bottle": (((0, 0.36), (0.085, 0.36), (0.09, 0.30), (0.13, 0.30), (0.3, 0.92), (0.36, 1),
                (0.4, 0.97), (0.7, 0.97), (0.74, 1), (0.96, 1), (1, 0.88)), (0.4, 0.7)),
    "wine": (((0, 0.38), (0.15, 0.38), (0.155, 0.34), (0.3, 0.36), (0.42, 0.92), (0.47, 1),
              (0.98, 1), (1, 0.95)), (0.5, 0.86)),
    "can": (((0, 0.82), (0.02, 0.84), (0.09, 1), (0.93, 1), (1, 0.8)), (0.07, 0.95)),
    "tin": (((0, 0.98), (0.03, 1), (0.05, 0.96), (0.95, 0.96), (0.97, 1), (1, 0.98)), (0.06, 0.94)),
    "jar": (((0, 0.84), (0.01, 0.86), (0.16, 0.86), (0.17, 0.8), (0.26, 1), (0.95, 1), (1, 0.9)),
            (0.34, 0.86)),
    "cup": (((0, 1), (0.03, 1), (0.05, 0.94), (0.97, 0.72), (1, 0.7)), (0.06, 0.97)),
    "spray": (((0, 0.42), (0.1, 0.46), (0.11, 0.8), (0.15, 0.8), (0.2, 1), (0.98, 1), (1, 0.95)),
              (0.2, 0.97)),
    "apple": (((0, 0.04), (0.11, 0.03), (0.13, 0.3), (0.18, 0.62), (0.32, 0.94), (0.45, 1),
               (0.62, 0.95), (0.85, 0.68), (0.96, 0.42), (1, 0.1)), None),
    "orange": (tuple((k / 40, 2 * math.sqrt(k / 40 * (1 - k / 40))) for k in range(41)), None),
    "lemon": (((0, 0.06), (0.05, 0.17), (0.1, 0.24), (0.22, 0.72), (0.36, 0.95), (0.5, 1),
               (0.64, 0.95), (0.8, 0.7), (0.91, 0.22), (0.96, 0.15), (1, 0.05)), None),
    "pear": (((0, 0.04), (0.1, 0.04), (0.11, 0.2), (0.18, 0.38), (0.4, 0.56), (0.6, 0.9),
              (0.75, 1), (0.9, 0.82), (0.98, 0.45), (1, 0.1)), None),
    "aubergine": (((0, 0.12), (0.08, 0.14), (0.1, 0.5), (0.2, 0.62), (0.55, 0.85), (0.75, 1),
                   (0.9, 0.84), (0.98, 0.45), (1, 0.1)), None),
}  # fmt: skip
CAPPED = {"bottle": 0.13, "wine": 0.15, "jar": 0.165, "spray": 0.11}
GREEN_TOP = {"apple": 0.12, "pear": 0.1, "aubergine": 0.13, "orange": 0.02, "lemon": 0.03}
SKIN_ROWS, SKIN_COLUMNS = 512, 1024


def round_shape(shape: Shape, design: labels.Design) -> Renderer:
    """Paint the skin once and return the function that draws the product."""
    profile, printed = PROFILES[shape.kind]
    radius = shape.width / 2 / shape.height
    scaled = _smooth(profile, radius, window=9 if printed else 23)
    skin = _peel(shape, design) if printed is None else _skin(shape, design, printed)
    gloss = 0.22 if printed is None else 0.5

    def draw(scale: float, pose: Pose, rng: np.random.Generator) -> Array:
        pixels = max(16, round(shape.height * scale))
        texture = cv2.GaussianBlur(skin, (0, 0), max(0.4, SKIN_ROWS / pixels / 3))
        return revolve(texture.astype(np.uint8), scaled, pixels, pose, gloss)

    return draw


def _smooth(profile: Profile, radius: float, window: int) -> list[tuple[float, float]]:
    """The profile in 200 steps with its corners rounded off, radius as a share of the height."""
    levels = np.linspace(0, 1, 201)
    known, radii = (np.array(column) for column in zip(*profile, strict=True))
    shares = np.interp(levels, known, radii)
    padded = np.pad(shares, window // 2, mode="edge")
    bell = np.hanning(window + 2)[1:-1]
    shares = np.convolve(padded, bell / bell.sum(), mode="valid")
    return [
        (float(level), float(share * radius)) for level, share in zip(levels, shares, strict=True)
    ]


def _skin(shape: Shape, design: labels.Design, printed: tuple[float, float]) -> Image:
    """Front artwork, twice around, on the glass or metal; with a cap where there is one."""
    skin = labels.plain(shape.tint, SKIN_COLUMNS, SKIN_ROWS)
    top, bottom = (round(level * SKIN_ROWS) for level in printed)
    real_rows = shape.height * (printed[1] - printed[0])
    rows = round(0.5 * SKIN_COLUMNS * real_rows / (1.57 * shape.width))
    # Only the middle two thirds of a half turn face the camera: keep the writing within them.
    art = labels.artwork(design, round(SKIN_COLUMNS * 0.31), rows)
    border = (round(SKIN_COLUMNS * 0.5) - art.shape[1]) // 2
    wide = cv2.copyMakeBorder(art, 0, 0, border, border, cv2.BORDER_REFLECT)
    wide = cv2.resize(wide, (SKIN_COLUMNS // 2, bottom - top), interpolation=cv2.INTER_AREA)
    around = np.concatenate([wide, wide], axis=1)
    skin[top:bottom] = np.roll(around, SKIN_COLUMNS // 4, axis=1)
    metal = (198, 200, 204)
    if shape.kind in ("can", "tin"):
        skin[:top], skin[bottom:] = metal, metal
        skin[round(0.015 * SKIN_ROWS) : round(0.03 * SKIN_ROWS)] = (150, 152, 156)
    if shape.kind == "cup":
        skin[:top] = (232, 232, 236)
    if shape.kind in CAPPED:
        rows = round(CAPPED[shape.kind] * SKIN_ROWS)
        skin[:rows] = labels.rgb(design.accent)
        skin[:rows, ::24] = skin[:rows, ::24] * 0.75
    return skin


def _peel(shape: Shape, design: labels.Design) -> Image:
    """Mottled peel from `base` to `accent`, seeded by the name: one fruit is one fruit."""
    rng = np.random.default_rng(sum(map(ord, design.title)))
    coarse = rng.normal(size=(7, 14)).astype(np.float32)
    fine = rng.normal(size=(64, 128)).astype(np.float32)
    size = (SKIN_COLUMNS, SKIN_ROWS)
    blotch = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    blotch = blotch + 0.35 * cv2.resize(fine, size, interpolation=cv2.INTER_CUBIC)
    blotch = blotch + np.linspace(0.9, -0.9, SKIN_ROWS, dtype=np.float32)[:, None]
    share = (1 / (1 + np.exp(-1.6 * blotch)))[..., None]
    base, accent = (
        labels.rgb(design.base).astype(np.float32),
        labels.rgb(design.accent).astype(np.float32),
    )
    skin = base * (1 - share) + accent * share
    top = round(GREEN_TOP[shape.kind] * SKIN_ROWS)
    skin[:top] = labels.rgb(shape.tint)
    peel: Image = np.clip(skin, 0, 255).astype(np.uint8)
    return peel
