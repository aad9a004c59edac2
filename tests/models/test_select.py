"""Which engine and which precision serve a bundle; serving on a machine without torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.bundle import Bundle
from models.engines import create_engine, select
from models.engines.select import choose_precision
from models.errors import EngineUnavailable
from models.manifest import Precision

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is there")
def test_absent_cuda_is_an_error(tiny: dict[str, Bundle]) -> None:
    with pytest.raises(EngineUnavailable, match="no CUDA device"):
        create_engine(tiny["embedder"], "cuda")
    assert create_engine(tiny["embedder"]).name.startswith("openvino")


@needs_cuda
def test_auto_takes_cuda(tiny: dict[str, Bundle]) -> None:
    assert create_engine(tiny["embedder"]).device == "cuda"


def test_runtime_that_is_not_installed(
    tiny: dict[str, Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "find_spec", lambda name: None)
    for device, match in (("cpu", "OpenVINO"), ("cuda", "torch"), ("torch-cpu", "torch")):
        with pytest.raises(EngineUnavailable, match=f"{match} is not installed"):
            create_engine(tiny["embedder"], device)  # type: ignore[arg-type]


def test_nonsense_is_refused(tiny: dict[str, Bundle]) -> None:
    bundle = tiny["embedder"]
    with pytest.raises(ValueError, match=r"device: expected one of auto, cpu.*'gpu'"):
        create_engine(bundle, "gpu")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"precision: expected one of .*'fp8'"):
        create_engine(bundle, "cpu", "fp8")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threads"):
        create_engine(bundle, "cpu", "fp32", -1)
    with pytest.raises(EngineUnavailable, match="precision bf16"):
        create_engine(bundle, "torch-cpu", "bf16")
    with pytest.raises(EngineUnavailable, match="no int8 graph"):
        create_engine(bundle, "cpu", "int8")


def offers(**losses: dict[str, float] | None) -> dict[str, Precision]:
    return {"fp32": Precision("m.xml", {})} | {
        name: Precision("m.xml", loss) for name, loss in losses.items()
    }


@pytest.mark.parametrize(
    ("offered", "able", "expected"),
    [
        (offers(), {"fp32", "bf16", "int8"}, "fp32"),
        (offers(bf16=None), {"fp32", "bf16"}, "fp32"),  # never measured
        (offers(bf16={}), {"fp32", "bf16"}, "fp32"),  # nothing measured
        (offers(bf16={"ap50": 0.001}), {"fp32", "bf16"}, "bf16"),
        (offers(bf16={"ap50": 0.001}), {"fp32"}, "fp32"),  # the processor cannot
        (offers(bf16={"ap50": 0.001, "ap": 0.02}), {"fp32", "bf16"}, "fp32"),  # one is large
        (offers(bf16={"ap": -0.01}), {"fp32", "bf16"}, "bf16"),  # a gain is no loss
        (offers(bf16={"a": 0.0}, int8={"a": 0.004}), {"fp32", "bf16", "int8"}, "int8"),
        (offers(bf16={"a": 0.0}, int8={"a": 0.006}), {"fp32", "bf16", "int8"}, "bf16"),
    ],
)
def test_precision_is_the_fastest_of_small_loss(
    offered: dict[str, Precision], able: set[str], expected: str
) -> None:
    assert choose_precision(offered, "auto", able) == expected


def test_named_precision_needs_only_the_processor() -> None:
    assert choose_precision(offers(bf16=None), "bf16", {"fp32", "bf16"}) == "bf16"
    with pytest.raises(EngineUnavailable, match="precision bf16: this device has fp32"):
        choose_precision(offers(), "bf16", {"fp32"})


SERVE = """
import sys
for name in ("torch", "torchvision", "lightning"):
    sys.modules[name] = None  # as if it were not installed
from pathlib import Path
import numpy as np
from models.bundle import load_bundle
from models.engines import create_engine
from models.predictors import RetinaNetDetector, VectorEmbedder
detector, embedder = (load_bundle(Path(p)) for p in sys.argv[1:])
image = np.random.default_rng(0).integers(0, 256, (48, 100, 3), np.uint8)
found = RetinaNetDetector(detector, create_engine(detector).run).detect([image], min_score=1e-3)
vectors = VectorEmbedder(embedder, create_engine(embedder).run).embed([image, image[:20]])
assert not [m for m in sys.modules if m.startswith("torch.")], "torch was imported"
print(len(found), vectors.shape)
"""


def test_serving_needs_no_torch(tiny: dict[str, Bundle]) -> None:
    paths = [str(tiny[task].path) for task in ("detector", "embedder")]
    result = subprocess.run(
        [sys.executable, "-c", SERVE, *paths],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["1", "(2,", "16)"]
