import cv2
import numpy as np
import pytest

from models.data import cutouts, sources
from models.data.cutouts import CutOut
from tests.models.scenery import collections, disc, pack


def test_studio_alpha_finds_a_white_spot_inside_of_the_object():
    image = np.full((80, 80, 3), 255, np.uint8)
    cv2.circle(image, (40, 40), 25, (200, 40, 40), cv2.FILLED)
    cv2.circle(image, (40, 40), 5, (255, 255, 255), cv2.FILLED)

    alpha = cutouts.studio_alpha(image)

    assert alpha[40, 40] == 255  # white, but not connected with the border
    assert alpha[2, 2] == 0
    assert alpha[40, 20] == 255
    piece = cutouts.trim(image, alpha, "apple")
    assert max(piece.pixels.shape[:2]) in range(46, 54)


def test_segmentation_follows_the_outline():
    rng = np.random.default_rng(0)
    image = rng.integers(190, 220, (120, 120, 3)).astype(np.uint8)
    truth = np.zeros((120, 120), np.uint8)
    cv2.ellipse(truth, (60, 60), (40, 30), 0, 0, 360, 255, cv2.FILLED)
    image[truth > 0] = (160, 60, 30)

    alpha = cutouts.segmented_alpha(image, np.array([20, 30, 101, 91], np.float32))

    assert alpha is not None
    found, wanted = alpha > 127, truth > 0
    assert (found & wanted).sum() / (found | wanted).sum() > 0.93


def test_segmentation_gives_up_where_nothing_stands_out():
    flat = np.full((60, 60, 3), 128, np.uint8)
    assert cutouts.segmented_alpha(flat, np.array([10, 10, 50, 50], np.float32)) is None


def test_pieces_of_annotated_photos(tmp_path):
    samples = sources.ecustfd(collections(tmp_path) / "ecustfd")

    pieces = cutouts.photo_cutouts(samples)
    fronts = cutouts.fronts(samples, limit=2)

    assert len(pieces) == 3
    assert 0.7 < np.mean(pieces[0].pixels[..., 3] > 127) < 0.85  # a disc fills pi/4 of its box
    assert len(fronts) == 2
    assert all(f.solid and (f.pixels[..., 3] == 255).all() for f in fronts)


def test_save_and_load(tmp_path):
    pieces = [disc(20, item="a"), pack(7, 9, item="b")]
    path = tmp_path / "pieces.npz"

    for kept in (pieces, []):
        cutouts.save(path, kept)
        loaded = cutouts.load(path)
        assert [(p.item, p.solid) for p in loaded] == [(p.item, p.solid) for p in kept]
        for old, new in zip(kept, loaded, strict=True):
            np.testing.assert_array_equal(old.pixels, new.pixels)


def test_refusals():
    with pytest.raises(ValueError, match=r"expected uint8 \[H,W,4\]"):
        CutOut(np.zeros((4, 4, 3), np.uint8), "x")
    with pytest.raises(ValueError, match="alpha is empty"):
        cutouts.trim(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), "x")
