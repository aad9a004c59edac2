"""Synthetic views: one stored crop, seen again as a detector would cut it from another photo.

The object is turned, tilted and stretched, laid on another background with neighbours at its
rim, lit and photographed; the result is cut along the turned object's upright box (as a detector
does, with its inaccuracy) and placed into the network's input as `Preprocess` does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.data import lighting
from models.data.crops import Crop
from models.preprocess import Preprocess
from models.types import Image

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """How far a view may differ from its crop. Shares are probabilities."""

    any_turn: float = 0.6
    """Share of views turned by any angle; the others stay within 15 degrees of upright."""
    stretch: float = 0.3
    """Largest natural logarithm of the change of proportions after turning."""
    tilt: float = 0.14
    """Largest shift of a corner by perspective, as a share of the side."""
    pad: float = 0.04
    """What serving adds around a detected box on each side, as a share of the side."""
    box_noise: float = 0.05
    """Standard deviation of each side of the detected box, as a share of the side."""
    background: float = 0.65
    """Share of views laid on another background."""
    neighbours: float = 0.35
    """Share of views with parts of other objects at the rim."""
    light: float = 1.0
    """Strength of the changes of light and camera: 0 is none."""


class ViewMaker:
    """Makes views of crops. Stateless apart from its pictures; randomness is passed in."""

    def __init__(
        self,
        crops: Sequence[Crop],
        backgrounds: Sequence[Image],
        options: ViewOptions,
    ) -> None:
        self._crops = crops
        self._backgrounds = backgrounds
        self._options = options

    def view(self, crop: Crop, preprocess: Preprocess, rng: np.random.Generator) -> Image:
        """One random view: uint8 `[preprocess.height, preprocess.width, 3]`."""
        options = self._options
        box = _part_of_scene(crop.box, rng) if crop.scene else crop.box
        move, corners = _pose(box, options, rng)
        window = _detected_box(corners, options, rng)
        place, (left, top, right, bottom) = _placement(window, preprocess)
        full = place @ move
        canvas = np.full((preprocess.height, preprocess.width, 3), preprocess.fill, np.uint8)
        area = canvas[top:bottom, left:right]
        shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
        scene = self._scene(crop, shift @ full, (right - left, bottom - top), rng)
        area[:] = lighting.photograph(scene, options.light, rng)
        return canvas

    def _scene(
        self, crop: Crop, move: Matrix, size: tuple[int, int], rng: np.random.Generator
    ) -> Image:
        """The object and what surrounds it, before light and camera: uint8 `[h,w,3]`."""
        options = self._options
        lay = not crop.scene and rng.random() < options.background
        mode = cv2.BORDER_CONSTANT if lay else cv2.BORDER_REFLECT_101
        scene = np.asarray(
            cv2.warpPerspective(crop.pixels, move, size, flags=cv2.INTER_LINEAR, borderMode=mode),
            np.uint8,
        )
        neighbours = not crop.scene and rng.random() < options.neighbours
        if lay:
            alpha = cv2.warpPerspective(_outline(crop, rng), move, size, flags=cv2.INTER_LINEAR)
            ground = self._ground(size, rng)
            if neighbours and rng.random() < 0.5:
                ground = self._beside(ground, rng, reach=0.45)
                neighbours = False
            if rng.random() < 0.6:
                ground = lighting.shadow(ground, np.asarray(alpha, np.uint8), rng)
            scene = _over(scene, np.asarray(alpha, np.uint8), ground)
        if neighbours:
            scene = self._beside(scene, rng, reach=0.2)
        return scene

    def _ground(self, size: tuple[int, int], rng: np.random.Generator) -> Image:
        """A table top, a texture or a piece of another photo."""
        kind = rng.random()
        if kind < 0.45 or not self._backgrounds:
            return lighting.plain(size, rng)
        if kind < 0.8:
            picture = self._backgrounds[int(rng.integers(len(self._backgrounds)))]
        else:
            picture = self._crops[int(rng.integers(len(self._crops)))].pixels
        height, width = picture.shape[:2]
        side = rng.uniform(0.4, 1.0)
        h, w = max(2, int(height * side)), max(2, int(width * side))
        y, x = rng.integers(height - h + 1), rng.integers(width - w + 1)
        piece = np.ascontiguousarray(picture[y : y + h, x : x + w])
        return np.asarray(cv2.resize(piece, size, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _beside(self, scene: Image, rng: np.random.Generator, reach: float) -> Image:
        """Lay one or two other crops over the rim, each reaching in by at most `reach`."""
        height, width = scene.shape[:2]
        for _ in range(rng.integers(1, 3)):
            other = self._crops[int(rng.integers(len(self._crops)))]
            x1, y1, x2, y2 = other.box
            scale = rng.uniform(0.6, 1.3) * max(width, height) / max(x2 - x1, y2 - y1)
            angle = rng.uniform(0, 2 * np.pi)
            turn = _turn(rng.uniform(0, 2 * np.pi), scale)
            # Push the other's centre outwards until only `reach` of the scene is covered.
            half = 0.5 * scale * min(x2 - x1, y2 - y1)
            away = np.array([np.cos(angle), np.sin(angle)])
            edge = 0.5 * np.array([width, height]) / max(abs(away))
            depth = rng.uniform(0.03, reach) * max(width, height)
            target = np.array([width, height]) / 2 + away * (edge + half - depth)
            centre = turn[:2, :2] @ np.array([(x1 + x2) / 2, (y1 + y2) / 2])
            turn[:2, 2] = target - centre
            pixels = cv2.warpPerspective(other.pixels, turn, (width, height))
            alpha = cv2.warpPerspective(_outline(other, rng), turn, (width, height))
            scene = _over(np.asarray(pixels, np.uint8), np.asarray(alpha, np.uint8), scene)
        return scene


def _part_of_scene(box: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A random part of a box, 25 to 100 % of its area."""
    sides = box[2:] - box[:2]
    share = np.sqrt(rng.uniform(0.25, 1.0)) * np.exp(rng.uniform(-0.15, 0.15) * np.array([1, -1]))
    sizes = sides * np.minimum(share, 1.0)
    low = box[:2] + rng.random(2) * (sides - sizes)
    return np.concatenate([low, low + sizes]).astype(np.float32)


def _turn(angle: float, scale: float) -> Matrix:
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float64)


def _pose(
    box: NDArray[np.float32], options: ViewOptions, rng: np.random.Generator
) -> tuple[Matrix, NDArray[np.float64]]:
    """A random homography, and where it takes the corners of the box: float64 `[4,2]`."""
    x1, y1, x2, y2 = (float(v) for v in box)
    corners = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float64)
    centre = corners.mean(axis=0)
    free = rng.random() < options.any_turn
    angle = rng.uniform(0, 2 * np.pi) if free else np.deg2rad(rng.uniform(-15, 15))
    stretch = np.exp(rng.uniform(-options.stretch, options.stretch) / 2 * np.array([1, -1]))
    side = np.array([x2 - x1, y2 - y1])
    tilted = corners - centre + rng.uniform(-options.tilt, options.tilt, (4, 2)) * side
    # Proportions change both before turning (another view) and after it (another camera).
    own = np.exp(rng.uniform(-0.12, 0.12) * np.array([1, -1]))
    target = (tilted * own) @ _turn(angle, 1.0)[:2, :2].T * stretch
    move = cv2.getPerspectiveTransform(corners.astype(np.float32), target.astype(np.float32))
    return np.asarray(move, np.float64), target


def _detected_box(
    corners: NDArray[np.float64], options: ViewOptions, rng: np.random.Generator
) -> NDArray[np.float64]:
    """The upright box of turned corners, padded, with a detector's noise: float64 `[4]`."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    sides = np.concatenate([high - low, high - low])
    grow = options.pad + np.clip(rng.normal(0, options.box_noise, 4), -0.15, 0.15)
    grown = np.concatenate([low, high]) + grow * sides * np.array([-1, -1, 1, 1])
    return np.asarray(grown, np.float64)


def _placement(
    window: NDArray[np.float64], preprocess: Preprocess
) -> tuple[Matrix, tuple[int, int, int, int]]:
    """The matrix that puts the window into the input, and the pixels it fills there."""
    width, height = window[2:] - window[:2]
    if preprocess.fit == "stretch":
        new_w, new_h = preprocess.width, preprocess.height
    else:
        scale = min(preprocess.width / width, preprocess.height / height)
        new_w, new_h = max(2, round(width * scale)), max(2, round(height * scale))
    left, top = (preprocess.width - new_w) // 2, (preprocess.height - new_h) // 2
    sx, sy = new_w / width, new_h / height
    matrix = np.array(
        [[sx, 0, left - window[0] * sx], [0, sy, top - window[1] * sy], [0, 0, 1]], np.float64
    )
    return matrix, (left, top, left + new_w, top + new_h)


def _outline(crop: Crop, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The outline if it is known, else the box with more or less round corners: uint8 `[H,W]`."""
    if crop.alpha is not None:
        return crop.alpha
    alpha = np.zeros(crop.pixels.shape[:2], np.uint8)
    x1, y1, x2, y2 = (round(float(v)) for v in crop.box)
    radius = round(rng.choice([0.0, 0.1, 0.25]) * min(x2 - x1, y2 - y1))
    cv2.rectangle(alpha, (x1 + radius, y1 + radius), (x2 - radius - 1, y2 - radius - 1), 255, -1)
    if radius:
        cv2.rectangle(alpha, (x1 + radius, y1), (x2 - radius - 1, y2 - 1), 255, -1)
        cv2.rectangle(alpha, (x1, y1 + radius), (x2 - 1, y2 - radius - 1), 255, -1)
        for x in (x1 + radius, x2 - radius - 1):
            for y in (y1 + radius, y2 - radius - 1):
                cv2.circle(alpha, (x, y), radius, 255, -1)
    return alpha


def _over(front: Image, alpha: NDArray[np.uint8], back: Image) -> Image:
    """Straight alpha blending in integers: uint8 `[h,w,3]`."""
    weight = alpha[..., None].astype(np.uint16)
    mixed = front * weight + back * (255 - weight)
    return np.asarray((mixed + 127) // 255, np.uint8)
