"""Real but tiny stand-ins for the two networks, drawn trays, and services built on them.

The fakes look at pixels, so everything around them (decoding, cropping, search, decisions) is
tested for real: `FakeDetector` finds coloured shapes on a white tray, `FakeEmbedder` describes a
crop by its colours.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app import images
from app.networks import Networks
from app.services import Services
from app.settings import Settings, load
from models.types import Detections, Image, Vectors

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]

RED: Colour = (224, 32, 32)
GREEN: Colour = (32, 160, 32)
BLUE: Colour = (32, 32, 224)
YELLOW: Colour = (224, 224, 32)
PURPLE: Colour = (160, 32, 160)
COLOURS = (RED, GREEN, BLUE, YELLOW, PURPLE)

WHITE_FROM = 200
"""A pixel with every channel from here is tray."""


class FakeDetector:
    """Finds connected areas that are not white; larger ones score higher."""

    name = "fake-detector"

    def detect(self, images: Sequence[Image], min_score: float | None = None) -> list[Detections]:
        """Boxes around the shapes of each image."""
        return [self._one(image, 0.5 if min_score is None else min_score) for image in images]

    def _one(self, image: Image, min_score: float) -> Detections:
        mask = (image < WHITE_FROM).any(axis=2).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        rows = [row for row in stats[1:].tolist() if row[cv2.CC_STAT_AREA] >= 9]
        rows.sort(key=lambda row: -row[cv2.CC_STAT_AREA])
        boxes = np.array([[x, y, x + w, y + h] for x, y, w, h, _ in rows], np.float32)
        scores = np.array([1 - 0.5 / np.sqrt(row[4]) for row in rows], np.float32)
        keep = scores >= min_score
        return Detections(boxes.reshape(-1, 4)[keep], scores[keep])


class FakeEmbedder:
    """Vector of a crop: the square roots of its histogram of colours, without the white ones."""

    name = "fake-embedder"
    dim = 64

    def __init__(self, space: str = "fake000000000000") -> None:
        self.space = space

    def embed(self, crops: Sequence[Image]) -> Vectors:
        """float32 `[N,64]`, rows of norm 1."""
        rows = [self._one(crop) for crop in crops]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def _one(self, crop: Image) -> Vectors:
        pixels = crop.reshape(-1, 3)
        coloured = pixels[(pixels < WHITE_FROM).any(axis=1)]
        bins = ((coloured if len(coloured) else pixels) // 64).astype(np.int64) @ [16, 4, 1]
        vector = np.sqrt(np.bincount(bins, minlength=self.dim)).astype(np.float32)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def tray(*shapes: tuple[Colour, Box], width: int = 320, height: int = 240) -> Image:
    """A white image with a filled rectangle `(x1, y1, x2, y2)` per shape."""
    image = np.full((height, width, 3), 255, np.uint8)
    for colour, (x1, y1, x2, y2) in shapes:
        image[y1:y2, x1:x2] = colour
    return image


def photo(colour: Colour, box: Box = (100, 60, 200, 180), format: str = "PNG") -> bytes:
    """An image file of a tray with one rectangle."""
    return images.encode(tray((colour, box)), format)


def settings_for(data_dir: Path, **values: Any) -> Settings:
    """Settings on an embedded database below `data_dir`, with a quick tail."""
    return load(**{"data_dir": data_dir, "index": {"tail_interval_s": 0.05}, **values})


def fake_networks(space: str = "fake000000000000") -> Networks:
    """Both fakes, without a queue in front."""
    return Networks(FakeDetector(), FakeEmbedder(space))


def services_for(data_dir: Path, **values: Any) -> Services:
    """Services with the fakes; `values` are settings. Use as a context manager, or `start`."""
    return Services(settings_for(data_dir, **values), fake_networks())
