"""Engines: one contract for all runtimes.

Stated tolerances, as a share of the largest output value: 2e-3 between OpenVINO and torch in fp32
(the graph's weights are stored in half precision), 4e-2 for bf16 (8 bits of mantissa).
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.bundle import WEIGHTS, Bundle, load_bundle, write_bundle
from models.engines import Engine, create_engine, select
from models.engines.openvino_engine import cpu_precisions
from models.errors import BundleError, EngineUnavailable
from tests.models.bundles import PRETEND_FILES, edit_manifest, embedder_manifest
from tests.models.conftest import network_for

FP32_TOLERANCE = 2e-3
BF16_TOLERANCE = 4e-2
WEIGHTS_FOLDER = Path(__file__).parents[2] / "models" / "weights"
SHIPPED = sorted(p.parent for p in WEIGHTS_FOLDER.glob("*/manifest.json"))

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
needs_bf16 = pytest.mark.skipif("bf16" not in cpu_precisions(), reason="no bf16 on this CPU")


def pixels(bundle: Bundle, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Coarse coloured noise, nearer to photos than independent pixels are."""
    size = bundle.manifest.preprocess
    shape = (count, -(-size.height // 8), -(-size.width // 8), 3)
    coarse = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)[:, : size.height, : size.width]


def difference(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float(np.abs(a - b).max() / np.abs(a).max())


ENGINES = [
    pytest.param("cpu", "fp32", FP32_TOLERANCE, id="openvino-fp32"),
    pytest.param("cpu", "bf16", BF16_TOLERANCE, id="openvino-bf16", marks=needs_bf16),
    pytest.param("torch-cpu", "fp32", FP32_TOLERANCE, id="torch-cpu"),
    pytest.param("cuda", "fp32", BF16_TOLERANCE, id="cuda-fp32", marks=needs_cuda),  # TF32
    pytest.param("cuda", "bf16", BF16_TOLERANCE, id="cuda-bf16", marks=needs_cuda),
]


@pytest.mark.parametrize("task", ["detector", "embedder"])
@pytest.mark.parametrize(("device", "precision", "tolerance"), ENGINES)
class TestContract:
    @pytest.fixture
    def engine(
        self,
        tiny: dict[str, Bundle],
        task: str,
        device: select.DeviceChoice,
        precision: select.PrecisionChoice,
    ) -> Iterator[Engine]:
        made = create_engine(tiny[task], device, precision, threads=1)
        yield made
        made.close()

    def test_agrees_with_the_exported_network(
        self, tiny: dict[str, Bundle], engine: Engine, task: str, tolerance: float
    ) -> None:
        bundle = tiny[task]
        batch = pixels(bundle, 3)
        with torch.inference_mode():
            result = network_for(bundle.manifest)(torch.from_numpy(batch))
        expected = result if isinstance(result, tuple) else (result,)
        outputs = engine.run(batch)
        assert [o.shape for o in outputs] == [tuple(e.shape) for e in expected]
        for output, value in zip(outputs, expected, strict=True):
            assert output.dtype == np.float32
            assert difference(value.numpy(), output) < tolerance

    def test_batch_equals_single(
        self, tiny: dict[str, Bundle], engine: Engine, task: str, tolerance: float
    ) -> None:
        batch = pixels(tiny[task], 5)
        together = engine.run(batch)
        for index in range(len(batch)):
            alone = engine.run(batch[index : index + 1])
            for many, one in zip(together, alone, strict=True):
                assert difference(one[0], many[index]) < tolerance / 2

    def test_arrays_belong_to_the_caller(
        self, tiny: dict[str, Bundle], engine: Engine, task: str, tolerance: float
    ) -> None:
        first_batch, second_batch = pixels(tiny[task], 2), pixels(tiny[task], 2, seed=1)
        before = first_batch.copy()
        first_batch.setflags(write=False)
        first = engine.run(first_batch)
        kept = [output.copy() for output in first]
        second = engine.run(second_batch)
        for output, copy, other in zip(first, kept, second, strict=True):
            np.testing.assert_array_equal(output, copy)
            assert not np.array_equal(output, other)
        np.testing.assert_array_equal(first_batch, before)

    def test_refuses_other_arrays(
        self, tiny: dict[str, Bundle], engine: Engine, task: str, tolerance: float
    ) -> None:
        batch = pixels(tiny[task], 2)
        wrong = [batch[:0], batch[0], batch[:, 1:], batch.astype(np.float32), batch[..., :2]]
        for array in wrong:
            with pytest.raises(ValueError, match="expected"):
                engine.run(array)
        # A strided view is fine.
        np.testing.assert_allclose(
            engine.run(batch[::-1])[0][0], engine.run(batch)[0][1], atol=tolerance
        )

    def test_closed_engine_says_so(
        self, tiny: dict[str, Bundle], engine: Engine, task: str, device: str, tolerance: float
    ) -> None:
        assert engine.device == ("cuda" if device == "cuda" else "cpu")
        engine.close()
        engine.close()
        with pytest.raises(EngineUnavailable, match="closed"):
            engine.run(pixels(tiny[task], 1))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.name)
def test_shipped_bundles_agree_between_the_runtimes(path: Path) -> None:
    bundle = load_bundle(path)
    batch = pixels(bundle, 2)
    reference = create_engine(bundle, "torch-cpu", "fp32").run(batch)
    for output, value in zip(
        create_engine(bundle, "cpu", "fp32").run(batch), reference, strict=True
    ):
        assert difference(value, output) < FP32_TOLERANCE


def test_damaged_graph_is_a_bundle_error(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "b", embedder_manifest(), PRETEND_FILES)
    with pytest.raises(BundleError, match="OpenVINO cannot load"):
        create_engine(bundle, "cpu", "fp32")
    with pytest.raises(BundleError, match="expected a safetensors file"):
        create_engine(bundle, "torch-cpu")


def test_engine_survives_its_files_being_overwritten(
    tiny: dict[str, Bundle], tmp_path: Path
) -> None:
    """Replacing a bundle in place must not end a process that serves from it."""
    shutil.copytree(tiny["embedder"].path, tmp_path / "b")
    bundle = load_bundle(tmp_path / "b")
    engine = create_engine(bundle, "cpu", "fp32")
    before = engine.run(pixels(bundle, 2))
    for name in bundle.manifest.files:
        os.truncate(bundle.path / name, 0)
    np.testing.assert_array_equal(engine.run(pixels(bundle, 2)), before)
    assert engine.run(pixels(bundle, 5))[0].shape == (5, 16)


def test_graph_of_another_input_size_is_a_bundle_error(tiny: dict[str, Bundle]) -> None:
    path = tiny["embedder"].path
    original = (path / "manifest.json").read_text()
    try:
        edit_manifest(path, lambda v: v["preprocess"].update(width=64))
        with pytest.raises(BundleError, match=r"expected one input .*64,3\], got .*32,3"):
            create_engine(load_bundle(path), "cpu", "fp32")
    finally:
        (path / "manifest.json").write_text(original)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"kind": "oracle"}, "expected one of .*embedder.*'oracle'"),
        ({}, "got None"),
        ({"kind": "embedder", "colour": 1}, "architecture embedder: .*colour"),
        ({"kind": "embedder", "trunk": "vgg"}, "architecture embedder: trunk"),
        ({"kind": "retinanet"}, "architecture retinanet: 'anchors'"),
        ({"kind": "embedder", "dim": 8}, "weights do not fit"),
        ({"kind": "embedder", "trunk": "resnet34", "dim": 16}, "weights do not fit"),
    ],
)
def test_wrong_architecture(
    tiny: dict[str, Bundle], tmp_path: Path, architecture: dict[str, object], message: str
) -> None:
    manifest = embedder_manifest(architecture=architecture)
    bundle = write_bundle(
        tmp_path / "b", manifest, {**PRETEND_FILES, WEIGHTS: tiny["embedder"].weights}
    )
    with pytest.raises(BundleError, match=message):
        create_engine(bundle, "torch-cpu")
