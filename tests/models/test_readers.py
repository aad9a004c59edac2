import json

import cv2
import numpy as np
import pytest

from models.data import sources
from models.data.coco import read_coco
from models.data.sample import DataError, Sample, read_image
from models.data.voc import read_voc


@pytest.fixture
def coco(tmp_path):
    """A set of two pictures, the second without objects; returns the folder and the document."""
    document = {
        "images": [
            {"id": 7, "file_name": "a.png", "width": 40, "height": 30},
            {"id": 8, "file_name": "b.png", "width": 40, "height": 30},
        ],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [5, 6, 10, 20]},
            {"id": 2, "image_id": 7, "category_id": 3, "bbox": [30, 20, 20, 20]},
            {"id": 3, "image_id": 7, "category_id": 3, "bbox": [0, 0, 4, 4], "iscrowd": 1},
        ],
        "categories": [{"id": 3, "name": "milk"}],
    }
    (tmp_path / "images").mkdir()
    picture = np.zeros((30, 40, 3), np.uint8)
    picture[0, 0] = (0, 0, 255)  # red in OpenCV's order
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / "images" / name), picture)
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    return tmp_path, document


def test_coco_boxes_labels_ignore_and_pixels(coco):
    first, second = sources.trays(coco[0])

    # The second box is cut at the border of the picture.
    np.testing.assert_array_equal(first.boxes, [[5, 6, 15, 26], [30, 20, 40, 30]])
    assert first.labels == first.items == ("milk", "milk")
    np.testing.assert_array_equal(first.ignore, [[0, 0, 4, 4]])
    assert first.load()[0, 0].tolist() == [255, 0, 0]
    assert second.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["annotations"][1].update(bbox=[1, 2, 3]), "annotation 2: bbox"),
        (lambda d: d["annotations"][1].update(bbox=[1, 2, 0, 5]), "annotation 2: .*no area"),
        (lambda d: d["annotations"][1].update(bbox=[1, 2, float("nan"), 5]), "annotation 2"),
        (lambda d: d["annotations"][1].update(image_id=9), "annotation 2: no image 9"),
        (lambda d: d["annotations"][1].update(category_id=9), "annotation 2: no category 9"),
        (lambda d: d["images"][1].pop("width"), "image 8: expected"),
        (lambda d: d.pop("categories"), "missing"),
    ],
)
def test_coco_faults_name_the_record(coco, change, message):
    folder, document = coco
    change(document)
    path = folder / "annotations.json"
    path.write_text(json.dumps(document))

    with pytest.raises(DataError, match=message) as caught:
        read_coco(path, folder / "images")
    assert str(path) in str(caught.value)


def test_coco_that_is_not_json_names_the_line(tmp_path):
    path = tmp_path / "annotations.json"
    path.write_text('{"images": [],\n "annotations": [,]}')

    with pytest.raises(DataError, match="line 2"):
        read_coco(path, tmp_path)
    path.write_text("[1]")
    with pytest.raises(DataError, match="missing"):
        read_coco(path, tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_coco(tmp_path / "absent.json", tmp_path)


def _object(name, corners):
    tags = "".join(
        f"<{tag}>{value}</{tag}>"
        for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), corners, strict=True)
    )
    return f"<object><name>{name}</name><bndbox>{tags}</bndbox></object>"


def _voc(root, stem, objects):
    size = "<size><width>40</width><height>30</height></size>"
    path = root / "Annotations" / f"{stem}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"<annotation>{size}{''.join(objects)}</annotation>")
    picture = root / "JPEGImages" / f"{stem}.jpg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(picture), np.full((30, 40, 3), 90, np.uint8))
    return path


def test_ecustfd_ignores_the_coin_and_knows_the_piece(tmp_path):
    _voc(tmp_path, "apple001S(1)", [_object("apple", (1, 1, 20, 20)),
                                   _object("coin", (30.5, 5, 36, 10))])  # fmt: skip
    _voc(
        tmp_path, "mix002T(3)", [_object("apple", (1, 1, 20, 20)), _object("plum", (21, 1, 30, 9))]
    )

    apple, mixture = sources.ecustfd(tmp_path)

    np.testing.assert_array_equal(apple.boxes, [[0, 0, 20, 20]])  # VOC counts pixels from 1
    np.testing.assert_array_equal(apple.ignore, [[29.5, 4, 36, 10]])
    assert apple.items == ("apple001",)
    assert mixture.items == ("mix002/apple", "mix002/plum")
    assert apple.load().shape == (30, 40, 3)


def test_freiburg_ignores_the_whole_picture_and_keeps_subfolders(tmp_path):
    _voc(tmp_path, "beans/BEANS0000", [_object("beans", (2, 2, 9, 9))])
    _voc(tmp_path, "cake/CAKE0000", [])

    beans, cake = sources.freiburg(tmp_path)

    assert (beans.name, cake.name) == ("beans/BEANS0000", "cake/CAKE0000")
    np.testing.assert_array_equal(beans.ignore, [[0, 0, 40, 30]])
    assert beans.items == ("",)
    assert cake.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([_object("", (1, 1, 5, 5))], "object 1: has no name"),
        ([_object("a", (1, 1, 5, 5)), _object("b", (9, 9, 2, 12))], "object 2: box .* no area"),
        ([_object("a", (1, "x", 5, 5))], "object 1: bndbox/ymin: expected a number, got 'x'"),
        ([_object("a", (1, "nan", 5, 5))], "object 1: bndbox/ymin: expected a finite number"),
        (["<object>"], "line 1: is not XML"),
    ],
)
def test_voc_faults_name_file_and_object(tmp_path, objects, message):
    path = _voc(tmp_path, "one", objects)

    with pytest.raises(DataError, match=message) as caught:
        read_voc(tmp_path)
    assert str(path) in str(caught.value)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="expected xml files"):
        read_voc(tmp_path)


def test_read_image_refuses_what_is_no_picture(tmp_path):
    path = tmp_path / "a.jpg"
    with pytest.raises(DataError, match="cannot be read"):
        read_image(path)
    for content in (b"", b"hello"):
        path.write_bytes(content)
        with pytest.raises(DataError, match="not a picture"):
            read_image(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"boxes": np.zeros((1, 4)), "labels": ("a",), "items": ("",)},
        {"boxes": np.array([[5, 5, 5, 9]], np.float32), "labels": ("a",), "items": ("",)},
        {"boxes": np.array([[1, 1, 5, 9]], np.float32), "labels": (), "items": ("",)},
        {"boxes": np.array([[1, 1, 5, 9]], np.float32), "labels": ("a",), "items": ()},
    ],
)
def test_a_sample_checks_itself(wrong):
    with pytest.raises(ValueError, match="expected"):
        Sample(name="x", load=lambda: np.zeros((9, 9, 3), np.uint8), **wrong)
