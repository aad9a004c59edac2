"""Bundles: strict loading, clear errors, whole or not at all on disk."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.bundle import load_bundle, write_bundle
from models.errors import BundleError
from models.manifest import VERSION, dumps, parse
from models.preprocess import Preprocess
from tests.models.bundles import (
    PRETEND_FILES,
    detector_manifest,
    edit_manifest,
    embedder_manifest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "bundle"
    write_bundle(path, detector_manifest(), PRETEND_FILES)
    return path


def test_round_trip(folder: Path) -> None:
    bundle = load_bundle(folder, task="detector")
    assert replace(bundle.manifest, files={}) == detector_manifest()
    assert set(bundle.manifest.files) == set(PRETEND_FILES)
    assert bundle.weights.read_bytes() == b"weights"
    assert bundle.ir() == folder / "model.xml"
    assert bundle.ir("int8") is None
    assert bundle.name.startswith("tiny-detector@")
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_manifest_text_is_stable() -> None:
    text = dumps(embedder_manifest())
    assert dumps(parse(text)) == text
    assert parse(text) == embedder_manifest()


def test_space_follows_what_makes_the_vectors_and_nothing_else(tmp_path: Path) -> None:
    def space(folder: str, files: dict[str, Any], **changes: Any) -> str:
        manifest = embedder_manifest(**changes)
        return write_bundle(tmp_path / folder, manifest, {**PRETEND_FILES, **files}).space

    first = space("a", {})
    assert len(first) == 16 and set(first) <= set("0123456789abcdef")
    assert space("b", {"MODEL_CARD.md": b"better"}, name="other", metrics={"x": 1}) == first
    assert space("c", {"model.safetensors": b"other"}) != first
    assert space("d", {}, preprocess=Preprocess(32, 32, fit="stretch")) != first
    assert space("e", {}, architecture={"kind": "embedder", "pooling": "average"}) != first


def put_key(key: str, value: Any) -> Any:
    return lambda values: values.__setitem__(key, value)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (put_key("version", VERSION + 1), r"version: expected 1, got 2"),
        (lambda v: v.pop("version"), r"version: expected 1, got None"),
        (lambda v: v.pop("recipe"), r"missing keys \['recipe'\], unknown keys \[\]"),
        (put_key("colour", "red"), r"unknown keys \['colour'\]"),
        (put_key("task", "oracle"), r"task: expected one of detector, .*'oracle'"),
        (put_key("task", 3), r"task: expected str, got int"),
        (put_key("files", ["model.xml"]), r"files: expected dict, got list"),
        (put_key("preprocess", {"height": 0, "width": 1}), r"preprocess: size: expected positive"),
        (put_key("preprocess", {"depth": 1}), r"preprocess: .*unexpected keyword"),
        (put_key("precisions", {"fp64": {}}), r"precisions: expected .*'fp64'"),
        (put_key("precisions", {"fp32": {"ir": "m.xml"}}), r"expected an object with ir and loss"),
        (
            put_key("precisions", {"bf16": {"ir": "model.xml", "loss": {"ap": None}}}),
            r"loss: expected numbers or null",
        ),
        (
            put_key("precisions", {"int8": {"ir": "int8.xml", "loss": None}}),
            r"expected checksums of \['int8.bin', 'int8.xml'\]",
        ),
        (lambda v: v["files"].pop("model.safetensors"), r"checksums of \['model.safetensors'\]"),
        (lambda v: v["files"].update({"../model.xml": ""}), r"plain relative names"),
        (lambda v: v["files"].update({"/etc/hosts": ""}), r"plain relative names"),
        (lambda v: v["files"].update({"a/../../b": ""}), r"plain relative names"),
        (lambda v: v["files"].update({"c:\\b": ""}), r"plain relative names"),
        (lambda v: v["files"].update({"manifest.json": ""}), r"plain relative names"),
        (lambda v: v["files"].update({"gone.bin": ""}), r"expected \['gone.bin'\], which"),
    ],
)
def test_wrong_manifests_are_refused(folder: Path, edit: Any, message: str) -> None:
    edit_manifest(folder, edit)
    with pytest.raises(BundleError, match=message) as caught:
        load_bundle(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[]", "null", "\ufeff{}"])
def test_manifest_that_is_no_object(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(BundleError, match=r"not JSON|expected an object"):
        load_bundle(folder)


def test_manifest_that_is_not_text(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match="in UTF-8"):
        load_bundle(folder)


def test_damaged_file(folder: Path) -> None:
    (folder / "model.bin").write_bytes(b"numbErs")
    with pytest.raises(BundleError, match=r"model.bin: expected sha256 [0-9a-f]{64}, got"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.bin", "model.safetensors", "manifest.json"])
def test_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=name):
        load_bundle(folder)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="found none"):
        load_bundle(tmp_path / "nowhere")


def test_extra_files_are_refused_but_hidden_ones_are_left_alone(folder: Path) -> None:
    (folder / ".gitattributes").write_text("* -text")
    load_bundle(folder)
    (folder / "notes.txt").write_text("hello")
    with pytest.raises(BundleError, match=r"found also \['notes.txt'\]"):
        load_bundle(folder)


def test_link_out_of_the_folder(folder: Path) -> None:
    outside = folder.parent / "outside.bin"
    shutil.move(folder / "model.bin", outside)
    (folder / "model.bin").symlink_to(outside)
    with pytest.raises(BundleError, match="leads out of the bundle"):
        load_bundle(folder)


def test_wrong_task(folder: Path) -> None:
    with pytest.raises(BundleError, match="expected a bundle for embedder, got one for detector"):
        load_bundle(folder, task="embedder")


def test_existing_folder_is_replaced_only_when_told(folder: Path) -> None:
    with pytest.raises(BundleError, match="expected no such folder"):
        write_bundle(folder, embedder_manifest(), PRETEND_FILES)
    assert load_bundle(folder).manifest.task == "detector"
    write_bundle(folder, embedder_manifest(), PRETEND_FILES, overwrite=True)
    assert load_bundle(folder).manifest.task == "embedder"
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]


def test_failed_write_leaves_nothing_behind(folder: Path) -> None:
    before = json.loads((folder / "manifest.json").read_text())
    incomplete = {k: v for k, v in PRETEND_FILES.items() if k != "model.bin"}
    with pytest.raises(BundleError, match=r"checksums of \['model.bin'\]"):
        write_bundle(folder, detector_manifest(), incomplete, overwrite=True)
    with pytest.raises(BundleError, match="plain relative names"):
        write_bundle(folder, detector_manifest(), {"../x": b""}, overwrite=True)
    assert json.loads((folder / "manifest.json").read_text()) == before
    assert [p.name for p in folder.parent.iterdir()] == ["bundle"]
