"""From the export folder of a training run to a bundle with a model card."""

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save

from models.bundle import Bundle, load_bundle
from models.engines.select import choose_precision
from models.errors import BundleError
from models.manifest import Precision
from models.train.export import export_run, record
from tests.models.bundles import embedder_manifest


class TestExportRun:
    @pytest.fixture
    def run(self, tiny: dict[str, Bundle], tmp_path: Path) -> Path:
        manifest = embedder_manifest().to_json()
        keys = ("task", "name", "architecture", "preprocess", "metrics", "data", "recipe")
        document = {key: manifest[key] for key in keys} | {"losses": {"bf16": {"recall": 0.001}}}
        (tmp_path / "export.json").write_text(json.dumps(document))
        state = load_file(tiny["embedder"].weights)
        (tmp_path / "weights.safetensors").write_bytes(save(state))
        return tmp_path

    def test_makes_a_bundle_with_a_model_card(self, run: Path) -> None:
        bundle = export_run(run, run / "bundle", name="renamed")
        manifest = bundle.manifest
        assert manifest.name == "renamed"
        assert manifest.settings == {"dim": 16}
        assert manifest.precisions["bf16"] == Precision("model.xml", {"recall": 0.001})
        assert manifest.created.endswith("+00:00")
        card = (bundle.path / "MODEL_CARD.md").read_text()
        for text in ("# renamed", "| validation.ap50 | 0.5 |", "| noise | CC0 |", "+0.0010"):
            assert text in card

    def test_measurements_are_recorded_later(self, run: Path) -> None:
        before = export_run(run, run / "bundle")
        assert choose_precision(before.manifest.precisions, "auto", ["bf16"]) == "bf16"
        after = record(before, metrics={"trays": {"f1": 0.25}}, losses={"bf16": {"f1": 0.1}})
        assert choose_precision(after.manifest.precisions, "auto", ["bf16"]) == "fp32"
        assert after.manifest.metrics == {**before.manifest.metrics, "trays": {"f1": 0.25}}
        assert "| trays.f1 | 0.25 |" in (after.path / "MODEL_CARD.md").read_text()
        assert after.space == before.space
        assert load_bundle(after.path) == after
        with pytest.raises(BundleError, match=r"expected one of .*bf16.*'int8'"):
            record(after, losses={"int8": {"f1": 0.1}})

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"task": None}, r"missing keys \['task'\]"),
            ({"colour": "red"}, r"unknown keys \['colour'\]"),
            ({"architecture": {"kind": "embedder", "dim": 3}}, "weights do not fit"),
        ],
    )
    def test_wrong_documents(self, run: Path, changes: dict[str, object], message: str) -> None:
        path = run / "export.json"
        document = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))
        with pytest.raises(BundleError, match=message):
            export_run(run, run / "bundle")
        assert not (run / "bundle").exists()

    def test_incomplete_folder(self, run: Path) -> None:
        (run / "weights.safetensors").unlink()
        with pytest.raises(BundleError, match=r"expected one \*.safetensors, got \[\]"):
            export_run(run, run / "bundle")
        (run / "export.json").write_text("[]")
        with pytest.raises(BundleError, match="expected an object"):
            export_run(run, run / "bundle")
