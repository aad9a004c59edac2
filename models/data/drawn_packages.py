"""Bags, bars, tubes (inflated outlines) and cartons (polyhedra)."""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np

from models.data import drawn_labels as labels
from models.data.drawn_shape import Renderer, Shape
from models.data.drawn_solids import Array, Face, Pose, inflate, polyhedron
from models.types import Image


def _pillow() -> list[tuple[float, float]]:
    """A bag with crimped ends: zigzag above and below, slightly waisted sides."""
    top = [(x, 0.012 if k % 2 else 0.0) for k, x in enumerate(np.linspace(0.03, 0.97, 33))]
    right = [(0.97 + 0.025 * np.sin(np.pi * t), t) for t in np.linspace(0.02, 0.98, 12)]
    left = [(0.03 - 0.025 * np.sin(np.pi * t), t) for t in np.linspace(0.98, 0.02, 12)]
    return [*top, *right, *[(x, 1 - y) for x, y in reversed(top)], *left]


def _sideways(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(y, x) for x, y in points]


def _crescent() -> list[tuple[float, float]]:
    outer = [(0.5 - 0.49 * np.cos(t), 0.04 + 0.95 * np.sin(t)) for t in np.linspace(0.1, 3.04, 30)]
    inner = [(0.5 - 0.43 * np.cos(t), 0.04 + 0.5 * np.sin(t)) for t in np.linspace(3.0, 0.14, 30)]
    return [*outer, (0.995, 0.02), (0.95, 0.0), *inner, (0.05, 0.02)]


def _oval(power: float) -> list[tuple[float, float]]:
    turns = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    bent = [np.sign(f(turns)) * np.abs(f(turns)) ** power for f in (np.cos, np.sin)]
    return [(0.5 + 0.49 * x, 0.5 + 0.49 * y) for x, y in zip(*bent, strict=True)]


TUBE = [(0.0, 0.0), (1.0, 0.0), (0.98, 0.04), (0.8, 0.84), (0.72, 0.86), (0.7, 1.0), (0.3, 1.0),
        (0.28, 0.86), (0.2, 0.84), (0.02, 0.04)]  # fmt: skip
OUTLINES: dict[str, tuple[Sequence[tuple[float, float]], float, float, float]] = {
    # name: (outline, bulge, folds, gloss)
    "bag": (_pillow(), 0.55, 0.9, 0.4),
    "pouch": (_pillow(), 0.3, 0.4, 0.3),
    "bar": (_sideways(_pillow()), 0.35, 0.25, 0.45),
    "tube": (TUBE, 0.5, 0.05, 0.5),
    "banana": (_crescent(), 1.1, 0.02, 0.25),
    "loaf": (_oval(0.55), 0.7, 0.12, 0.05),
    "soap": (_oval(0.4), 0.5, 0.05, 0.4),
}


def soft_shape(shape: Shape, design: labels.Design) -> Renderer:
    """Print the package once and return the function that draws it."""
    outline, bulge, folds, gloss = OUTLINES[shape.kind]
    points = np.array(outline, np.float32)
    rows = 480 if shape.height >= shape.width else round(480 * shape.height / shape.width)
    columns = round(rows * shape.width / shape.height)
    art = _bare(shape, columns, rows) if shape.kind in ("banana", "loaf") else None
    if art is None:
        art = labels.artwork(design, columns, rows).copy()
        if shape.kind == "tube":
            art[round(0.85 * rows) :] = labels.rgb(shape.tint)
        elif shape.kind in ("bag", "bar", "pouch"):
            _crimp(art, along=shape.kind != "bar")

    def draw(scale: float, pose: Pose, rng: np.random.Generator) -> Array:
        size = (max(16, round(shape.width * scale)), max(16, round(shape.height * scale)))
        small = cv2.resize(art, size, interpolation=cv2.INTER_AREA)
        return inflate(small.astype(np.uint8), points, bulge, folds, pose, gloss, rng)

    return draw


def _crimp(art: Image, along: bool) -> None:
    """Darken the pressed seams at both ends (in place)."""
    view = art if along else art.transpose(1, 0, 2)
    depth = max(2, view.shape[0] // 22)
    for rows in (view[:depth], view[-depth:]):
        rows[:] = rows * 0.82 + 30
        rows[:, ::6] = rows[:, ::6] * 0.8


def _bare(shape: Shape, width: int, height: int) -> Image:
    """Peel or crust without print: banana with brown ends, loaf with flour and cuts."""
    rng = np.random.default_rng(round(shape.width * 10))
    art = labels.plain(shape.tint, width, height).astype(np.float32)
    specks = cv2.GaussianBlur(rng.normal(size=(height, width)).astype(np.float32), (0, 0), 3)
    art *= (1 + 0.5 * specks)[..., None]
    if shape.kind == "banana":
        ends = np.abs(np.linspace(-1, 1, width))[None, :, None]
        art = np.where(ends > 0.93, art * 0.45, art)
    else:
        art = art.copy()
        for x in np.linspace(0.25, 0.75, 4):
            start = (round(width * x), round(height * 0.75))
            end = (round(width * (x + 0.08)), round(height * 0.25))
            cv2.line(art, start, end, (240, 215, 170), max(2, height // 14), cv2.LINE_AA)
    return np.clip(art, 0, 255).astype(np.uint8)


# Cartons --------------------------------------------------------------------------------------


def boxed_shape(shape: Shape, design: labels.Design) -> Renderer:
    """Print the sides once and return the function that draws the carton."""
    ppcm = 480 / max(shape.width, shape.height)
    gable = shape.kind == "carton"
    body = shape.height * (0.8 if gable else 1.0)
    w, h, d = (max(12, round(v * ppcm)) for v in (shape.width, body, shape.depth))
    front = labels.artwork(design, w, h)
    side = labels.back(design, d, h) if h > d else labels.plain(design.accent, d, h)
    top = labels.plain(design.accent, w, d)
    faces = partial(_faces, shape, body, (front, side, top), gable)

    def draw(scale: float, pose: Pose, rng: np.random.Generator) -> Array:
        return polyhedron(faces(scale), pose, distance=70 * scale, gloss=0.3)

    return draw


def _faces(
    shape: Shape, body: float, art: tuple[Image, Image, Image], gable: bool, scale: float
) -> list[Face]:
    x, z = shape.width / 2 * scale, shape.depth / 2 * scale
    low, high = shape.height / 2 * scale, (shape.height / 2 - body) * scale
    front, side, top = art

    def quad(picture: Image, *corners: tuple[float, float, float]) -> Face:
        return np.array(corners, np.float64), picture

    faces = [
        quad(front, (-x, high, z), (x, high, z), (x, low, z), (-x, low, z)),
        quad(side, (x, high, z), (x, high, -z), (x, low, -z), (x, low, z)),
        quad(side, (-x, high, -z), (-x, high, z), (-x, low, z), (-x, low, -z)),
    ]
    if not gable:
        return [*faces, quad(top, (-x, high, -z), (x, high, -z), (x, high, z), (-x, high, z))]
    ridge, fin, thin = high - 0.65 * (shape.height - body) * scale, -shape.height / 2 * scale, 1e-3
    return [
        *faces,
        quad(top, (-x, ridge, 0), (x, ridge, 0), (x, high, z), (-x, high, z)),
        quad(top, (x, ridge, thin), (x, ridge, -thin), (x, high, -z), (x, high, z)),
        quad(top, (-x, ridge, -thin), (-x, ridge, thin), (-x, high, z), (-x, high, -z)),
        quad(front[:24], (-x, fin, 0), (x, fin, 0), (x, ridge, 0.1), (-x, ridge, 0.1)),
    ]
