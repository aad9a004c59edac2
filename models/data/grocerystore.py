"""Reader of the GroceryStore data set: its official lists and its table of classes."""

import csv
from dataclasses import dataclass
from pathlib import Path

from models.data.sample import DataError

_COLUMNS = (
    "Class Name (str)",
    "Class ID (int)",
    "Coarse Class Name (str)",
    "Coarse Class ID (int)",
    "Iconic Image Path (str)",
)


@dataclass(frozen=True, slots=True)
class Photo:
    """One line of a list: a photo with its fine and its coarse class id."""

    path: Path
    fine: int
    coarse: int


@dataclass(frozen=True, slots=True)
class GroceryClass:
    """One line of `classes.csv`; `studio` is the picture on white."""

    name: str
    fine: int
    coarse_name: str
    coarse: int
    studio: Path


def read_list(root: Path, name: str) -> list[Photo]:
    """The photos of `train`, `val` or `test` in the order of the list.

    Raises:
        DataError: names the list and the line.
    """
    path = root / f"{name}.txt"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise DataError(path, "", f"cannot be read: {error.strerror}") from error
    return [
        _photo(root, path, number, line)
        for number, line in enumerate(lines, start=1)
        if line.strip()
    ]


def _photo(root: Path, path: Path, number: int, line: str) -> Photo:
    record = f"line {number}"
    parts = [part.strip() for part in line.split(",")]
    if len(parts) != 3:
        raise DataError(path, record, f"expected 'file, fine id, coarse id', got {line!r}")
    try:
        fine, coarse = int(parts[1]), int(parts[2])
    except ValueError as error:
        raise DataError(path, record, f"expected two whole numbers, got {line!r}") from error
    file = root / parts[0]
    if not file.is_file():
        raise DataError(path, record, f"no file {parts[0]}")
    return Photo(file, fine, coarse)


def read_classes(root: Path) -> list[GroceryClass]:
    """The table of classes, in the order of the file.

    Raises:
        DataError: names the table and the line.
    """
    path = root / "classes.csv"
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = [c for c in _COLUMNS if c not in (reader.fieldnames or ())]
            if missing:
                raise DataError(path, "line 1", f"missing columns {missing}")
            return [_class(root, path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise DataError(path, "", f"cannot be read: {error.strerror}") from error


def _class(root: Path, path: Path, line: int, row: dict[str, str]) -> GroceryClass:
    try:
        name, fine, coarse_name, coarse, picture = (row[c].strip() for c in _COLUMNS)
        # The table writes paths from the data set's root with a leading slash.
        return GroceryClass(name, int(fine), coarse_name, int(coarse), root / picture.lstrip("/"))
    except (AttributeError, ValueError) as error:
        raise DataError(path, f"line {line}", f"expected a class row, got {row}") from error
