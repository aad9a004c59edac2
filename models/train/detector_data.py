"""Training pictures for the detector: composed scenes and real photos, as endless batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from models.data import sources
from models.data.compose import Library, Style, compose, covered
from models.data.photometric import distort
from models.data.photos import letterbox, reframe
from models.data.pieces import make_pieces, surfaces
from models.data.sample import Sample
from models.train.detector_recipe import DetectorRecipe
from models.types import Boxes, Image

_HIDDEN = 0.6
_BARS = 0.25


class Batch(NamedTuple):
    """Pixels uint8 `[B,S,S,3]`, boxes and ignore regions per picture, in input pixels."""

    pixels: Tensor
    boxes: list[Tensor]
    ignore: list[Tensor]


@dataclass(frozen=True, slots=True)
class DetectorData:
    """Everything training pictures are made of, and the validation pictures."""

    library: Library
    photos: dict[str, Sequence[Sample]]
    validation: Sequence[Sample]


def load_data(root: Path, recipe: DetectorRecipe, cache: Path) -> DetectorData:
    """Read the collections below `root` (see `models.data.sources`) and cut objects out.

    Cutting takes minutes, so the pieces are kept as files in the folder `cache`.
    """
    ecustfd = sources.ecustfd(root / "ecustfd")
    freiburg = sources.freiburg(root / "freiburg_boxes")
    wanted = recipe.cutouts
    pieces = make_pieces(
        root / "groceries" / "iconic-images-and-descriptions",
        ecustfd,
        freiburg,
        limits=wanted.limits,
        seed=recipe.seed,
        cache=cache,
    )
    groups = {kind: (wanted.weights[kind], made) for kind, made in pieces.items()}
    library = Library(groups, surfaces(root / "textures", wanted.tables, recipe.seed))
    trays = root / "trays-dev"
    validation = sources.trays(trays) if trays.is_dir() else []
    return DetectorData(library, {"ecustfd": ecustfd, "freiburg": freiburg}, validation)


def picture(
    rng: Generator, data: DetectorData, recipe: DetectorRecipe, size: int
) -> tuple[Image, Boxes, Boxes]:
    """One training picture uint8 `[size,size,3]`, its boxes and its ignore regions."""
    names = list(recipe.shares)
    weights = np.array([recipe.shares[name] for name in recipe.shares])
    kind = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    if kind == "composed":
        scene = compose(rng, data.library, size, Style())
        if rng.random() < _BARS:
            fill = recipe.preprocess().fill
            return letterbox(rng, scene.image, scene.boxes, scene.ignore, fill)
        return scene.image, scene.boxes, scene.ignore
    samples = data.photos[kind]
    sample = samples[int(rng.integers(len(samples)))]
    image, boxes, ignore = reframe(rng, sample, size)
    if kind == "freiburg" or rng.random() < 0.4:
        return distort(rng, image), boxes, ignore
    # Few scenes were photographed: objects laid on them make them many.
    scene = compose(rng, data.library, size, Style(objects=(1, 6)), onto=image)
    hidden = covered(scene, boxes) > _HIDDEN
    return (
        scene.image,
        np.concatenate([boxes[~hidden], scene.boxes]),
        np.concatenate([ignore, boxes[hidden], scene.ignore]),
    )


class Pictures(IterableDataset[Batch]):
    """Endless batches; `size` may be changed while workers run.

    Args:
        data: what pictures are made of.
        recipe: shares, batch and seed.
        start: number of the first step, so that a resumed run goes on with new pictures.
    """

    def __init__(self, data: DetectorData, recipe: DetectorRecipe, start: int = 0) -> None:
        super().__init__()
        self._data, self._recipe, self._start = data, recipe, start
        self._size = torch.tensor(recipe.stage_size(0.0))
        self._size.share_memory_()  # type: ignore[no-untyped-call]

    def set_size(self, size: int) -> None:
        """Side of the pictures of batches that are begun from now on."""
        self._size.fill_(size)

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        rng = np.random.default_rng([self._recipe.seed, self._start, info.id if info else 0])
        while True:
            size = int(self._size)
            made = [picture(rng, self._data, self._recipe, size) for _ in range(self._recipe.batch)]
            yield Batch(
                torch.from_numpy(np.stack([m[0] for m in made])),
                [torch.from_numpy(m[1]) for m in made],
                [torch.from_numpy(m[2]) for m in made],
            )


def loader(pictures: Pictures, workers: int) -> DataLoader[Batch]:
    """Batches made in `workers` processes (0: in this one)."""
    # Before the fork: a forked process that touches OpenCV's thread pool hangs.
    cv2.setNumThreads(0)
    return DataLoader(
        pictures,
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        persistent_workers=bool(workers),
    )
