"""Comparing an index with the catalog while other processes go on writing.

The reads of a comparison are not one transaction, so a view that is enrolled between two of
them looks like a difference. Whatever looks like one is therefore looked at again, each time
after bringing the index up to date: a true difference stays.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from indexer.changelog import ChangeLog
from indexer.vectors import Ids, VectorIndex, Vectors

ROUNDS = 3


@dataclass(frozen=True)
class Verification:
    """Result of comparing an index with SQL, by view id.

    Attributes:
        missing: In SQL and not in the index.
        extra: In the index and not in SQL.
        different: In both with different vectors, among the `sampled` ones.
    """

    revision: int
    rows: int
    sampled: int
    missing: tuple[int, ...]
    extra: tuple[int, ...]
    different: tuple[int, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.extra or self.different)


@dataclass(frozen=True)
class CountCheck:
    """Row counts of the index and of SQL; `settled` if they are of the same revision."""

    rows: int
    expected: int
    settled: bool

    @property
    def ok(self) -> bool:
        """Whether the counts agree, or cannot be compared because writers never pause."""
        return not self.settled or self.rows == self.expected


@dataclass(frozen=True)
class _Differences:
    """View ids int64 [N] that are missing, extra, and different."""

    missing: Ids
    extra: Ids
    different: Ids

    def all(self) -> Ids:
        return np.concatenate([self.missing, self.extra, self.different])


def verify(
    catalog: ChangeLog,
    space: str,
    index: VectorIndex,
    chosen: Ids,
    catch_up: Callable[[], int],
    batch: int,
) -> Verification:
    """Compare all ids with SQL, and the vectors of the chosen ids.

    Args:
        catch_up: Brings this index up to date and returns its revision; nobody else writes it.
        batch: Vectors read at a time.
    """
    revision = catch_up()
    found = _all_differences(_pages(catalog, space, batch), index, chosen)
    for _ in range(ROUNDS):
        suspects = np.unique(found.all())
        if not len(suspects):
            break
        revision = catch_up()
        live, vectors = catalog.vectors(space, suspects)
        stored = index.ids()
        stored = stored[np.isin(stored, suspects)]
        found = _differences(live, vectors, stored, index, live)
    return Verification(
        revision=revision,
        rows=len(index),
        sampled=len(chosen),
        missing=tuple(found.missing.tolist()),
        extra=tuple(found.extra.tolist()),
        different=tuple(found.different.tolist()),
    )


def spot_check(catalog: ChangeLog, space: str, index: VectorIndex, chosen: Ids) -> bool:
    """Tell whether the chosen ids [N] of the index are live and have the vectors of SQL."""
    live, vectors = catalog.vectors(space, chosen)
    found = _differences(live, vectors, chosen, index, live)
    return not len(found.all())


def check_count(
    catalog: ChangeLog, space: str, index: VectorIndex, catch_up: Callable[[], int]
) -> CountCheck:
    """Compare the row count of an index with SQL at the same revision."""
    for _ in range(ROUNDS):
        revision = catch_up()
        rows = len(index)
        expected = catalog.counts().vectors.get(space, 0)
        settled = catalog.head() == revision
        if settled:
            break
    return CountCheck(rows=rows, expected=expected, settled=settled)


def sample_ids(ids: Ids, count: int, rng: np.random.Generator | None) -> Ids:
    """Return at most count of the ids [N], drawn by rng, or spread evenly without one."""
    if count >= len(ids):
        return ids
    if rng is not None:
        return rng.choice(ids, count, replace=False)
    return ids[np.linspace(0, len(ids) - 1, count).astype(np.int64)]


def _pages(catalog: ChangeLog, space: str, batch: int) -> Iterator[tuple[Ids, Vectors]]:
    """Yield all live vectors of a space in pages of ids [N], vectors [N, D]."""
    last = 0
    while True:
        ids, vectors = catalog.live_vectors(space, last, batch)
        if not len(ids):
            return
        yield ids, vectors
        last = int(ids[-1])


def _all_differences(
    pages: Iterator[tuple[Ids, Vectors]], index: VectorIndex, chosen: Ids
) -> _Differences:
    """Compare an index with every page; only vectors of chosen ids are compared."""
    stored = index.ids()
    live_ids, parts = [np.empty(0, np.int64)], []
    for ids, vectors in pages:
        live_ids.append(ids)
        parts.append(_differences(ids, vectors, stored[np.isin(stored, ids)], index, chosen))
    return _Differences(
        missing=np.concatenate([np.empty(0, np.int64), *(part.missing for part in parts)]),
        extra=np.setdiff1d(stored, np.concatenate(live_ids)),
        different=np.concatenate([np.empty(0, np.int64), *(part.different for part in parts)]),
    )


def _differences(
    live: Ids, vectors: Vectors, stored: Ids, index: VectorIndex, chosen: Ids
) -> _Differences:
    """Compare live ids [N] and vectors [N, D] with stored ids [M], which are in the index."""
    compared = np.isin(live, stored) & np.isin(live, chosen)
    ids = live[compared]
    distance = np.linalg.norm(index.reconstruct(ids) - vectors[compared], axis=1)
    return _Differences(
        missing=np.setdiff1d(live, stored),
        extra=np.setdiff1d(stored, live),
        different=ids[distance > index.tolerance],
    )
