"""A bundle is a folder with a trained network: manifest, weights, OpenVINO graph, model card.

Loading is strict: every file must be listed in the manifest with its sha256, and nothing else may
lie in the folder (names that start with a dot are left alone: version control and desktops put
them there).
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from models import manifest as manifests
from models.errors import BundleError
from models.manifest import Manifest, Precision

__all__ = ["Bundle", "Manifest", "Precision", "load_bundle", "write_bundle"]

MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
CARD = "MODEL_CARD.md"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle folder.

    Attributes:
        path: the folder.
        manifest: its parsed manifest.
    """

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Name and the first digits of the weights' checksum, for people and logs."""
        return f"{self.manifest.name}@{self.manifest.files[WEIGHTS][:8]}"

    @property
    def space(self) -> str:
        """Identity of the vectors that this network makes, 16 hexadecimal digits.

        It follows weights, architecture and preprocessing: a better model card changes nothing.
        """
        manifest = self.manifest
        parts = [manifest.files[WEIGHTS], manifest.architecture, manifest.preprocess.to_json()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def weights(self) -> Path:
        """The weights in safetensors form."""
        return self.path / WEIGHTS

    def ir(self, precision: str = "fp32") -> Path | None:
        """The OpenVINO graph (`.xml`) that serves `precision`, or None if there is none."""
        offer = self.manifest.precisions.get(precision)
        return None if offer is None else self.path / offer.ir


def load_bundle(path: Path, task: str | None = None) -> Bundle:
    """Read and verify the bundle at `path`.

    Args:
        path: the folder.
        task: the task that the bundle must have, None for any.

    Raises:
        BundleError: with what was expected and what came.
    """
    if not path.is_dir():
        raise BundleError(f"{path}: expected a bundle folder, found none")
    try:
        text = (path / MANIFEST).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path}: expected {MANIFEST} in UTF-8: {error}") from error
    try:
        manifest = manifests.parse(text)
        _check_listing(path, manifest)
        for name, expected in manifest.files.items():
            _check_file(path, name, expected)
    except BundleError as error:
        raise BundleError(f"{path}: {error}") from error
    if task is not None and manifest.task != task:
        raise BundleError(f"{path}: expected a bundle for {task}, got one for {manifest.task}")
    return Bundle(path, manifest)


def write_bundle(
    path: Path,
    manifest: Manifest,
    files: Mapping[str, bytes | Path],
    *,
    overwrite: bool = False,
) -> Bundle:
    """Write a bundle folder; readers see the old folder, or the new one, never a half.

    Args:
        path: the folder to make.
        manifest: the manifest; its `files` are filled in here.
        files: content, or a file to copy, by name inside the bundle.
        overwrite: replace a folder that is there.
    """
    if path.exists() and not overwrite:
        raise BundleError(f"{path}: expected no such folder; it is there")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        fresh = staging / "new"
        fresh.mkdir()
        for name, content in files.items():
            target = _inside(fresh, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        listed = {name: _sha256(fresh / name) for name in sorted(files)}
        text = manifests.dumps(replace(manifest, files=listed))
        (fresh / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
        load_bundle(fresh)
        if path.exists():
            path.rename(staging / "old")
        fresh.rename(path)
    finally:
        if not path.exists() and (staging / "old").exists():
            (staging / "old").rename(path)
        shutil.rmtree(staging)
    return load_bundle(path)


def _check_listing(path: Path, manifest: Manifest) -> None:
    """The files on disk, in `files` and named by the precisions must agree."""
    for name in manifest.files:
        _inside(path, name)
    needed = {WEIGHTS}
    for offer in manifest.precisions.values():
        needed |= {offer.ir, str(PurePosixPath(offer.ir).with_suffix(".bin"))}
    if unlisted := sorted(needed - set(manifest.files)):
        raise BundleError(f"files: expected checksums of {unlisted}, got {sorted(manifest.files)}")
    present = {p.relative_to(path) for p in path.rglob("*") if not p.is_dir()}
    visible = {p.as_posix() for p in present if not any(part[0] == "." for part in p.parts)}
    if missing := sorted(set(manifest.files) - {p.as_posix() for p in present}):
        raise BundleError(f"files: expected {missing}, which the folder does not hold")
    if extra := sorted(visible - set(manifest.files) - {MANIFEST}):
        raise BundleError(f"files: expected only those in {MANIFEST}, found also {extra}")


def _check_file(path: Path, name: str, expected: str) -> None:
    try:
        actual = _sha256(_inside(path, name))
    except OSError as error:
        raise BundleError(f"{name}: expected a readable file: {error}") from error
    if actual != expected:
        raise BundleError(f"{name}: expected sha256 {expected}, got {actual}")


def _inside(folder: Path, name: str) -> Path:
    """`folder / name`, refused if it leads out of the folder (also through a link)."""
    parts = PurePosixPath(name)
    plain = name == parts.as_posix() and not {"\\", ":"} & set(name) and name != MANIFEST
    if not plain or parts.is_absolute() or name == "." or ".." in parts.parts:
        raise BundleError(f"files: expected plain relative names, got {name!r}")
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"files: {name!r} leads out of the bundle, to {target.resolve()}")
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
