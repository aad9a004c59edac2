"""Crops: classes and groups, geometry of the stored window, the file."""

from pathlib import Path

import numpy as np
import pytest

from models.data import crops as crop_io
from models.data.crops import CONTEXT, Crop
from models.data.sample import Sample
from models.types import Image


def photo() -> Image:
    """A red object in columns 40 to 119, rows 20 to 79 of a grey photo."""
    image = np.full((100, 200, 3), 128, np.uint8)
    image[20:80, 40:120] = (255, 0, 0)
    return image


def sample(name: str = "shelf", items: tuple[str, ...] = ("",)) -> Sample:
    box = np.array([[40, 20, 120, 80]], np.float32)
    boxes = np.repeat(box, len(items), 0)
    return Sample(name, photo, boxes, ("thing",) * len(items), items)


def test_a_stored_crop_keeps_the_object_where_its_box_says() -> None:
    (crop,) = crop_io.from_boxes([sample()], "shop", side=40, cut=False)
    assert crop.pixels.shape[1] == round(40 * (1 + 2 * CONTEXT))
    x1, y1, x2, y2 = np.round(crop.box).astype(int)
    assert x2 - x1 == pytest.approx(40, abs=1)
    assert (crop.pixels[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1] == (255, 0, 0)).all()
    assert (crop.pixels[: y1 - 1] == 128).all()
    assert (crop.pixels[:, : x1 - 1] == 128).all()
    assert crop.alpha is None


def test_unknown_items_are_classes_of_their_own_in_the_group_of_their_photo() -> None:
    first, second = crop_io.from_boxes([sample(items=("", ""))], "shop", side=40, cut=False)
    assert first.label != second.label
    assert first.group == second.group == "shop/shelf"


def test_known_items_are_one_class_over_photos() -> None:
    samples = [sample("a", ("apple1",)), sample("b", ("apple1",))]
    crops = crop_io.from_boxes(samples, "desk", side=40, cut=False)
    assert [c.label for c in crops] == ["desk/apple1"] * 2
    assert crop_io.class_ids(crops).tolist() == [0, 0]


def test_small_boxes_are_left_out_without_reading_the_photo() -> None:
    def fail() -> Image:
        raise AssertionError("was read")

    tiny = Sample("a", fail, np.array([[0, 0, 10, 10]], np.float32), ("x",), ("",))
    assert crop_io.from_boxes([tiny], "shop", side=40) == []


def test_class_ids_follow_first_appearance() -> None:
    box = np.array([0, 0, 4, 4], np.float32)
    pixels = np.zeros((4, 4, 3), np.uint8)
    crops = [Crop(pixels, box, None, label, label, "s") for label in "cabac"]
    assert crop_io.class_ids(crops).tolist() == [0, 1, 2, 1, 0]


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    box = np.array([1, 2, 9, 8], np.float32)
    crops = [
        Crop(rng.integers(0, 256, (10, 12, 3), np.uint8), box, None, "a/1", "a", "a"),
        Crop(
            rng.integers(0, 256, (9, 11, 3), np.uint8),
            box,
            rng.integers(0, 256, (9, 11), np.uint8),
            "b/2",
            "b",
            "b",
            scene=True,
        ),
    ]
    crop_io.save(tmp_path / "crops.npz", crops)
    back = crop_io.load(tmp_path / "crops.npz")
    for old, new in zip(crops, back, strict=True):
        np.testing.assert_array_equal(old.pixels, new.pixels)
        np.testing.assert_array_equal(old.box, new.box)
        assert (old.alpha is None) == (new.alpha is None)
        if old.alpha is not None:
            np.testing.assert_array_equal(old.alpha, new.alpha)
        assert (old.label, old.group, old.source, old.scene) == (
            new.label,
            new.group,
            new.source,
            new.scene,
        )


def test_an_empty_file_is_empty(tmp_path: Path) -> None:
    crop_io.save(tmp_path / "none.npz", [])
    assert crop_io.load(tmp_path / "none.npz") == []


def test_a_studio_picture_is_cut_out(tmp_path: Path) -> None:
    import cv2

    image = np.full((80, 80, 3), 255, np.uint8)
    cv2.circle(image, (40, 40), 20, (30, 120, 30), -1)
    cv2.imwrite(str(tmp_path / "apple.png"), image)
    (crop,) = crop_io.from_studio([(tmp_path / "apple.png", "7")], "studio", "shop", side=60)
    assert (crop.label, crop.group) == ("studio/7", "shop/7")
    assert crop.alpha is not None
    x1, y1, x2, y2 = np.round(crop.box).astype(int)
    assert crop.alpha[(y1 + y2) // 2, (x1 + x2) // 2] == 255
    assert crop.alpha[y1, x1] == 0  # the corner of the box is outside of the circle
    assert (x2 - x1, y2 - y1) == pytest.approx((40, 40), abs=3)


@pytest.mark.parametrize("box", [[5, 0, 5, 4], [0, 4, 4, 1]])
def test_a_box_without_area_is_refused(box: list[float]) -> None:
    with pytest.raises(ValueError, match="x1 < x2"):
        Crop(np.zeros((9, 9, 3), np.uint8), np.array(box, np.float32), None, "a", "a", "a")
