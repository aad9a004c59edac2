"""One training run of the embedder from start or checkpoint to the last export."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

from models.nets.embedder import EmbedderNet
from models.train.embedder import EmbedderModule
from models.train.embedder_data import EmbedderData, view_loader
from models.train.embedder_export import embed, export, measure
from models.train.embedder_recipe import EmbedderRecipe

log = logging.getLogger(__name__)


class Reporter(Callback):
    """Every few minutes: numbers of the moving average, a checkpoint, an export."""

    def __init__(self, data: EmbedderData, out: Path) -> None:
        self._data, self._out = data, out
        self._last = time.monotonic()
        self._best = 0.0
        self._stale = 0

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Report when it is time."""
        if time.monotonic() - self._last >= 60 * pl_module.recipe.validate_minutes:
            self.report(trainer, pl_module)
            self._last = time.monotonic()

    def on_train_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """The last report, also after an interrupt."""
        self.report(trainer, pl_module)

    def report(self, trainer: lightning.Trainer, module: EmbedderModule) -> None:
        """Measure, log, save."""
        metrics: dict[str, Any] = {
            "step": module.global_step,
            "minutes": round(module.elapsed / 60, 1),
            "progress": round(module.progress, 4),
        }
        crops = self._data.validation
        if crops is not None:
            vectors = embed(module.average, crops.images, module.recipe.preprocess)
            metrics["trays_dev"] = measure(vectors, crops)
            self._watch(module, metrics["trays_dev"]["views_1"]["accuracy"])
        export(module.average, module.recipe, metrics, self._out / "export")
        trainer.save_checkpoint(self._out / "last.ckpt", weights_only=False)
        with (self._out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")
        log.info("%s", json.dumps(metrics))

    def _watch(self, module: EmbedderModule, accuracy: float) -> None:
        """Lower the learning rate when the score has stopped rising (schedule `plateau`)."""
        schedule = module.recipe.schedule
        self._stale = 0 if accuracy > self._best else self._stale + 1
        self._best = max(self._best, accuracy)
        if schedule.kind == "plateau" and self._stale >= schedule.patience:
            module.plateau *= schedule.factor
            self._stale = 0


def train_embedder(
    recipe: EmbedderRecipe, data: EmbedderData, out: Path, resume: Path | None = None
) -> EmbedderNet:
    """Train from random weights, or go on from a checkpoint; returns the averaged network.

    Writes below `out`: `last.ckpt`, `metrics.jsonl`, `logs/`, and `export/` (weights and a
    description) at every measuring.
    """
    out.mkdir(parents=True, exist_ok=True)
    lightning.seed_everything(recipe.seed, verbose=False)
    torch.set_num_threads(recipe.threads)
    module = EmbedderModule(recipe)
    module.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trainer = lightning.Trainer(
        max_epochs=-1,  # the first epoch is endless: the recipe's schedule ends it
        precision="bf16-mixed" if recipe.precision == "bf16" else "32-true",
        logger=CSVLogger(out, name="logs"),
        log_every_n_steps=20,
        callbacks=[Reporter(data, out)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, view_loader(recipe, data, module.size), ckpt_path=resume)
    return module.average
