"""What is particular about the photo collections that the shipped weights are trained on.

Each function takes the folder of one unpacked collection and returns Samples; a missing folder
is an error that names it.
"""

import re
from pathlib import Path

from models.data.coco import read_coco
from models.data.sample import Sample
from models.data.voc import read_voc


def ecustfd(root: Path) -> list[Sample]:
    """ECUSTFD: one or two foods and a coin. The coin gives the scale there; here it is ignored.

    The item is the physical piece of food: `apple001T(3)` and `apple001S(1)` show `apple001`.
    A mixture (`mix003`) holds several foods, so the label is part of its item.
    """
    return read_voc(root, ignore_labels={"coin"}, item=_ecustfd_item)


def _ecustfd_item(stem: str, label: str) -> str:
    match = re.match(r"[a-z_]+\d+", stem, re.IGNORECASE)
    piece = match.group(0).lower() if match else stem
    return piece if piece.startswith(label.lower()) else f"{piece}/{label}"


def freiburg(root: Path) -> list[Sample]:
    """Freiburg Groceries: packaged goods on shelves, of which only a part has a box."""
    return read_voc(root, exhaustive=False)


def trays(root: Path) -> list[Sample]:
    """A COCO set as a folder: `annotations.json` and `images/`."""
    return read_coco(root / "annotations.json", root / "images")
