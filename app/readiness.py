"""Whether the service can answer well right now, condition by condition."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from indexer.catalog import Catalog
from indexer.errors import IndexerError
from indexer.projection import Projection
from migrations import schema


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, with a sentence for people."""

    name: str
    ok: bool
    detail: str


class Readiness:
    """Asks the parts of the service; a part that fails makes its check red and no more.

    Args:
        database: the SQLAlchemy engine.
        space: of the embedder in use.
        max_lag: revisions that the index may be behind.
    """

    def __init__(
        self, catalog: Catalog, projection: Projection, database: Any, space: str, max_lag: int
    ) -> None:
        self._catalog = catalog
        self._projection = projection
        self._database = database
        self._space = space
        self._max_lag = max_lag
        self._counted: int | None = None
        self._embedded: int | None = None
        self.warm = False

    def checks(self) -> list[Check]:
        """All conditions, always the same ones in the same order."""
        database = self._ask("database", self._reachable)
        questions = {"schema": self._current, "index": self._following, "space": self._same_space}
        if database.ok:
            others = [self._ask(name, question) for name, question in questions.items()]
        else:  # each would wait for a connection again, longer than most probes do
            others = [Check(name, False, "the database does not answer") for name in questions]
        return [
            Check("networks", self.warm, "warm" if self.warm else "not started"),
            database,
            *others,
        ]

    def _ask(self, name: str, question: Callable[[], tuple[bool, str]]) -> Check:
        try:
            return Check(name, *question())
        except (IndexerError, OSError) as exc:
            return Check(name, False, str(exc))

    def _reachable(self) -> tuple[bool, str]:
        return True, f"at revision {self._catalog.head()}"

    def _current(self) -> tuple[bool, str]:
        schema.check(self._database)
        return True, f"at {schema.head_revision()}"

    def _following(self) -> tuple[bool, str]:
        """Not too far behind, and of the right size."""
        failure = self._projection.tail_error
        if failure is not None:
            return False, f"cannot follow the catalog: {failure}"
        lag = self._projection.lag()
        if lag > self._max_lag:
            return False, f"{lag} revisions behind, expected at most {self._max_lag}"
        # Counting reads a whole table, so it is done once per revision.
        if self._projection.revision != self._counted:
            count = self._projection.check_count()
            if not count.ok:
                return False, f"expected {count.expected} vectors, got {count.rows}"
            self._counted = self._projection.revision if count.settled else None
        return True, f"{len(self._projection)} vectors, {lag} revisions behind"

    def _same_space(self) -> tuple[bool, str]:
        """Every view has a vector of this embedder."""
        head = self._catalog.head()
        # Searching for one that has none also reads a whole table.
        if head != self._embedded:
            if self._catalog.views_without_embedding(self._space, limit=1):
                lacking = f"views without a vector in space {self._space}"
                return False, f"{lacking}; run: tillsight index reembed"
            self._embedded = head
        return True, self._space
