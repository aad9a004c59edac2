"""What the index side needs of the catalog."""

from collections.abc import Sequence
from typing import Protocol

from indexer.records import Change, Counts
from indexer.vectors import Ids, Vectors


class ChangeLog(Protocol):
    """The log of the catalog and its live vectors (see indexer.catalog.Catalog)."""

    def head(self) -> int:
        """Return the newest revision."""

    def changes_after(self, revision: int, limit: int) -> Sequence[Change]:
        """Return the next changes after a revision, oldest first."""

    def live_vectors(self, space: str, after_id: int, limit: int) -> tuple[Ids, Vectors]:
        """Return the next live vectors, ids [N] ascending and vectors [N, D]; N = 0 at the end."""

    def vectors(self, space: str, ids: Ids) -> tuple[Ids, Vectors]:
        """Return the live vectors among these views; the others are left out."""

    def counts(self) -> Counts:
        """Return the number of live vectors of each space, among others."""
