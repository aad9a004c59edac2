"""Vectors of another embedder for all stored crops, while the present one goes on serving.

Each batch is one transaction, and what is done is known by what is stored: an interrupted run
is continued by running it again. Views that are enrolled meanwhile have larger ids, so the same
pass reaches them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app import images
from indexer.catalog import Catalog
from indexer.errors import CropUnreadable, ProductNotFound, ViewNotFound
from indexer.records import View
from models.types import Embedder, Image

BATCH = 64

OnProgress = Callable[[int, int], object]
"""Told how many views are done in this run, and how many it will be at least."""


@dataclass(frozen=True, slots=True)
class Reembedded:
    """What a run has done.

    Attributes:
        done: Views that have a vector now and had none before.
        gone: Views that were deleted while the run was at them.
        unreadable: Ids of views whose stored crop is missing or damaged; they have no vector.
        revision: An index of the space at this revision has them all.
    """

    space: str
    done: int
    gone: int
    unreadable: tuple[int, ...]
    revision: int


def reembed(
    catalog: Catalog,
    embedder: Embedder,
    *,
    batch: int = BATCH,
    on_progress: OnProgress = lambda done, total: None,
) -> Reembedded:
    """Store a vector of this embedder for every view that has none."""
    space = embedder.space
    catalog.register_space(space, embedder.dim, embedder.name)
    total = _lacking(catalog, space)
    done, gone, after, revision = 0, 0, 0, catalog.head()
    unreadable: list[int] = []
    on_progress(0, total)
    while views := catalog.views_without_embedding(space, batch, after):
        after = views[-1].id
        crops, damaged = _read(catalog, views)
        if crops:
            vectors = np.ascontiguousarray(embedder.embed(list(crops.values())))
            revision = catalog.add_embeddings(space, list(crops), vectors)
        unreadable += damaged
        done += len(crops)
        gone += len(views) - len(crops) - len(damaged)
        seen = done + gone + len(unreadable)
        on_progress(seen, max(seen, total))
    return Reembedded(space, done, gone, tuple(unreadable), revision)


def _lacking(catalog: Catalog, space: str) -> int:
    """About how many views have no vector; those of retired products always count."""
    counts = catalog.counts()
    return max(0, counts.views - counts.vectors.get(space, 0))


def _read(catalog: Catalog, views: Sequence[View]) -> tuple[dict[int, Image], list[int]]:
    """Crops by view id, and the ids of views whose crop cannot be read; deleted ones in neither."""
    crops: dict[int, Image] = {}
    damaged: list[int] = []
    for view in views:
        try:
            crops[view.id] = images.decode_crop(catalog.crop(view.sku, view.id))
        except (ProductNotFound, ViewNotFound):
            continue
        except CropUnreadable:
            damaged.append(view.id)
    return crops, damaged
