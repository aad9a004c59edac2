"""Which engine serves a bundle on this machine.

Runtimes are imported only when they are chosen: a machine without torch serves with OpenVINO, and
one without OpenVINO serves with torch.
"""

import ctypes
import sys
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Literal, get_args

from models.bundle import Bundle
from models.engines.base import Engine
from models.errors import EngineUnavailable
from models.manifest import Precision

DeviceChoice = Literal["auto", "cpu", "cuda", "torch-cpu"]
PrecisionChoice = Literal["auto", "fp32", "bf16", "int8"]

SMALL_LOSS = 0.005
"""Largest measured loss of any metric (0.5 points) at which a precision is chosen unasked."""

_FASTEST_FIRST = ("int8", "bf16", "fp32")


def create_engine(
    bundle: Bundle,
    device: DeviceChoice = "auto",
    precision: PrecisionChoice = "auto",
    threads: int = 0,
) -> Engine:
    """The engine for `bundle`.

    Args:
        bundle: a verified bundle.
        device: `cpu` is OpenVINO, `cuda` and `torch-cpu` are torch; `auto` takes CUDA if torch
            and a CUDA device are there, else OpenVINO.
        precision: `auto` takes the fastest whose measured accuracy loss is small.
        threads: inference threads on the CPU, 0 for the runtime's own choice.

    Raises:
        EngineUnavailable: what was asked for is not on this machine or not in this bundle.
    """
    _check(device, get_args(DeviceChoice), "device")
    _check(precision, get_args(PrecisionChoice), "precision")
    if threads < 0:
        raise ValueError(f"threads: expected 0 or more, got {threads}")
    if device == "auto":
        device = "cuda" if _cuda_ready() else "cpu"
    if device == "cpu":
        return _openvino(bundle, precision, threads)
    return _torch(bundle, "cuda" if device == "cuda" else "cpu", precision, threads)


def choose_precision(
    offers: Mapping[str, Precision], wanted: PrecisionChoice, able: Collection[str]
) -> str:
    """The precision to serve in.

    Args:
        offers: the precisions of the manifest.
        wanted: what the settings ask for.
        able: what the device computes natively.

    Returns:
        `wanted` if it is named; for `auto` the first of int8, bf16, fp32 that the device has and
        whose measured loss is at most `SMALL_LOSS` in every metric; fp32 if there is none.
    """
    if wanted != "auto":
        if wanted not in able:
            raise EngineUnavailable(
                f"precision {wanted}: this device has {', '.join(sorted(able))}"
            )
        return wanted
    for name in _FASTEST_FIRST:
        offer = offers.get(name)
        if name in able and offer is not None and _is_small(offer.loss):
            return name
    return "fp32"


def _is_small(loss: Mapping[str, float] | None) -> bool:
    return bool(loss) and all(value <= SMALL_LOSS for value in (loss or {}).values())


def _openvino(bundle: Bundle, wanted: PrecisionChoice, threads: int) -> Engine:
    if find_spec("openvino") is None:
        raise EngineUnavailable("device cpu: OpenVINO is not installed (extra [cpu])")
    from models.engines.openvino_engine import OpenVinoEngine, cpu_precisions

    precision = choose_precision(bundle.manifest.precisions, wanted, cpu_precisions())
    return OpenVinoEngine(bundle, precision, threads)


def _torch(bundle: Bundle, device: str, wanted: PrecisionChoice, threads: int) -> Engine:
    if find_spec("torch") is None:
        raise EngineUnavailable(f"device {device} through torch: torch is not installed")
    from models.engines.torch_engine import TorchEngine

    able = ("fp32", "bf16") if device == "cuda" else ("fp32",)
    precision = choose_precision(bundle.manifest.precisions, wanted, able)
    return TorchEngine(bundle, device, precision, threads)


def _cuda_ready() -> bool:
    """True if torch is installed, a driver is there and torch can use it.

    The driver is looked for first: importing torch takes seconds and starts a second thread pool,
    which a CPU service should not pay for.
    """
    if find_spec("torch") is None or not _driver_present():
        return False
    from models.engines.torch_engine import cuda_available

    return cuda_available()


def _driver_present() -> bool:
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _check(value: str, allowed: tuple[str, ...], what: str) -> None:
    if value not in allowed:
        raise ValueError(f"{what}: expected one of {', '.join(allowed)}, got {value!r}")
