import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("lightning")

from app.cli.train import app
from tests.models.scenery import collections

RECIPE = {
    "name": "tiny",
    "batch": 2,
    "workers": 0,
    "threads": 1,
    "precision": "32",
    "channels": 16,
    "size": 64,
    "epoch_steps": 1,
    "schedule": {"steps": 1},
    "stages": [{"until": 1.0, "size": 64}],
    "shares": {"composed": 1.0},
    "cutouts": {"limits": {"studio": 1}, "tables": 0},
}


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


def _train(recipe, data, out, *more):
    options = ["--recipe", str(recipe), "--data", str(data), "--out", str(out), *more]
    return CliRunner().invoke(app, ["detector", *options])


def test_missing_files_are_one_line_each(recipe, tmp_path):
    absent = tmp_path / "absent"

    for result in (
        _train(absent, tmp_path, tmp_path / "out"),
        _train(recipe, absent, tmp_path / "out"),
        _train(recipe, tmp_path, tmp_path / "out", "--resume", str(absent)),
        _train(recipe, tmp_path, tmp_path / "out", "--weights", str(absent)),
    ):
        assert result.exit_code == 1
        assert str(absent) in result.stderr.replace("\n", "")
        assert "Traceback" not in result.stderr


def test_one_start_only(recipe, tmp_path):
    both = "--resume", str(recipe), "--weights", str(recipe)
    assert _train(recipe, tmp_path, tmp_path / "out", *both).exit_code == 2


@pytest.mark.slow
def test_training_leaves_an_export(recipe, tmp_path):
    data = collections(tmp_path / "data")

    result = _train(recipe, data, tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "export" / "weights.safetensors").is_file()
    assert (tmp_path / "out" / "last.ckpt").is_file()
