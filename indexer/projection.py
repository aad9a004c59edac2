"""The vector index of one space as a projection of the catalog.

SQL is the truth. The projection reads the catalog's log of changes and brings its index to the
same state; it may be thrown away and rebuilt at any time. Applying a change twice is harmless,
because a change only says which view to look at again (see indexer.replay).
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexer.changelog import ChangeLog
from indexer.errors import IndexBehind, IndexerError
from indexer.replay import fill, replay, replayed
from indexer.snapshots import load_newest, remove_after, write_snapshot
from indexer.tail import LONGEST_WAIT_S, Tail
from indexer.vectors import Ids, Scores, VectorIndex, Vectors
from indexer.verify import CountCheck, Verification, check_count, sample_ids, spot_check, verify

BATCH = 1000
"""Changes, or vectors, read from the catalog at a time."""
START_SAMPLE = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _State:
    """An index and the revision whose changes it has; swapped as one."""

    index: VectorIndex
    revision: int


class Projection:
    """Follows the catalog with an index, and searches it.

    Searches take no lock here and go on during everything else. One lock orders those that
    write the index or need it to stand still: request threads after an enrolment, the tail
    thread, snapshot and verify.

    Args:
        catalog: The log to follow.
        space: Only embeddings of this space are in the index.
        new_index: Makes an empty index.
        snapshots: Folder of the snapshots; None for none.
        snapshot_every: Revisions after which the tail writes a new snapshot.
        timeout_s: Longest wait of catch_up, unless it is called with another.
    """

    def __init__(
        self,
        catalog: ChangeLog,
        space: str,
        dim: int,
        new_index: Callable[[], VectorIndex],
        snapshots: Path | None = None,
        *,
        snapshot_every: int = 10_000,
        timeout_s: float = 10.0,
        batch: int = BATCH,
    ) -> None:
        self.space = space
        self.dim = dim
        self._catalog = catalog
        self._new_index = new_index
        self._snapshots = snapshots
        self._snapshot_every = snapshot_every
        self._timeout_s = timeout_s
        self._batch = batch
        self._state = _State(new_index(), 0)
        self._saved_revision = 0
        self._known_wrong = False
        self._writing = threading.Lock()
        self._rebuilding = threading.Lock()
        self._tail: Tail | None = None

    @property
    def revision(self) -> int:
        """The revision of the catalog that the index has reached."""
        return self._state.revision

    @property
    def tail_error(self) -> Exception | None:
        """Why the tail could not follow the catalog the last time, None if it could."""
        return self._tail.error if self._tail else None

    def __len__(self) -> int:
        return len(self._state.index)

    def describe(self) -> Mapping[str, str | int]:
        """Return kind, rows and more of the index, for an operator."""
        return self._state.index.describe()

    def search(self, queries: Vectors, k: int) -> tuple[Ids, Scores]:
        """Return ids [Q, k] (-1 = none) and similarities [Q, k] (-inf), best first."""
        ids, scores = self._state.index.search(queries, k)
        # coding and rounding may put a cosine above 1
        return ids, np.minimum(scores, np.float32(1.0))

    def lag(self) -> int:
        """Return how many revisions the index is behind the catalog."""
        return max(0, self._catalog.head() - self.revision)

    def start(self) -> None:
        """Load the newest usable snapshot and catch up, or else rebuild."""
        loaded = None
        if self._snapshots:
            head = self._catalog.head()
            loaded = load_newest(self._snapshots, self.space, self._new_index, head)
        if loaded is None:
            self.rebuild()
            return
        self._state = _State(*loaded)
        self._saved_revision = self.revision
        self.catch_up()
        # a snapshot of another database can have a fitting name and revision
        if not self._resembles_catalog():
            log.warning("the snapshot is of another catalog: rebuilding the index")
            self.rebuild()

    def catch_up(self, at_least: int | None = None, timeout_s: float | None = None) -> int:
        """Apply the changes since the last time; return the revision reached.

        With `at_least`, raise IndexBehind unless the index then has that revision: at once if
        the catalog itself has not got it, since waiting would only hold up a thread. If another
        thread is writing the index all that time, it is that thread's pass.
        """
        if at_least is not None:
            if self.revision >= at_least:
                return self.revision
            if self._catalog.head() < at_least:
                raise IndexBehind(at_least, self.revision)
        if self._writing.acquire(timeout=self._timeout_s if timeout_s is None else timeout_s):
            try:
                self._apply_new()
            finally:
                self._writing.release()
        if at_least is not None and self.revision < at_least:
            raise IndexBehind(at_least, self.revision)
        return self.revision

    def rebuild(self) -> int:
        """Build a new index from all live vectors and put it in the place of the present one."""
        with self._rebuilding:
            index = self._new_index()
            revision = fill(self._catalog, self.space, index, self._batch)
            # what was written meanwhile: most of it here, the rest while no other writer runs
            revision = replayed(self._catalog, self.space, index, revision, self._batch)
            with self._writing:
                revision = replayed(self._catalog, self.space, index, revision, self._batch)
                self._state = _State(index, revision)
                self._saved_revision = 0
                self._known_wrong = False
            log.info("rebuilt the index: %d views at revision %d", len(index), revision)
            return revision

    def snapshot(self) -> Path:
        """Write the index to the snapshot folder; OSError if that fails."""
        if self._snapshots is None:
            raise IndexerError("expected a snapshot folder, none is configured")
        if self._known_wrong:
            raise IndexerError("the index differs from the catalog: rebuild it first")
        with self._writing:
            state = self._state
            path = write_snapshot(self._snapshots, self.space, state.revision, state.index)
            self._saved_revision = state.revision
        return path

    def verify(self, sample: int = 256, rng: np.random.Generator | None = None) -> Verification:
        """Compare all ids, and the vectors of a sample of them, with SQL.

        The sample is drawn by rng, or spread evenly without one. Other writers of the index
        wait meanwhile; changes that other processes commit are no differences.
        """
        with self._writing:
            index = self._state.index
            chosen = sample_ids(index.ids(), sample, rng)
            result = verify(self._catalog, self.space, index, chosen, self._apply_new, self._batch)
            self._known_wrong = not result.ok
        return result

    def check_count(self) -> CountCheck:
        """Compare the row count with the catalog's at the same revision."""
        with self._writing:
            return check_count(self._catalog, self.space, self._state.index, self._apply_new)

    def start_tail(self, interval_s: float, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        """Follow the catalog in a thread, every interval_s seconds, until close()."""
        self._tail = Tail(self.poll, interval_s, longest_wait_s)
        self._tail.start()

    def poll(self) -> None:
        """Do what the tail does at each step: catch up, and write a snapshot if one is due."""
        head = self._catalog.head()
        if head < self.revision:
            log.warning("the catalog went back from %d to %d: rebuilding", self.revision, head)
            if self._snapshots:
                remove_after(self._snapshots, self.space, head)
            self.rebuild()
        elif head > self.revision:
            self.catch_up()
        if self.revision - self._saved_revision >= self._snapshot_every:
            self._try_snapshot()

    def close(self) -> None:
        """Stop the tail and write a last snapshot if anything has changed since the one before."""
        if self._tail:
            self._tail.stop()
            self._tail = None
        if self.revision != self._saved_revision:
            self._try_snapshot()

    def _try_snapshot(self) -> None:
        """Write a snapshot; a failure is logged, for it costs only a slower start."""
        if self._snapshots is None or self._known_wrong:
            return
        try:
            self.snapshot()
        except OSError as error:
            log.warning("cannot write a snapshot: %s", error)
            self._saved_revision = self.revision  # not again before the next one is due

    def _apply_new(self) -> int:
        """Apply all new changes and return the revision; the caller holds the writing lock."""
        index, revision = self._state.index, self._state.revision
        for reached in replay(self._catalog, self.space, index, revision, self._batch):
            self._state = _State(index, reached)
        return self.revision

    def _resembles_catalog(self) -> bool:
        """Tell whether the row count and a sample of the vectors are those of the catalog."""
        chosen = sample_ids(self._state.index.ids(), START_SAMPLE, None)
        same = spot_check(self._catalog, self.space, self._state.index, chosen)
        return same and self.check_count().ok
