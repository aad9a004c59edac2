"""A thread that calls one function again and again, and less often while it fails."""

import logging
import threading
from collections.abc import Callable

from indexer.errors import DatabaseUnavailable

LONGEST_WAIT_S = 15.0

log = logging.getLogger(__name__)


class Tail:
    """Calls `poll` every interval_s seconds; doubles the wait after each failure in a row.

    No exception ends the thread: a server whose index has silently stopped following the
    catalog would be worse than one that logs the same error for an hour.

    Attributes:
        error: The failure of the last call, None if it succeeded.
    """

    def __init__(
        self,
        poll: Callable[[], object],
        interval_s: float,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        self._poll = poll
        self._interval_s = interval_s
        self._longest_wait_s = max(interval_s, longest_wait_s)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="index-tail", daemon=True)
        self.error: Exception | None = None

    def start(self) -> None:
        """Start the thread; the first call comes after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread after the call it may be in."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s = self._interval_s
        while not self._stopping.wait(wait_s):
            try:
                self._poll()
            except Exception as error:
                wait_s = min(2 * wait_s, self._longest_wait_s)
                self._report(error, wait_s)
            else:
                if self.error is not None:
                    log.info("the index follows the catalog again")
                self.error = None
                wait_s = self._interval_s

    def _report(self, error: Exception, wait_s: float) -> None:
        """Log a failure; an absent database needs no stack trace."""
        self.error = error
        unexpected = not isinstance(error, DatabaseUnavailable)
        log.warning(
            "cannot follow the catalog, next try in %.1f s: %s", wait_s, error, exc_info=unexpected
        )
