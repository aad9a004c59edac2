"""Hands and arms that reach into a scene: they hide objects and are not objects."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data.sprites import Sprite


def arm(rng: Generator, size: int) -> Sprite:
    """A bare or sleeved arm from the border to somewhere inside, uint8 RGBA `[size,size,4]`."""
    angle = rng.uniform(0, 2 * np.pi)
    outward = np.array([np.cos(angle), np.sin(angle)])
    hand = size * (0.5 + rng.uniform(-0.25, 0.25, 2))
    elbow = hand + outward * 1.5 * size + rng.normal(0, 0.2 * size, 2)
    wrist = hand + (elbow - hand) * 0.02
    width = int(size * rng.uniform(0.07, 0.15))
    skin = _skin(rng)
    canvas = np.zeros((size, size, 4), np.uint8)
    _limb(canvas, wrist, elbow, width, skin)
    if rng.random() < 0.7:
        cuff = hand + (elbow - hand) * rng.uniform(0.06, 0.25)
        sleeve = rng.uniform(0, 90, 3) if rng.random() < 0.6 else rng.uniform(0, 255, 3)
        _limb(canvas, cuff, elbow, int(width * rng.uniform(1.1, 1.6)), sleeve)
    _limb(canvas, hand, wrist, int(width * 1.25), skin)
    for bend in np.linspace(-0.7, 0.7, int(rng.integers(3, 6))):
        turn = np.arctan2(*-outward[::-1]) + bend + rng.normal(0, 0.1)
        tip = hand + np.array([np.cos(turn), np.sin(turn)]) * width * rng.uniform(1.0, 1.7)
        _limb(canvas, hand, tip, max(2, int(width * 0.33)), skin * rng.uniform(0.85, 1.0))
    return np.asarray(cv2.GaussianBlur(canvas, (3, 3), 0), np.uint8)


def _skin(rng: Generator) -> NDArray[np.float64]:
    light, dark = np.array([240.0, 205, 180]), np.array([70.0, 45, 35])
    share = rng.uniform(0, 1)
    return np.clip(light * (1 - share) + dark * share + rng.normal(0, 8, 3), 0, 255)


def _limb(
    canvas: Sprite,
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    width: int,
    colour: NDArray[np.float64],
) -> None:
    first, last = (np.round(p).astype(int).tolist() for p in (start, end))
    cv2.line(canvas, first, last, (*np.clip(colour, 0, 255).tolist(), 255.0), width, cv2.LINE_AA)
