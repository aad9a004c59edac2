"""torch on CUDA (half precision) or on the CPU (fp32, for comparison and for training machines)."""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray

from models.bundle import Bundle
from models.engines.base import Outputs, check_batch
from models.errors import EngineUnavailable
from models.nets.build import load_network


def cuda_available() -> bool:
    """True if torch can compute on a CUDA device here."""
    return torch.cuda.is_available()


class TorchEngine:
    """A bundle's network in torch.

    Args:
        bundle: any bundle of a known architecture.
        device: `cuda` or `cpu`.
        precision: `fp32`; on CUDA also `bf16`, which is float16 on GPUs without bfloat16.
        threads: CPU threads, 0 to leave torch's own number. It rules the whole process.
    """

    def __init__(self, bundle: Bundle, device: str, precision: str, threads: int = 0) -> None:
        if device == "cuda" and not cuda_available():
            raise EngineUnavailable("device cuda: torch finds no CUDA device on this machine")
        allowed = ("fp32", "bf16") if device == "cuda" else ("fp32",)
        if precision not in allowed:
            raise EngineUnavailable(
                f"torch on {device}: expected {' or '.join(allowed)}, got {precision}"
            )
        if threads and device == "cpu":
            torch.set_num_threads(threads)
        self.device = device
        self.name = f"torch-{device}-{precision}"
        self._half = _half_type() if precision == "bf16" else None
        self._size = (bundle.manifest.preprocess.height, bundle.manifest.preprocess.width)
        network = load_network(bundle.manifest, bundle.weights).to(device)
        for parameter in network.parameters():
            if parameter.ndim == 4:  # kernels in the layout of the pixels
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        self._network: torch.nn.Module | None = network

    def run(self, batch: NDArray[np.uint8]) -> Outputs:
        """uint8 `[B,H,W,3]`, B >= 1 -> float32 arrays `[B,...]`."""
        check_batch(batch, *self._size)
        if self._network is None:
            raise EngineUnavailable(f"{self.name}: the engine is closed")
        # torch refuses to share a read-only array silently: it warns, so such a batch is copied.
        pixels = np.require(batch, requirements=["C", "W"])
        with torch.inference_mode(), self._autocast():
            result = self._network(torch.from_numpy(pixels).to(self.device, non_blocking=True))
        outputs = result if isinstance(result, tuple) else (result,)
        return tuple(o.float().cpu().numpy() for o in outputs)

    def close(self) -> None:
        """Drop the network and hand the cached device memory back."""
        self._network = None
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def _autocast(self) -> AbstractContextManager[object]:
        if self._half is None:
            return nullcontext()
        return torch.autocast(self.device, self._half)


def _half_type() -> torch.dtype:
    """bfloat16 where the GPU has it (emulation is slower than fp32), else float16."""
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16
