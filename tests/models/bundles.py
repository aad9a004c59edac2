"""Small random networks and hand-made bundles for tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.manifest import Manifest, Precision
from models.preprocess import Preprocess

ANCHORS = {"levels": [4, 5], "base": 2.5, "scales": [1.0], "ratios": [0.5, 1.0, 2.0]}
DETECTOR_SETTINGS = {
    "score_threshold": 0.3,
    "nms_iou": 0.5,
    "nms_contained": 0.8,
    "max_detections": 20,
}


def detector_manifest(**changes: Any) -> Manifest:
    """A RetinaNet of 64 x 96 input, three anchors per cell on the levels 4 and 5."""
    values: dict[str, Any] = {
        "task": "detector",
        "name": "tiny-detector",
        "architecture": {
            "kind": "retinanet",
            "trunk": "resnet18",
            "head": "slim",
            "channels": 32,
            "anchors": ANCHORS,
        },
        "preprocess": Preprocess(64, 96),
        "settings": DETECTOR_SETTINGS,
    }
    return _manifest(values | changes)


def embedder_manifest(**changes: Any) -> Manifest:
    """A ResNet18 embedder of 32 x 32 input and 16 dimensions."""
    values: dict[str, Any] = {
        "task": "embedder",
        "name": "tiny-embedder",
        "architecture": {"kind": "embedder", "trunk": "resnet18", "dim": 16},
        "preprocess": Preprocess(32, 32),
        "settings": {"dim": 16},
    }
    return _manifest(values | changes)


def _manifest(values: dict[str, Any]) -> Manifest:
    rest: dict[str, Any] = {
        "metrics": {"validation": {"ap50": 0.5}},
        "data": ({"name": "noise", "licence": "CC0", "use": "training"},),
        "recipe": {"steps": 0},
        "precisions": {"fp32": Precision("model.xml", {}), "bf16": Precision("model.xml")},
        "code_version": "0.1.0",
        "created": "2026-01-01T00:00:00+00:00",
    }
    return Manifest(**(rest | values))


PRETEND_FILES: dict[str, bytes | Path] = {
    "model.safetensors": b"weights",
    "model.xml": b"<graph/>",
    "model.bin": b"numbers",
    "MODEL_CARD.md": b"# card\n",
}


def edit_manifest(bundle: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change `manifest.json` of a bundle in place."""
    path = bundle / "manifest.json"
    values = json.loads(path.read_text())
    edit(values)
    path.write_text(json.dumps(values))
