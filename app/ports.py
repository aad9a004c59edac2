"""What recognition and enrolment need of the index and the catalog, and no more."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexer.records import Enrolled, Idempotency, NewView, ProductInput, ResolvedView
from models.types import Vectors


class Search(Protocol):
    """The part of `indexer.projection.Projection` that recognition needs."""

    @property
    def revision(self) -> int:
        """Newest revision that a search sees."""
        ...

    def search(self, queries: Vectors, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """View ids and similarities, `[Q,k]` each; -1 where there are fewer than k."""
        ...

    def catch_up(self, at_least: int | None = None) -> int:
        """Read the log, to `at_least` this revision; IndexBehind if that takes too long."""
        ...


class Resolver(Protocol):
    """The part of `indexer.catalog.Catalog` that recognition needs."""

    def resolve(self, view_ids: Sequence[int]) -> dict[int, ResolvedView]:
        """Products of live views; all others are absent."""
        ...


class EnrolCatalog(Resolver, Protocol):
    """The part of `indexer.catalog.Catalog` that enrolment needs."""

    def enroll(
        self,
        product: ProductInput,
        views: Sequence[NewView],
        space: str,
        vectors: Vectors,
        *,
        idempotency: Idempotency | None = None,
        receipt: Callable[[Enrolled], dict[str, Any]] | None = None,
    ) -> Enrolled:
        """Store all of it in one transaction."""
        ...

    def idempotent_answer(self, key: str, request_hash: str) -> dict[str, Any] | None:
        """The answer that was stored with this key, or None."""
        ...
