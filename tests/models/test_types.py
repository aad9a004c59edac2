"""Values check themselves."""

import numpy as np
import pytest

from models.types import Detections

BOX = np.array([[0, 0, 4, 4], [1, 1, 3, 3]], np.float32)


def scores(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_detections_may_be_empty() -> None:
    assert len(Detections.empty()) == 0


@pytest.mark.parametrize(
    ("boxes", "values", "message"),
    [
        (BOX.astype(np.float64), scores(0.9, 0.1), "float32"),
        (BOX[:, :3], scores(0.9, 0.1), r"\[N,4\]"),
        (BOX, scores(0.9), "scores"),
        (BOX[:, [2, 1, 0, 3]], scores(0.9, 0.1), "x1 < x2"),
        (BOX * np.float32(np.nan), scores(0.9, 0.1), "finite"),
        (BOX, scores(1.5, 0.1), r"\[0,1\]"),
        (BOX, scores(0.1, 0.9), "descending"),
    ],
)
def test_detections_refuse_nonsense(boxes: np.ndarray, values: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Detections(boxes, values)
