"""Batches of P classes with K views each, from crops of several collections."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.data.crops import Crop, class_ids
from models.data.lighting import erase
from models.data.views import ViewMaker
from models.preprocess import Preprocess


@dataclass(frozen=True, slots=True)
class ViewKey:
    """One view to be made: which crop, with which randomness, at which size."""

    crop: int
    seed: int
    size: int


class ClassSampler:
    """Endless batches of P classes times K crops; a class with fewer crops repeats them.

    A batch draws each class's collection by the given shares, then the class evenly within it,
    and never two classes of one group.

    Args:
        crops: the data set.
        shares: weight per collection; collections that are not named are not used.
        classes: P.
        views: K.
        size: asked for every batch, so that the input may grow during the run.
        rng: source of randomness.
    """

    def __init__(
        self,
        crops: Sequence[Crop],
        shares: Mapping[str, float],
        classes: int,
        views: int,
        size: Callable[[], int],
        rng: np.random.Generator,
    ) -> None:
        self._views, self._classes, self._size, self._rng = views, classes, size, rng
        self._crops_of: dict[int, list[int]] = {}
        self._group: dict[int, str] = {}
        by_source: dict[str, dict[int, None]] = {name: {} for name in shares}
        for index, (crop, label) in enumerate(zip(crops, class_ids(crops), strict=True)):
            if crop.source in by_source:
                self._crops_of.setdefault(int(label), []).append(index)
                self._group[int(label)] = crop.group
                by_source[crop.source][int(label)] = None
        empty = [name for name, labels in by_source.items() if not labels]
        if empty or not shares:
            raise ValueError(f"shares: no crops of {empty or 'any collection'}")
        groups = len(set(self._group.values()))
        if groups < classes:
            raise ValueError(f"classes: {classes} in a batch need as many groups, got {groups}")
        self._sources = [np.array(list(labels)) for labels in by_source.values()]
        weights = np.array(list(shares.values()), np.float64)
        self._shares = weights / weights.sum()

    def __iter__(self) -> Iterator[list[ViewKey]]:
        """Keys of one batch after another, classes side by side."""
        while True:
            size = self._size()
            labels = self._labels()
            yield [
                ViewKey(crop, int(self._rng.integers(2**63)), size)
                for label in labels
                for crop in self._pick(label)
            ]

    def _labels(self) -> list[int]:
        chosen: dict[str, int] = {}
        tries = 0
        while len(chosen) < self._classes:
            tries += 1
            # A small collection may be used up: then any class will do.
            by_share = tries < 20 * self._classes
            number = self._rng.choice(len(self._sources), p=self._shares if by_share else None)
            label = int(self._rng.choice(self._sources[number]))
            chosen.setdefault(self._group[label], label)
        return list(chosen.values())

    def _pick(self, label: int) -> NDArray[np.int64]:
        crops = self._crops_of[label]
        if len(crops) >= self._views:
            return self._rng.choice(crops, self._views, replace=False)
        # Every crop as often as any other, give or take one.
        order = [self._rng.permutation(crops) for _ in range(-(-self._views // len(crops)))]
        return np.concatenate(order)[: self._views]


class ViewData:
    """Map-style data set for a torch DataLoader: ViewKey -> (uint8 `[S,S,3]`, class number)."""

    def __init__(
        self,
        crops: Sequence[Crop],
        maker: ViewMaker,
        preprocess: Preprocess,
        erasing: tuple[float, tuple[float, float]],
    ) -> None:
        self._crops, self._maker, self._preprocess = crops, maker, preprocess
        self._labels = class_ids(crops)
        self._erasing = erasing

    def __len__(self) -> int:
        return len(self._crops)

    def __getitem__(self, key: ViewKey) -> tuple[NDArray[np.uint8], int]:
        """The view that a key describes; the same key gives the same view."""
        rng = np.random.default_rng(key.seed)
        preprocess = replace(self._preprocess, height=key.size, width=key.size)
        image = self._maker.view(self._crops[key.crop], preprocess, rng)
        probability, area = self._erasing
        return erase(image, probability, area, rng), int(self._labels[key.crop])
