"""Milliseconds per stage of a recognition."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

STAGES = ("decode", "detect", "embed", "search", "decide", "total")


class Stopwatch:
    """Milliseconds per stage; a stage that was not run took none."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._stages = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time of the block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] += (time.perf_counter() - began) * 1e3

    def read(self) -> dict[str, float]:
        """All stages, and the total since construction."""
        total = (time.perf_counter() - self._began) * 1e3
        return {name: round(ms, 3) for name, ms in {**self._stages, "total": total}.items()}
