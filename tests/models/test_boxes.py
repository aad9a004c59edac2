"""Box arithmetic against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import boxes as box_ops
from models.types import Boxes


def random_boxes(rng: np.random.Generator, count: int, size: float = 100.0) -> Boxes:
    corners = rng.uniform(0, size, (count, 2, 2)).astype(np.float32)
    low, high = corners.min(axis=1), corners.max(axis=1) + 1
    return np.concatenate([low, high], axis=1)


def iou_of_two(a: np.ndarray, b: np.ndarray) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(width, 0) * max(height, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter
    return float(inter / union)


def test_iou_equals_the_plain_loop() -> None:
    rng = np.random.default_rng(1)
    a, b = random_boxes(rng, 7), random_boxes(rng, 5)
    expected = [[iou_of_two(x, y) for y in b] for x in a]
    np.testing.assert_allclose(box_ops.iou(a, b), expected, rtol=1e-5, atol=1e-6)


def test_empty_inputs_keep_their_shape() -> None:
    none, one = np.zeros((0, 4), np.float32), np.array([[0, 0, 2, 2]], np.float32)
    assert box_ops.iou(none, one).shape == (0, 1)
    assert box_ops.nms(none, np.zeros(0, np.float32), 0.5).shape == (0,)
    assert box_ops.from_coco([]).shape == (0, 4)


@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.floats(0.1, 0.9))
def test_nms_equals_the_plain_loop(seed: int, count: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    boxes, scores = random_boxes(rng, count, 30), rng.random(count).astype(np.float32)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if all(box_ops.iou(boxes[[i]], boxes[[j]])[0, 0] <= threshold for j in kept):
            kept.append(int(i))
    assert box_ops.nms(boxes, scores, threshold).tolist() == kept


def test_a_part_is_not_an_object_but_a_neighbour_is() -> None:
    whole, part, beside = [0, 0, 100, 100], [10, 10, 40, 40], [90, 0, 140, 60]
    boxes = np.array([part, beside, whole], np.float32)
    scores = np.array([0.5, 0.6, 0.9], np.float32)
    assert box_ops.nms(boxes, scores, 0.5, 0.8).tolist() == [2, 1]
    assert box_ops.nms(boxes, scores, 0.5).tolist() == [2, 1, 0]
    # A better part is kept, and so is the less certain box around it.
    assert box_ops.nms(boxes, scores[::-1].copy(), 0.5, 0.8).tolist() == [0, 1, 2]


@given(st.integers(0, 2**32 - 1))
def test_conversions_round_trip(seed: int) -> None:
    boxes = random_boxes(np.random.default_rng(seed), 4)
    np.testing.assert_allclose(box_ops.from_coco(box_ops.to_coco(boxes)), boxes, atol=1e-3)
    np.testing.assert_allclose(box_ops.from_voc(box_ops.to_voc(boxes)), boxes, atol=1e-3)


def test_voc_counts_from_one_and_includes_the_last_pixel() -> None:
    assert box_ops.from_voc([[1, 1, 10, 20]]).tolist() == [[0, 0, 10, 20]]


def test_crop_covers_partial_pixels_and_stays_inside() -> None:
    image = np.arange(10 * 8 * 3, dtype=np.uint8).reshape(10, 8, 3)
    part = box_ops.crop(image, np.array([1.5, 2.2, 3.1, 99], np.float32))
    assert np.array_equal(part, image[2:10, 1:4])
    assert np.shares_memory(part, image)


def test_crop_outside_of_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="outside of 8 x 10"):
        box_ops.crop(np.zeros((10, 8, 3), np.uint8), np.array([9, 0, 12, 5], np.float32))


def test_pad_grows_by_a_share_and_clips() -> None:
    boxes = np.array([[10, 10, 30, 20], [0, 0, 10, 10]], np.float32)
    assert box_ops.pad(boxes, 0.1, 31, 100).tolist() == [[8, 9, 31, 21], [0, 0, 11, 11]]
    assert boxes[0].tolist() == [10, 10, 30, 20]


def test_valid_drops_thin_boxes() -> None:
    boxes = box_ops.clip(np.array([[-5, -5, 3, 3], [50, 0, 60, 9]], np.float32), 40, 40)
    assert box_ops.valid(boxes).tolist() == [True, False]
