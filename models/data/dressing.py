"""What is added to an object: cardboard around a print, clear film, uneven light."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data.cutouts import CutOut
from models.data.sprites import Sprite, edge_colour, trimmed


def repack(rng: Generator, piece: CutOut, other: CutOut | None) -> CutOut:
    """A larger front: plain, often white, with one or two prints on it.

    Packs have plain areas, and several prints; a detector that has never seen them boxes the
    prints one by one and loses white cardboard on a white table.
    """
    upright = bool(rng.random() < 0.5)
    first = piece.pixels if upright else piece.pixels.transpose(1, 0, 2)
    height, width = first.shape[:2]
    room = round(height * rng.uniform(0.15, 1.4))
    margin = int(rng.uniform(0, 0.12) * min(height, width))
    front = np.full((height + room + 2 * margin, width + 2 * margin, 4), 255, np.uint8)
    front[..., :3] = _cardboard(rng, piece.pixels)
    start = int(rng.choice([0, room, rng.integers(room + 1)]))
    inner = front[margin : margin + height + room, margin : margin + width]
    inner[start : start + height] = first
    if other is not None and start in (0, room) and room > 8:
        rest = inner[height:] if start == 0 else inner[:room]
        rest[..., :3] = cv2.resize(other.pixels[..., :3], (width, room))
    pixels = front if upright else front.transpose(1, 0, 2)
    return CutOut(np.ascontiguousarray(pixels), piece.item, solid=True)


def bag(rng: Generator, sprite: Sprite) -> Sprite:
    """Clear film around an object: larger than it, faint, with creases and highlights."""
    margin = np.round(rng.uniform(0.04, 0.3, 4) * min(sprite.shape[:2])).astype(int)
    top, bottom, left, right = (int(v) for v in margin)
    clear = (0, 0, 0, 0)
    inner = cv2.copyMakeBorder(sprite, top, bottom, left, right, cv2.BORDER_CONSTANT, value=clear)
    height, width = inner.shape[:2]
    contours, _ = cv2.findContours(
        (sprite[..., 3] > 127).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    points = np.concatenate(contours)[:, 0] + margin[[2, 0]]
    (cx, cy), (w, h), turn = cv2.minAreaRect(points)
    grown = (w * rng.uniform(1.03, 1.3), h * rng.uniform(1.03, 1.3))
    corners = cv2.boxPoints(((cx, cy), grown, turn)) + rng.normal(0, 0.02 * width, (4, 2))
    film = np.zeros((height, width), np.uint8)
    cv2.fillPoly(film, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)
    gloss = _creases(rng, height, width)
    rim = cv2.morphologyEx(film, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    gloss = np.maximum(gloss, rim.astype(np.float32) / 255 * np.float32(rng.uniform(0.2, 0.8)))
    gloss *= film.astype(np.float32) / 255
    return trimmed(_over(np.asarray(inner, np.uint8), gloss, float(rng.uniform(150, 255))))


def squeeze(sprite: Sprite, factor: float) -> Sprite:
    """Wider and lower by `factor` (below 1: narrower and higher), of the same area."""
    if factor == 1.0:
        return sprite
    size = max(1, round(sprite.shape[1] * factor)), max(1, round(sprite.shape[0] / factor))
    return np.asarray(cv2.resize(sprite, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def recolour(rng: Generator, sprite: Sprite) -> Sprite:
    """Another product of the same shape: hue turned, saturation and contrast changed."""
    hsv = cv2.cvtColor(np.ascontiguousarray(sprite[..., :3]), cv2.COLOR_RGB2HSV)
    ramp = np.arange(256)
    gain, gamma = rng.uniform(0.3, 1.4), np.exp(rng.normal(0, 0.35))
    tables = np.stack(
        [
            (ramp + rng.integers(180)) % 180,
            np.clip(ramp * gain, 0, 255),
            255 * (ramp / 255) ** gamma,
        ],
        axis=-1,
    )
    turned = cv2.LUT(hsv, tables.astype(np.uint8)[None])
    return np.dstack([cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), sprite[..., 3]])


def shade(rng: Generator, sprite: Sprite) -> Sprite:
    """Light that falls off across an object: four corner factors, blended in between."""
    corners = np.exp(rng.normal(0, 0.09, (2, 2, 1))) * np.ones((1, 1, 4))
    corners[..., 3] = 1.0
    size = sprite.shape[1], sprite.shape[0]
    factors = cv2.resize(corners.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(sprite, factors, dtype=cv2.CV_8U), np.uint8)


def _cardboard(rng: Generator, pixels: Sprite) -> NDArray[np.float64]:
    """Colour of the plain part of a pack, `[3]`: near white, like the rim of its print, or any."""
    kind = rng.random()
    if kind < 0.6:
        return np.asarray(np.clip(rng.uniform(200, 255) + rng.normal(0, 4, 3), 0, 255))
    if kind < 0.85:
        return edge_colour(pixels)[0, 0, :3].astype(np.float64)
    return rng.uniform(0, 255, 3)


def _creases(rng: Generator, height: int, width: int) -> NDArray[np.float32]:
    """Opacity in [0,1] of crumpled film: faint everywhere, strong along a few blurred lines."""
    gloss = np.full((height, width), rng.uniform(0.05, 0.3), np.float32)
    for _ in range(int(rng.integers(3, 12))):
        start, end = np.round(rng.uniform(-0.1, 1.1, (2, 2)) * [width, height]).astype(int).tolist()
        bright, thickness = float(rng.uniform(0.2, 1.0)), int(rng.integers(1, 3))
        cv2.line(gloss, start, end, bright, thickness, cv2.LINE_AA)
    blurred = cv2.GaussianBlur(gloss, (0, 0), float(rng.uniform(0.4, 1.6)))
    return np.asarray(blurred, np.float32)


def _over(below: Sprite, cover: NDArray[np.float32], grey: float) -> Sprite:
    """A grey layer of the given opacity over a sprite, both with alpha."""
    alpha = below[..., 3].astype(np.float32) / 255
    joint = cover + alpha * (1 - cover)
    weight = (cover / np.maximum(joint, 1e-6))[..., None]
    colour = below[..., :3] * (1 - weight) + grey * weight
    return np.dstack([colour.astype(np.uint8), np.round(joint * 255).astype(np.uint8)])
