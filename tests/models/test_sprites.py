import numpy as np
import pytest

from models.data import dressing, sprites
from models.data.sprites import Pose
from tests.models.scenery import disc, pack


def _rng(seed=0):
    return np.random.default_rng(seed)


def _touches_all_sides(sprite):
    alpha = sprite[..., 3] > 12
    return alpha[0].any() and alpha[-1].any() and alpha[:, 0].any() and alpha[:, -1].any()


@pytest.mark.parametrize("seed", range(6))
def test_sprites_are_trimmed_and_about_as_large_as_asked(seed):
    texture = np.full((30, 30, 3), 90, np.uint8)
    made = {
        "lay": sprites.lay(_rng(seed), disc(), 50.0, Pose(elongated=0.0)),
        "box": sprites.box(_rng(seed), pack(), 50.0, Pose()),
        "blob": sprites.blob(_rng(seed), texture, 50.0),
    }
    for name, sprite in made.items():
        assert _touches_all_sides(sprite), name
        assert 35 <= max(sprite.shape[:2]) <= 75, name


def test_a_box_shows_front_and_side():
    """Red print in front; the sides take the colour of its blue rim, or the print."""
    piece = pack(60, 60)
    piece.pixels[..., :3] = (0, 0, 250)
    piece.pixels[10:50, 10:50, :3] = (250, 0, 0)
    seen = [sprites.box(_rng(seed), piece, 80.0, Pose(tilt=1.2)) for seed in range(8)]
    colours = np.concatenate([s[s[..., 3] > 200][:, :3] for s in seen])
    red, blue = colours[:, 0] > 180, colours[:, 2] > 120
    assert red.mean() > 0.15
    assert blue.mean() > 0.15


def test_film_makes_an_object_larger_and_is_faint():
    sprite = disc(60).pixels
    wrapped = dressing.bag(_rng(1), sprite)

    assert (wrapped[..., 3] > 12).sum() > (sprite[..., 3] > 12).sum()
    assert ((wrapped[..., 3] > 12) & (wrapped[..., 3] < 200)).any()
    assert _touches_all_sides(wrapped)


@pytest.mark.parametrize("seed", range(8))
def test_repacking_keeps_the_print_and_adds_plain_cardboard(seed):
    piece, other = pack(item="mine"), pack(item="other")

    front = dressing.repack(_rng(seed), piece, None)
    double = dressing.repack(_rng(seed), piece, other)

    assert front.solid
    assert front.item == double.item == "mine"
    assert (front.pixels[..., 3] == 255).all()
    grown = np.array(front.pixels.shape[:2]) / piece.pixels.shape[:2]
    assert 1.1 < grown.max() < 2.8
    print_ = (front.pixels[..., :3] == (30, 60, 200)).all(axis=2)
    assert print_.sum() == (piece.pixels[..., :3] == (30, 60, 200)).all(axis=2).sum()
    assert double.pixels.shape == front.pixels.shape


def test_elongated_packs():
    sides = []
    for seed in range(30):
        sprite = sprites.lay(_rng(seed), pack(50, 50), 60.0, Pose(elongated=1.0, perspective=0.0))
        sides.append((sprite[..., 3] > 127).sum() / max(sprite.shape[:2]) ** 2)
    plain = sprites.lay(_rng(0), pack(50, 50), 60.0, Pose(stretch=0.0, elongated=0.0))
    assert np.median(sides) < 0.75 * (plain[..., 3] > 127).sum() / max(plain.shape[:2]) ** 2


def test_recolouring_keeps_the_shape():
    sprite = disc().pixels
    before = sprite.copy()

    turned = [dressing.recolour(_rng(seed), sprite) for seed in range(6)]

    np.testing.assert_array_equal(sprite, before)
    assert all((t[..., 3] == sprite[..., 3]).all() for t in turned)
    assert len({tuple(t[30, 30]) for t in turned}) > 4


def test_shading_changes_colours_only():
    sprite = disc().pixels
    before = sprite.copy()

    shaded = dressing.shade(_rng(), sprite)

    np.testing.assert_array_equal(sprite, before)
    np.testing.assert_array_equal(shaded[..., 3], sprite[..., 3])
    assert not np.array_equal(shaded, sprite)
