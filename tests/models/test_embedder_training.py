"""Training of the embedder end to end on generated crops, and the parts of its recipe."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from models.bundle import WEIGHTS
from models.data.crops import Crop
from models.data.sample import Sample
from models.nets.build import load_network
from models.train.embedder import EmbedderModule
from models.train.embedder_data import EmbedderData, LabelledCrops, tray_crops, view_loader
from models.train.embedder_export import embed, export, measure, measure_grocerystore
from models.train.embedder_recipe import EmbedderRecipe
from models.train.embedder_run import train_embedder
from models.train.export import export_run
from models.train.recipe import load_recipe

RECIPES = Path(__file__).parents[2] / "models" / "train" / "recipes"


def smoke(**changes: object) -> EmbedderRecipe:
    values: dict[str, object] = {
        "name": "smoke",
        "dim": 16,
        "size": 32,
        "batch": 16,
        "views_per_class": 4,
        "workers": 0,
        "ema": 0.9,
        "shares": {"blobs": 1.0},
        "stages": [{"until": 0.5, "scale": [4, 8]}, {"scale": [8, 8], "triplets": "hard"}],
        "loss": {"kind": "triplet", "negatives": "pooled", "distance": "cosine"},
        "views": {"light": 0, "background": 0, "neighbours": 0},
        "erasing": {"probability": 0},
        "optimizer": {"lr": 2e-3, "warmup_steps": 3},
        "schedule": {"steps": 16},
    }
    return EmbedderRecipe.model_validate(values | changes)


def blobs(count: int = 12) -> list[Crop]:
    """Discs of one colour each."""
    rng = np.random.default_rng(0)
    ys, xs = np.mgrid[:40, :40]
    disc = ((ys - 20) ** 2 + (xs - 20) ** 2 < 15**2).astype(np.uint8) * 255
    crops = []
    for index in range(count):
        pixels = np.full((40, 40, 3), 200, np.uint8)
        pixels[disc > 0] = rng.integers(0, 256, 3)
        box = np.array([5, 5, 35, 35], np.float32)
        crops.append(Crop(pixels, box, disc, f"blobs/{index}", f"blobs/{index}", "blobs"))
    return crops


def trays() -> LabelledCrops:
    images = [np.full((30, 30, 3), 20 * (i % 3) + 60, np.uint8) for i in range(24)]
    labels = np.arange(24, dtype=np.int64) % 3
    return LabelledCrops(images, labels, np.arange(24, dtype=np.int64), ["a", "b", "c"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
class TestRun:
    @pytest.fixture(scope="class")
    def run(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        out = tmp_path_factory.mktemp("run")
        threads = torch.get_num_threads()
        train_embedder(smoke(), EmbedderData(blobs(), [], trays()), out)
        torch.set_num_threads(threads)
        return out

    def test_it_reports_and_stops_on_time(self, run: Path) -> None:
        rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        assert rows[-1]["step"] == 16
        assert rows[-1]["progress"] == 1.0
        assert 0 <= rows[-1]["trays_dev"]["views_1"]["accuracy"] <= 1

    def test_it_goes_on_from_a_checkpoint(self, run: Path, tmp_path: Path) -> None:
        longer = smoke(schedule={"steps": 20})
        train_embedder(longer, EmbedderData(blobs(), [], None), tmp_path, run / "last.ckpt")
        rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
        assert rows[-1]["step"] == 20


def test_the_loss_falls() -> None:
    torch.manual_seed(0)
    recipe = smoke(size=64)
    module = EmbedderModule(recipe)
    optimizer = torch.optim.AdamW(module.net.parameters(), lr=5e-4)
    losses = []
    for (images, labels), _ in zip(
        view_loader(recipe, EmbedderData(blobs(), []), module.size), range(8), strict=False
    ):
        loss = module.curriculum.judge(module.net(images), labels, 0.0).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])


def test_an_export_becomes_a_bundle(tmp_path: Path) -> None:
    module = EmbedderModule(smoke())
    export(module.average, smoke(), {"step": 3}, tmp_path / "export")
    bundle = export_run(tmp_path / "export", tmp_path / "bundle")
    assert bundle.manifest.task == "embedder"
    assert bundle.manifest.metrics == {"step": 3}
    assert {row["name"] for row in bundle.manifest.data} >= {"ECUSTFD"}
    network = load_network(bundle.manifest, bundle.path / WEIGHTS)
    assert network(torch.zeros(1, 32, 32, 3, dtype=torch.uint8)).shape == (1, 16)


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    module = EmbedderModule(smoke())
    with torch.no_grad():
        module.net.project.weight.fill_(torch.nan)
    images = torch.zeros(4, 32, 32, 3, dtype=torch.uint8)
    with pytest.raises(FloatingPointError, match="step 0: loss nan"):
        module.training_step((images, torch.tensor([0, 0, 1, 1])), 0)


def test_the_size_follows_the_stages() -> None:
    module = EmbedderModule(smoke(stages=[{"until": 0.5, "size": 32}, {}], size=64))
    assert module.size() == 32
    module._plan = smoke(schedule={"minutes": 1.0})
    module.elapsed = 40.0
    assert module.size() == 64


def test_embedding_keeps_order_and_takes_any_size() -> None:
    module = EmbedderModule(smoke())
    images = [np.full((h, 20, 3), v, np.uint8) for h, v in ((10, 0), (40, 128), (20, 255))]
    vectors = embed(module.average, images, smoke().preprocess, batch=2)
    assert vectors.shape == (3, 16)
    alone = embed(module.average, images[2:], smoke().preprocess)
    np.testing.assert_allclose(vectors[2:], alone, atol=2e-2)  # bf16
    assert embed(module.average, [], smoke().preprocess).shape == (0, 16)


def test_measure_leaves_out_rare_products() -> None:
    crops = trays()
    rare = LabelledCrops(
        [*crops.images, crops.images[0]],
        np.append(crops.labels, 3),
        np.append(crops.photos, 99),
        [*crops.names, "rare"],
    )
    vectors = np.eye(16, dtype=np.float32)[rare.labels]
    result = measure(vectors, rare, trials=3)
    assert result["views_1"]["per_product"] == {"a": 1.0, "b": 1.0, "c": 1.0}
    assert result["views_3"]["open_set"]["enrolled"] == 2
    assert result["views_3"]["open_set"]["auroc"] == 1.0


def test_grocerystore_photos_find_their_likes(tmp_path: Path) -> None:
    for name in ("train", "test"):
        rows = []
        for fine in range(6):
            shade = np.full((40, 30, 3), (40 * fine, 90, 255 - 40 * fine), np.uint8)
            cv2.imwrite(str(tmp_path / f"{name}{fine}.png"), shade)
            rows.append(f"{name}{fine}.png, {fine}, {fine // 2}")
        (tmp_path / f"{name}.txt").write_text("\n".join(rows))
    net = EmbedderModule(smoke()).average
    result = measure_grocerystore(net, smoke().preprocess, tmp_path)
    # The photos of both lists are the same pixels.
    assert result["fine_1nn"] == 1.0
    assert result["coarse_1nn"] == 1.0
    assert 0 <= result["fine_5nn"] <= result["coarse_5nn"] <= 1


def test_tray_crops_are_padded_boxes() -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    boxes = np.array([[20, 20, 70, 45], [0, 0, 50, 50]], np.float32)
    sample = Sample("a", lambda: image, boxes, ("tea", "rice"), ("tea", "rice"))
    crops = tray_crops([sample], pad=0.1)
    assert [c.shape[:2] for c in crops.images] == [(31, 60), (55, 55)]
    assert [crops.names[label] for label in crops.labels] == ["tea", "rice"]


def test_the_shipped_recipe_is_valid() -> None:
    recipe = load_recipe(RECIPES / "kiosk_embedder.yaml", EmbedderRecipe)
    assert recipe.trunk == "resnet18"
    EmbedderModule(recipe)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"views_per_class": 5}, "multiple of views_per_class"),
        ({"views_per_class": 16}, "at least two classes"),
        ({"erasing": {"area": [0.3, 0.2]}}, "low <= high"),
        ({"loss": {"kind": "triplet", "negatives": "pooled", "margin": 1}}, "margin: soft"),
        ({"loss": {"kind": "quadruplet"}}, "quadruplet"),
        ({"sizes": 3}, "sizes"),
        ({"views": {"turn": 1}}, "turn"),
    ],
)
def test_bad_recipes_are_refused(change: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        smoke(**change)
