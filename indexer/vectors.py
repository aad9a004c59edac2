"""The contract of a vector index, and the plain numpy implementation of it.

An index maps view ids (int64, >= 0) to vectors (float32 rows of L2 norm 1) and finds the
nearest by inner product, which for unit vectors is the cosine. Every implementation passes
the one contract test in tests/indexer/test_vectors.py.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.errors import BadVectors, SnapshotInvalid

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]
Scores = NDArray[np.float32]


class VectorIndex(Protocol):
    """Vectors under integer ids, searched by inner product.

    Threads: searches may run beside one writer. put and drop are atomic for a search: it sees
    the index before or after the call, never between. Two writers at once are not allowed.
    """

    dim: int

    @property
    def tolerance(self) -> float:
        """Largest expected L2 distance between a vector that was put and its reconstruction."""

    def __len__(self) -> int: ...

    def put(self, ids: Ids, vectors: Vectors) -> None:
        """Store vectors [N, D] under ids [N]; an id that is there is replaced, the last wins."""

    def drop(self, ids: Ids) -> None:
        """Remove ids [N]; unknown ids are ignored."""

    def search(self, queries: Vectors, k: int) -> tuple[Ids, Scores]:
        """Return the k best per query: ids [Q, k] (-1 = none), scores [Q, k] (-inf), descending."""

    def ids(self) -> Ids:
        """Return all ids, ascending."""

    def reconstruct(self, ids: Ids) -> Vectors:
        """Return the stored vectors [N, D]; KeyError names ids that are not there."""

    def describe(self) -> Mapping[str, str | int]:
        """Return the kind, the row count and whatever else helps an operator."""

    def save(self, path: Path) -> None:
        """Write all content to one file; OSError if that fails."""

    def load(self, path: Path) -> None:
        """Replace the content by that of a saved file; SnapshotInvalid leaves it as it was."""


def checked_vectors(vectors: NDArray[Any], dim: int) -> Vectors:
    """Return vectors as they are if they are finite float32 [N, dim], else raise BadVectors."""
    got = f"{getattr(vectors, 'dtype', type(vectors).__name__)} {np.shape(vectors)}"
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float32:
        raise BadVectors(f"expected a float32 array [N, {dim}], got {got}")
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise BadVectors(f"expected float32 [N, {dim}], got {got}")
    if not np.isfinite(vectors).all():
        rows = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        raise BadVectors(f"expected finite values, got NaN or infinity in row {rows[0]}")
    return vectors


def checked_ids(ids: NDArray[Any], count: int | None = None) -> Ids:
    """Return ids as they are if they are int64 [N] and >= 0 (N = count if given), else raise."""
    wanted = f"int64 ids [{'N' if count is None else count}], all >= 0"
    if not isinstance(ids, np.ndarray) or ids.dtype != np.int64 or ids.ndim != 1:
        got = f"{getattr(ids, 'dtype', type(ids).__name__)} {np.shape(ids)}"
        raise BadVectors(f"expected {wanted}, got {got}")
    if count is not None and len(ids) != count:
        raise BadVectors(f"expected {wanted}, got {len(ids)} ids")
    if len(ids) and ids.min() < 0:
        raise BadVectors(f"expected {wanted}, got id {ids.min()}")
    return ids


def checked_k(k: int) -> int:
    """Return k if it is at least 1, else raise ValueError."""
    if k < 1:
        raise ValueError(f"expected k >= 1, got {k}")
    return k


def last_of_each(ids: Ids) -> NDArray[np.intp]:
    """Return the positions of the last occurrence of each id in ids [N], ascending by id."""
    _, from_end = np.unique(ids[::-1], return_index=True)
    return np.asarray(len(ids) - 1 - from_end, dtype=np.intp)


def raise_unknown(ids: Ids, known: NDArray[np.bool_]) -> None:
    """Raise KeyError with the ids [N] that are not known, bool [N]."""
    if not known.all():
        raise KeyError(f"ids not in the index: {ids[~known][:10].tolist()}")


class BruteForceIndex:
    """Exact search by one matrix product: the reference for tests, and enough for a small shop.

    The arrays are never changed in place: each write builds new ones and swaps one attribute,
    so a search that has begun keeps a consistent pair without a lock.
    """

    tolerance = 0.0

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._rows: tuple[Ids, Vectors] = (
            np.empty(0, np.int64),
            np.empty((0, dim), np.float32),
        )

    def __len__(self) -> int:
        return len(self._rows[0])

    def put(self, ids: Ids, vectors: Vectors) -> None:
        """Store vectors [N, D] under ids [N]; an id that is there is replaced, the last wins."""
        checked_ids(ids, count=len(checked_vectors(vectors, self.dim)))
        all_ids = np.concatenate([self._rows[0], ids])
        keep = last_of_each(all_ids)
        self._rows = (all_ids[keep], np.concatenate([self._rows[1], vectors])[keep])

    def drop(self, ids: Ids) -> None:
        """Remove ids [N]; unknown ids are ignored."""
        stored, vectors = self._rows
        keep = ~np.isin(stored, checked_ids(ids))
        self._rows = (stored[keep], vectors[keep])

    def search(self, queries: Vectors, k: int) -> tuple[Ids, Scores]:
        """Return the k best per query: ids [Q, k] (-1 = none), scores [Q, k] (-inf), descending."""
        checked_vectors(queries, self.dim)
        ids, vectors = self._rows
        found = min(checked_k(k), len(ids))
        best_ids = np.full((len(queries), k), -1, np.int64)
        best_scores = np.full((len(queries), k), -np.inf, np.float32)
        scores = queries @ vectors.T  # [Q, N]
        # ids are ascending and the sort is stable, so ties come out by id
        order = np.argsort(-scores, axis=1, kind="stable")[:, :found]
        best_ids[:, :found] = ids[order]
        best_scores[:, :found] = np.take_along_axis(scores, order, axis=1)
        return best_ids, best_scores

    def ids(self) -> Ids:
        """Return all ids, ascending."""
        return self._rows[0].copy()

    def reconstruct(self, ids: Ids) -> Vectors:
        """Return the stored vectors [N, D]; KeyError names ids that are not there."""
        stored, vectors = self._rows
        raise_unknown(ids, np.isin(checked_ids(ids), stored))
        return vectors[np.searchsorted(stored, ids)]

    def describe(self) -> Mapping[str, str | int]:
        """Return the kind, the row count and the dimension."""
        return {"kind": "brute force", "rows": len(self), "dim": self.dim}

    def save(self, path: Path) -> None:
        """Write all content to one file; OSError if that fails."""
        ids, vectors = self._rows
        with path.open("wb") as file:
            np.save(file, ids)
            np.save(file, vectors)

    def load(self, path: Path) -> None:
        """Replace the content by that of a saved file; SnapshotInvalid leaves it as it was."""
        try:
            with path.open("rb") as file:
                ids, vectors = (np.lib.format.read_array(file) for _ in range(2))
            checked_ids(ids, count=len(checked_vectors(vectors, self.dim)))
        except (OSError, ValueError, BadVectors) as error:
            raise SnapshotInvalid(
                f"{path}: expected a saved brute force index of dimension {self.dim}, got {error!r}"
            ) from error
        keep = last_of_each(ids)
        self._rows = (ids[keep], vectors[keep])
