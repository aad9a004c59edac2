"""Crops for embedder training from folders of photos, and the loader of their views."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from models import boxes as box_ops
from models.data import crops as crop_io
from models.data import grocerystore, sources
from models.data.batches import ClassSampler, ViewData
from models.data.crops import Crop
from models.data.sample import DataError, Sample, read_image
from models.data.views import ViewMaker
from models.evaluate.retrieval import Labels
from models.train.embedder_recipe import EmbedderRecipe
from models.types import Image

CROP_PAD = 0.04
"""What serving adds to a detected box on each side."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCrops:
    """Crops as serving cuts them, for measuring.

    Attributes:
        images: N crops.
        labels: int64 `[N]`.
        photos: int64 `[N]`, number of the photo that each comes from.
        names: name per label.
    """

    images: list[Image]
    labels: Labels
    photos: Labels
    names: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class EmbedderData:
    """What a run learns from and what it is measured on."""

    crops: Sequence[Crop]
    backgrounds: Sequence[Image]
    validation: LabelledCrops | None = None


def tray_crops(samples: Sequence[Sample], pad: float = CROP_PAD) -> LabelledCrops:
    """Every annotated box, padded as in serving."""
    names = sorted({name for sample in samples for name in sample.labels})
    images: list[Image] = []
    labels, photos = [], []
    for number, sample in enumerate(samples):
        image = sample.load()
        padded = box_ops.pad(sample.boxes, pad, image.shape[1], image.shape[0])
        for box, label in zip(padded, sample.labels, strict=True):
            images.append(box_ops.crop(image, box).copy())
            labels.append(names.index(label))
            photos.append(number)
    return LabelledCrops(images, np.array(labels, np.int64), np.array(photos, np.int64), names)


def collect(root: Path, *, side: int) -> list[Crop]:
    """Crops of the collections found below a folder: freiburg_boxes, ecustfd, groceries.

    Args:
        root: folder of the unpacked collections; at least one of them must be there.
        side: longer side of a stored crop in pixels.
    """
    crops: list[Crop] = []
    if (root / "freiburg_boxes").is_dir():
        samples = sources.freiburg(root / "freiburg_boxes")
        crops += crop_io.from_boxes(samples, "freiburg", side=side)
    if (root / "ecustfd").is_dir():
        crops += crop_io.from_boxes(sources.ecustfd(root / "ecustfd"), "ecustfd", side=side)
    if (root / "groceries").is_dir():
        folder = root / "groceries"
        photos = [(p.path, str(p.fine)) for p in grocerystore.read_list(folder, "train")]
        # A whole photo needs more pixels than one object: views show a part of it.
        crops += crop_io.from_photos(photos, "grocerystore", side=round(1.2 * side))
        studio = [(c.studio, str(c.fine)) for c in grocerystore.read_classes(folder)]
        crops += crop_io.from_studio(studio, "studio", "grocerystore", side=side)
    if not crops:
        raise DataError(root, "", "expected freiburg_boxes, ecustfd or groceries")
    return crops


def load_data(root: Path, cache: Path, *, side: int) -> EmbedderData:
    """Training crops (cut once, then read from `cache`), textures, and `trays-dev` to measure."""
    if not cache.is_file():
        cache.parent.mkdir(parents=True, exist_ok=True)
        unfinished = cache.with_name(f"unfinished-{cache.name}")
        crop_io.save(unfinished, collect(root, side=side))
        unfinished.replace(cache)
    textures = [read_image(path) for path in sorted((root / "textures").rglob("*.jpg"))]
    trays = root / "trays-dev"
    validation = tray_crops(sources.trays(trays)) if trays.is_dir() else None
    return EmbedderData(crop_io.load(cache), textures, validation)


def view_loader(
    recipe: EmbedderRecipe, data: EmbedderData, size: Callable[[], int]
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Endless batches: uint8 `[P*K,S,S,3]` and class numbers int64 `[P*K]`."""
    sampler = ClassSampler(
        data.crops,
        recipe.shares,
        recipe.batch // recipe.views_per_class,
        recipe.views_per_class,
        size,
        np.random.default_rng(recipe.seed),
    )
    maker = ViewMaker(data.crops, data.backgrounds, recipe.views.options())
    erasing = (recipe.erasing.probability, recipe.erasing.area)
    views = ViewData(data.crops, maker, recipe.preprocess, erasing)
    # Before the fork: a forked process that touches OpenCV's thread pool hangs.
    cv2.setNumThreads(0)
    return DataLoader(
        views,  # type: ignore[arg-type]  # a data set by shape, keyed by ViewKey
        batch_sampler=sampler,
        num_workers=recipe.workers,
        collate_fn=_stack,
        persistent_workers=recipe.workers > 0,
        prefetch_factor=4 if recipe.workers else None,
    )


def _stack(rows: list[tuple[Image, int]]) -> tuple[Tensor, Tensor]:
    images = torch.from_numpy(np.stack([image for image, _ in rows]))
    return images, torch.tensor([label for _, label in rows], dtype=torch.int64)
