"""Snapshots of an index on disk: a cache that saves reading every vector from SQL on start.

A snapshot is a folder `SPACE-REVISION` with the index file and a manifest that has its
checksum. It is written under a temporary name and renamed, so a name without `.tmp` is whole
unless the disk lies, which the checksum finds. Deleting snapshots is always safe.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer.errors import SnapshotInvalid
from indexer.vectors import VectorIndex

FORMAT = 1
KEEP = 2
ABANDONED_AFTER_S = 3600.0
"""Age at which a temporary folder cannot belong to a writer that is still at work."""

INDEX_FILE = "index.bin"
MANIFEST_FILE = "manifest.json"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SnapshotManifest:
    """What the index file of a snapshot must be; sizes in bytes."""

    format: int
    space: str
    revision: int
    dim: int
    rows: int
    size: int
    sha256: str


def write_snapshot(root: Path, space: str, revision: int, index: VectorIndex) -> Path:
    """Write the index, which is at this revision of the space; keep the newest two of the space.

    Returns the folder. One that is there is replaced: a rebuild at the same revision may repair.
    """
    final = root / _name(space, revision)
    temporary = root / f".tmp-{final.name}-{uuid.uuid4().hex}"
    temporary.mkdir(parents=True)
    try:
        _fill(temporary, space, revision, index)
        _rename(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _prune(root, space)
    return final


def load_newest(
    root: Path,
    space: str,
    new_index: Callable[[], VectorIndex],
    newest_revision: int,
) -> tuple[VectorIndex, int] | None:
    """Load the newest valid snapshot of a space that is not after newest_revision.

    What cannot be used is skipped with a line in the log. Returns the index and its revision.
    """
    remove_after(root, space, newest_revision)
    for revision, folder in reversed(_snapshots(root, space)):
        if revision > newest_revision:
            continue
        try:
            return _load(folder, space, revision, new_index()), revision
        except (SnapshotInvalid, OSError) as error:
            log.warning("ignoring snapshot %s: %s", folder.name, error)
    return None


def remove_after(root: Path, space: str, revision: int) -> None:
    """Remove the snapshots of a space after the catalog's newest revision.

    They are of another catalog, or of a past that a restored backup has undone. They would push
    out those of the present one, and be taken for them when it reaches their revision.
    """
    for later, folder in _snapshots(root, space):
        if later > revision:
            log.warning(
                "removing snapshot %s: the catalog is at revision %d, so it is of another catalog",
                folder.name,
                revision,
            )
            shutil.rmtree(folder, ignore_errors=True)


def _load(folder: Path, space: str, revision: int, index: VectorIndex) -> VectorIndex:
    """Load one snapshot into an empty index."""
    manifest = _read_manifest(folder)
    path = folder / INDEX_FILE
    expected = (FORMAT, space, revision, index.dim, manifest.size)
    got = (manifest.format, manifest.space, manifest.revision, manifest.dim, path.stat().st_size)
    if expected != got:
        raise SnapshotInvalid(
            f"expected format, space, revision, dimension, size {expected}, got {got}"
        )
    if (digest := _sha256(path)) != manifest.sha256:
        raise SnapshotInvalid(f"expected sha256 {manifest.sha256}, got {digest}")
    index.load(folder / INDEX_FILE)
    if len(index) != manifest.rows:
        raise SnapshotInvalid(f"expected {manifest.rows} rows, got {len(index)}")
    return index


def _fill(folder: Path, space: str, revision: int, index: VectorIndex) -> None:
    """Write both files of a snapshot and see that they are on the disk."""
    path = folder / INDEX_FILE
    index.save(path)
    manifest = SnapshotManifest(
        format=FORMAT,
        space=space,
        revision=revision,
        dim=index.dim,
        rows=len(index),
        size=path.stat().st_size,
        sha256=_sha256(path),
    )
    text = json.dumps(asdict(manifest), indent=2) + "\n"
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")
    for name in (INDEX_FILE, MANIFEST_FILE):
        with (folder / name).open("rb+") as file:
            os.fsync(file.fileno())


def _read_manifest(folder: Path) -> SnapshotManifest:
    """Read the manifest of a snapshot; its values are not yet checked."""
    try:
        text = (folder / MANIFEST_FILE).read_text(encoding="utf-8")
        return SnapshotManifest(**json.loads(text))
    except (OSError, ValueError, TypeError) as error:
        raise SnapshotInvalid(f"unreadable manifest: {error}") from error


def _rename(temporary: Path, final: Path) -> None:
    """Give a finished snapshot its name, in the place of one that has it already."""
    if final.exists():
        # a folder cannot be replaced in one step; between the two there is none, which is safe
        final.rename(temporary.with_name(f"{temporary.name}-old"))
    temporary.rename(final)
    shutil.rmtree(temporary.with_name(f"{temporary.name}-old"), ignore_errors=True)
    directory = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _prune(root: Path, space: str) -> None:
    """Remove all but the newest snapshots of the space, and what crashed writers left."""
    for _, folder in _snapshots(root, space)[:-KEEP]:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in root.glob(".tmp-*"):
        with suppress(FileNotFoundError):  # its writer may just have renamed it
            if time.time() - folder.stat().st_mtime > ABANDONED_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _name(space: str, revision: int) -> str:
    """Return the folder name of a snapshot; names of one space sort by revision."""
    return f"{space}-{revision:019d}"


def _snapshots(root: Path, space: str) -> list[tuple[int, Path]]:
    """Return revision and folder of everything named as a snapshot of the space, oldest first."""
    pattern = re.compile(re.escape(space) + r"-(\d{19})")
    folders = root.iterdir() if root.is_dir() else ()
    matches = ((pattern.fullmatch(folder.name), folder) for folder in folders)
    return sorted((int(match[1]), folder) for match, folder in matches if match)


def _sha256(path: Path) -> str:
    """Return the sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
