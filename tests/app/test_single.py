import numpy as np
import pytest

from app.single import main_object
from models.types import Detections


def found(*rows: tuple[float, tuple[float, float, float, float]]) -> Detections:
    return Detections(
        np.array([box for _, box in rows], np.float32).reshape(-1, 4),
        np.array([score for score, _ in rows], np.float32),
    )


WHOLE = (10, 10, 110, 210)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], None),
        ([(0.9, WHOLE)], 0),
        ([(0.3, WHOLE)], 0),
        ([(0.9, WHOLE), (0.2, (200, 10, 300, 200))], 0),  # weak shadow beside it
        ([(0.9, WHOLE), (0.8, (200, 10, 220, 30))], 0),  # a coin beside it
        ([(0.9, WHOLE), (0.8, (20, 20, 100, 100))], 0),  # its label
        ([(0.9, (20, 20, 90, 100)), (0.85, WHOLE)], 1),  # the label scores higher
        ([(0.9, WHOLE), (0.85, (8, 8, 112, 120)), (0.5, (20, 100, 100, 205))], 0),
        ([(0.9, WHOLE), (0.8, (200, 10, 300, 200))], None),  # two products
        ([(0.9, WHOLE), (0.6, (105, 10, 205, 210))], None),  # two that touch
        ([(0.9, WHOLE), (0.6, (60, 10, 170, 210))], 0),  # half of it lies on the object
        ([(0.9, WHOLE), (0.6, (80, 10, 190, 210))], None),  # a quarter does: a neighbour
        ([(0.9, (10, 10, 100, 200)), (0.9, (110, 10, 200, 200)), (0.8, (5, 5, 205, 205))], None),
    ],
)
def test_which_detection_is_the_object(rows, expected):
    assert main_object(found(*rows)) == expected
