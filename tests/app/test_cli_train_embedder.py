"""`tillsight train embedder`: what is wrong with its inputs is said in one line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("lightning")

from app.cli.train import app

RECIPE = "name: tiny\nshares: {freiburg: 1}\nschedule: {steps: 1}\n"


def run(tmp_path: Path, *more: str) -> str:
    recipe = tmp_path / "recipe.yaml"
    options = ["--recipe", str(recipe), "--data", str(tmp_path), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["embedder", *options, *more])
    assert result.exit_code != 0
    assert not isinstance(result.exception, AssertionError | KeyError | TypeError)
    return result.output


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE + "trunc: resnet18\n")
    assert "trunc" in run(tmp_path)


def test_a_folder_without_collections_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    output = " ".join(run(tmp_path).split())
    assert "expected freiburg_boxes, ecustfd or groceries" in output


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE)
    assert "expected a checkpoint" in " ".join(run(tmp_path, "--resume", "absent.ckpt").split())
