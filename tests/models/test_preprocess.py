"""Placement is invertible, and the picture lands where the boxes say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.preprocess import Preprocess

FITS = ("letterbox", "stretch")


@pytest.mark.parametrize("fit", FITS)
@given(st.integers(1, 400), st.integers(1, 400))
def test_boxes_round_trip(fit: str, width: int, height: int) -> None:
    preprocess = Preprocess(64, 96, fit)  # type: ignore[arg-type]
    _, placement = preprocess.place(np.zeros((height, width, 3), np.uint8))
    boxes = np.array([[0, 0, width, height], [0, 0, width / 2, height / 3]], np.float32)
    back = placement.to_image(placement.to_input(boxes))
    np.testing.assert_allclose(back, boxes, atol=width * 1e-4 + height * 1e-4)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", [(300, 100), (100, 300), (20, 30), (64, 64)])
def test_a_marked_rectangle_lands_where_its_box_says(fit: str, shape: tuple[int, int]) -> None:
    height, width = shape
    image = np.zeros((height, width, 3), np.uint8)
    box = np.array([[width * 0.25, height * 0.5, width * 0.75, height]], np.float32)
    x1, y1, x2, y2 = box[0].astype(int)
    image[y1:y2, x1:x2] = 255
    placed, placement = Preprocess(64, 96, fit, fill=0).place(image)  # type: ignore[arg-type]
    ys, xs = np.nonzero(placed[..., 0] > 127)
    found = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    np.testing.assert_allclose(found, placement.to_input(box)[0], atol=2.0)


def test_letterbox_keeps_proportions_and_fills() -> None:
    placed, placement = Preprocess(50, 50, "letterbox", fill=7).place(
        np.full((100, 200, 3), 200, np.uint8)
    )
    assert placement.scale_x == placement.scale_y == 0.25
    assert (placed[:12] == 7).all()
    assert (placed[13:37] == 200).all()
    assert (placed[38:] == 7).all()


def test_batch_equals_single_and_may_be_empty() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), np.uint8) for h, w in ((9, 30), (64, 10))]
    preprocess = Preprocess(32, 32)
    batch, placements = preprocess.batch(images)
    for image, row, placement in zip(images, batch, placements, strict=True):
        single, its_placement = preprocess.place(image)
        assert np.array_equal(row, single)
        assert placement == its_placement
    assert preprocess.batch([])[0].shape == (0, 32, 32, 3)


def test_json_round_trip_and_refusals() -> None:
    preprocess = Preprocess(320, 384, "stretch", 0, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert Preprocess.from_json(preprocess.to_json()) == preprocess
    with pytest.raises(TypeError):
        Preprocess.from_json({"height": 3, "width": 3, "colour": "bgr"})
    with pytest.raises(ValueError, match="got 0 x 3"):
        Preprocess(0, 3)
    with pytest.raises(ValueError, match="letterbox or stretch"):
        Preprocess(3, 3, "crop")  # type: ignore[arg-type]
