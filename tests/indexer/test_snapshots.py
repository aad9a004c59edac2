import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from indexer.faiss_index import FaissIndex
from indexer.snapshots import INDEX_FILE, MANIFEST_FILE, load_newest, write_snapshot
from indexer.vectors import BruteForceIndex
from tests.indexer.fake_log import unit_rows

DIM = 8
SPACE = "0123456789abcdef"


def an_index(rows: int = 20) -> FaissIndex:
    index = FaissIndex(DIM)
    index.put(np.arange(rows), unit_rows(np.random.default_rng(rows), rows, DIM))
    return index


def load(root: Path, newest_revision: int = 100, space: str = SPACE) -> Any:
    return load_newest(root, space, lambda: FaissIndex(DIM), newest_revision)


def names(root: Path) -> list[str]:
    return sorted(folder.name for folder in root.iterdir())


def test_a_snapshot_comes_back(tmp_path: Path) -> None:
    index = an_index()
    folder = write_snapshot(tmp_path / "new" / "folder", SPACE, 7, index)
    assert folder.name.startswith(SPACE)
    loaded, revision = load(tmp_path / "new" / "folder")
    assert revision == 7
    np.testing.assert_array_equal(loaded.ids(), index.ids())
    np.testing.assert_array_equal(loaded.reconstruct(index.ids()), index.reconstruct(index.ids()))


def test_an_empty_index_comes_back(tmp_path: Path) -> None:
    write_snapshot(tmp_path, SPACE, 3, an_index(0))
    loaded, revision = load(tmp_path)
    assert (len(loaded), revision) == (0, 3)


def test_no_folder_no_snapshot(tmp_path: Path) -> None:
    assert load(tmp_path / "absent") is None
    assert load(tmp_path) is None


def test_the_newest_two_of_each_space_are_kept(tmp_path: Path) -> None:
    write_snapshot(tmp_path, "other", 1, an_index())
    for revision in (9, 10, 11, 100):  # in the order of numbers, not of texts
        write_snapshot(tmp_path, SPACE, revision, an_index(revision))
    assert [int(name.split("-")[1]) for name in names(tmp_path)] == [11, 100, 1]
    assert load(tmp_path)[1] == 100
    assert load(tmp_path, space="other")[1] == 1


def test_the_same_revision_is_replaced(tmp_path: Path) -> None:
    write_snapshot(tmp_path, SPACE, 5, an_index(3))
    write_snapshot(tmp_path, SPACE, 5, an_index(4))
    assert len(load(tmp_path)[0]) == 4
    assert len(names(tmp_path)) == 1


def test_one_from_the_future_is_of_another_catalog(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_snapshot(tmp_path, SPACE, 5, an_index(5))
    write_snapshot(tmp_path, SPACE, 9, an_index(9))
    assert load(tmp_path, newest_revision=8)[1] == 5
    assert "the catalog is at revision 8" in caplog.text
    assert load(tmp_path, newest_revision=9)[1] == 5, "it must not come back later"


def edit_manifest(folder: Path, **values: Any) -> None:
    path = folder / MANIFEST_FILE
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / INDEX_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / INDEX_FILE).write_bytes(content)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def replace_by_other_implementation(folder: Path) -> None:
    other = BruteForceIndex(DIM)
    other.put(np.arange(9), unit_rows(np.random.default_rng(0), 9, DIM))
    shutil.copytree(
        write_snapshot(folder.parent / "x", SPACE, 9, other), folder, dirs_exist_ok=True
    )


DAMAGE = {
    "a bit flipped": (flip_a_bit, "sha256"),
    "index truncated": (lambda folder: truncate(folder / INDEX_FILE), "size"),
    "index gone": (lambda folder: (folder / INDEX_FILE).unlink(), INDEX_FILE),
    "manifest truncated": (lambda folder: truncate(folder / MANIFEST_FILE), "unreadable"),
    "manifest gone": (lambda folder: (folder / MANIFEST_FILE).unlink(), MANIFEST_FILE),
    "manifest not text": (
        lambda folder: (folder / MANIFEST_FILE).write_bytes(b"\xff\xfe\x00"),
        "unreadable",
    ),
    "manifest a list": (lambda folder: (folder / MANIFEST_FILE).write_text("[1]"), "unreadable"),
    "unknown field": (lambda folder: edit_manifest(folder, extra=1), "extra"),
    "newer format": (lambda folder: edit_manifest(folder, format=2), "format"),
    "other space": (lambda folder: edit_manifest(folder, space="other"), "space"),
    "other revision": (lambda folder: edit_manifest(folder, revision=8), "revision"),
    "other dimension": (lambda folder: edit_manifest(folder, dim=DIM + 1), "dimension"),
    "other row count": (lambda folder: edit_manifest(folder, rows=8), "8 rows, got 9"),
    "revision a text": (lambda folder: edit_manifest(folder, revision="x"), "revision"),
    "other implementation": (replace_by_other_implementation, "expected a FAISS index"),
    "a file": (
        lambda folder: (shutil.rmtree(folder), folder.write_text("not a folder")),
        "unreadable",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_bad_one_is_ignored_with_a_line_in_the_log(
    case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage, reason = DAMAGE[case]
    write_snapshot(tmp_path, SPACE, 5, an_index(5))
    damage(write_snapshot(tmp_path, SPACE, 9, an_index(9)))
    caplog.set_level(logging.WARNING)
    loaded, revision = load(tmp_path)
    assert (len(loaded), revision) == (5, 5)
    assert f"ignoring snapshot {SPACE}-" in caplog.text
    assert reason in caplog.text


def test_a_half_written_one_has_another_name(tmp_path: Path) -> None:
    class FullDisk(FaissIndex):
        def save(self, path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        write_snapshot(tmp_path, SPACE, 5, FullDisk(DIM))
    assert names(tmp_path) == []


def test_what_a_crash_leaves_is_swept_later(tmp_path: Path) -> None:
    old, fresh = tmp_path / ".tmp-old", tmp_path / ".tmp-fresh"
    old.mkdir()
    fresh.mkdir()
    hours_ago = time.time() - 7200
    os.utime(old, (hours_ago, hours_ago))
    write_snapshot(tmp_path, SPACE, 5, an_index())
    assert not old.exists()
    assert fresh.exists()
    assert load(tmp_path)[1] == 5
