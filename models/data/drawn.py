"""Drawn products for the demo, the tests and as extra training material.

Nothing here needs a network, a data set or a font of the machine: a product is a few lines of a
table (`drawn_products`), and every picture follows from the product and a passed generator.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data import drawn_scenes as scenes
from models.data.drawn_products import DrawnProduct, catalogue
from models.data.drawn_solids import Array, Pose
from models.types import Boxes, Image

__all__ = ["Drawing", "DrawnProduct", "catalogue", "draw_photo", "draw_tray", "draw_view"]

TRAY, PHOTO = (1280, 960), (800, 600)
"""Width and height in pixels of a tray and of an enrolment photo."""
MAX_COVERED = 0.03
"""Largest share of a product that another one may cover on a tray."""


class Drawing(NamedTuple):
    """A drawn photo and its truth.

    Attributes:
        image: uint8 `[H,W,3]` RGB.
        boxes: float32 `[N,4]` in pixels, in the order of the products asked for.
        skus: N product keys.
    """

    image: Image
    boxes: Boxes
    skus: tuple[str, ...]


def draw_view(
    product: DrawnProduct,
    rng: np.random.Generator,
    *,
    pixels_per_cm: float = 18.0,
    turn: float = 180.0,
) -> NDArray[np.uint8]:
    """One view, cut out: uint8 `[H,W,4]` RGBA, alpha not premultiplied, cropped to the product.

    Light, turn about its own axis, height of the camera, perspective and rotation (up to `turn`
    degrees either way) are drawn from `rng`.
    """
    sprite = product.renderer(pixels_per_cm, Pose.random(rng), rng)
    sprite[..., :3] *= sprite[..., 3:]
    warped = _warp(sprite, np.deg2rad(rng.uniform(-turn, turn)), rng)
    alpha = warped[..., 3:]
    colour = np.where(alpha > 1e-3, warped[..., :3] / np.maximum(alpha, 1e-3), 0)
    rows, columns = np.nonzero(alpha[..., 0] > 0.1)
    inside = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    view = np.dstack([colour, alpha])[inside]
    pixels: NDArray[np.uint8] = np.round(np.clip(view, 0, 1) * 255).astype(np.uint8)
    return pixels


def draw_photo(product: DrawnProduct, rng: np.random.Generator) -> Drawing:
    """An enrolment photo of 800 x 600 pixels: one product, in the middle of a tray."""
    return _photograph([product], rng, PHOTO, pixels_per_cm=17.0)


def draw_tray(products: Sequence[DrawnProduct], rng: np.random.Generator) -> Drawing:
    """A tray of 1280 x 960 pixels with these products (0 to about 14) lying apart.

    A product may appear more than once.
    """
    return _photograph(products, rng, TRAY, pixels_per_cm=17.5)


def _warp(sprite: Array, angle: float, rng: np.random.Generator) -> Array:
    """Rotate by `angle` and tilt slightly, on a canvas that holds all of it."""
    height, width = sprite.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    size = max(height, width)
    bent = corners + rng.uniform(-0.035, 0.035, (4, 2)) * size
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    target = (bent - [width / 2, height / 2]) @ turn
    target -= target.min(axis=0) - 2
    reach = np.ceil(target.max(axis=0)).astype(int) + 2
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target.astype(np.float32))
    size_px = (int(reach[0]), int(reach[1]))
    return cv2.warpPerspective(sprite, matrix, size_px).astype(np.float32)


def _photograph(
    products: Sequence[DrawnProduct],
    rng: np.random.Generator,
    size: tuple[int, int],
    pixels_per_cm: float,
) -> Drawing:
    canvas = scenes.table(*size, rng)
    inner = scenes.lay_tray(canvas, rng)
    scale = pixels_per_cm * rng.uniform(0.94, 1.06)
    for _ in range(12):
        views = [draw_view(product, rng, pixels_per_cm=scale) for product in products]
        places = _arrange(views, size, inner, rng)
        if places is not None:
            break
        scale *= 0.93
    else:
        raise ValueError(f"expected products that fit on a tray, got {len(products)}")
    boxes = np.zeros((len(products), 4), np.float32)
    for k, (view, (x, y)) in enumerate(zip(views, places, strict=True)):
        _place(canvas, view, x, y, rng)
        boxes[k] = (x, y, x + view.shape[1], y + view.shape[0])
    return Drawing(scenes.develop(canvas, rng), boxes, tuple(p.sku for p in products))


def _arrange(
    views: Sequence[NDArray[np.uint8]],
    size: tuple[int, int],
    inner: NDArray[np.float64],
    rng: np.random.Generator,
) -> list[tuple[int, int]] | None:
    """Top left corners that keep the views apart, or None; large ones choose first."""
    taken = np.zeros((size[1], size[0]), bool)
    places: list[tuple[int, int]] = [(0, 0)] * len(views)
    for k in sorted(range(len(views)), key=lambda k: -views[k].size):
        mask = views[k][..., 3] > 60
        height, width = mask.shape
        room = inner[2:] - inner[:2] - (width, height)
        if (room < 0).any():
            return None
        for _ in range(60):
            spread = (0.3, 0.7) if len(views) == 1 else (0.0, 1.0)
            x, y = (inner[:2] + room * rng.uniform(*spread, 2)).astype(int)
            under = taken[y : y + height, x : x + width]
            if (under & mask).sum() <= MAX_COVERED * mask.sum() * rng.uniform(0, 1):
                break
        else:
            return None
        grown = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        under |= grown
        places[k] = (int(x), int(y))
    return places


def _place(
    canvas: Array, view: NDArray[np.uint8], x: int, y: int, rng: np.random.Generator
) -> None:
    """Paint a view with its shadows (in place) at `x, y`, its top left corner."""
    height, width = view.shape[:2]
    margin = 60
    top, left = max(0, y - margin), max(0, x - margin)
    area = canvas[top : y + height + margin, left : x + width + margin]
    mask = np.zeros(area.shape[:2], np.float32)
    inside = np.s_[y - top : y - top + height, x - left : x - left + width]
    mask[inside] = view[..., 3].astype(np.float32) / 255
    scenes.shade(area, mask, blur=24, offset=(9, 15), strength=0.42)
    scenes.shade(area, mask, blur=6, offset=(3, 5), strength=0.5)
    alpha = mask[inside][..., None]
    area[inside] = area[inside] * (1 - alpha) + view[..., :3].astype(np.float32) / 255 * alpha
