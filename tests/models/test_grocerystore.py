"""The reader of the official lists: rows, and errors with file and line."""

from pathlib import Path

import pytest

from models.data.grocerystore import GroceryClass, Photo, read_classes, read_list
from models.data.sample import DataError

HEADER = (
    "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),"
    "Iconic Image Path (str),Product Description Path (str)"
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "apple_1.jpg").touch()
    (tmp_path / "train.txt").write_text("train/apple_1.jpg, 3, 1\n\n")
    (tmp_path / "classes.csv").write_text(f"{HEADER}\nRed-Apple,3,Apple,1,/studio/a.jpg,/a.txt\n")
    return tmp_path


def test_rows(root: Path) -> None:
    assert read_list(root, "train") == [Photo(root / "train/apple_1.jpg", 3, 1)]
    assert read_classes(root) == [GroceryClass("Red-Apple", 3, "Apple", 1, root / "studio/a.jpg")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("train/apple_1.jpg, 3", "expected 'file, fine id, coarse id'"),
        ("train/apple_1.jpg, three, 1", "two whole numbers"),
        ("train/pear_1.jpg, 3, 1", "no file train/pear_1.jpg"),
    ],
)
def test_a_bad_line_is_named(root: Path, line: str, problem: str) -> None:
    (root / "train.txt").write_text(f"train/apple_1.jpg, 3, 1\n{line}\n")
    with pytest.raises(DataError, match=f"train.txt, line 2: .*{problem}"):
        read_list(root, "train")


def test_a_missing_list_is_named(root: Path) -> None:
    with pytest.raises(DataError, match=r"test\.txt"):
        read_list(root, "test")


def test_a_bad_class_row_is_named(root: Path) -> None:
    (root / "classes.csv").write_text(f"{HEADER}\nRed-Apple,x,Apple,1,/a.jpg,/a.txt\n")
    with pytest.raises(DataError, match=r"classes\.csv, line 2"):
        read_classes(root)


def test_a_missing_column_is_named(root: Path) -> None:
    (root / "classes.csv").write_text("Class Name (str)\nRed-Apple\n")
    with pytest.raises(DataError, match="Coarse Class ID"):
        read_classes(root)
