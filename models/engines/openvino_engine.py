"""OpenVINO on the CPU: serving without torch."""

from pathlib import Path
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from models.bundle import Bundle
from models.engines.base import Outputs, check_batch
from models.errors import BundleError, EngineUnavailable

# The plugin would choose bf16 by itself where the processor has it, so the hint is always given.
# Quantised graphs say themselves which layers are int8; the hint rules the others.
_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


def cpu_precisions() -> frozenset[str]:
    """The precisions that this processor computes natively."""
    abilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    names = {"FP32": "fp32", "BF16": "bf16", "INT8": "int8"}
    return frozenset(names[a] for a in abilities if a in names)


class OpenVinoEngine:
    """A bundle's OpenVINO graph on the CPU.

    Args:
        bundle: a bundle that offers a graph for `precision`.
        precision: `fp32`, `bf16` (the fp32 graph computed in bfloat16) or `int8`.
        threads: inference threads, 0 for one per physical core.
    """

    device = "cpu"

    def __init__(self, bundle: Bundle, precision: str, threads: int = 0) -> None:
        path = bundle.ir(precision) or (bundle.ir("fp32") if precision == "bf16" else None)
        if path is None:
            raise EngineUnavailable(f"{bundle.name}: the bundle holds no {precision} graph")
        self.name = f"openvino-{precision}"
        self._size = (bundle.manifest.preprocess.height, bundle.manifest.preprocess.width)
        self._request: Any = self._compile(path, precision, threads).create_infer_request()

    def run(self, batch: NDArray[np.uint8]) -> Outputs:
        """uint8 `[B,H,W,3]`, B >= 1 -> float32 arrays `[B,...]`."""
        check_batch(batch, *self._size)
        if self._request is None:
            raise EngineUnavailable(f"{self.name}: the engine is closed")
        pixels = np.ascontiguousarray(batch)
        results = self._request.infer([pixels], share_inputs=True, share_outputs=True)
        # Shared outputs are overwritten by the next call: the caller gets its own copy.
        return tuple(np.array(results[i], np.float32) for i in range(len(results)))

    def close(self) -> None:
        """Free the compiled graph."""
        self._request = None

    def _compile(self, path: Path, precision: str, threads: int) -> Any:
        core = openvino.Core()
        # A mapped file that somebody overwrites in place would end the whole process.
        core.set_property({"ENABLE_MMAP": False})
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            model = core.read_model(path)
            shape = model.input(0).partial_shape
            expected = openvino.PartialShape([-1, *self._size, 3])
            if len(model.inputs) != 1 or shape != expected:
                raise BundleError(f"{path}: expected one input {expected}, got {shape}")
            return core.compile_model(model, "CPU", options)
        except RuntimeError as error:
            raise BundleError(f"{path}: OpenVINO cannot load the graph: {error}") from error
