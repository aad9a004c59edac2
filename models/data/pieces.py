"""All cut-outs that scenes are composed of, made once and kept as files."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from models.data import cutouts, drawn
from models.data.cutouts import CutOut
from models.data.sample import DataError, Sample, read_image
from models.types import Image

log = logging.getLogger(__name__)

_SURFACE_SIDE = 288
_PIECE_SIDE = 160
_TABLE_REPEATS = 8


def make_pieces(
    studio: Path,
    items: Sequence[Sample],
    packs: Sequence[Sample],
    *,
    limits: Mapping[str, int],
    seed: int,
    cache: Path,
) -> dict[str, list[CutOut]]:
    """Cut-outs by kind; the first call takes minutes, the next ones read the folder `cache`.

    Args:
        studio: folder with pictures on white -> kind `studio`.
        items: photos of single objects -> kind `pieces`, segmented.
        packs: photos of packaged goods -> kinds `packs`, segmented, and `fronts`, rectangles.
        limits: largest number of cut-outs of each kind; 0 leaves a kind out.
        seed: order of the photos and look of the drawn products (kind `drawn`).
        cache: folder for the files.
    """
    rng = np.random.default_rng(seed)
    items, packs = _shuffled(rng, items), _shuffled(rng, packs)
    makers: dict[str, Callable[[int], list[CutOut]]] = {
        "studio": lambda limit: cutouts.studio_cutouts(studio)[:limit],
        "fronts": lambda limit: cutouts.fronts(packs, limit=limit),
        "packs": lambda limit: cutouts.photo_cutouts(packs, limit=limit),
        "pieces": lambda limit: cutouts.photo_cutouts(items, limit=limit),
        "drawn": lambda limit: _drawn(np.random.default_rng([seed, 1]), limit),
    }
    unknown = set(limits) - set(makers)
    if unknown:
        raise ValueError(f"limits: expected some of {sorted(makers)}, got {sorted(unknown)}")
    cache.mkdir(parents=True, exist_ok=True)
    result = {}
    for kind, limit in limits.items():
        if limit == 0:
            continue
        path = cache / f"{kind}-{limit}-{seed}.npz"
        if not path.exists():
            log.info("cutting out %s", kind)
            cutouts.save(path, makers[kind](limit))
        result[kind] = cutouts.load(path)
    return result


def surfaces(folder: Path, tables: int, seed: int) -> list[Image]:
    """Pictures without objects: photos below `folder` and some drawn table tops.

    The table tops are repeated, because they are few and look more like the real thing.
    """
    files = sorted(folder.rglob("*.jpg"))
    if not files:
        raise DataError(folder, "", "expected pictures of surfaces")
    rng = np.random.default_rng([seed, 2])
    drawings = [drawn.draw_tray([], rng).image for _ in range(tables)]
    return [_smaller(read_image(path)) for path in files] + [
        _smaller(image) for image in drawings
    ] * _TABLE_REPEATS


def _drawn(rng: Generator, limit: int) -> list[CutOut]:
    """Views of the drawn products in turn."""
    products = drawn.catalogue()
    result = []
    for number in range(limit):
        product = products[number % len(products)]
        pixels = drawn.draw_view(product, rng, pixels_per_cm=9.0)
        scale = min(1.0, _PIECE_SIDE / max(pixels.shape[:2]))
        size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        result.append(CutOut(np.asarray(small, np.uint8), f"drawn/{product.sku}"))
    return result


def _shuffled(rng: Generator, samples: Sequence[Sample]) -> list[Sample]:
    return [samples[index] for index in rng.permutation(len(samples))]


def _smaller(image: Image) -> Image:
    scale = _SURFACE_SIDE / min(image.shape[:2])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
