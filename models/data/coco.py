"""Reader of COCO detection sets: one json file of images, annotations and categories."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from models import boxes as box_ops
from models.data.sample import DataError, Sample, from_file, no_boxes

_KEYS = ("images", "annotations", "categories")


def read_coco(annotations: Path, images: Path) -> list[Sample]:
    """Samples in the order of the file; `iscrowd` annotations become ignore regions.

    Args:
        annotations: the json file.
        images: the folder that `file_name` is relative to.

    Raises:
        DataError: the file is not such a set; names the annotation or image record.
    """
    document = _document(annotations)
    names = {row["id"]: str(row["name"]) for row in document["categories"]}
    by_image: dict[int, list[dict[str, Any]]] = defaultdict(list)
    known = {row.get("id") for row in document["images"]}
    for row in document["annotations"]:
        if row.get("image_id") not in known:
            raise DataError(
                annotations, f"annotation {row.get('id')}", f"no image {row.get('image_id')}"
            )
        by_image[row["image_id"]].append(row)
    return [_sample(annotations, images, row, by_image, names) for row in document["images"]]


def _document(path: Path) -> dict[str, list[dict[str, Any]]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(path, "", f"cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise DataError(path, f"line {error.lineno}", f"is not JSON: {error.msg}") from error
    missing = (
        [key for key in _KEYS if not isinstance(document.get(key), list)]
        if isinstance(document, dict)
        else list(_KEYS)
    )
    if missing:
        raise DataError(path, "", f"expected the lists {', '.join(_KEYS)}; missing {missing}")
    return dict(document)


def _sample(
    path: Path,
    images: Path,
    image: dict[str, Any],
    by_image: dict[int, list[dict[str, Any]]],
    names: dict[int, str],
) -> Sample:
    record = f"image {image.get('id')}"
    try:
        name, width, height = str(image["file_name"]), int(image["width"]), int(image["height"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(path, record, f"expected file_name, width and height: {error}") from error
    boxes, labels, ignore = [], [], []
    for row in by_image[image["id"]]:
        box = _box(path, row, width, height)
        if row.get("iscrowd"):
            ignore.append(box)
            continue
        if row.get("category_id") not in names:
            raise DataError(
                path, f"annotation {row.get('id')}", f"no category {row.get('category_id')}"
            )
        boxes.append(box)
        labels.append(names[row["category_id"]])
    return Sample(
        name=name,
        load=from_file(images / name),
        boxes=np.concatenate(boxes) if boxes else no_boxes(),
        labels=tuple(labels),
        items=tuple(labels),
        ignore=np.concatenate(ignore) if ignore else no_boxes(),
    )


def _box(path: Path, row: dict[str, Any], width: int, height: int) -> np.ndarray[Any, Any]:
    record = f"annotation {row.get('id')}"
    values = row.get("bbox")
    if not isinstance(values, list) or len(values) != 4:
        raise DataError(path, record, f"bbox: expected [x, y, w, h], got {values!r}")
    box = box_ops.clip(box_ops.from_coco(values), width, height)
    if not np.isfinite(box).all() or not box_ops.valid(box, 1e-3)[0]:
        raise DataError(path, record, f"bbox {values} has no area inside of {width} x {height}")
    return box
