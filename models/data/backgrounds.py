"""Backgrounds of composed scenes: table tops with uneven light, edges, seams, trays and plates.

Everything works on 8-bit pictures in place, so that a background costs a few milliseconds.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.random import Generator
from numpy.typing import NDArray

from models.types import Image

_PLAIN = 0.72
_BEYOND_EDGE = 0.35
_SEAM = 0.25
_TRAY = 0.25
_REFLECTION = 0.3
_SPECKS = 0.3


def background(rng: Generator, size: int, photos: Sequence[Image]) -> Image:
    """An empty scene, uint8 `[size,size,3]`.

    Args:
        rng: source of every choice.
        size: side in pixels.
        photos: pictures of surfaces without objects; may be empty.
    """
    plain = rng.random() < _PLAIN or not photos
    canvas = _plain(rng, size) if plain else _photo(rng, size, photos)
    if rng.random() < _BEYOND_EDGE:
        _beyond_edge(rng, canvas, photos)
    if rng.random() < _SEAM:
        _seam(rng, canvas)
    if rng.random() < _TRAY:
        _tray(rng, canvas)
    canvas = _multiply(canvas, _light(rng, size))
    if rng.random() < _REFLECTION:
        cv2.add(canvas, _reflection(rng, size), canvas)
    if rng.random() < _SPECKS:
        _specks(rng, canvas)
    return canvas


def _plain(rng: Generator, size: int) -> Image:
    """One colour, most often the white to light grey of a desk; perhaps with streaks."""
    kind = rng.random()
    if kind < 0.7:
        colour = np.full(3, rng.uniform(170, 250)) + rng.normal(0, 5, 3)
    elif kind < 0.82:
        colour = np.full(3, rng.uniform(20, 170)) + rng.normal(0, 8, 3)
    else:
        colour = _colour(rng)
    canvas = np.empty((size, size, 3), np.uint8)
    canvas[:] = np.clip(colour, 0, 255)
    if rng.random() < 0.3:  # wood and cloth: fine streaks along one direction
        streaks = rng.normal(0, rng.uniform(0.01, 0.06), (size, max(2, size // 48)))
        wide = cv2.resize(streaks.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR)
        canvas = _multiply(canvas, 1 + (wide if rng.random() < 0.5 else wide.T))
    return canvas


def _photo(rng: Generator, size: int, photos: Sequence[Image]) -> Image:
    """A part of a photo; surfaces under groceries are calmer than texture photos."""
    photo = photos[int(rng.integers(len(photos)))]
    height, width = photo.shape[:2]
    side = int(min(height, width) * rng.uniform(0.4, 1.0))
    y, x = rng.integers(height - side + 1), rng.integers(width - side + 1)
    part = cv2.resize(photo[y : y + side, x : x + side], (size, size))
    if rng.random() < 0.4:
        part = cv2.blur(part, (int(rng.integers(2, 12)),) * 2)
    contrast = rng.uniform(0.15, 1.0)
    mean = np.array(cv2.mean(part)[:3])
    ramp = np.arange(256)[:, None]
    table = (mean + (ramp - mean) * contrast).astype(np.uint8).reshape(1, 256, 3)
    return np.asarray(cv2.LUT(part, table), np.uint8)


def _colour(rng: Generator) -> NDArray[np.float64]:
    hue, saturation, value = rng.uniform(0, 180), rng.uniform(30, 220), rng.uniform(60, 250)
    pixel = np.array([[[hue, saturation, value]]], np.uint8)
    return np.asarray(cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0], np.float64)


def _beyond_edge(rng: Generator, canvas: Image, photos: Sequence[Image]) -> None:
    """The table ends: another, often darker surface beyond a straight line."""
    size = len(canvas)
    angle, shift = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.6) * size
    direction = np.array([np.cos(angle), np.sin(angle)])
    along = np.array([-direction[1], direction[0]]) * 2 * size
    near = size / 2 + direction * shift
    far = near + direction * 2 * size
    corners = np.round([near - along, near + along, far + along, far - along]).astype(np.int32)
    mask = np.zeros((size, size), np.uint8)
    cv2.fillConvexPoly(mask, corners, 255)
    floor = _photo(rng, size, photos) if photos and rng.random() < 0.55 else _plain(rng, size)
    floor = np.asarray(cv2.convertScaleAbs(floor, alpha=float(rng.uniform(0.05, 0.8))), np.uint8)
    cv2.copyTo(floor, mask, canvas)
    if rng.random() < 0.5:
        thickness = int(rng.integers(1, max(2, size // 60)))
        _line(canvas, corners[:2], float(rng.uniform(0, 160)), thickness)


def _seam(rng: Generator, canvas: Image) -> None:
    """The gap between two tables, a cable, or a pen stroke: a thin line across the scene."""
    size = len(canvas)
    start, end = rng.uniform(-0.2, 1.2, (2, 2)) * size
    bend = (start + end) / 2 + rng.normal(0, 0.15 * size * (rng.random() < 0.4), 2)
    t = np.linspace(0, 1, 24)[:, None]
    points = (1 - t) ** 2 * start + 2 * t * (1 - t) * bend + t**2 * end
    thickness = int(rng.integers(1, max(2, size // 80) + 1))
    _line(canvas, np.round(points).astype(np.int32), float(rng.uniform(0, 255)), thickness)


def _tray(rng: Generator, canvas: Image) -> None:
    """A tray or a plate under the goods: a big plain shape with a rim. It is not an object."""
    size = len(canvas)
    centre = tuple(int(v) for v in rng.uniform(0.4, 0.6, 2) * size)
    axes = tuple(int(v) for v in rng.uniform(0.3, 0.55, 2) * size)
    turn = float(rng.uniform(0, 180))
    colour = rng.uniform(200, 255, 3) if rng.random() < 0.6 else _colour(rng)
    rim = colour * rng.uniform(0.5, 0.95)
    thickness = int(rng.integers(1, max(2, size // 90) + 1))
    if rng.random() < 0.5:
        cv2.ellipse(canvas, centre, axes, turn, 0, 360, colour.tolist(), cv2.FILLED, cv2.LINE_AA)
        cv2.ellipse(canvas, centre, axes, turn, 0, 360, rim.tolist(), thickness, cv2.LINE_AA)
    else:
        corners = cv2.boxPoints((centre, (axes[0] * 2, axes[1] * 2), turn))
        points = np.round(corners).astype(np.int32)
        cv2.fillConvexPoly(canvas, points, colour.tolist(), cv2.LINE_AA)
        cv2.polylines(canvas, [points], True, rim.tolist(), thickness, cv2.LINE_AA)


def _light(rng: Generator, size: int) -> NDArray[np.float32]:
    """Factors `[size,size,3]`: a few lamps and the photographer's own broad shadow."""
    knots = int(rng.integers(2, 6))
    strength = rng.uniform(0.02, 0.2)
    grid = rng.normal(0, strength, (knots, knots, 1)) + rng.normal(0, 0.02, (knots, knots, 3))
    factors = np.exp(grid - strength / 2).astype(np.float32)
    # Light has no detail: cubic at an eighth of the size, then linear.
    small = (max(2, size // 8),) * 2
    smooth = cv2.resize(factors, small, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(smooth, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def _reflection(rng: Generator, size: int) -> Image:
    """A lamp mirrored in a glossy table: soft bright spots to add."""
    small = max(4, size // 8)
    spots = np.zeros((small, small), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        centre = tuple(int(v) for v in rng.uniform(0, small, 2))
        axes = tuple(int(v) for v in rng.uniform(0.03, 0.2, 2) * small + 1)
        bright = float(rng.uniform(20, 90))
        cv2.ellipse(spots, centre, axes, float(rng.uniform(0, 180)), 0, 360, bright, cv2.FILLED)
    blurred = cv2.GaussianBlur(spots, (0, 0), float(rng.uniform(0.8, 4)))
    large = cv2.resize(blurred, (size, size), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.merge([large] * 3), np.uint8)


def _specks(rng: Generator, canvas: Image) -> None:
    """Crumbs and dirt: dots too small to be goods."""
    size = len(canvas)
    for x, y in rng.integers(0, size, (int(rng.integers(1, 12)), 2)):
        grey = float(rng.uniform(0, 255))
        radius = int(rng.integers(1, max(2, size // 120) + 1))
        cv2.circle(canvas, (int(x), int(y)), radius, (grey,) * 3, cv2.FILLED, cv2.LINE_AA)


def _line(canvas: Image, points: NDArray[np.int32], grey: float, thickness: int) -> None:
    cv2.polylines(canvas, [points], False, (grey,) * 3, thickness, cv2.LINE_AA)


def _multiply(canvas: Image, factors: MatLike) -> Image:
    """8-bit picture times factors `[S,S]` or `[S,S,3]`, saturated."""
    wide = factors if factors.ndim == 3 else cv2.merge([np.ascontiguousarray(factors)] * 3)
    return np.asarray(cv2.multiply(canvas, wide, dtype=cv2.CV_8U), np.uint8)
