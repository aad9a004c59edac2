"""`tillsight bundle`: exit codes and what is printed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli import app
from models.bundle import write_bundle
from models.manifest import Precision
from tests.models.bundles import PRETEND_FILES, detector_manifest

runner = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    offers = {
        "fp32": Precision("model.xml", {}),
        "bf16": Precision("model.xml", {"ap50": 0.0012}),
        "int8": Precision("model.xml"),
    }
    write_bundle(tmp_path / "one", detector_manifest(precisions=offers), PRETEND_FILES)
    return tmp_path / "one"


def test_info(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = runner.invoke(app, ["bundle", "info", str(folder)])
    assert result.exit_code == 0
    for text in (
        "tiny-detector@",
        "64 x 96, letterbox",
        "anchors.levels [4, 5]",
        "validation.ap50 0.5",
        "bf16: loses ap50 +0.0012",
        "int8: loss not measured",
        "noise",
    ):
        assert text in result.output


def test_verify_checks_every_bundle(folder: Path) -> None:
    assert runner.invoke(app, ["bundle", "verify", str(folder)]).output.startswith(
        f"ok: {folder}: detector"
    )
    (folder / "model.bin").write_bytes(b"x")
    other = write_bundle(folder.parent / "two", detector_manifest(), PRETEND_FILES).path
    result = runner.invoke(app, ["bundle", "verify", str(folder), str(other)])
    assert result.exit_code == 1
    assert "model.bin: expected sha256" in result.output
    assert f"ok: {other}" in result.output
    assert runner.invoke(app, ["bundle", "info", str(folder)]).exit_code == 3


def test_export_of_an_incomplete_folder(tmp_path: Path) -> None:
    result = runner.invoke(app, ["bundle", "export", str(tmp_path), "--out", str(tmp_path / "out")])
    assert result.exit_code == 3
    assert "expected one *.json" in result.output
    assert not (tmp_path / "out").exists()
