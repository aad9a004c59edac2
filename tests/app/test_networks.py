"""The services on real bundles and a real engine, with tiny random networks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.networks import load_networks
from app.services import Services, build
from app.settings import Settings, load
from indexer.records import ProductInput
from models.errors import BatcherClosed, BundleError, EngineUnavailable
from models.train.export import export_network
from tests.fakes import COLOURS, photo, tray
from tests.models.bundles import detector_manifest, embedder_manifest
from tests.models.conftest import network_for

pytestmark = pytest.mark.slow  # exports both networks to OpenVINO first


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bundles")
    manifests = {"detector": detector_manifest(), "embedder": embedder_manifest()}
    for task, manifest in manifests.items():
        export_network(network_for(manifest), manifest, folder / task)
    return {task: folder / task for task in manifests}


def settings_for(tmp_path: Path, bundles: dict[str, Path], **engine: Any) -> Settings:
    chosen = {"device": "cpu", "precision": "fp32", "threads": 1, **engine}
    return load(data_dir=tmp_path, bundles=bundles, engine=chosen)


@pytest.fixture
def batches() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def shop(tmp_path: Path, bundles: dict[str, Path], batches: list[Any]) -> Iterator[Services]:
    services = build(settings_for(tmp_path, bundles), lambda name, n: batches.append((name, n)))
    with services:
        yield services


def test_enrolment_and_recognition_run_through_the_engine(
    shop: Services, batches: list[tuple[str, int]]
):
    assert [c for c in shop.readiness() if not c.ok] == []
    assert {name for name, _ in batches} == {"detector", "embedder"}, "warm"
    product = ProductInput("a", "A", 100, "EUR")
    batches.clear()
    photos = [photo(colour) for colour in COLOURS[:3]]
    receipt = shop.enroller.enroll(product, photos, [(100, 60, 200, 180)] * 3)
    assert batches == [("embedder", 3)], "a given box needs no detector, and one batch is enough"
    assert receipt.product.views == 3
    batches.clear()
    found = shop.recognizer.recognize(tray((COLOURS[0], (100, 60, 200, 180))))
    assert batches[0] == ("detector", 1)
    assert batches[1:] == ([("embedder", len(found.items))] if found.items else [])
    assert found.models["detector"].startswith("tiny-detector@")
    assert found.models["space"] == shop.projection.space
    assert shop.queue_depth == 0


def test_a_closed_device_answers_no_more(tmp_path: Path, bundles: dict[str, Path]):
    networks = load_networks(settings_for(tmp_path, bundles))
    networks.warm()
    networks.close()
    with pytest.raises(BatcherClosed):
        networks.embedder.embed([np.zeros((8, 8, 3), np.uint8)])


def test_bundles_in_each_others_place_are_refused(tmp_path: Path, bundles: dict[str, Path]):
    swapped = {"detector": bundles["embedder"], "embedder": bundles["detector"]}
    with pytest.raises(BundleError, match="expected a bundle for detector"):
        load_networks(settings_for(tmp_path, swapped))


def test_a_precision_that_the_bundle_lacks_is_refused(tmp_path: Path, bundles: dict[str, Path]):
    with pytest.raises(EngineUnavailable):
        load_networks(settings_for(tmp_path, bundles, precision="int8"))
