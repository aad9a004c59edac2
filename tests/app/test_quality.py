import cv2
import numpy as np
import pytest

from app.quality import complaints, measure
from app.settings import QualitySettings
from tests.fakes import RED, tray

LIMITS = QualitySettings()


def textured(side: int = 300) -> np.ndarray:
    rng = np.random.default_rng(3)
    coarse = rng.integers(40, 220, (30, 30, 3), dtype=np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_NEAREST)


def of(image: np.ndarray) -> list[str]:
    return complaints(measure(image, image.shape[1], image.shape[0]), LIMITS)


def test_a_sharp_photo_has_no_complaints():
    assert of(textured()) == []


def test_an_even_object_on_a_tray_has_no_complaints():
    assert of(tray((RED, (10, 10, 90, 90)), width=100, height=100)) == []


@pytest.mark.parametrize("factor", [0.25, 0.4])
def test_a_dim_photo_is_still_good(factor: float):
    assert of((textured() * factor).astype(np.uint8)) == []


@pytest.mark.parametrize(
    ("image", "complaint"),
    [
        (textured(20), "too small: 20 x 20 pixels, expected at least 24"),
        ((textured() * 0.08).astype(np.uint8), "too dark"),
        (np.full((200, 200, 3), 254, np.uint8), "too bright"),
        (cv2.GaussianBlur(textured(), (0, 0), 40), "too blurred"),
        (np.full((200, 200, 3), 128, np.uint8), "too blurred"),
    ],
)
def test_a_useless_photo_is_refused_with_its_number(image: np.ndarray, complaint: str):
    [found] = of(image)
    assert found.startswith(complaint)
    assert "expected at" in found


def test_the_size_is_that_of_the_box_and_not_of_the_crop():
    quality = measure(textured(), 30, 10)
    assert (quality.width, quality.height) == (30, 10)
    assert complaints(quality, LIMITS)[0].startswith("too small: 30 x 10")


def test_sharpness_hardly_depends_on_the_size_of_the_photo():
    small, large = (measure(textured(side), side, side).sharpness for side in (300, 1200))
    assert 0.4 < small / large < 2.5


def test_the_image_is_not_changed():
    image = textured()
    before = image.copy()
    measure(image, 10, 10)
    np.testing.assert_array_equal(image, before)
