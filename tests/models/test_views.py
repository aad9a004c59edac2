"""Synthetic views: geometry, determinism, and what each option does."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data import lighting
from models.data.crops import Crop
from models.data.views import ViewMaker, ViewOptions
from models.preprocess import Preprocess
from models.types import Image

STILL = ViewOptions(
    any_turn=0,
    stretch=0,
    tilt=0,
    pad=0,
    box_noise=0,
    background=0,
    neighbours=0,
    light=0,
)
SIZE = Preprocess(64, 64)


def crop(alpha: bool = True, scene: bool = False, width: int = 40, height: int = 40) -> Crop:
    """A red object on a blue ground."""
    pixels = np.zeros((height + 20, width + 20, 3), np.uint8)
    pixels[..., 2] = 255
    box = np.array([10, 10, 10 + width, 10 + height], np.float32)
    pixels[10 : 10 + height, 10 : 10 + width] = (255, 0, 0)
    outline = np.zeros(pixels.shape[:2], np.uint8)
    outline[10 : 10 + height, 10 : 10 + width] = 255
    return Crop(pixels, box, outline if alpha else None, "a", "a", "a", scene)


def maker(options: ViewOptions, others: int = 1) -> ViewMaker:
    ground = np.full((50, 50, 3), (0, 255, 0), np.uint8)
    return ViewMaker([crop() for _ in range(others)], [ground], options)


def red(image: Image) -> NDArray[np.bool_]:
    return (image[..., 0] > 150) & (image[..., 2] < 100) & (image[..., 1] < 100)


def blue(image: Image) -> NDArray[np.bool_]:
    return (image[..., 2] > 150) & (image[..., 0] < 100) & (image[..., 1] < 100)


def test_a_still_view_is_nearly_the_box() -> None:
    view = maker(STILL).view(crop(), SIZE, np.random.default_rng(0))
    assert view.shape == (64, 64, 3)
    assert view.dtype == np.uint8
    assert red(view).mean() > 0.6  # turned by up to 15 degrees, so corners show the ground


def test_letterbox_fills_what_the_window_leaves() -> None:
    view = maker(STILL).view(crop(width=80, height=20), SIZE, np.random.default_rng(1))
    assert (view[0] == SIZE.fill).all()
    assert (view[-1] == SIZE.fill).all()
    stretched = maker(STILL).view(
        crop(width=80, height=20), replace(SIZE, fit="stretch"), np.random.default_rng(1)
    )
    assert not (stretched == SIZE.fill).all(axis=(1, 2)).any()


def test_the_same_randomness_gives_the_same_view() -> None:
    make = maker(ViewOptions(), others=3)
    views = [make.view(crop(), SIZE, np.random.default_rng(seed)) for seed in (5, 5, 6)]
    np.testing.assert_array_equal(views[0], views[1])
    assert (views[0] != views[2]).any()


def test_the_stored_crop_is_not_touched() -> None:
    source = crop()
    before = source.pixels.copy()
    make = ViewMaker([source], [], ViewOptions())
    for seed in range(30):
        make.view(source, SIZE, np.random.default_rng(seed))
    np.testing.assert_array_equal(source.pixels, before)


@pytest.mark.parametrize("alpha", [True, False])
def test_another_background_hides_the_old_one(alpha: bool) -> None:
    options = replace(STILL, background=1, pad=0.1)
    make = ViewMaker([crop()], [], options)  # without pictures the ground is plain
    kept = maker(replace(STILL, pad=0.1))
    for seed in range(10):
        view = make.view(crop(alpha), SIZE, np.random.default_rng(seed))
        plain_blue = blue(kept.view(crop(alpha), SIZE, np.random.default_rng(seed))).mean()
        assert plain_blue > 0.1
        assert red(view).mean() > 0.3
    distinct = {tuple(make.view(crop(), SIZE, np.random.default_rng(s))[2, 32]) for s in range(8)}
    assert len(distinct) > 3


def test_the_object_stays_in_view_at_any_turn() -> None:
    options = replace(STILL, any_turn=1, tilt=0.14, stretch=0.3, pad=0.04)
    make = maker(options)
    for seed in range(40):
        view = make.view(crop(width=60, height=30), SIZE, np.random.default_rng(seed))
        ys, xs = np.nonzero(red(view))
        window = (view != SIZE.fill).any(axis=2)
        wy, wx = np.nonzero(window)
        # The upright box of the turned object is the window, but for the padding of 4 %.
        assert xs.min() - wx.min() <= 6
        assert wx.max() - xs.max() <= 6
        assert ys.min() - wy.min() <= 6
        assert wy.max() - ys.max() <= 6


def test_neighbours_cover_the_rim_but_not_the_middle() -> None:
    green = np.zeros((40, 40, 3), np.uint8)
    green[..., 1] = 255
    other = Crop(green, np.array([0, 0, 40, 40], np.float32), None, "b", "b", "b")
    make = ViewMaker([other], [], replace(STILL, neighbours=1))
    seen = []
    for seed in range(20):
        view = make.view(crop(), SIZE, np.random.default_rng(seed))
        foreign = (view[..., 1] > 150) & (view[..., 0] < 100)
        seen.append(foreign.mean())
        assert red(view)[32, 32]
    assert max(seen) > 0.05
    assert np.mean(seen) < 0.4


def test_a_scene_is_seen_in_part_and_never_pasted() -> None:
    slope = np.repeat(np.linspace(0, 255, 60).astype(np.uint8)[None, :, None], 60, 0).repeat(3, 2)
    whole = Crop(slope, np.array([0, 0, 60, 60], np.float32), None, "h", "h", "h", scene=True)
    make = maker(replace(STILL, background=1, neighbours=1))
    views = [make.view(whole, SIZE, np.random.default_rng(seed)) for seed in range(30)]
    ranges = [int(np.ptp(view[..., 0])) for view in views]
    assert min(ranges) < 190  # some views show only a part of the slope
    assert max(ranges) > 210
    # All grey: no coloured neighbour, no other background.
    assert all(np.ptp(view.astype(int), axis=2).max() == 0 for view in views)


def test_light_changes_pixels_but_not_shape() -> None:
    scene = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    before = scene.copy()
    for seed in range(60):
        result = lighting.photograph(scene, 1.0, np.random.default_rng(seed))
        assert result.shape == scene.shape
        assert result.dtype == np.uint8
    np.testing.assert_array_equal(scene, before)
    np.testing.assert_array_equal(lighting.photograph(scene, 0.0, np.random.default_rng(0)), scene)


def test_erasing_takes_the_asked_area() -> None:
    image = np.full((100, 100, 3), 77, np.uint8)
    for seed in range(20):
        result = lighting.erase(image, 1.0, (0.1, 0.2), np.random.default_rng(seed))
        lost = (result != 77).any(axis=2).mean()
        assert 0.06 <= lost <= 0.21  # a long rectangle may be cut at the rim
    assert (image == 77).all()


def test_erasing_has_its_probability() -> None:
    image = np.full((20, 20, 3), 77, np.uint8)
    rng = np.random.default_rng(0)
    hits = sum(lighting.erase(image, 0.3, (0.1, 0.2), rng) is not image for _ in range(1000))
    assert 250 < hits < 350
    assert lighting.erase(image, 0.0, (0.1, 0.2), rng) is image
