"""Reference crops as files, named by the sha256 of their bytes.

    ROOT/ab/abcd...     a crop, complete and never changed
    ROOT/staging/*      crops on their way; left over only by a crash

A crop becomes visible by a rename, so no reader ever sees half of one. Equal bytes are one file:
whoever removes a crop must hold the catalog's head lock and know that no view refers to it.
"""

import errno
import hashlib
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import CropUnreadable, StorageFull

# EFBIG: the limit that the operating system sets for a single file of this process.
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_STAGING = "staging"


@dataclass(slots=True)
class StagedCrops:
    """Crops that lie on the disk and have no name yet.

    Attributes:
        sha256: One per crop, in the order given.
        published: Whether crops may have got their names.
    """

    sha256: tuple[str, ...]
    files: tuple[Path, ...]
    store: "BlobStore"
    published: bool = False

    def publish(self) -> None:
        """Give every crop its name. Call with the head lock held."""
        self.published = bool(self.files)
        with _space():
            for sha256, file in zip(self.sha256, self.files, strict=True):
                target = self.store.path(sha256)
                target.parent.mkdir(parents=True, exist_ok=True)
                # Also where the file exists: this repairs a damaged one and makes its age zero.
                file.replace(target)
            for folder in {self.store.path(sha256).parent for sha256 in self.sha256}:
                _sync_folder(folder)
            if self.sha256:
                _sync_folder(self.store.root)


class BlobStore:
    """The folder of all crops. Safe to use from several threads and processes."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the crop lies or would lie."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise CropUnreadable(sha256, "expected 64 hexadecimal digits")
        return self.root / sha256[:2] / sha256

    @contextmanager
    def stage(self, crops: Sequence[bytes]) -> Iterator[StagedCrops]:
        """Write the crops to the disk under temporary names; what is not published is removed."""
        files: list[Path] = []
        try:
            with _space():
                (self.root / _STAGING).mkdir(parents=True, exist_ok=True)
                for crop in crops:
                    files.append(self.root / _STAGING / uuid.uuid4().hex)
                    _write(files[-1], crop)
            names = tuple(hashlib.sha256(crop).hexdigest() for crop in crops)
            yield StagedCrops(names, tuple(files), self)
        finally:
            for file in files:
                file.unlink(missing_ok=True)

    def put(self, crop: bytes) -> str:
        """Store one crop and return its sha256; storing it again changes nothing."""
        with self.stage([crop]) as staged:
            staged.publish()
        return staged.sha256[0]

    def get(self, sha256: str) -> bytes:
        """The bytes of a crop, checked against its name."""
        try:
            crop = self.path(sha256).read_bytes()
        except FileNotFoundError as error:
            raise CropUnreadable(sha256, "the file is missing") from error
        except OSError as error:
            raise CropUnreadable(sha256, error.strerror or str(error)) from error
        actual = hashlib.sha256(crop).hexdigest()
        if actual != sha256:
            raise CropUnreadable(sha256, f"the file holds bytes with the sha256 {actual}")
        return crop

    def delete(self, sha256: str) -> None:
        """Remove a crop; nothing happens if it is not there."""
        self.path(sha256).unlink(missing_ok=True)

    def stored(self, older_than_s: float = 0.0) -> Iterator[str]:
        """The sha256 of every crop written at least `older_than_s` seconds ago."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]")):
            for file in _old_files(folder, older_than_s):
                yield file.name

    def remove_staged(self, older_than_s: float) -> int:
        """Remove what a crash has left in the staging folder; returns how many files."""
        files = list(_old_files(self.root / _STAGING, older_than_s))
        for file in files:
            file.unlink(missing_ok=True)
        return len(files)


@contextmanager
def _space() -> Iterator[None]:
    """A full disk as an error of this package."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise StorageFull(f"no space left for a crop: {error}") from error
        raise


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        # Before the rename: a name must never appear before its bytes, not even after a power cut.
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _old_files(folder: Path, older_than_s: float) -> Iterator[Path]:
    newest = time.time() - older_than_s
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            try:
                if entry.is_file() and entry.stat().st_mtime <= newest:
                    yield folder / entry.name
            except FileNotFoundError:
                # Another process has published or removed it meanwhile.
                continue
