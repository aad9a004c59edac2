"""Which detection is the one object of an enrolment photo (pure)."""

import numpy as np

from models import boxes as box_ops
from models.types import Detections

WEAK = 0.5
"""Another detection with less than this share of the main score is noise."""

SMALL = 0.1
"""... or, with less than this share of the main area, a coin or a crumb."""

PART = 0.4
"""... or, with at least this share of its own area inside, a part of the object."""


def main_object(found: Detections) -> int | None:
    """Index of the detection that dominates all others, or None if there is none.

    The main one is that of largest score times side. It is the only object if every other
    detection is weak, small, or a part of it; but two strong parts beside each other are two
    objects in one box, and so no single object.
    """
    if len(found) == 0:
        return None
    areas = box_ops.area(found.boxes)
    main = int(np.argmax(found.scores * np.sqrt(areas)))
    strong = (found.scores >= WEAK * found.scores[main]) & (areas >= SMALL * areas[main])
    strong[main] = False
    inside = box_ops.intersection(found.boxes, found.boxes[main : main + 1])[:, 0] / areas
    if (strong & (inside < PART)).any():
        return None
    # Whole objects score at least as high as a box around several of them.
    rivals = strong & (found.scores >= found.scores[main])
    return None if rivals.sum() >= 2 else main
