from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")

import models.train
from models.train.detector_recipe import DetectorRecipe
from models.train.recipe import RecipeError, load_recipe

GOOD = {
    "name": "tiny",
    "schedule": {"steps": 4},
    "stages": [{"until": 0.5, "size": 96}, {"until": 1.0, "size": 128}],
    "shares": {"composed": 1.0},
}


def _load(tmp_path, document):
    path = tmp_path / "recipe.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
    return load_recipe(path, DetectorRecipe)


def test_a_minimal_recipe(tmp_path):
    recipe = _load(tmp_path, GOOD)

    assert recipe.network.anchors.per_cell == 9
    assert recipe.preprocess().height == recipe.size == 384
    assert recipe.preprocess(96).width == 96
    assert [recipe.stage_size(p) for p in (0.0, 0.49, 0.5, 1.0)] == [96, 96, 128, 128]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "colour: Extra inputs"),
        ({"loss": {"gama": 2}}, "loss.gama"),
        ({"schedule": {"steps": 4, "minutes": 3}}, "exactly one of steps and minutes"),
        ({"schedule": {}}, "exactly one of steps and minutes"),
        ({"batch": 0}, "batch: Input should be greater"),
        ({"stages": [{"until": 0.5, "size": 96}]}, "ends at 1"),
        ({"stages": [{"until": 1.0, "size": 100}]}, "stages.0.size"),
        ({"shares": {"composed": 0.0}}, "shares: expected"),
        ({"shares": {"drawings": 1.0}}, "shares"),
        ({"loss": {"positive": 0.3}}, "must not exceed"),
        ({"cutouts": {"limits": {"drawn": 1}, "weights": {}}}, "positive weight for"),
        ({"name": "No Spaces"}, "name"),
    ],
    ids=str,
)
def test_faults_name_the_key_and_the_file(tmp_path, change, message):
    with pytest.raises(RecipeError, match=message) as caught:
        _load(tmp_path, GOOD | change)
    assert "recipe.yaml" in str(caught.value)


def test_not_a_recipe_at_all(tmp_path):
    with pytest.raises(RecipeError, match="not YAML"):
        _load(tmp_path, "a: [1")
    with pytest.raises(RecipeError, match="expected a mapping, got list"):
        _load(tmp_path, "[1, 2]")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "absent.yaml", DetectorRecipe)


def test_a_recipe_cannot_be_changed(tmp_path):
    recipe = _load(tmp_path, GOOD)
    with pytest.raises(ValueError, match="frozen"):
        recipe.batch = 3


def test_the_shipped_recipe_loads():
    folder = Path(models.train.__file__).parent / "recipes"
    recipe = load_recipe(folder / "kiosk_detector.yaml", DetectorRecipe)
    assert recipe.kind == "detector"
