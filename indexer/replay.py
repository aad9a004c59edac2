"""Bringing an index to the state of the catalog: from the beginning, or from a revision."""

from collections.abc import Iterator, Sequence

import numpy as np

from indexer.changelog import ChangeLog
from indexer.records import Change
from indexer.vectors import VectorIndex


def fill(catalog: ChangeLog, space: str, index: VectorIndex, batch: int) -> int:
    """Put all live vectors of a space into an empty index; return a revision to replay from.

    The revision is read first, so whatever is written during the fill is replayed later.
    """
    revision = catalog.head()
    last = 0
    while True:
        ids, vectors = catalog.live_vectors(space, last, batch)
        if not len(ids):
            return revision
        index.put(ids, vectors)
        last = int(ids[-1])


def replay(
    catalog: ChangeLog, space: str, index: VectorIndex, revision: int, batch: int
) -> Iterator[int]:
    """Apply the changes after a revision; yield the revision reached after each batch."""
    full = True
    while full:  # a batch that is not full was the last, even if writers never pause
        changes = catalog.changes_after(revision, batch)
        full = len(changes) >= batch
        if changes:
            _apply(catalog, space, index, changes)
            revision = changes[-1].revision
            yield revision


def replayed(catalog: ChangeLog, space: str, index: VectorIndex, revision: int, batch: int) -> int:
    """Apply all changes after a revision; return the revision reached."""
    for reached in replay(catalog, space, index, revision, batch):
        revision = reached
    return revision


def _apply(catalog: ChangeLog, space: str, index: VectorIndex, changes: Sequence[Change]) -> None:
    """Bring the views of some changes to their present state; the last change of each wins.

    A put reads the vector as it is now. A view that is gone by now, or has no vector in this
    space, is dropped; its own change may come later, and is then harmless.
    """
    last = {change.view_id: change.action for change in changes}
    puts = np.array([view for view, action in last.items() if action == "put"], np.int64)
    ids, vectors = catalog.vectors(space, puts)
    index.drop(np.setdiff1d(np.fromiter(last, np.int64), ids))
    index.put(ids, vectors)
