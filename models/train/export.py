"""From a trained network to a bundle: weights, OpenVINO graph, manifest, model card.

An export folder, which a training run leaves behind, holds one `*.safetensors` (the state dict)
and one `*.json` with `task`, `name`, `architecture`, `preprocess` and, where known, `settings`,
`metrics`, `data`, `recipe` and `losses` (accuracy lost per precision, such as
`{"bf16": {"ap50": 0.001}}`). A `dim` may stand there, too; the network itself tells it.
"""

import json
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from models.bundle import CARD, WEIGHTS, Bundle, write_bundle
from models.errors import BundleError
from models.manifest import Manifest, Precision
from models.nets.build import load_network
from models.preprocess import Preprocess
from models.train.card import render_card

GRAPH = "model.xml"

TOLERANCE = 2e-3
"""Largest difference allowed between an output of the graph and of the network, both computed in
fp32, as a share of the largest value. The graph's weights are rounded to 11 bits (step 1e-3)."""


def export_run(
    source: Path, target: Path, *, name: str | None = None, overwrite: bool = False
) -> Bundle:
    """Turn the export folder of a training run into a bundle folder.

    Args:
        source: the export folder.
        target: the bundle folder to write.
        name: name of the bundle, by default the one in the export folder.
        overwrite: replace a bundle that is there.

    Raises:
        BundleError: the export folder is incomplete, the weights do not fit the architecture, or
            the graph does not reproduce the network.
    """
    manifest = _manifest(_read_json(_only(source, "*.json")))
    if name is not None:
        manifest = replace(manifest, name=name)
    network = load_network(manifest, _only(source, "*.safetensors"))
    return export_network(network, manifest, target, overwrite=overwrite)


def export_network(
    network: torch.nn.Module, manifest: Manifest, target: Path, *, overwrite: bool = False
) -> Bundle:
    """Write a bundle of `network`, which must be in evaluation mode.

    Large tensors are stored in half precision. The finished graph is compared with the network as
    it was given, so the check covers the rounding and the conversion.
    """
    size = (manifest.preprocess.height, manifest.preprocess.width)
    pixels = np.random.default_rng(0).integers(0, 256, (3, *size, 3), np.uint8)
    expected = _outputs(network, pixels)
    if manifest.task == "embedder":
        settings = {**manifest.settings, "dim": expected[0].shape[1]}
        manifest = replace(manifest, settings=settings)
    stored = _half(network.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / GRAPH
        openvino.save_model(to_openvino(network, size), graph, compress_to_fp16=True)
        _check_graph(graph, pixels, expected)
        files: dict[str, bytes | Path] = {
            WEIGHTS: save(stored),
            GRAPH: graph,
            "model.bin": graph.with_suffix(".bin"),
            CARD: render_card(manifest).encode(),
        }
        return write_bundle(target, manifest, files, overwrite=overwrite)


def record(
    bundle: Bundle,
    *,
    metrics: Mapping[str, Any] | None = None,
    losses: Mapping[str, Mapping[str, float]] | None = None,
) -> Bundle:
    """Write what was measured on a finished bundle into its manifest and model card.

    Args:
        bundle: the bundle; its folder is replaced.
        metrics: added to the manifest's metrics, by protocol.
        losses: accuracy lost against fp32, by precision and metric, as a share of 1.

    Returns:
        The new bundle; weights and `space` are the same.
    """
    manifest = bundle.manifest
    precisions = dict(manifest.precisions)
    for name, loss in (losses or {}).items():
        if name not in precisions:
            raise BundleError(f"precision: expected one of {sorted(precisions)}, got {name!r}")
        precisions[name] = replace(precisions[name], loss=loss)
    manifest = replace(
        manifest, metrics={**manifest.metrics, **(metrics or {})}, precisions=precisions
    )
    files: dict[str, bytes | Path] = {name: bundle.path / name for name in manifest.files}
    files[CARD] = render_card(manifest).encode()
    return write_bundle(bundle.path, manifest, files, overwrite=True)


def to_openvino(network: torch.nn.Module, size: tuple[int, int]) -> Any:
    """The network as an OpenVINO model with input uint8 `[?,height,width,3]`."""
    example = torch.zeros((2, *size, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # torch.export warns about its own use of a class that it is about to rename.
        warnings.simplefilter("ignore", FutureWarning)
        batch = torch.export.Dim("batch", min=1, max=4096)
        program = torch.export.export(network, (example,), dynamic_shapes=({0: batch},))
        model = openvino.convert_model(program)
    model.reshape([-1, *size, 3])
    return model


def _outputs(network: torch.nn.Module, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    with torch.inference_mode():
        result = network(torch.from_numpy(pixels))
    return [o.numpy() for o in (result if isinstance(result, tuple) else (result,))]


def _check_graph(
    graph: Path, pixels: NDArray[np.uint8], expected: list[NDArray[np.float32]]
) -> None:
    """BundleError unless the graph reproduces `expected` within `TOLERANCE`."""
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    actual = openvino.Core().compile_model(graph, "CPU", options)(pixels)
    if len(actual) != len(expected):
        raise BundleError(f"graph: expected {len(expected)} outputs, got {len(actual)}")
    for index, value in enumerate(expected):
        difference = float(np.abs(actual[index] - value).max() / np.abs(value).max())
        if not difference <= TOLERANCE:
            raise BundleError(
                f"graph: output {index} differs from the network's by {difference:.1e} of the "
                f"largest value, expected at most {TOLERANCE:.0e}"
            )


def _half(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Kernels and matrices in float16 where they fit; small ones (norms, biases) as they are."""
    result = {}
    for name, tensor in state.items():
        large = tensor.is_floating_point() and tensor.numel() >= 4096
        fits = large and bool(tensor.abs().max() < torch.finfo(torch.float16).max)
        result[name] = (tensor.half() if fits else tensor).contiguous().cpu()
    return result


def _manifest(values: dict[str, Any]) -> Manifest:
    required = {"task", "name", "architecture", "preprocess"}
    optional = {"settings", "dim", "metrics", "data", "recipe", "losses"}
    missing, unknown = required - set(values), set(values) - required - optional
    if missing or unknown:
        raise BundleError(f"export: missing keys {sorted(missing)}, unknown keys {sorted(unknown)}")
    losses = values.get("losses", {})
    return Manifest(
        task=values["task"],
        name=values["name"],
        architecture=values["architecture"],
        preprocess=Preprocess.from_json(values["preprocess"]),
        settings=values.get("settings", {}),
        metrics=values.get("metrics", {}),
        data=tuple(values.get("data", ())),
        recipe=values.get("recipe", {}),
        precisions={
            "fp32": Precision(GRAPH, {}),
            "bf16": Precision(GRAPH, losses.get("bf16")),
        },
        code_version=_version(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _version() -> str:
    try:
        return version("tillsight")
    except PackageNotFoundError:
        return "unknown"


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise BundleError(f"{folder}: expected one {pattern}, got {[p.name for p in found]}")
    return found[0]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: expected JSON: {error}") from error
    if not isinstance(values, dict):
        raise BundleError(f"{path}: expected an object, got {type(values).__name__}")
    return values
