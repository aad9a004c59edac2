"""What an engine is: uint8 pixels in, float32 arrays out, on one device."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Outputs = tuple[NDArray[np.float32], ...]


class Engine(Protocol):
    """A network on a device. One thread at a time may call it (`models.batcher` sees to that)."""

    @property
    def name(self) -> str:
        """Runtime and precision, such as `openvino-bf16`."""
        ...

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""
        ...

    def run(self, batch: NDArray[np.uint8]) -> Outputs:
        """uint8 `[B,H,W,3]`, B >= 1 -> the network's outputs, float32 `[B,...]` each.

        The arrays belong to the caller: a later call does not change them.
        """
        ...

    def close(self) -> None:
        """Give the device's memory back; calling twice is harmless."""
        ...


def check_batch(batch: NDArray[np.uint8], height: int, width: int) -> None:
    """ValueError unless `batch` is uint8 `[B,height,width,3]` with B >= 1."""
    if batch.dtype != np.uint8 or batch.ndim != 4 or batch.shape[1:] != (height, width, 3):
        raise ValueError(
            f"batch: expected uint8 [B,{height},{width},3], got {batch.dtype} {batch.shape}"
        )
    if not len(batch):
        raise ValueError("batch: expected at least one image, got none")
