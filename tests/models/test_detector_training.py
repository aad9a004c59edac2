import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from models.train.detector import DetectorModule  # noqa: E402
from models.train.detector_data import Batch, Pictures, load_data, picture  # noqa: E402
from models.train.detector_recipe import DetectorRecipe  # noqa: E402
from models.train.detector_run import train_detector  # noqa: E402
from models.train.module import follow, rate_factor  # noqa: E402
from models.train.recipe import Schedule  # noqa: E402
from tests.models.scenery import collections  # noqa: E402


def _recipe(**changes):
    values = {
        "name": "tiny",
        "batch": 2,
        "workers": 0,
        "threads": 1,
        "precision": "32",
        "channels": 16,
        "size": 96,
        "epoch_steps": 2,
        "schedule": {"steps": 4},
        "stages": [{"until": 0.5, "size": 64}, {"until": 1.0, "size": 96}],
        "shares": {"composed": 0.4, "ecustfd": 0.3, "freiburg": 0.3},
        "cutouts": {
            "limits": {"studio": 3, "fronts": 3, "packs": 3, "pieces": 3, "drawn": 2},
            "tables": 1,
        },
    }
    return DetectorRecipe.model_validate(values | changes)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = collections(tmp_path_factory.mktemp("data"))
    cache = tmp_path_factory.mktemp("cache")
    first = load_data(root, _recipe(), cache)
    again = load_data(root, _recipe(), cache)  # from the cache
    for name, (_, pieces) in first.library.groups.items():
        assert len(pieces) == len(again.library.groups[name][1])
    return first


@pytest.mark.parametrize("share", ["composed", "ecustfd", "freiburg"])
def test_pictures_of_every_kind(data, share):
    recipe = _recipe(shares={share: 1.0})
    boxes = 0
    for seed in range(12):
        image, found, ignore = picture(np.random.default_rng(seed), data, recipe, 96)
        assert image.shape == (96, 96, 3)
        rows = np.concatenate([found, ignore])
        assert (rows[:, :2] < rows[:, 2:]).all()
        assert rows.min(initial=0) >= 0
        assert rows.max(initial=0) <= 96
        assert share != "freiburg" or len(ignore)
        boxes += len(found)
    assert boxes >= 6


def test_batches_are_seeded_and_change_size(data):
    recipe = _recipe()
    pictures = Pictures(data, recipe)
    endless = iter(pictures)
    first = next(endless)
    pictures.set_size(96)
    second = next(endless)

    assert first.pixels.shape == (2, 64, 64, 3)
    assert second.pixels.shape == (2, 96, 96, 3)
    same = next(iter(Pictures(data, recipe)))
    other = next(iter(Pictures(data, recipe, start=7)))
    assert torch.equal(first.pixels, same.pixels)
    assert not torch.equal(first.pixels, other.pixels)


def test_a_loss_that_is_not_finite_stops_with_its_parts(data):
    module = DetectorModule(_recipe(), Pictures(data, _recipe()))
    torch.nn.init.constant_(module.net.scores.last.weight, math.nan)
    batch = Batch(torch.zeros(1, 64, 64, 3, dtype=torch.uint8), [torch.zeros(0, 4)] * 1,
                  [torch.zeros(0, 4)])  # fmt: skip

    with pytest.raises(FloatingPointError, match=r"score loss nan.*logits finite: False"):
        module.training_step(batch, 0)


def test_learning_rate_and_average():
    cosine = Schedule(steps=10, final=0.1)
    assert rate_factor(cosine, 0.0) == pytest.approx(1.0)
    assert rate_factor(cosine, 0.5) == pytest.approx(0.55)
    assert rate_factor(cosine, 1.0) == pytest.approx(0.1)
    assert rate_factor(Schedule(kind="plateau", steps=10), 0.7) == 1.0

    old, new = torch.nn.BatchNorm1d(2), torch.nn.BatchNorm1d(2)
    torch.nn.init.constant_(new.weight, 3.0)
    new.num_batches_tracked += 5
    follow(old, new, 0.75)
    assert old.weight.tolist() == [1.5, 1.5]
    assert int(old.num_batches_tracked) == 5


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["cosine", "plateau"])
def test_a_run_its_exports_and_going_on(data, tmp_path, kind):
    from safetensors.torch import load_file

    recipe = _recipe(schedule={"steps": 4, "kind": kind, "patience": 1}, validate_sizes=[64])
    average = train_detector(recipe, data, tmp_path)

    report = _lines(tmp_path / "metrics.jsonl")[-1]
    assert report["step"] == 4
    assert {"trays_dev_64", "trays_dev_96", "losses"} <= set(report)
    exported = json.loads((tmp_path / "export" / "detector.json").read_text())
    assert exported["architecture"]["kind"] == "retinanet"
    weights = load_file(tmp_path / "export" / "weights.safetensors")
    for name, tensor in average.state_dict().items():
        assert torch.equal(weights[name], tensor)

    longer = _recipe(schedule={"steps": 6, "kind": kind})
    train_detector(longer, data, tmp_path, resume=tmp_path / "last.ckpt")

    assert [line["step"] for line in _lines(tmp_path / "metrics.jsonl")] == [4, 6]
    assert list((tmp_path / "worst").glob("*.jpg"))


@pytest.mark.slow
def test_the_exported_folder_becomes_a_network(data, tmp_path):
    from safetensors.torch import load_file

    from models.train.export import export_run

    recipe = _recipe(schedule={"steps": 2})
    train_detector(recipe, data, tmp_path)

    start = tmp_path / "export" / "weights.safetensors"
    again = train_detector(
        _recipe(schedule={"steps": 1}, optimizer={"lr": 1e-12}), data, tmp_path / "b", weights=start
    )
    old = load_file(start)
    for name, tensor in again.named_parameters():
        torch.testing.assert_close(tensor, old[name])

    bundle = export_run(tmp_path / "export", tmp_path / "bundle")

    assert bundle.manifest.task == "detector"
    assert bundle.manifest.settings["anchors"]["levels"] == [4, 5, 6, 7]
