"""Measuring what a precision costs."""

from pathlib import Path

import numpy as np
import pytest

from models import boxes as box_ops
from models.bundle import Bundle, write_bundle
from models.data.sample import Sample
from models.errors import BundleError, EngineUnavailable
from models.evaluate.precision import losses, scores
from models.predictors import RetinaNetDetector
from models.types import Boxes
from tests.models.bundles import PRETEND_FILES, detector_manifest


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    """Three photos with two coloured patches each, red ones and green ones."""

    def sample(number: int) -> Sample:
        rng = np.random.default_rng(number)
        image = rng.integers(90, 110, (64, 96, 3), np.uint8)
        boxes: Boxes = np.array([[8, 8, 40, 40], [50, 20, 90, 60]], np.float32)
        for channel, box in enumerate(boxes):
            box_ops.crop(image, box)[..., channel] = 240
        return Sample(f"{number}", lambda: image, boxes, ("red", "green"), ("", ""))

    return [sample(number) for number in range(3)]


def test_losses_are_what_is_missing() -> None:
    assert losses({"ap": 0.5, "ap50": 0.75}, {"ap": 0.25, "ap50": 0.875}) == {
        "ap": 0.25,
        "ap50": -0.125,
    }


def test_embedder(tiny: dict[str, Bundle], samples: list[Sample]) -> None:
    assert scores(tiny["embedder"], "fp32", samples) == {"recall_1": 1.0}
    mislabelled = [
        Sample(s.name, s.load, s.boxes, ("a", "b") if i else ("b", "a"), s.items)
        for i, s in enumerate(samples)
    ]
    assert scores(tiny["embedder"], "fp32", mislabelled)["recall_1"] < 1.0


def test_detector_is_judged_with_hesitant_detections_too(
    tiny: dict[str, Bundle], samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    thresholds = []
    original = RetinaNetDetector.detect

    def spy(self: RetinaNetDetector, images: object, min_score: float | None = None) -> object:
        thresholds.append(min_score)
        return original(self, images, min_score)  # type: ignore[arg-type]

    monkeypatch.setattr(RetinaNetDetector, "detect", spy)
    found = scores(tiny["detector"], "fp32", samples)
    assert set(found) == {"ap", "ap50", "ar100"}
    assert all(0 <= value <= 1 for value in found.values())
    assert thresholds and max(thresholds) < 0.1


def test_what_cannot_be_measured(
    tiny: dict[str, Bundle], samples: list[Sample], tmp_path: Path
) -> None:
    with pytest.raises(EngineUnavailable, match="int8"):
        scores(tiny["embedder"], "int8", samples)
    with pytest.raises(ValueError, match="at least one annotated box"):
        scores(tiny["embedder"], "fp32", [Sample("empty", samples[0].load)])
    other = write_bundle(tmp_path / "b", detector_manifest(task="localizer"), PRETEND_FILES)
    with pytest.raises(BundleError, match="no measure is known for the task localizer"):
        scores(other, "fp32", samples)
