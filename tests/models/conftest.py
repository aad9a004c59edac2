"""Bundles of tiny random networks, exported once per test run."""

import pytest
import torch

from models.bundle import Bundle
from models.manifest import Manifest
from models.nets.build import build_network
from models.train.export import export_network
from tests.models.bundles import detector_manifest, embedder_manifest


def network_for(manifest: Manifest) -> torch.nn.Module:
    """A random network, the same one at each call, whose every layer does something."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        network = build_network(manifest)
        for name, tensor in network.state_dict().items():
            if tensor.ndim == 1 and tensor.is_floating_point():  # norms and biases start constant
                tensor += 0.2 * torch.rand(tensor.shape)
            elif name.endswith("last.weight"):  # heads start near 0
                tensor.normal_(std=0.1)
    return network


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    folder = tmp_path_factory.mktemp("bundles")
    manifests = {"detector": detector_manifest(), "embedder": embedder_manifest()}
    return {
        task: export_network(network_for(manifest), manifest, folder / task)
        for task, manifest in manifests.items()
    }
