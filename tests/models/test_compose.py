import numpy as np
import pytest

from models.data.board import Board
from models.data.compose import Library, Style, compose, covered
from models.data.limbs import arm
from models.data.photos import letterbox, reframe
from models.data.sample import Sample
from tests.models.scenery import disc, library

SIZE = 128


def _scene(seed=0, **style):
    return compose(np.random.default_rng(seed), library(), SIZE, Style(**style))


def test_same_seed_same_scene():
    first, again, other = _scene(3), _scene(3), _scene(4)

    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.boxes, again.boxes)
    assert first.items == again.items
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize(
    "style",
    [
        {},
        {"blobs": 1.0},
        {"bags": 1.0},
        {"boxed": 1.0, "blobs": 0.0},
        {"printed": 1.0, "boxed": 0.0},
        {"repeated": 1.0},
        {"squeezed": 1.0},
        {"arms": 1.0},
        {"recoloured": 1.0},
        {"cluttered": 1.0, "objects": (8, 14)},
        {"camera": 0.0},
    ],
    ids=str,
)
def test_boxes_are_tight_around_the_instances(style):
    boxes = 0
    for seed in range(12):
        scene = _scene(seed, **style)
        assert scene.image.shape == (SIZE, SIZE, 3)
        assert scene.image.dtype == np.uint8
        for number, box in enumerate(scene.boxes, 1):
            ys, xs = np.nonzero(scene.instances == number)
            expected = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            assert box.tolist() == expected
        owners = set(np.unique(scene.instances).tolist()) - {0, 255}
        assert owners == set(range(1, len(scene.boxes) + 1))
        boxes += len(scene.boxes)
    assert boxes >= 12


def test_an_empty_scene():
    scene = _scene(empty=1.0)
    assert scene.boxes.shape == (0, 4)
    assert scene.ignore.shape == (0, 4)
    assert scene.instances.max() == 0


def test_repetition_uses_one_product():
    for seed in range(20):
        assert len(set(_scene(seed, repeated=1.0, blobs=0.0).items)) <= 1


def test_onto_a_photo_that_stays_as_it_is():
    photo = np.full((SIZE, SIZE, 3), 77, np.uint8)
    before = photo.copy()

    scene = compose(
        np.random.default_rng(0), library(), SIZE, Style(camera=0.0, empty=0.0), onto=photo
    )

    np.testing.assert_array_equal(photo, before)
    corners = np.float32([[0, 0, SIZE, SIZE]]), scene.boxes
    shares = covered(scene, np.concatenate(corners))
    assert 0 < shares[0] < 1
    assert shares[1:].min() > 0.3


def test_hidden_objects_become_ignore_regions():
    board = Board(np.random.default_rng(0), np.full((100, 100, 3), 200, np.uint8))
    sprite = disc(40).pixels
    board.lay(sprite, "below", np.array([50.0, 50.0]))
    board.lay(sprite, "above", np.array([55.0, 50.0]))
    board.lay(sprite, "outside", np.array([-200.0, 50.0]))

    boxes, items, ignore, owners = board.visible()

    assert items == ("above",)
    assert len(boxes) == len(ignore) == 1
    assert owners[50, 32] == 255
    assert owners[50, 60] == 1


def test_an_arm_hides_and_is_no_object():
    board = Board(np.random.default_rng(0), np.full((100, 100, 3), 200, np.uint8))
    board.lay(disc(40).pixels, "x", np.array([50.0, 50.0]))
    reaching = arm(np.random.default_rng(0), 100)
    hidden = reaching[..., 3] > 127

    board.cover(reaching)

    assert 0.02 < hidden.mean() < 0.6
    assert hidden[[0, -1]].any() or hidden[:, [0, -1]].any()
    assert not board.visible()[3][hidden].any()
    assert (board.image[hidden] != 200).any()


def test_a_board_takes_a_limited_number_of_objects():
    board = Board(np.random.default_rng(0), np.full((64, 64, 3), 200, np.uint8))
    for _ in range(300):
        board.lay(disc(8).pixels, "x", np.array([32.0, 32.0]))
    assert board.visible()[3].max() <= 255


def test_a_shadow_darkens_the_ground_beside_the_object():
    darkened = []
    for seed in range(8):
        board = Board(np.random.default_rng(seed), np.full((100, 100, 3), 200, np.uint8))
        board.lay(disc(40).pixels, "x", np.array([50.0, 50.0]))
        ground = board.visible()[3] == 0
        assert board.image[ground].max() <= 201
        darkened.append(float(board.image[ground].mean()))
    assert min(darkened) < 198


def test_library_refuses_empty_groups():
    for groups in ({}, {"a": (1.0, [])}, {"a": (0.0, [disc()])}):
        with pytest.raises(ValueError, match="groups: expected"):
            Library(groups)


def _photo(boxes, ignore=()):
    """A dark rectangle on white, annotated."""
    image = np.full((60, 100, 3), 255, np.uint8)
    for x1, y1, x2, y2 in boxes:
        image[y1:y2, x1:x2] = 0
    rows = np.array(boxes, np.float32).reshape(-1, 4)
    names = ("",) * len(rows)
    return Sample(
        "p", lambda: image, rows, names, names, np.array(ignore, np.float32).reshape(-1, 4)
    )


def test_reframing_moves_boxes_with_the_pixels():
    sample = _photo([(30, 20, 60, 45)])
    found = 0
    for seed in range(30):
        image, boxes, ignore = reframe(np.random.default_rng(seed), sample, SIZE)
        dark = (image < 39).all(axis=2)  # the border is 40 or brighter
        ys, xs = np.nonzero(dark)
        if len(boxes):
            expected = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            np.testing.assert_allclose(boxes[0], expected, atol=1.6)
            found += 1
        else:
            assert len(ignore) or not len(xs)
    assert found >= 20


@pytest.mark.parametrize("seed", range(6))
def test_letterboxing_moves_boxes_with_the_pixels(seed):
    image = np.full((SIZE, SIZE, 3), 255, np.uint8)
    image[32:96, 16:64] = 0
    box = np.array([[16, 32, 64, 96]], np.float32)

    framed, boxes, ignore = letterbox(np.random.default_rng(seed), image, box, box[:0], 114)

    ys, xs = np.nonzero((framed < 60).all(axis=2))
    expected = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
    np.testing.assert_allclose(boxes[0], expected, atol=1.1)
    assert boxes.dtype == np.float32
    assert ignore.shape == (0, 4)
    assert (framed[0, 0] == 114).all()
    assert (framed[-1, -1] == 114).all()
    assert (image[32:96, 16:64] == 0).all()


def test_reframing_without_boxes_keeps_ignore_regions():
    _, boxes, ignore = reframe(np.random.default_rng(0), _photo([], [(0, 0, 100, 60)]), SIZE)
    assert boxes.shape == (0, 4)
    assert len(ignore) == 1
