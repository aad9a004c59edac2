"""One thread owns the device, for all networks.

There is no timer: while the device works the queue fills, and the next batch takes all calls of
the same network that fit. An idle device answers at once, a busy one works in larger batches.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from models.engines.base import Outputs
from models.errors import BatcherClosed, BatchFailed, Cancelled, ModelsError, Overloaded

Run = Callable[[NDArray[np.uint8]], Outputs]
"""uint8 `[n,...]` -> arrays `[n,...]`, such as `Engine.run`."""


class Batcher:
    """Gathers the calls of many threads into batches and runs them on one thread.

    Calls of one network are merged in the order they came; the oldest call is always in the next
    batch, so none starves. A failing batch fails only the calls that are in it.

    Args:
        runs: the networks by name; nobody else may call them meanwhile.
        max_batch: most rows in one run; a longer call is run in pieces.
        max_queue: most calls that may wait; one more raises `Overloaded`.
    """

    def __init__(
        self, runs: Mapping[str, Run], *, max_batch: int = 16, max_queue: int = 64
    ) -> None:
        if max_batch < 1 or max_queue < 1:
            raise ValueError(
                f"max_batch, max_queue: expected 1 or more, got {max_batch}, {max_queue}"
            )
        self._runs = dict(runs)
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._waiting: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._seconds_per_call = 0.0
        self._thread = threading.Thread(target=self._loop, name="batcher", daemon=True)
        self._thread.start()

    @property
    def queue_depth(self) -> int:
        """Calls that wait now, without those in the running batch."""
        return len(self._waiting)

    def call(
        self, name: str, batch: NDArray[np.uint8], *, cancel: threading.Event | None = None
    ) -> Outputs:
        """Run `batch` through the network `name` and wait for the answer.

        Args:
            name: one of the keys of `runs`.
            batch: uint8 `[n,...]`, n >= 1; it must not change until the answer is there.
            cancel: when it is set before the device reaches the call, the call is skipped.

        Returns:
            The network's outputs for these rows, `[n,...]` each.

        Raises:
            Overloaded: the queue is full.
            BatchFailed: the network failed on the batch that held this call.
            Cancelled: `cancel` was set in time.
            BatcherClosed: `close` came first.
        """
        if name not in self._runs:
            raise ValueError(f"network: expected one of {sorted(self._runs)}, got {name!r}")
        if batch.ndim < 1 or len(batch) < 1:
            raise ValueError(f"batch: expected [n,...] with n >= 1, got {batch.shape}")
        call = _Call(name, batch, cancel)
        with self._changed:
            if self._closed:
                raise BatcherClosed("the batcher is closed")
            waiting = len(self._waiting)
            if waiting >= self._max_queue:
                raise Overloaded(waiting, self._max_queue, waiting * self._seconds_per_call)
            self._waiting.append(call)
            self._changed.notify()
        return call.answer()

    def close(self) -> None:
        """Fail the calls that wait, let the running batch finish, end the thread."""
        with self._changed:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
            self._changed.notify()
        for call in waiting:
            call.fail(BatcherClosed("the batcher was closed while the call waited"))
        self._thread.join()

    def _loop(self) -> None:
        while calls := self._take():
            began = time.perf_counter()
            self._work(calls)
            share = (time.perf_counter() - began) / len(calls)
            # A moving average: the estimate for Retry-After follows the load within some batches.
            self._seconds_per_call += 0.2 * (share - self._seconds_per_call)

    def _take(self) -> list["_Call"]:
        """The calls of the next batch; blocks until there are some; empty once closed."""
        with self._changed:
            while not self._closed:
                batch, rest = self._split()
                self._waiting = rest
                if batch:
                    return batch
                self._changed.wait()
            return []

    def _split(self) -> tuple[list["_Call"], deque["_Call"]]:
        """Waiting calls -> those of the next batch, and the others in their order."""
        batch: list[_Call] = []
        rest: deque[_Call] = deque()
        rows = 0
        for call in self._waiting:
            if call.cancelled:
                call.fail(Cancelled("the call was cancelled before its turn"))
            elif not batch or (
                call.kind == batch[0].kind and rows + len(call.batch) <= self._max_batch
            ):
                batch.append(call)
                rows += len(call.batch)
            else:
                rest.append(call)
        return batch, rest

    def _work(self, calls: list["_Call"]) -> None:
        name = calls[0].name
        try:
            merged = np.concatenate([c.batch for c in calls]) if len(calls) > 1 else calls[0].batch
            outputs = self._run(name, merged)
        except BaseException as error:  # whatever it is, no caller may be left waiting
            for call in calls:
                failure = BatchFailed(f"{name}: a batch of {len(calls)} calls failed: {error}")
                failure.__cause__ = error
                call.fail(failure)
            return
        start = 0
        for call in calls:
            stop = start + len(call.batch)
            call.finish(tuple(output[start:stop] for output in outputs))
            start = stop

    def _run(self, name: str, batch: NDArray[np.uint8]) -> Outputs:
        """All rows through the network, at most `max_batch` at a time."""
        pieces = []
        for start in range(0, len(batch), self._max_batch):
            piece = batch[start : start + self._max_batch]
            outputs = self._runs[name](piece)
            lengths = [len(output) for output in outputs]
            if any(length != len(piece) for length in lengths):
                raise BatchFailed(f"expected {len(piece)} rows from every output, got {lengths}")
            pieces.append(outputs)
        if len(pieces) == 1:
            return pieces[0]
        return tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))


class _Call:
    """One caller's rows, and the place where its answer appears."""

    def __init__(self, name: str, batch: NDArray[np.uint8], cancel: threading.Event | None) -> None:
        self.name = name
        self.batch = batch
        # Only rows of equal shape can be stacked; others would spoil a batch that is not theirs.
        self.kind = (name, batch.shape[1:], batch.dtype)
        self._cancel = cancel
        self._done = threading.Event()
        self._outputs: Outputs = ()
        self._error: ModelsError | None = None

    @property
    def cancelled(self) -> bool:
        return self._cancel is not None and self._cancel.is_set()

    def finish(self, outputs: Outputs) -> None:
        self._outputs = outputs
        self._done.set()

    def fail(self, error: ModelsError) -> None:
        self._error = error
        self._done.set()

    def answer(self) -> Outputs:
        """Wait for the outputs, or raise what went wrong."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._outputs
