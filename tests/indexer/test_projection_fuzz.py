"""Random writes, reads, crashes and restarts against a plain dict."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run

from indexer.faiss_index import FaissIndex
from indexer.projection import Projection
from indexer.snapshots import INDEX_FILE
from indexer.vectors import BruteForceIndex, VectorIndex, Vectors
from tests.indexer.fake_log import SPACE, FakeLog, unit_rows

DIM = 8
OTHER = "space-b"
MOST_VIEWS = 60

views = st.integers(1, MOST_VIEWS)
seeds = st.integers(0, 2**31)


class Fuzz(RuleBasedStateMachine):
    """A projection, the log that it follows, and the dict that says what must be in it."""

    new_index: Callable[[], VectorIndex] = staticmethod(lambda: BruteForceIndex(DIM))

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.log = FakeLog(DIM)
        self.truth: dict[int, Vectors] = {}
        self.projection: Projection

    @initialize(overlap=st.integers(0, 4), batch=st.integers(1, 9))
    def begin(self, overlap: int, batch: int) -> None:
        self.log.overlap = overlap
        self.batch = batch + overlap  # else a batch could hold nothing new
        self.start()

    def start(self) -> None:
        self.projection = Projection(
            self.log, SPACE, DIM, self.new_index, self.folder, snapshot_every=7, batch=self.batch
        )
        self.projection.start()

    def write(self, view_id: int, seed: int) -> None:
        self.truth[view_id] = unit_rows(np.random.default_rng(seed), 1, DIM)[0]
        self.log.put(view_id, self.truth[view_id])

    def erase(self, view_id: int) -> None:
        self.truth.pop(view_id, None)
        self.log.drop(view_id)

    @rule(view_id=views, seed=seeds)
    def put(self, view_id: int, seed: int) -> None:
        self.write(view_id, seed)

    @rule(first=views, count=st.integers(1, 40), seed=seeds)
    def put_many(self, first: int, count: int, seed: int) -> None:
        for view_id in range(first, first + count):
            self.write(view_id, seed + view_id)

    @rule(view_id=views)
    def drop(self, view_id: int) -> None:
        self.erase(view_id)

    @rule(first=views, count=st.integers(1, 40))
    def drop_many(self, first: int, count: int) -> None:
        for view_id in range(first, first + count):
            self.erase(view_id)

    @rule(view_id=views, seed=seeds)
    def put_in_other_space(self, view_id: int, seed: int) -> None:
        self.log.put(view_id, unit_rows(np.random.default_rng(seed), 1, DIM)[0], OTHER)

    @rule(view_id=views, seed=seeds, reads=st.integers(0, 4), again=st.booleans())
    def write_soon(self, view_id: int, seed: int, reads: int, again: bool) -> None:
        """Another process writes between two of the next reads of the projection."""
        pause: list[Callable[[], object]] = [lambda: None] * reads
        act = (lambda: self.write(view_id, seed)) if again else (lambda: self.erase(view_id))
        self.log.meanwhile += [*pause, act]

    @rule()
    def catch_up(self) -> None:
        self.projection.catch_up()

    @rule()
    def poll(self) -> None:
        self.projection.poll()

    @rule()
    def rebuild(self) -> None:
        self.projection.rebuild()

    @rule()
    def snapshot(self) -> None:
        self.projection.snapshot()

    @rule(damage=st.sampled_from(["nothing", "bit", "truncated", "gone", "all gone"]))
    def restart(self, damage: str) -> None:
        self.projection.close()
        self.crash(damage)

    @rule(damage=st.sampled_from(["nothing", "bit", "truncated", "gone", "all gone"]))
    def crash(self, damage: str) -> None:
        """Start anew without having closed, perhaps on a damaged newest snapshot."""
        for folder in sorted(self.folder.iterdir())[-1:]:
            path = folder / INDEX_FILE
            content = path.read_bytes() if path.exists() else b"gone before"
            if damage == "bit":
                path.write_bytes(content[:-1] + bytes([content[-1] ^ 16]))
            elif damage == "truncated":
                path.write_bytes(content[: len(content) // 2])
            elif damage == "gone":
                path.unlink(missing_ok=True)
            elif damage == "all gone":
                shutil.rmtree(self.folder)
                self.folder.mkdir()
        self.start()

    @rule()
    def verify(self) -> None:
        assert self.projection.verify(sample=1000).ok
        assert self.projection.check_count().ok

    @invariant()
    def agrees_with_the_dict_after_catching_up(self) -> None:
        if not hasattr(self, "projection") or self.log.meanwhile:
            return
        if self.projection.revision != self.log.head():
            return  # lagging is allowed; teardown looks at the end
        self.compare()

    def compare(self) -> None:
        assert len(self.projection) == len(self.truth)
        assert len(list(self.folder.glob("*"))) <= 2
        if not self.truth:
            return
        ids = np.array(sorted(self.truth), np.int64)
        rows = np.stack([self.truth[view_id] for view_id in ids.tolist()])
        found, scores = self.projection.search(rows, len(ids) + 3)
        assert np.all(found[:, len(ids) :] == -1)
        tolerance = 0.05 if "cells" in self.projection.describe() else 1e-5
        for row in range(len(ids)):
            assert sorted(found[row, : len(ids)].tolist()) == ids.tolist()
            true = rows[np.searchsorted(ids, found[row, : len(ids)])] @ rows[row]
            np.testing.assert_allclose(scores[row, : len(ids)], true, atol=tolerance)

    def teardown(self) -> None:
        if hasattr(self, "projection"):
            while self.log.meanwhile:
                self.projection.catch_up()
            self.projection.catch_up()
            assert self.projection.revision == self.log.head()
            self.compare()
        shutil.rmtree(self.folder, ignore_errors=True)


class FaissFuzz(Fuzz):
    """The same with an index that soon trains cells."""

    new_index = staticmethod(lambda: FaissIndex(DIM, exact_up_to=40, probes=1000))


@pytest.mark.parametrize("machine", [Fuzz, FaissFuzz])
def test_fuzz(machine: type[Fuzz]) -> None:
    run(machine, settings=limits(examples=25, steps=25))


@pytest.mark.slow
@pytest.mark.parametrize("machine", [Fuzz, FaissFuzz])
def test_fuzz_longer(machine: type[Fuzz]) -> None:
    run(machine, settings=limits(examples=80, steps=40))


def limits(examples: int, steps: int) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
