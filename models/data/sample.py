"""The one value that every reader of a data set returns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from models.types import Boxes, Image


class DataError(ValueError):
    """A data set does not hold what its format promises; the message names file and record."""

    def __init__(self, path: Path, record: str, problem: str) -> None:
        where = f"{path}, {record}" if record else str(path)
        super().__init__(f"{where}: {problem}")
        self.path = path
        self.record = record
        self.problem = problem


def no_boxes() -> Boxes:
    """float32 `[0,4]`."""
    return np.zeros((0, 4), np.float32)


def read_image(path: Path) -> Image:
    """Decode a picture file: uint8 `[H,W,3]`, RGB, upright (EXIF orientation applied)."""
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(path, "", f"cannot be read: {error.strerror}") from error
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if decoded is None:
        raise DataError(path, "", "is not a picture that can be decoded")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One picture with its annotations; the pixels are read only when `load` is called.

    Attributes:
        name: unique in its data set, for messages and reports.
        load: returns the Image, uint8 `[H,W,3]`.
        boxes: float32 `[N,4]`, `x1,y1,x2,y2` in pixels of the image.
        labels: N class names, in the order of `boxes`.
        items: N names of the physical item or product a box shows ("" = not known): two boxes
            with the same non-empty name show the same thing.
        ignore: float32 `[M,4]`, regions where unlabelled objects may be: what a detector finds
            there is neither right nor wrong.
    """

    name: str
    load: Callable[[], Image]
    boxes: Boxes = field(default_factory=no_boxes)
    labels: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    ignore: Boxes = field(default_factory=no_boxes)

    def __post_init__(self) -> None:
        for title, rows in (("boxes", self.boxes), ("ignore", self.ignore)):
            if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != 4:
                raise ValueError(f"{title}: expected float32 [N,4], got {rows.dtype} {rows.shape}")
            if not (np.isfinite(rows).all() and (rows[:, :2] < rows[:, 2:]).all()):
                raise ValueError(f"{title} of {self.name}: expected finite x1 < x2 and y1 < y2")
        for title, names in (("labels", self.labels), ("items", self.items)):
            if len(names) != len(self.boxes):
                raise ValueError(f"{title}: expected {len(self.boxes)} names, got {len(names)}")


def from_file(path: Path) -> Callable[[], Image]:
    """A `load` for `Sample` that reads one file (it can be sent to another process)."""
    return partial(read_image, path)
