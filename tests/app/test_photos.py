"""The second look at an enrolment photo: with a border around it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from app.errors import NoObject, SeveralObjects
from app.photos import BORDER, PhotoReader, with_border
from models.types import Detections, Image
from tests.fakes import RED, photo, settings_for

WIDTH, HEIGHT = 320, 240
MARGIN = round(BORDER * WIDTH)
Rows = list[list[float]]


class TwoLooks:
    """Detects `first` in a photo as it came, and `second` in one with a border."""

    name = "two looks"

    def __init__(self, first: Rows, second: Rows) -> None:
        self.first, self.second = first, second

    def detect(self, images: Sequence[Image], min_score: float | None = None) -> list[Detections]:
        rows = self.first if images[0].shape[:2] == (HEIGHT, WIDTH) else self.second
        boxes = np.array(rows, np.float32).reshape(-1, 4)
        return [Detections(boxes, np.full(len(boxes), 0.9, np.float32))]


def found_by(tmp_path: Path, first: Rows, second: Rows) -> tuple[float, ...]:
    reader = PhotoReader(TwoLooks(first, second), settings_for(tmp_path))
    return reader.prepare(photo(RED), None).box


LEFT, RIGHT = [10.0, 10, 100, 200], [200.0, 10, 300, 200]


@pytest.mark.parametrize("first", [[], [LEFT, RIGHT]], ids=["none", "several"])
def test_a_close_up_is_found_at_the_second_look(tmp_path: Path, first: Rows) -> None:
    second = [[MARGIN - 5.0, MARGIN + 10, MARGIN + 300, MARGIN + HEIGHT + 7]]
    assert found_by(tmp_path, first, second) == (0, 10, 300, HEIGHT)


def test_one_plain_object_needs_no_second_look(tmp_path: Path) -> None:
    assert found_by(tmp_path, [LEFT], [RIGHT]) == tuple(LEFT)


def test_the_boxes_of_the_first_look_are_told_when_neither_helps(tmp_path: Path) -> None:
    with pytest.raises(SeveralObjects) as caught:
        found_by(tmp_path, [LEFT, RIGHT], [])
    assert caught.value.extra["boxes"] == [LEFT, RIGHT]


def test_an_object_in_the_border_alone_is_none(tmp_path: Path) -> None:
    with pytest.raises(NoObject):
        found_by(tmp_path, [], [[1, 1, MARGIN - 2, MARGIN - 2]])


def test_the_border_has_the_colour_of_the_edge() -> None:
    image = np.full((40, 100, 3), (9, 8, 7), np.uint8)
    image[10:30, 10:90] = 255
    wider, margin = with_border(image)
    assert margin == 15
    assert wider.shape == (70, 130, 3)
    assert (wider[:15] == (9, 8, 7)).all()
    assert np.array_equal(wider[15:55, 15:115], image)
