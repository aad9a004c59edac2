"""A vector index on FAISS: exact while small, inverted lists with 8-bit codes when large.

The only file that imports faiss. Everything is kept in a FAISS index in main memory, which
can remove, rebuild and save; with a GPU, searches go to a copy on the device.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import faiss as faiss_package
import numpy as np

from indexer.coding import FEWEST_TO_TRAIN, cells_for, code_ranges
from indexer.errors import IndexerError, SnapshotInvalid
from indexer.rwlock import ReadWriteLock
from indexer.vectors import (
    Ids,
    Scores,
    Vectors,
    checked_ids,
    checked_k,
    checked_vectors,
    last_of_each,
    raise_unknown,
)

faiss: Any = faiss_package  # its type stubs are incomplete, and differ between builds

CODED_TOLERANCE = 0.05
"""L2 distance a unit vector may move by 8-bit codes; 0.015 is typical, clipping adds to it."""
TRAINING_POINTS_PER_CELL = 64
COPY_ROWS = 65_536
SMALL_SEARCH = 5_000_000
"""Queries times rows below which one thread is faster than waking the others."""

Mirror = Callable[[Any], Any]  # from the index in main memory to the copy that searches use


class FaissIndex:
    """Vectors under integer ids, searched by inner product (see indexer.vectors.VectorIndex).

    Up to `exact_up_to` rows every vector is compared (float32). Beyond, vectors live in the
    cells of a k-means clustering, with 8 bits a value, and `probes` cells are searched. The
    clustering is trained on the stored vectors, at first and whenever the row count has
    quadrupled since. Training runs beside searches; only the swap afterwards excludes them.
    """

    def __init__(
        self,
        dim: int,
        *,
        exact_up_to: int = 50_000,
        probes: int = 32,
        gpu: bool = False,
        mirror: Mirror | None = None,
    ) -> None:
        self.dim = dim
        self.exact_up_to = max(exact_up_to, FEWEST_TO_TRAIN - 1)
        self.probes = probes
        self._mirror = mirror or (_gpu_mirror() if gpu else None)
        self._lock = ReadWriteLock()
        self._device = threading.Lock()  # a device index takes one search at a time
        self._stored: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        self._copy: Any = None
        self._refresh()

    def __len__(self) -> int:
        return int(self._stored.ntotal)

    @property
    def tolerance(self) -> float:
        """Largest expected L2 distance between a vector that was put and its reconstruction."""
        return CODED_TOLERANCE if _is_coded(self._stored) else 0.0

    def put(self, ids: Ids, vectors: Vectors) -> None:
        """Store vectors [N, D] under ids [N]; an id that is there is replaced, the last wins."""
        checked_ids(ids, count=len(checked_vectors(vectors, self.dim)))
        if not len(ids):
            return
        keep = last_of_each(ids)
        with self._lock.write():
            self._stored.remove_ids(ids[keep])
            self._stored.add_with_ids(vectors[keep], ids[keep])
        self._grow()
        self._refresh()

    def drop(self, ids: Ids) -> None:
        """Remove ids [N]; unknown ids are ignored."""
        if len(checked_ids(ids)):
            with self._lock.write():
                self._stored.remove_ids(ids)
            self._refresh()

    def search(self, queries: Vectors, k: int) -> tuple[Ids, Scores]:
        """Return the k best per query: ids [Q, k] (-1 = none), scores [Q, k] (-inf), descending."""
        checked_vectors(queries, self.dim)
        checked_k(k)
        if self._mirror:
            with self._device:
                scores, ids = self._copy.search(queries, k)
        else:
            with self._lock.read(), _threads_for(len(queries) * len(self)):
                scores, ids = self._stored.search(queries, k)
        scores[ids < 0] = -np.inf
        return ids, scores

    def ids(self) -> Ids:
        """Return all ids, ascending."""
        with self._lock.read():
            return np.sort(_stored_ids(self._stored))

    def reconstruct(self, ids: Ids) -> Vectors:
        """Return the stored vectors [N, D] within tolerance; KeyError names ids not there."""
        checked_ids(ids)
        with self._lock.read():
            raise_unknown(ids, np.isin(ids, _stored_ids(self._stored)))
            return _vectors_of(self._stored, ids)

    def describe(self) -> Mapping[str, str | int]:
        """Return the kind, the row count, the dimension, and the cells if there are any."""
        held = self._stored
        cells = {"cells": int(held.nlist), "probes": int(held.nprobe)} if _is_coded(held) else {}
        kind = "inverted lists, 8 bits" if cells else "exact"
        where = "gpu" if self._mirror else "cpu"
        return {"kind": kind, "device": where, "rows": len(self), "dim": self.dim, **cells}

    def save(self, path: Path) -> None:
        """Write all content to one file; OSError if that fails."""
        try:
            with self._lock.read():
                faiss.write_index(self._stored, str(path))
        except RuntimeError as error:
            raise OSError(f"cannot write {path}: {error}") from error

    def load(self, path: Path) -> None:
        """Replace the content by that of a saved file; SnapshotInvalid leaves it as it was."""
        try:
            loaded = faiss.read_index(str(path))
        except RuntimeError as error:
            raise SnapshotInvalid(f"{path}: expected a FAISS index, got {error}") from error
        _check_loaded(loaded, self.dim, path)
        if _is_coded(loaded):
            loaded.nprobe = min(self.probes, loaded.nlist)
        self._swap(loaded)
        self._grow()
        self._refresh()

    def _grow(self) -> None:
        """Train cells for the present row count if the present kind has become too slow."""
        rows, wanted = len(self), cells_for(len(self))
        cells = self._stored.nlist if _is_coded(self._stored) else 0
        if rows > self.exact_up_to and wanted >= 2 * cells:
            self._swap(_trained(self._stored, wanted, min(self.probes, wanted)))

    def _swap(self, stored: Any) -> None:
        """Put another index in the place of the present one."""
        with self._lock.write():
            self._stored = stored

    def _refresh(self) -> None:
        """Renew the copy that searches use, if there is one."""
        if self._mirror:
            with self._device:
                self._copy = self._mirror(self._stored)


def _gpu_mirror() -> Mirror:
    """Return a function that copies an index to the first GPU."""
    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        raise IndexerError("expected a faiss build with GPU support and a device, got none")
    resources = faiss.StandardGpuResources()
    return lambda index: faiss.index_cpu_to_gpu(resources, 0, index)


@contextmanager
def _threads_for(comparisons: int) -> Iterator[None]:
    """Search with one OpenMP thread if the work is small; the setting is per calling thread."""
    before = faiss.omp_get_max_threads()
    if comparisons >= SMALL_SEARCH or before == 1:
        yield
        return
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _is_coded(index: Any) -> bool:
    """Tell whether the index has cells with 8-bit codes."""
    return isinstance(index, faiss.IndexIVFScalarQuantizer)


def _stored_ids(index: Any) -> Ids:
    """Return all ids of a FAISS index, in its own order."""
    if not _is_coded(index):
        return np.asarray(faiss.vector_to_array(index.id_map), np.int64)
    lists = index.invlists
    cells = (
        faiss.rev_swig_ptr(lists.get_ids(cell), lists.list_size(cell)).copy()
        for cell in range(index.nlist)
        if lists.list_size(cell)
    )
    return np.concatenate([np.empty(0, np.int64), *cells])


def _vectors_of(index: Any, ids: Ids) -> Vectors:
    """Return the vectors [N, D] of known ids [N]."""
    return np.asarray(index.reconstruct_batch(ids), np.float32)


def _trained(source: Any, cells: int, probes: int) -> Any:
    """Build an index with cells that holds what source holds, trained on an even sample of it."""
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(source.d),
        source.d,
        cells,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        False,  # codes of whole vectors: ranges of residuals would clip later, novel products
    )
    index.cp.min_points_per_centroid = 1
    index.cp.max_points_per_centroid = TRAINING_POINTS_PER_CELL
    index.nprobe = probes
    ids = np.sort(_stored_ids(source))  # old and new products alike are in an even sample
    count = min(len(ids), cells * TRAINING_POINTS_PER_CELL)
    sample = ids[np.linspace(0, len(ids) - 1, count).astype(np.int64)]
    vectors = _vectors_of(source, sample)
    index.train(vectors)
    faiss.copy_array_to_vector(code_ranges(vectors), index.sq.trained)
    index.set_direct_map_type(faiss.DirectMap.Hashtable)  # remove and reconstruct by id
    for start in range(0, len(ids), COPY_ROWS):
        part = ids[start : start + COPY_ROWS]
        index.add_with_ids(_vectors_of(source, part), part)
    return index


def _check_loaded(index: Any, dim: int, path: Path) -> None:
    """Raise SnapshotInvalid unless the index is one that save() can have written."""
    exact = isinstance(index, faiss.IndexIDMap2)
    exact = exact and isinstance(faiss.downcast_index(index.index), faiss.IndexFlatIP)
    coded = _is_coded(index) and index.direct_map.type == faiss.DirectMap.Hashtable
    if not (exact or coded) or index.d != dim:
        raise SnapshotInvalid(
            f"{path}: expected an exact or coded index of dimension {dim}, "
            f"got {type(index).__name__} of dimension {index.d}"
        )
