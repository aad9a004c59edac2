"""From a manifest to a network: the architecture by name, the weights strictly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from models.errors import BundleError
from models.manifest import Manifest
from models.nets.embedder import EmbedderNet
from models.nets.retinanet import RetinaConfig, RetinaNet
from models.preprocess import Preprocess


def build_network(manifest: Manifest) -> torch.nn.Module:
    """The manifest's architecture with random weights, in evaluation mode.

    `architecture` holds `kind` and the arguments of that kind; the pixel constants come from
    `preprocess`, so that they are written down once.
    """
    arguments = dict(manifest.architecture)
    kind = arguments.pop("kind", None)
    if kind not in _KINDS:
        raise BundleError(f"architecture kind: expected one of {sorted(_KINDS)}, got {kind!r}")
    try:
        return _KINDS[kind](arguments, manifest.preprocess).eval()
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"architecture {kind}: {error}") from error


def _embedder(arguments: dict[str, Any], pixels: Preprocess) -> torch.nn.Module:
    return EmbedderNet(**arguments, mean=pixels.mean, std=pixels.std)


def _retinanet(arguments: dict[str, Any], pixels: Preprocess) -> torch.nn.Module:
    return RetinaNet(RetinaConfig.from_json(arguments), pixels)


_KINDS: dict[str, Callable[[dict[str, Any], Preprocess], torch.nn.Module]] = {
    "embedder": _embedder,
    "retinanet": _retinanet,
}


def load_network(manifest: Manifest, weights: Path) -> torch.nn.Module:
    """The network with its trained weights in float32, in evaluation mode.

    Raises:
        BundleError: the weights are unreadable or do not fit the architecture exactly.
    """
    network = build_network(manifest)
    try:
        stored = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{weights}: expected a safetensors file: {error}") from error
    # Bundles store large tensors in half precision to save space; counters stay integers.
    state = {k: v.float() if v.is_floating_point() else v for k, v in stored.items()}
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise BundleError(f"{weights}: the weights do not fit the architecture: {error}") from error
    return network.requires_grad_(False)
