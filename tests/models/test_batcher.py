"""The batcher: merging, order, isolation of failures, back-pressure, closing."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.batcher import Batcher
from models.errors import BatcherClosed, BatchFailed, Cancelled, Overloaded

Array = NDArray[np.uint8]


def rows(*values: int) -> Array:
    return np.array(values, np.uint8).reshape(-1, 1)


class Network:
    """Doubles its rows; records batches and threads; can be held at a gate."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, batch: Array) -> tuple[NDArray[np.float32], ...]:
        self.threads.add(threading.get_ident())
        self.batches.append(batch[:, 0].tolist())
        self.entered.set()
        assert self.gate.wait(10)
        if (batch == 13).any():
            raise RuntimeError("unlucky")
        doubled = batch.astype(np.float32) * 2
        return doubled, doubled[:, 0]


class Crowd:
    """Calls from many threads, queued in a known order behind a held batch."""

    def __init__(self, network: Network, batcher: Batcher) -> None:
        self.network, self.batcher = network, batcher
        self.pool = ThreadPoolExecutor(32)

    def hold(self, batch: Array, name: str = "double") -> Future[tuple[NDArray[np.float32], ...]]:
        """Send one call and wait until it is on the device, held at the gate."""
        self.network.gate.clear()
        self.network.entered.clear()
        future = self.pool.submit(self.batcher.call, name, batch)
        assert self.network.entered.wait(10)
        return future

    def queue(
        self, batch: Array, name: str = "double", cancel: threading.Event | None = None
    ) -> Future[tuple[NDArray[np.float32], ...]]:
        """Send one call and wait until it stands in the queue."""
        before = self.batcher.queue_depth
        future = self.pool.submit(self.batcher.call, name, batch, cancel=cancel)
        pause = threading.Event()
        for _ in range(1000):
            if self.batcher.queue_depth > before or future.done():
                return future
            pause.wait(0.005)
        raise AssertionError("the call never reached the queue")


@pytest.fixture
def network():
    return Network()


@pytest.fixture
def crowd(network):
    batcher = Batcher({"double": network, "other": network}, max_batch=4, max_queue=5)
    with ThreadPoolExecutor(32) as pool:
        made = Crowd(network, batcher)
        made.pool = pool
        yield made
        network.gate.set()
        batcher.close()


def test_single_call(crowd):
    outputs = crowd.batcher.call("double", rows(1, 2))
    np.testing.assert_array_equal(outputs[0], [[2], [4]])
    np.testing.assert_array_equal(outputs[1], [2, 4])
    assert outputs[0].dtype == np.float32


def test_waiting_calls_are_merged_in_order_and_answers_go_to_their_callers(crowd, network):
    first = crowd.hold(rows(1))
    others = [crowd.queue(rows(2, 3)), crowd.queue(rows(4)), crowd.queue(rows(5))]
    assert crowd.batcher.queue_depth == 3
    network.gate.set()
    assert [f.result(10)[1].tolist() for f in [first, *others]] == [[2], [4, 6], [8], [10]]
    assert network.batches == [[1], [2, 3, 4, 5]]
    assert crowd.batcher.queue_depth == 0


def test_networks_and_row_shapes_are_not_mixed_and_the_oldest_goes_first(crowd, network):
    first = crowd.hold(rows(1))
    wide = np.array([[7, 7]], np.uint8)
    futures = [
        crowd.queue(rows(2), "other"),
        crowd.queue(rows(3)),
        crowd.queue(wide),
        crowd.queue(rows(4), "other"),
    ]
    network.gate.set()
    for future in [first, *futures]:
        future.result(10)
    assert network.batches == [[1], [2, 4], [3], [7]]


def test_batch_limit_and_long_calls_in_pieces(crowd, network):
    first = crowd.hold(rows(1))
    futures = [crowd.queue(rows(2, 3, 4)), crowd.queue(rows(5, 6)), crowd.queue(rows(7))]
    network.gate.set()
    assert [f.result(10)[1].tolist() for f in futures] == [[4, 6, 8], [10, 12], [14]]
    assert network.batches == [[1], [2, 3, 4, 7], [5, 6]]
    assert first.result(10)
    long = crowd.batcher.call("double", rows(*range(20, 30)))
    np.testing.assert_array_equal(long[1], np.arange(20, 30) * 2)
    assert [len(b) for b in network.batches[3:]] == [4, 4, 2]


def test_failing_batch_fails_only_its_own_callers(crowd, network):
    first = crowd.hold(rows(1))
    bad = [crowd.queue(rows(13)), crowd.queue(rows(2))]
    good = crowd.queue(rows(3), "other")
    network.gate.set()
    errors = [f.exception(10) for f in bad]
    assert all(isinstance(e, BatchFailed) for e in errors)
    assert errors[0] is not errors[1]
    assert isinstance(errors[0].__cause__, RuntimeError)
    assert "unlucky" in str(errors[0])
    assert first.result(10)[1].tolist() == [2]
    assert good.result(10)[1].tolist() == [6]
    assert crowd.batcher.call("double", rows(4))[1].tolist() == [8]


@pytest.mark.parametrize("wrong", [SystemExit(1), MemoryError("no room")])
def test_any_exception_of_the_network_reaches_the_caller(wrong):
    def fail(batch):
        raise wrong

    batcher = Batcher({"n": fail})
    for _ in range(2):
        with pytest.raises(BatchFailed):
            batcher.call("n", rows(1))
    batcher.close()


def test_batch_must_keep_its_length():
    batcher = Batcher({"n": lambda batch: (batch.astype(np.float32), batch[:1] * 1.0)})
    assert len(batcher.call("n", rows(1))[1]) == 1
    with pytest.raises(BatchFailed, match=r"expected 3 rows .* got \[3, 1\]"):
        batcher.call("n", rows(1, 2, 3))
    batcher.close()


def test_cancelled_callers_are_skipped(crowd, network):
    first = crowd.hold(rows(1))
    cancel = threading.Event()
    gone = crowd.queue(rows(13), cancel=cancel)
    stays = crowd.queue(rows(2), cancel=threading.Event())
    cancel.set()
    network.gate.set()
    assert isinstance(gone.exception(10), Cancelled)
    assert stays.result(10)[1].tolist() == [4]
    assert first.result(10)
    assert network.batches == [[1], [2]]


def test_full_queue_is_refused_at_once_with_a_hint_when_to_return(crowd, network):
    crowd.batcher.call("double", rows(9))
    first = crowd.hold(rows(1))
    futures = [crowd.queue(rows(v)) for v in range(2, 7)]
    with pytest.raises(Overloaded) as caught:
        crowd.batcher.call("double", rows(7))
    assert (caught.value.waiting, caught.value.limit) == (5, 5)
    assert caught.value.retry_after > 0
    network.gate.set()
    for future in [first, *futures]:
        future.result(10)
    assert crowd.batcher.call("double", rows(7))[1].tolist() == [14]


def test_close_while_calls_wait(crowd, network):
    first = crowd.hold(rows(1))
    waiting = [crowd.queue(rows(2)), crowd.queue(rows(3), "other")]
    closing = crowd.pool.submit(crowd.batcher.close)
    assert all(isinstance(f.exception(10), BatcherClosed) for f in waiting)
    assert not closing.done()
    network.gate.set()
    closing.result(10)
    assert first.result(10)[1].tolist() == [2]
    with pytest.raises(BatcherClosed):
        crowd.batcher.call("double", rows(4))
    crowd.batcher.close()
    assert network.batches == [[1]]


def test_wrong_calls_are_refused(crowd, network):
    with pytest.raises(ValueError, match="'double', 'other'"):
        crowd.batcher.call("third", rows(1))
    with pytest.raises(ValueError, match="n >= 1"):
        crowd.batcher.call("double", rows())
    with pytest.raises(ValueError, match="expected 1 or more"):
        Batcher({}, max_batch=0)
    assert network.batches == []


def test_one_thread_runs_all_networks(crowd, network):
    calls = [
        crowd.pool.submit(crowd.batcher.call, name, rows(v))
        for v in range(4)
        for name in ("double", "other")
    ]
    for call in calls:
        call.exception(10)
    assert len(network.threads) == 1
    assert threading.get_ident() not in network.threads


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_random_interleavings_keep_rows_with_their_callers(data):
    """Whatever the timing: each caller gets its own rows or its own error, exactly once."""
    network = Network()
    batcher = Batcher(
        {"a": network, "b": network}, max_batch=data.draw(st.integers(1, 5)), max_queue=64
    )
    plans = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.lists(st.integers(0, 20), min_size=1, max_size=7),
                st.booleans(),
            ),
            min_size=1,
            max_size=12,
        )
    )

    def cancelled(value: bool) -> threading.Event:
        event = threading.Event()
        if value:
            event.set()
        return event

    with ThreadPoolExecutor(8) as pool:
        futures = [
            pool.submit(partial(batcher.call, name, rows(*values), cancel=cancelled(skip)))
            for name, values, skip in plans
        ]
    batcher.close()
    for future, (_, values, skip) in zip(futures, plans, strict=True):
        error = future.exception()
        if skip:
            assert isinstance(error, Cancelled)
        elif 13 in values:
            assert isinstance(error, BatchFailed)
        elif error is None:
            assert future.result()[1].tolist() == [2 * v for v in values]
        else:
            assert isinstance(error, BatchFailed)
            assert any(13 in other for _, other, _ in plans)
    kept = sum(len(values) for _, values, skip in plans if not skip)
    assert sum(map(len, network.batches)) <= kept
    if not any(13 in values for _, values, _ in plans):
        assert sum(map(len, network.batches)) == kept
