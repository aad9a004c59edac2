"""Predictors around hand-made networks: what they make of outputs, and what they refuse."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import boxes as box_ops
from models.anchors import AnchorConfig, anchors, decode, encode
from models.batcher import Run
from models.bundle import Bundle
from models.errors import BatchFailed, BundleError
from models.predictors import RetinaNetDetector, VectorEmbedder
from models.types import Boxes, Image
from tests.models.bundles import ANCHORS, DETECTOR_SETTINGS, detector_manifest, embedder_manifest

ALL = anchors(64, 96, AnchorConfig.from_json(ANCHORS))


def bundle(**changes: object) -> Bundle:
    files = {"model.safetensors": "ab" * 32}
    return Bundle(Path("detector"), detector_manifest(files=files, **changes))


def embedder_bundle(**changes: object) -> Bundle:
    files = {"model.safetensors": "cd" * 32}
    return Bundle(Path("embedder"), embedder_manifest(files=files, **changes))


def image(width: int, height: int) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def logit(score: float) -> np.float32:
    return np.float32(np.log(score / (1 - score)))


def outputs(
    *objects: tuple[int, Boxes, float],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One image's logits `[1,A]` and deltas `[1,A,4]` with boxes (input pixels) at anchors."""
    logits = np.full((1, len(ALL)), -9, np.float32)
    deltas = np.zeros((1, len(ALL), 4), np.float32)
    for anchor, box, score in objects:
        logits[0, anchor] = logit(score)
        deltas[0, anchor] = encode(np.asarray([box], np.float32), ALL[[anchor]])[0]
    return logits, deltas


def test_boxes_come_back_in_pixels_of_the_image() -> None:
    # 192 x 128 is twice the input; 100 x 200 leaves bars left and right of 32 input pixels.
    run = outputs((5, np.array([8, 16, 40, 48]), 0.8), (20, np.array([48, 0, 64, 32]), 0.9))
    detector = RetinaNetDetector(bundle(), lambda batch: run)
    (found,) = detector.detect([image(192, 128)])
    np.testing.assert_allclose(found.scores, [0.9, 0.8], atol=1e-6)
    np.testing.assert_allclose(found.boxes, [[96, 0, 128, 64], [16, 32, 80, 96]], atol=1e-3)
    (tall,) = detector.detect([image(100, 200)])
    np.testing.assert_allclose(tall.boxes[0], [50, 0, 100, 100], atol=1e-3)


def test_score_threshold() -> None:
    run = outputs((5, np.array([8, 16, 40, 48]), 0.29), (20, np.array([48, 0, 64, 32]), 0.31))
    detector = RetinaNetDetector(bundle(), lambda batch: run)
    assert len(detector.detect([image(96, 64)])[0]) == 1
    assert len(detector.detect([image(96, 64)], min_score=0.2)[0]) == 2
    assert len(detector.detect([image(96, 64)], min_score=0.9)[0]) == 0
    for wrong in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="min_score"):
            detector.detect([image(96, 64)], min_score=wrong)


def test_overlapping_boxes_are_suppressed_and_the_rest_limited() -> None:
    same = [(a, np.array([10, 10, 40, 40]), 0.5 + a / 1000) for a in range(10)]
    apart = [(20 + i, np.array([8 * i, 50, 8 * i + 6, 60]), 0.4 - i / 100) for i in range(8)]
    run = outputs(*same, *apart)
    (found,) = RetinaNetDetector(bundle(), lambda batch: run).detect([image(96, 64)])
    assert len(found) == 9
    np.testing.assert_allclose(found.boxes[0], [10, 10, 40, 40], atol=1e-3)
    limited = bundle(settings={**DETECTOR_SETTINGS, "max_detections": 3})
    (few,) = RetinaNetDetector(limited, lambda batch: run).detect([image(96, 64)])
    np.testing.assert_array_equal(few.boxes, found.boxes[:3])


def test_boxes_are_cut_to_the_image_and_degenerate_ones_dropped() -> None:
    run = outputs(
        (5, np.array([-20, -20, 20, 20]), 0.9),  # over the corner
        (20, np.array([40, 40, 40.5, 60]), 0.8),  # thinner than a pixel
        (30, np.array([-30, 10, -2, 20]), 0.7),  # outside
        (31, np.array([60, 2, 70, 9]), 0.6),  # in the bar above a wide image
    )
    detector = RetinaNetDetector(bundle(), lambda batch: run)
    found, wide = detector.detect([image(96, 64)])[0], detector.detect([image(96, 24)])[0]
    np.testing.assert_allclose(found.boxes, [[0, 0, 20, 20], [60, 2, 70, 9]], atol=1e-3)
    assert len(wide) == 0


def test_wild_outputs_never_break_the_result() -> None:
    rng = np.random.default_rng(0)
    logits = np.full((1, len(ALL)), 50, np.float32)
    deltas = rng.normal(size=(1, len(ALL), 4)).astype(np.float32) * 1e4
    logits[0, :20], deltas[0, 10:30] = np.nan, np.nan
    logits[0, 30:40], deltas[0, 35:50] = np.inf, np.inf
    detector = RetinaNetDetector(bundle(), lambda batch: (logits, deltas))
    with np.errstate(invalid="ignore", over="ignore"):
        (found,) = detector.detect([image(50, 70)])
    assert np.isfinite(found.boxes).all()


def hides(better: Boxes, box: Boxes) -> bool:
    inside = box_ops.intersection(better, box)[0, 0] / box_ops.area(box)[0]
    overlap = box_ops.iou(better, box)[0, 0]
    limits = DETECTOR_SETTINGS
    return bool(overlap > limits["nms_iou"] or inside > limits["nms_contained"])


def slow_detections(
    logits: NDArray[np.float32], deltas: NDArray[np.float32], threshold: float
) -> list[tuple[float, list[float]]]:
    """The rule as plain loops, for an image of the input's size."""
    rows = []
    for index, value in enumerate(logits):
        score = 1 / (1 + np.exp(-np.float64(value)))
        if score >= threshold:
            box = box_ops.clip(decode(deltas[[index]], ALL[[index]]), 96, 64)
            if box_ops.valid(box)[0]:
                rows.append((score, box))
    rows.sort(key=lambda row: -row[0])
    kept: list[tuple[float, Boxes]] = []
    for score, box in rows:
        if not any(hides(other, box) for _, other in kept):
            kept.append((score, box))
    return [(s, b[0].tolist()) for s, b in kept[: int(DETECTOR_SETTINGS["max_detections"])]]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), centre=st.floats(-6, 2), threshold=st.floats(0.05, 0.95))
def test_equals_the_plain_loop(seed: int, centre: float, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(centre, 1.5, (1, len(ALL))).astype(np.float32)
    deltas = rng.normal(0, 0.3, (1, len(ALL), 4)).astype(np.float32)
    detector = RetinaNetDetector(bundle(), lambda batch: (logits, deltas))
    (found,) = detector.detect([image(96, 64)], min_score=threshold)
    expected = slow_detections(logits[0], deltas[0], threshold)
    np.testing.assert_allclose(found.scores, [s for s, _ in expected], atol=1e-5)
    np.testing.assert_allclose(
        found.boxes, np.reshape([b for _, b in expected], (-1, 4)), atol=1e-3
    )


def test_many_candidates_are_cut_before_suppression_without_losing_the_best() -> None:
    """More anchors above the threshold than enter suppression: the best ones are those kept."""
    config = AnchorConfig()
    from models.preprocess import Preprocess

    large = bundle(
        preprocess=Preprocess(480, 640),
        architecture={"kind": "retinanet", "anchors": config.to_json()},
    )
    base = anchors(480, 640, config)
    rng = np.random.default_rng(3)
    logits = rng.uniform(1, 2, (1, len(base))).astype(np.float32)
    best = rng.choice(len(base), 5, replace=False)
    logits[0, best] = [9, 8, 7, 6, 5]
    deltas = np.zeros((1, len(base), 4), np.float32)
    (found,) = RetinaNetDetector(large, lambda b: (logits, deltas)).detect([image(640, 480)])
    assert len(found) == 20
    expected = box_ops.clip(base[best[:1]], 640, 480)
    np.testing.assert_allclose(found.boxes[:1], expected, atol=1e-3)


def brightness(batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A network whose detections depend on the pixels of each image alone."""
    means = batch.mean(axis=(1, 2, 3))
    logits = np.full((len(batch), len(ALL)), -9, np.float32)
    logits[:, ::7] = (means[:, None] / 64).astype(np.float32)
    deltas = np.zeros((len(batch), len(ALL), 4), np.float32) + np.float32(0.01) * means[
        :, None, None
    ].astype(np.float32)
    return logits, deltas


def test_plural_in_plural_out() -> None:
    detector = RetinaNetDetector(bundle(), brightness, name="mine")
    assert detector.name == "mine"
    assert RetinaNetDetector(bundle(), brightness).name == "tiny-detector@abababab"
    assert detector.detect([]) == []
    photos = [np.full((h, w, 3), v, np.uint8) for h, w, v in [(64, 96, 9), (9, 80, 99), (70, 7, 5)]]
    before = [photo.copy() for photo in photos]
    together = detector.detect(photos)
    assert len(together) == 3
    for photo, many in zip(photos, together, strict=True):
        (one,) = detector.detect([photo])
        np.testing.assert_array_equal(one.boxes, many.boxes)
        np.testing.assert_array_equal(one.scores, many.scores)
    assert all((a == b).all() for a, b in zip(photos, before, strict=True))


def test_network_that_does_not_fit_the_bundle() -> None:
    short: Run = lambda batch: (np.zeros((1, 3), np.float32), np.zeros((1, 3, 4), np.float32))  # noqa: E731
    with pytest.raises(BatchFailed, match=r"expected outputs \[\(1, 90\), \(1, 90, 4\)\]"):
        RetinaNetDetector(bundle(), short).detect([image(96, 64)])
    with pytest.raises(BatchFailed, match=r"expected vectors \(1, 16\), got \(1, 3\)"):
        VectorEmbedder(embedder_bundle(), lambda b: (np.ones((1, 3), np.float32),)).embed(
            [image(9, 9)]
        )


def test_wrong_bundles_are_refused() -> None:
    with pytest.raises(BundleError, match="for detector, got one for embedder"):
        RetinaNetDetector(embedder_bundle(), brightness)
    with pytest.raises(BundleError, match="for embedder, got one for detector"):
        VectorEmbedder(bundle(), brightness)
    with pytest.raises(BundleError, match="score_threshold"):
        RetinaNetDetector(bundle(settings={}), brightness)
    with pytest.raises(BundleError, match="anchors"):
        RetinaNetDetector(bundle(architecture={"kind": "retinanet"}), brightness)
    with pytest.raises(BundleError, match="dim"):
        VectorEmbedder(embedder_bundle(settings={"dim": 0}), brightness)


def mean_vector(batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
    """16 numbers per crop, of any length."""
    rows = batch.astype(np.float32).reshape(len(batch), 16, -1).mean(axis=2) + 1
    return (rows,)


def test_embedder() -> None:
    embedder = VectorEmbedder(embedder_bundle(), mean_vector)
    assert (embedder.dim, embedder.space) == (16, embedder_bundle().space)
    assert embedder.name == "tiny-embedder@cdcdcdcd"
    none = embedder.embed([])
    assert none.shape == (0, 16) and none.dtype == np.float32
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in [(32, 32), (5, 80), (200, 90)]]
    vectors = embedder.embed(crops)
    assert vectors.shape == (3, 16) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    for crop, vector in zip(crops, vectors, strict=True):
        np.testing.assert_array_equal(embedder.embed([crop])[0], vector)


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_vectors_without_direction_are_refused(value: float) -> None:
    embedder = VectorEmbedder(
        embedder_bundle(), lambda b: (np.full((len(b), 16), value, np.float32),)
    )
    with np.errstate(invalid="ignore"), pytest.raises(BatchFailed, match="finite vectors"):
        embedder.embed([image(9, 9)])
