"""The Lightning module of the detector."""

from typing import Any

import torch

from models.anchors import anchors
from models.nets.retinanet import RetinaNet
from models.train.detector_data import Batch, Pictures
from models.train.detector_loss import Losses, detection_loss
from models.train.detector_recipe import DetectorRecipe
from models.train.module import TimedModule


class DetectorModule(TimedModule[RetinaNet]):
    """Trains a RetinaNet and lets the pictures grow over the run."""

    def __init__(self, recipe: DetectorRecipe, pictures: Pictures) -> None:
        nets = [RetinaNet(recipe.network, recipe.preprocess()) for _ in range(2)]
        super().__init__(recipe, *nets)
        self.recipe = recipe
        self.pictures = pictures
        self._anchors: dict[int, torch.Tensor] = {}

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set learning rate and picture size."""
        super().on_train_batch_start(batch, batch_idx)
        self.pictures.set_size(self.recipe.stage_size(self.progress))

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:
        """Loss of one batch; FloatingPointError if it is not finite."""
        logits, deltas = self.net(batch.pixels)
        losses = self._losses(logits, deltas, batch)
        if not torch.isfinite(losses.total):
            raise FloatingPointError(
                f"step {self.global_step}: score loss {losses.score.item()}, "
                f"box loss {losses.box.item()}, logits finite: "
                f"{bool(torch.isfinite(logits).all())}, deltas finite: "
                f"{bool(torch.isfinite(deltas).all())}"
            )
        self.log("score", losses.score.detach())
        self.log("box", losses.box.detach())
        return losses.total

    def _losses(self, logits: torch.Tensor, deltas: torch.Tensor, batch: Batch) -> Losses:
        """Loss in float32: sums over thousands of anchors need it."""
        size = batch.pixels.shape[1]
        if size not in self._anchors:
            rows = anchors(size, size, self.recipe.network.anchors)
            self._anchors[size] = torch.from_numpy(rows).to(logits.device)
        with torch.autocast(logits.device.type, enabled=False):
            return detection_loss(
                logits.float(),
                deltas.float(),
                self._anchors[size],
                batch.boxes,
                batch.ignore,
                self.recipe.loss,
            )
