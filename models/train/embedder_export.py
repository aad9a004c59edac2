"""What a training run of the embedder leaves behind: vectors of crops, numbers, weights."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from models.data import grocerystore
from models.data.sample import read_image
from models.evaluate import retrieval
from models.nets.embedder import EmbedderNet
from models.preprocess import Preprocess
from models.train.embedder_data import LabelledCrops
from models.train.embedder_recipe import EmbedderRecipe
from models.types import Image, Vectors

PROVENANCE: tuple[dict[str, str], ...] = (
    {
        "name": "Freiburg Groceries (boxes)",
        "licence": "public research data",
        "use": "every crop as a class",
    },
    {
        "name": "ECUSTFD",
        "licence": "free public food image dataset",
        "use": "physical items as classes",
    },
    {
        "name": "Grocery Store Dataset",
        "licence": "MIT, (c) 2019 Marcus Klasson",
        "use": "fine classes (train list), studio pictures",
    },
    {"name": "DTD (ten classes)", "licence": "public research data", "use": "backgrounds"},
)

VIEWS = (1, 3, 5)


@torch.inference_mode()
def embed(
    net: EmbedderNet, images: Sequence[Image], preprocess: Preprocess, batch: int = 64
) -> Vectors:
    """Vectors of crops in evaluation mode and bf16: float32 `[N,D]`."""
    was_training = net.training
    net.eval()
    device = net.mean.device
    parts = [np.zeros((0, net.dim), np.float32)]
    for start in range(0, len(images), batch):
        pixels, _ = preprocess.batch(images[start : start + batch])
        with torch.autocast(device.type, torch.bfloat16):
            vectors = net(torch.from_numpy(pixels).to(device))
        parts.append(vectors.float().cpu().numpy())
    net.train(was_training)
    return np.concatenate(parts)


def measure(
    vectors: Vectors, crops: LabelledCrops, *, seed: int = 0, trials: int = 40
) -> dict[str, Any]:
    """Few-view accuracy and open-set numbers of the vectors of labelled crops, as plain values.

    Products in fewer than six photos are left out; two thirds of the others are enrolled in the
    open-set trials.
    """
    result: dict[str, Any] = {}
    rows = np.isin(crops.labels, _frequent(crops, max(VIEWS) + 1))
    vectors, labels, photos = vectors[rows], crops.labels[rows], crops.photos[rows]
    enrolled = max(2, round(len(np.unique(labels)) * 2 / 3))
    for views in VIEWS:
        few = retrieval.few_views(
            vectors,
            labels,
            photos,
            views=views,
            trials=trials,
            rng=np.random.default_rng([seed, views]),
        )
        found = retrieval.open_set(
            vectors,
            labels,
            photos,
            enrolled=enrolled,
            views=views,
            trials=trials,
            rng=np.random.default_rng([seed, 10 + views]),
        )
        result[f"views_{views}"] = {
            "accuracy": round(few.accuracy, 4),
            "deviation": round(few.deviation, 4),
            "per_product": {
                crops.names[label]: round(value, 3) for label, value in few.per_label.items()
            },
            "open_set": {
                "enrolled": enrolled,
                "auroc": round(found.auroc, 4),
                "same": retrieval.quantiles(found.same),
                "other": retrieval.quantiles(found.other),
                "unknown": retrieval.quantiles(found.unknown),
            },
        }
    return result


def measure_grocerystore(net: EmbedderNet, preprocess: Preprocess, root: Path) -> dict[str, float]:
    """Nearest neighbour accuracy of whole photos of the test list among those of the train list.

    Args:
        net: the network.
        preprocess: how it is served.
        root: folder of the GroceryStore data set.
    """
    photos = {name: grocerystore.read_list(root, name) for name in ("train", "test")}
    vectors = {
        name: embed(net, [read_image(photo.path) for photo in rows], preprocess)
        for name, rows in photos.items()
    }
    labels = {
        name: np.array([photo.fine for photo in rows], np.int64) for name, rows in photos.items()
    }
    coarse_of = {photo.fine: photo.coarse for rows in photos.values() for photo in rows}
    result: dict[str, float] = {}
    for k in (1, 5):
        predicted = retrieval.nearest(vectors["test"], vectors["train"], labels["train"], k)
        fine, coarse = retrieval.fine_and_coarse(predicted, labels["test"], coarse_of)
        result |= {f"fine_{k}nn": round(fine, 4), f"coarse_{k}nn": round(coarse, 4)}
    return result


def _frequent(crops: LabelledCrops, photos: int) -> list[int]:
    """Labels seen in at least so many photos."""
    return [
        int(label)
        for label in np.unique(crops.labels)
        if len(np.unique(crops.photos[crops.labels == label])) >= photos
    ]


def export(net: EmbedderNet, recipe: EmbedderRecipe, metrics: dict[str, Any], folder: Path) -> None:
    """Write `weights.safetensors` and `embedder.json`; the old pair stays until both are there."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in net.state_dict().items()}
    save_file(weights, folder / "weights.safetensors.new")
    description = {
        "task": "embedder",
        "name": recipe.name,
        "architecture": {
            "kind": "embedder",
            "trunk": recipe.trunk,
            "dim": recipe.dim,
            "pooling": recipe.pooling,
        },
        "preprocess": recipe.preprocess.to_json(),
        "dim": recipe.dim,
        "metrics": metrics,
        "data": list(PROVENANCE),
        "recipe": recipe.model_dump(mode="json"),
    }
    text = json.dumps(description, indent=1)
    (folder / "embedder.json.new").write_text(text, encoding="utf-8")
    for name in ("weights.safetensors", "embedder.json"):
        (folder / f"{name}.new").replace(folder / name)
