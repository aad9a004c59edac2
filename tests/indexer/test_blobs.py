import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer.blobs import BlobStore
from indexer.errors import CropUnreadable, StorageFull
from tests.indexer.entries import files

CROP = b"a crop"
SHA256 = hashlib.sha256(CROP).hexdigest()


def test_a_crop_comes_back(blobs: BlobStore) -> None:
    assert blobs.put(CROP) == SHA256
    assert blobs.get(SHA256) == CROP
    assert blobs.path(SHA256).read_bytes() == CROP
    assert list(blobs.stored()) == [SHA256]


def test_equal_crops_are_one_file(blobs: BlobStore) -> None:
    assert blobs.put(CROP) == blobs.put(CROP)
    assert files(blobs) == {SHA256}


def test_storing_again_repairs_a_damaged_file(blobs: BlobStore) -> None:
    blobs.put(CROP)
    blobs.path(SHA256).write_bytes(b"damaged")
    with pytest.raises(CropUnreadable, match="holds bytes with the sha256"):
        blobs.get(SHA256)
    blobs.put(CROP)
    assert blobs.get(SHA256) == CROP


def test_a_missing_crop_is_told(blobs: BlobStore) -> None:
    with pytest.raises(CropUnreadable, match="missing"):
        blobs.get(SHA256)
    blobs.delete(SHA256)


def test_a_crop_that_the_disk_cannot_read_is_told(blobs: BlobStore) -> None:
    blobs.path(SHA256).mkdir(parents=True)
    with pytest.raises(CropUnreadable, match="directory"):
        blobs.get(SHA256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_only_checksums_are_names(blobs: BlobStore, name: str) -> None:
    with pytest.raises(CropUnreadable, match="64 hexadecimal digits"):
        blobs.get(name)


def test_what_is_not_published_is_removed(blobs: BlobStore) -> None:
    with blobs.stage([CROP, b"another"]) as staged:
        assert len(files(blobs)) == 2
        assert list(blobs.stored()) == []
    assert files(blobs) == set()
    assert not staged.published


def test_nothing_to_stage(blobs: BlobStore) -> None:
    with blobs.stage([]) as staged:
        staged.publish()
    assert files(blobs) == set()


def test_age_protects_crops_and_staged_files(blobs: BlobStore) -> None:
    blobs.put(CROP)
    left = blobs.root / "staging" / "left"
    left.write_bytes(b"")
    assert list(blobs.stored(older_than_s=60)) == []
    assert blobs.remove_staged(older_than_s=60) == 0
    for path in (left, blobs.path(SHA256)):
        os.utime(path, (0, 0))
    assert list(blobs.stored(older_than_s=60)) == [SHA256]
    assert blobs.remove_staged(older_than_s=60) == 1
    assert files(blobs) == {SHA256}


def test_a_full_disk_leaves_nothing(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="No space left"):
        blobs.put(CROP)
    assert files(blobs) == set()


def test_other_faults_of_the_disk_are_not_called_full(
    blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="Input/output"):
        blobs.put(CROP)


LIMITED = """
import resource, sys
from pathlib import Path
from indexer.blobs import BlobStore
from indexer.errors import StorageFull
blobs = BlobStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
blobs.put(bytes(1000))
try:
    blobs.put(bytes(1001))
except StorageFull:
    print("full")
"""


def test_a_limit_of_the_operating_system(blobs: BlobStore) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", LIMITED, str(blobs.root)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "full\n"
    assert len(files(blobs)) == 1
