"""Drawn pictures and collections for the tests of data and training."""

import json

import cv2
import numpy as np

from models.data.compose import Library
from models.data.cutouts import CutOut


def disc(side=60, colour=(200, 30, 30), item="disc"):
    """A filled circle as a cut-out."""
    pixels = np.zeros((side, side, 4), np.uint8)
    cv2.circle(pixels, (side // 2, side // 2), side // 2 - 1, (*colour, 255), cv2.FILLED)
    return CutOut(pixels, item)


def pack(width=50, height=80, item="pack"):
    """A striped rectangle as the front of a pack."""
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[::8, :, :3] = (30, 60, 200)
    return CutOut(pixels, item, solid=True)


def library():
    """Two groups of one cut-out each, and one surface."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    return Library({"discs": (1.0, [disc()]), "packs": (1.0, [pack()])}, [noise])


def collections(root, pictures=3):
    """A folder with tiny versions of all collections that the detector is trained on."""
    rng = np.random.default_rng(1)
    for name, stem in (("ecustfd", "apple{:03d}S(1)"), ("freiburg_boxes", "beans/BEANS{:04d}")):
        for number in range(pictures):
            _annotated(root / name, stem.format(number), rng)
    studio = root / "groceries" / "iconic-images-and-descriptions" / "Fruit"
    textures = root / "textures" / "plain"
    for folder in (studio, textures, root / "trays-dev" / "images"):
        folder.mkdir(parents=True)
    white = np.full((90, 90, 3), 255, np.uint8)
    cv2.imwrite(str(studio / "Apple.jpg"), cv2.circle(white, (45, 45), 30, (20, 20, 180), -1))
    cv2.imwrite(str(textures / "a.jpg"), rng.integers(0, 255, (80, 80, 3), np.uint8))
    images, rows = [], []
    for number in range(pictures):
        picture, box = _table(rng)
        cv2.imwrite(str(root / "trays-dev" / "images" / f"{number}.png"), picture)
        images.append({"id": number, "file_name": f"{number}.png", "width": 160, "height": 160})
        bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
        rows.append({"id": number, "image_id": number, "category_id": 1, "bbox": bbox})
    document = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "it"}]}
    (root / "trays-dev" / "annotations.json").write_text(json.dumps(document))
    return root


def _table(rng):
    """A bright picture uint8 [160,160,3] with one dark disc, and the disc's box."""
    picture = np.full((160, 160, 3), 210, np.uint8)
    x, y = (int(v) for v in rng.integers(50, 110, 2))
    radius = int(rng.integers(30, 45))
    cv2.circle(picture, (x, y), radius, (40, 60, 160), cv2.FILLED)
    return picture, (x - radius, y - radius, x + radius + 1, y + radius + 1)


def _annotated(root, stem, rng):
    picture, (x1, y1, x2, y2) = _table(rng)
    image, note = root / "JPEGImages" / f"{stem}.jpg", root / "Annotations" / f"{stem}.xml"
    for path in (image, note):
        path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(image), picture)
    note.write_text(
        "<annotation><size><width>160</width><height>160</height></size><object><name>thing</name>"
        f"<bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax>"
        "</bndbox></object></annotation>"
    )
