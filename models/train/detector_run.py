"""One training run of the detector from start or checkpoint to the last export."""

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger
from safetensors.torch import load_model

from models.data.sample import Sample
from models.evaluate.detection import evaluate_detector, worst
from models.nets.retinanet import RetinaNet
from models.train.detector import DetectorModule
from models.train.detector_data import DetectorData, Pictures, loader
from models.train.detector_export import export, in_process
from models.train.detector_recipe import DetectorRecipe
from models.train.module import fit

log = logging.getLogger(__name__)

_SUBSET = 60


class Reporter(Callback):
    """Every few minutes: scores of the moving average, a checkpoint, an export.

    During the run a fixed evenly spread subset of the validation pictures is judged, at the end
    all of them.
    """

    def __init__(self, validation: Sequence[Sample], out: Path) -> None:
        self._all = list(validation)
        step = max(1, len(self._all) // _SUBSET)
        self._some = self._all[::step][:_SUBSET]
        self._out = out
        self._last = time.monotonic()
        self._best = 0.0
        self._stale = 0

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Only at the end of an epoch, so that a checkpoint always resumes at a whole one."""
        done = pl_module.progress >= 1.0
        due = time.monotonic() - self._last >= 60 * pl_module.recipe.validate_minutes
        if done or due:
            self.report(trainer, pl_module, done)
            self._last = time.monotonic()

    def report(self, trainer: lightning.Trainer, module: DetectorModule, done: bool) -> None:
        """Measure, log, save."""
        recipe = module.recipe
        metrics: dict[str, Any] = {
            "step": module.global_step,
            "minutes": round(module.elapsed / 60, 1),
            "progress": round(module.progress, 4),
            "losses": {
                name: round(float(value), 4) for name, value in trainer.callback_metrics.items()
            },
        }
        samples = self._all if done else self._some
        for size in sorted({recipe.size, *recipe.validate_sizes}) if samples else ():
            detector = in_process(module.average, recipe, size)
            scores, found = evaluate_detector(detector, samples)
            metrics[f"trays_dev_{size}"] = scores.to_json()
            if size == recipe.size:
                worst(samples, found, self._out / "worst")
                self._watch(module, scores.ap)
        export(module.average, recipe, metrics, self._out / "export")
        trainer.save_checkpoint(self._out / "last.ckpt")
        with (self._out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")
        log.info("%s", json.dumps(metrics))

    def _watch(self, module: DetectorModule, ap: float) -> None:
        """Lower the learning rate when the score has stopped rising (schedule `plateau`)."""
        schedule = module.recipe.schedule
        self._stale = 0 if ap > self._best else self._stale + 1
        self._best = max(self._best, ap)
        if schedule.kind == "plateau" and self._stale >= schedule.patience:
            module.plateau *= schedule.factor
            self._stale = 0


def train_detector(
    recipe: DetectorRecipe,
    data: DetectorData,
    out: Path,
    *,
    resume: Path | None = None,
    weights: Path | None = None,
) -> RetinaNet:
    """Train from random weights, from `weights` (safetensors), or go on from a checkpoint.

    Returns the averaged network.

    Writes below `out`: `last.ckpt`, `metrics.jsonl`, `logs/`, `worst/` (pictures), and `export/`
    (weights and a description) at every measuring.
    """
    out.mkdir(parents=True, exist_ok=True)
    lightning.seed_everything(recipe.seed, verbose=False)
    torch.set_num_threads(recipe.threads)
    start = 0
    if resume is not None:
        start = int(torch.load(resume, weights_only=True, mmap=True)["global_step"])
    pictures = Pictures(data, recipe, start)
    module = DetectorModule(recipe, pictures)
    if weights is not None:
        for net in (module.net, module.average):
            load_model(net, weights)
    module.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trainer = lightning.Trainer(
        max_epochs=-1,
        limit_train_batches=recipe.epoch_steps,
        precision="bf16-mixed" if recipe.precision == "bf16" else "32-true",
        logger=CSVLogger(out, name="logs"),
        log_every_n_steps=min(20, recipe.epoch_steps),
        callbacks=[Reporter(data.validation, out)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    fit(trainer, module, loader(pictures, recipe.workers), resume)
    return module.average
