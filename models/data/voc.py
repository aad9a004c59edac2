"""Reader of Pascal VOC sets: `Annotations/**/*.xml` beside `JPEGImages/**/*.jpg`."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np

from models import boxes as box_ops
from models.data.sample import DataError, Sample, from_file, no_boxes
from models.types import Boxes

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(
    root: Path,
    *,
    ignore_labels: Collection[str] = (),
    exhaustive: bool = True,
    item: Callable[[str, str], str] | None = None,
) -> list[Sample]:
    """Samples sorted by path; pictures without any object are kept.

    Args:
        root: folder with `Annotations` and `JPEGImages`, which may have the same subfolders.
        ignore_labels: objects of these names become ignore regions.
        exhaustive: False when pictures hold objects that nobody annotated; the whole picture is
            then an ignore region.
        item: names the physical item from (file stem, label); without it items are not known.

    Raises:
        DataError: names the file and the object.
    """
    folder = root / "Annotations"
    files = sorted(folder.rglob("*.xml"))
    if not files:
        raise DataError(folder, "", "expected xml files")
    return [_read(root, file, ignore_labels, exhaustive, item) for file in files]


def _read(
    root: Path,
    file: Path,
    ignore_labels: Collection[str],
    exhaustive: bool,
    item: Callable[[str, str], str] | None,
) -> Sample:
    try:
        tree = ET.parse(file).getroot()
    except ET.ParseError as error:
        raise DataError(file, f"line {error.position[0]}", f"is not XML: {error}") from error
    width, height = (_number(file, tree, f"size/{side}", "size") for side in ("width", "height"))
    boxes, labels, ignore = [], [], []
    for index, node in enumerate(tree.findall("object")):
        record = f"object {index + 1}"
        label = (node.findtext("name") or "").strip()
        if not label:
            raise DataError(file, record, "has no name")
        box = _box(file, record, node, width, height)
        if label in ignore_labels:
            ignore.append(box)
        else:
            boxes.append(box)
            labels.append(label)
    if not exhaustive:
        ignore.append(np.array([[0, 0, width, height]], np.float32))
    relative = file.relative_to(root / "Annotations").with_suffix(".jpg")
    return Sample(
        name=str(relative.with_suffix("")),
        load=from_file(root / "JPEGImages" / relative),
        boxes=np.concatenate(boxes) if boxes else no_boxes(),
        labels=tuple(labels),
        items=tuple(item(file.stem, label) if item else "" for label in labels),
        ignore=np.concatenate(ignore) if ignore else no_boxes(),
    )


def _box(file: Path, record: str, node: ET.Element, width: float, height: float) -> Boxes:
    corners = [_number(file, node, f"bndbox/{corner}", record) for corner in _CORNERS]
    box = box_ops.clip(box_ops.from_voc(corners), width, height)
    if not box_ops.valid(box, 1e-3)[0]:
        raise DataError(file, record, f"box {corners} has no area inside of {width} x {height}")
    return box


def _number(file: Path, node: ET.Element, path: str, record: str) -> float:
    text = node.findtext(path)
    try:
        value = float(text or "")
    except ValueError as error:
        raise DataError(file, record, f"{path}: expected a number, got {text!r}") from error
    if not np.isfinite(value):
        raise DataError(file, record, f"{path}: expected a finite number, got {text!r}")
    return value
