"""Where an import finds its photos: a folder, a ZIP archive, or the files of an upload."""

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from app.errors import InvalidInput, MalformedRequest, UploadTooLarge
from app.settings import LimitSettings

MAX_CSV_BYTES = 64 * 2**20
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)


class Photos(Protocol):
    """Photo files by the names that the CSV uses."""

    def read(self, name: str) -> bytes:
        """Bytes of a photo; InvalidInput if there is none of that name."""
        ...


class FolderPhotos:
    """Photos below a folder; names are paths relative to it."""

    def __init__(self, root: Path, limits: LimitSettings) -> None:
        self._root = root.resolve()
        self._limits = limits

    def read(self, name: str) -> bytes:
        """Bytes of a photo; a name that leads out of the folder counts as missing."""
        try:
            path = (self._root / name).resolve()
            there = path.is_relative_to(self._root) and path.is_file()
        except (ValueError, OSError):  # no name that a file could have
            there = False
        if not there:
            raise missing(name)
        try:
            size = path.stat().st_size
            if size > self._limits.max_upload_bytes:
                raise UploadTooLarge(self._limits.max_upload_bytes, size, name)
            return path.read_bytes()
        except OSError as exc:  # of this row alone: the others go on
            raise InvalidInput(f"images: cannot read {name[:100]!r}: {exc.strerror}") from exc


class UploadedPhotos:
    """Photos that came with the request, by their file names."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, name: str) -> bytes:
        """Bytes of a photo, also if the CSV says in which folder it was."""
        for known in (name, name.replace("\\", "/").rsplit("/", 1)[-1]):
            if known in self._files:
                return self._files[known]
        raise missing(name)


class ZipPhotos:
    """A ZIP archive with one CSV file and photos; nothing of it is ever unpacked to disk."""

    def __init__(self, data: bytes, limits: LimitSettings) -> None:
        self._limits = limits
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except _DAMAGE as exc:
            raise MalformedRequest(f"expected a ZIP archive: {exc}", "file") from exc
        self._names = {i.filename: i for i in self._archive.infolist() if not i.is_dir()}
        self._folder = ""

    def csv(self) -> bytes:
        """Bytes of the one CSV file."""
        found = [n for n in self._names if n.lower().endswith(".csv") and "__MACOSX" not in n]
        if len(found) != 1:
            raise InvalidInput(
                f"file: expected one .csv file in the archive, got {len(found)}", "file"
            )
        self._folder = found[0].rpartition("/")[0]
        return self._extract(found[0], MAX_CSV_BYTES)

    def read(self, name: str) -> bytes:
        """Bytes of a photo, named from the root of the archive or from beside the CSV file."""
        for path in (name, f"{self._folder}/{name}"):
            if path in self._names:
                return self._extract(path, self._limits.max_upload_bytes)
        raise missing(name)

    def _extract(self, name: str, limit: int) -> bytes:
        try:
            with self._archive.open(self._names[name]) as file:
                # The size in the directory may be a lie: what is unpacked counts.
                data = file.read(limit + 1)
        except _DAMAGE as exc:
            raise InvalidInput(f"{name}: cannot be unpacked: {exc}", "file") from exc
        if len(data) > limit:
            raise UploadTooLarge(limit, None, name)
        return data


def missing(name: str) -> InvalidInput:
    """The error for a photo that is not there."""
    return InvalidInput(f"images: there is no file {name[:100]!r}", "images")
