"""Everything that this package raises on purpose.

ModelsError
|-- BundleError         a bundle folder is not what it should be
|-- EngineUnavailable   the wanted device or precision is not there
|-- Overloaded          the queue of the device is full: come back in `retry_after` seconds
|-- BatchFailed         the network failed on this batch; other callers are not affected
|-- Cancelled           the caller gave up before its turn
`-- BatcherClosed       the service is shutting down
"""


class ModelsError(Exception):
    """Base of all errors of this package."""


class BundleError(ModelsError):
    """A bundle folder is missing, damaged, foreign or of an unknown version."""


class EngineUnavailable(ModelsError):
    """The wanted device or precision does not exist on this machine or in this bundle."""


class Overloaded(ModelsError):
    """The queue of the device is full.

    Attributes:
        retry_after: estimated seconds until the queue has room.
    """

    def __init__(self, waiting: int, limit: int, retry_after: float) -> None:
        super().__init__(
            f"{waiting} calls wait for the device, the limit is {limit}; "
            f"try again in {retry_after:.1f} s"
        )
        self.waiting = waiting
        self.limit = limit
        self.retry_after = retry_after


class BatchFailed(ModelsError):
    """The network raised, or gave back something else than one row per input row."""


class Cancelled(ModelsError):
    """The caller cancelled before the device reached its batch."""


class BatcherClosed(ModelsError):
    """The batcher was closed before or while the call waited."""
