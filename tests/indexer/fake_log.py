"""A catalog in a dict, for tests of the projection that need thousands of steps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from indexer.errors import DatabaseUnavailable
from indexer.records import Change, Counts
from indexer.vectors import Ids, Vectors

SPACE = "space-a"


def unit_rows(rng: np.random.Generator, count: int, dim: int) -> Vectors:
    """Random rows of norm 1, float32 [count, dim]."""
    rows = rng.normal(size=(count, dim)).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


@dataclass
class FakeLog:
    """Live vectors by space and view, and a log of changes, like indexer.catalog.Catalog.

    Attributes:
        away: Whether every call fails as if there were no database.
        overlap: Changes before the wanted ones that are handed out again.
        meanwhile: What other processes write, one before each read.
    """

    dim: int
    rows: dict[str, dict[int, Vectors]] = field(default_factory=lambda: {SPACE: {}})
    log: list[Change] = field(default_factory=list)
    away: bool = False
    overlap: int = 0
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def put(self, view_id: int, vector: Vectors, space: str = SPACE) -> int:
        """Store one vector float32 [D] and log it."""
        self.rows.setdefault(space, {})[view_id] = vector
        return self._log(view_id, "put")

    def drop(self, view_id: int) -> int:
        """Remove a view from every space and log it."""
        for vectors in self.rows.values():
            vectors.pop(view_id, None)
        return self._log(view_id, "drop")

    def _log(self, view_id: int, action: Literal["put", "drop"]) -> int:
        self.log.append(Change(len(self.log) + 1, view_id, action))
        return len(self.log)

    def head(self) -> int:
        self._reach()
        return len(self.log)

    def changes_after(self, revision: int, limit: int) -> list[Change]:
        self._reach()
        if revision >= len(self.log):
            return []
        return self.log[max(0, revision - self.overlap) : revision + limit]

    def live_vectors(self, space: str, after_id: int, limit: int) -> tuple[Ids, Vectors]:
        self._reach()
        ids = sorted(view_id for view_id in self.rows[space] if view_id > after_id)[:limit]
        return self._arrays(space, ids)

    def vectors(self, space: str, ids: Ids) -> tuple[Ids, Vectors]:
        self._reach()
        return self._arrays(space, sorted(set(ids.tolist()) & set(self.rows[space])))

    def counts(self) -> Counts:
        self._reach()
        sizes = {space: len(rows) for space, rows in self.rows.items()}
        return Counts(products=0, active=0, views=0, vectors=sizes)

    def _arrays(self, space: str, ids: list[int]) -> tuple[Ids, Vectors]:
        vectors = np.array([self.rows[space][view_id] for view_id in ids], np.float32)
        return np.array(ids, np.int64), vectors.reshape(len(ids), self.dim)

    def _reach(self) -> None:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.away:
            raise DatabaseUnavailable("the database is away")
