"""The projection step by step, on a catalog in a dict that can go away, and its tail thread."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from indexer.errors import DatabaseUnavailable, IndexBehind, IndexerError
from indexer.projection import Projection
from indexer.snapshots import INDEX_FILE
from indexer.tail import Tail
from indexer.vectors import BruteForceIndex, Ids, VectorIndex, Vectors
from tests.indexer.fake_log import SPACE, FakeLog, unit_rows

DIM = 6


@pytest.fixture
def log() -> FakeLog:
    return FakeLog(DIM)


def vector(seed: int) -> Vectors:
    return unit_rows(np.random.default_rng(seed), 1, DIM)[0]


def project(
    log: FakeLog,
    snapshots: Path | None = None,
    new_index: Callable[[], VectorIndex] = lambda: BruteForceIndex(DIM),
    snapshot_every: int = 10_000,
) -> Projection:
    return Projection(log, SPACE, DIM, new_index, snapshots, snapshot_every=snapshot_every)


def wait_until(condition: Callable[[], bool]) -> None:
    """Fail if it has not come true after ten seconds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def fill(log: FakeLog, count: int) -> None:
    for view_id in range(1, count + 1):
        log.put(view_id, vector(view_id))


def test_a_reached_revision_asks_nothing_of_the_database(log: FakeLog) -> None:
    projection = project(log)
    fill(log, 3)
    projection.catch_up()
    log.away = True
    assert projection.catch_up(at_least=3) == 3
    assert projection.search(vector(2)[None], 1)[0].tolist() == [[2]]


def test_without_the_database_callers_hear_of_it(log: FakeLog) -> None:
    projection = project(log)
    log.away = True
    for call in (projection.start, projection.catch_up, projection.lag, projection.verify):
        with pytest.raises(DatabaseUnavailable):
            call()
    log.away = False
    fill(log, 2)
    assert projection.catch_up() == 2


def test_changes_that_come_twice_are_harmless(log: FakeLog) -> None:
    log.overlap = 5
    projection = project(log)
    for step in range(1, 12):
        log.put(step, vector(step))
        if step % 3 == 0:
            log.drop(step - 1)
        projection.catch_up()
        assert projection.verify().ok
    assert projection.revision == len(log.log)


def test_a_failing_put_leaves_the_revision_and_is_repeated(log: FakeLog) -> None:
    class Failing(BruteForceIndex):
        broken = True

        def put(self, ids: Ids, vectors: Vectors) -> None:
            if self.broken and len(ids):
                raise RuntimeError("no memory")
            super().put(ids, vectors)

    index = Failing(DIM)
    projection = project(log, new_index=lambda: index)
    fill(log, 2)
    with pytest.raises(RuntimeError):
        projection.catch_up()
    assert projection.revision == 0
    index.broken = False
    assert projection.catch_up() == 2
    assert projection.verify().ok


def test_a_request_does_not_wait_for_ever_for_another_writer(log: FakeLog) -> None:
    """One thread is inside a read that hangs; others keep to their own time limits."""
    release = threading.Event()
    projection = project(log)
    log.meanwhile.append(lambda: release.wait(20))
    hanging = threading.Thread(target=projection.catch_up)
    hanging.start()
    wait_until(lambda: not log.meanwhile)
    fill(log, 1)
    with pytest.raises(IndexBehind):
        projection.catch_up(at_least=1, timeout_s=0.05)
    assert projection.catch_up(timeout_s=0.05) == 0
    assert projection.search(vector(1)[None], 1)[0].tolist() == [[-1]]
    release.set()
    hanging.join()
    assert projection.catch_up(at_least=1) == 1


def test_searches_go_on_during_a_rebuild(log: FakeLog) -> None:
    release = threading.Event()
    projection = project(log)
    fill(log, 3)
    projection.catch_up()
    log.meanwhile.append(lambda: release.wait(20))
    rebuilding = threading.Thread(target=projection.rebuild)
    rebuilding.start()
    wait_until(lambda: not log.meanwhile)
    log.put(4, vector(4))
    assert projection.catch_up(at_least=4, timeout_s=5) == 4
    assert projection.search(vector(4)[None], 1)[0].tolist() == [[4]]
    release.set()
    rebuilding.join()
    assert projection.revision == 4
    assert projection.verify().ok


def test_a_rebuild_never_goes_back(log: FakeLog) -> None:
    """What another thread applies while the new index catches up is in the new index too."""
    entered, release = threading.Event(), threading.Event()

    class Slow(BruteForceIndex):
        slow = False

        def put(self, ids: Ids, vectors: Vectors) -> None:
            super().put(ids, vectors)
            if self.slow and 2 in ids:
                entered.set()
                release.wait(20)

    fill(log, 1)
    projection = project(log, new_index=lambda: Slow(DIM))
    projection.start()
    Slow.slow = True
    # after the new index has read all vectors, so that it finds view 2 in the log
    log.meanwhile = [lambda: None, lambda: None, lambda: None, lambda: log.put(2, vector(2))]
    rebuilding = threading.Thread(target=projection.rebuild)
    rebuilding.start()
    assert entered.wait(10)
    Slow.slow = False
    log.put(3, vector(3))
    assert projection.catch_up(at_least=3) == 3
    release.set()
    rebuilding.join()
    assert projection.revision == 3
    assert len(projection) == 3


def test_a_put_without_a_vector_is_a_drop(log: FakeLog) -> None:
    projection = project(log)
    fill(log, 2)
    projection.catch_up()
    gone = log.rows[SPACE].pop(1)
    log.put(1, gone, space="another")
    projection.catch_up()
    assert projection.search(vector(1)[None], 2)[0].tolist() == [[2, -1]]


def test_what_changes_during_a_comparison_is_no_difference(log: FakeLog) -> None:
    projection = project(log)
    fill(log, 6)
    projection.catch_up()
    writes: list[Callable[[], object]] = [
        lambda: log.put(7, vector(7)),
        lambda: log.drop(2),
        lambda: log.put(3, vector(33)),
        lambda: log.drop(7),
    ]
    log.meanwhile = [*writes]
    assert projection.verify(sample=100).ok
    assert not log.meanwhile
    log.meanwhile = [lambda n=n: log.put(n, vector(n)) for n in range(10, 16)]  # type: ignore[misc]
    assert projection.check_count().ok


def test_counts_that_never_settle_are_no_failure(log: FakeLog) -> None:
    projection = project(log)
    log.meanwhile = [lambda n=n: log.put(n, vector(n)) for n in range(10, 90)]  # type: ignore[misc]
    count = projection.check_count()
    assert (count.ok, count.settled) == (True, False)


def test_a_catalog_that_went_back_is_read_anew(log: FakeLog) -> None:
    fill(log, 5)
    projection = project(log)
    projection.start()
    log.log, log.rows = [], {SPACE: {}}
    log.put(1, vector(50))
    projection.poll()
    assert projection.revision == 1
    assert projection.verify(sample=10).ok


def test_snapshots_of_a_past_that_was_undone_go(log: FakeLog, tmp_path: Path) -> None:
    """Newer by number, they would push out the new ones, and be loaded at their revision."""
    projection = project(log, tmp_path)
    for view_id in range(1, 4):
        log.put(view_id, vector(view_id))
        projection.catch_up()
        projection.snapshot()
    log.log, log.rows = [], {SPACE: {}}
    log.put(1, vector(50))
    projection.poll()
    assert [projection.snapshot()] == list(tmp_path.iterdir())
    assert projection.revision == 1


def test_the_tail_follows_loses_the_database_and_recovers(
    log: FakeLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="indexer")
    projection = project(log)
    projection.start()
    projection.start_tail(0.002, longest_wait_s=0.01)
    fill(log, 3)
    wait_until(lambda: projection.revision == 3)
    log.away = True
    wait_until(lambda: isinstance(projection.tail_error, DatabaseUnavailable))
    assert projection.search(vector(2)[None], 1)[0].tolist() == [[2]]
    log.put(4, vector(4))
    log.away = False
    wait_until(lambda: projection.revision == 4)
    wait_until(lambda: projection.tail_error is None)
    projection.close()
    projection.close()
    assert projection.tail_error is None
    assert "the database is away" in caplog.text
    assert "follows the catalog again" in caplog.text


def test_the_tail_waits_longer_after_each_failure() -> None:
    times: list[float] = []

    def fail() -> None:
        times.append(time.monotonic())
        raise ValueError("a bug must not end the thread")

    tail = Tail(fail, 0.02, longest_wait_s=0.08)
    tail.start()
    wait_until(lambda: len(times) >= 6)
    tail.stop()
    assert isinstance(tail.error, ValueError)
    pauses = np.diff(times)
    assert pauses[0] >= 0.039
    assert all(pause >= 0.079 for pause in pauses[1:])
    count = len(times)
    time.sleep(0.1)
    assert len(times) == count


def test_the_tail_writes_a_snapshot_when_one_is_due(log: FakeLog, tmp_path: Path) -> None:
    projection = project(log, tmp_path, snapshot_every=5)
    projection.start()
    fill(log, 4)
    projection.poll()
    assert not list(tmp_path.iterdir())
    log.put(5, vector(5))
    projection.poll()
    (first,) = tmp_path.iterdir()
    projection.poll()
    assert list(tmp_path.iterdir()) == [first]
    projection.close()
    assert list(tmp_path.iterdir()) == [first]


def test_close_writes_what_is_new(log: FakeLog, tmp_path: Path) -> None:
    projection = project(log, tmp_path)
    projection.close()
    assert not list(tmp_path.iterdir())
    fill(log, 2)
    projection.start()
    projection.close()
    later = project(log, tmp_path)
    log.rows[SPACE].clear()  # only the snapshot knows them now
    log.rows[SPACE] |= {1: vector(1), 2: vector(2)}
    later.start()
    assert (later.revision, len(later)) == (2, 2)


def test_a_rebuild_replaces_a_snapshot_of_the_same_revision(log: FakeLog, tmp_path: Path) -> None:
    made: list[BruteForceIndex] = []

    def new_index() -> BruteForceIndex:
        made.append(BruteForceIndex(DIM))
        return made[-1]

    projection = project(log, tmp_path, new_index)
    fill(log, 3)
    projection.start()
    made[-1].drop(np.array([2]))
    projection.snapshot()
    projection.rebuild()
    projection.snapshot()
    (folder,) = tmp_path.iterdir()
    made[-1].load(folder / INDEX_FILE)
    assert made[-1].ids().tolist() == [1, 2, 3]


def test_a_full_disk_costs_only_the_snapshot(
    log: FakeLog, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class FullDisk(BruteForceIndex):
        def save(self, path: Path) -> None:
            raise OSError("no space left on device")

    projection = project(log, tmp_path, lambda: FullDisk(DIM), snapshot_every=2)
    projection.start()
    fill(log, 3)
    projection.poll()
    assert projection.revision == 3
    assert caplog.text.count("no space left") == 1
    projection.poll()
    assert caplog.text.count("no space left") == 1  # not at every step of the tail
    with pytest.raises(OSError, match="no space"):
        projection.snapshot()
    projection.close()


def test_an_index_that_is_known_to_be_wrong_is_not_saved(log: FakeLog, tmp_path: Path) -> None:
    made: list[BruteForceIndex] = []

    def new_index() -> BruteForceIndex:
        made.append(BruteForceIndex(DIM))
        return made[-1]

    fill(log, 3)
    projection = project(log, tmp_path, new_index, snapshot_every=1)
    projection.start()
    made[-1].drop(np.array([2]))
    assert projection.verify().missing == (2,)
    projection.poll()
    with pytest.raises(IndexerError, match="rebuild it first"):
        projection.snapshot()
    projection.close()
    assert not list(tmp_path.iterdir())
    projection.rebuild()
    projection.close()
    assert len(list(tmp_path.iterdir())) == 1


def test_snapshot_without_a_folder(log: FakeLog) -> None:
    with pytest.raises(IndexerError, match="expected a snapshot folder"):
        project(log).snapshot()
