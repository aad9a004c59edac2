"""From the network in training to what serving reads: an export folder, or a Detector at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from models.bundle import Bundle
from models.manifest import Manifest
from models.nets.retinanet import RetinaNet
from models.predictors import RetinaNetDetector
from models.preprocess import Preprocess
from models.train.detector_recipe import DetectorRecipe

PROVENANCE: tuple[dict[str, str], ...] = (
    {"name": "ECUSTFD", "licence": "free public food image dataset", "use": "photos, cut-outs"},
    {"name": "Freiburg Groceries", "licence": "public research data", "use": "photos, cut-outs"},
    {
        "name": "Grocery Store Dataset",
        "licence": "MIT, (c) 2019 Marcus Klasson",
        "use": "studio pictures as cut-outs",
    },
    {"name": "DTD (ten classes)", "licence": "public research data", "use": "backgrounds"},
    {"name": "drawn products", "licence": "part of this project", "use": "cut-outs, tables"},
)

SETTINGS: dict[str, Any] = {
    "score_threshold": 0.45,
    "nms_iou": 0.5,
    "nms_contained": 0.8,
    "max_detections": 100,
}


def description(
    recipe: DetectorRecipe, metrics: dict[str, Any], size: int | None = None
) -> dict[str, Any]:
    """What an export folder says about the weights, as plain values."""
    return {
        "task": "detector",
        "name": recipe.name,
        "architecture": {"kind": "retinanet", **recipe.network.to_json()},
        "preprocess": recipe.preprocess(size).to_json(),
        "settings": SETTINGS | {"anchors": recipe.network.anchors.to_json()},
        "metrics": metrics,
        "data": list(PROVENANCE),
        "recipe": recipe.model_dump(mode="json"),
    }


def export(net: RetinaNet, recipe: DetectorRecipe, metrics: dict[str, Any], folder: Path) -> None:
    """Write `weights.safetensors` and `detector.json`; the old pair stays until both are there."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(weights, folder / "weights.safetensors.new")
    text = json.dumps(description(recipe, metrics), indent=1)
    (folder / "detector.json.new").write_text(text, encoding="utf-8")
    for name in ("weights.safetensors", "detector.json"):
        (folder / f"{name}.new").replace(folder / name)


def in_process(
    net: RetinaNet, recipe: DetectorRecipe, size: int, min_score: float = 0.02
) -> RetinaNetDetector:
    """The serving code around a network in memory, at any input size.

    `min_score` is low, because average precision also counts hesitant detections.
    """
    values = description(recipe, {}, size)
    manifest = Manifest(
        task=values["task"],
        name=values["name"],
        architecture=values["architecture"],
        preprocess=Preprocess.from_json(values["preprocess"]),
        settings=values["settings"] | {"score_threshold": min_score},
        metrics={},
        data=(),
        recipe={},
        precisions={},
        code_version="",
        created="",
    )

    def run(batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        device = net.mean.device
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "bf16"),
        ):
            outputs = net(torch.from_numpy(batch).to(device))
        return tuple(output.float().cpu().numpy() for output in outputs)

    return RetinaNetDetector(Bundle(Path(), manifest), run, name=recipe.name)
