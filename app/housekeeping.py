"""What nobody waits for: removing orphaned crops and old answers, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from indexer.catalog import Catalog
from indexer.errors import IndexerError

ORPHAN_AGE_S = 3600.0
"""Age from which a crop without a view is garbage; a younger one may be about to get its view."""

ROUND_S = 3600.0
"""Seconds between two rounds."""

log = logging.getLogger(__name__)


class Housekeeping:
    """Runs one round at the start and then one every `ROUND_S` seconds.

    Args:
        keep_answers_s: how long answers with an idempotency key are kept.
    """

    def __init__(self, catalog: Catalog, keep_answers_s: float) -> None:
        self._tasks: tuple[Callable[[], int], ...] = (
            lambda: catalog.sweep_crops(ORPHAN_AGE_S),
            lambda: catalog.forget_answers(keep_answers_s),
        )
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first round runs at once."""
        self._thread = threading.Thread(target=self._loop, name="housekeeping", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End after the round that runs now."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def round(self) -> None:
        """Do everything once; a failure is logged and left to the next round."""
        for task in self._tasks:
            if self._stop.is_set():
                return
            try:
                task()
            except (IndexerError, OSError):
                log.warning("housekeeping failed, the next round tries again", exc_info=True)

    def _loop(self) -> None:
        while not self._stop.is_set():
            self.round()
            self._stop.wait(ROUND_S)
