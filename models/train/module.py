"""What the Lightning modules of all networks share: clock, learning rate, moving average."""

import math
import time
import warnings
from pathlib import Path
from typing import Any, Generic, TypeVar

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader

from models.train.recipe import Recipe, Schedule

N = TypeVar("N", bound=nn.Module)


class TimedModule(lightning.LightningModule, Generic[N]):
    """A network in training, its moving average, and the clock of the run.

    A subclass gives `training_step`; the network itself knows no loss.

    Args:
        recipe: optimizer, schedule and decay of the average.
        net: the network to train.
        average: a second one of the same architecture; takes over the weights of `net`.
    """

    def __init__(self, recipe: Recipe, net: N, average: N) -> None:
        super().__init__()
        self.net = net
        self.average = average.requires_grad_(False).eval()
        self.average.load_state_dict(net.state_dict())
        self.elapsed = 0.0
        self.plateau = 1.0
        self._plan = recipe
        self._last: float | None = None

    @property
    def progress(self) -> float:
        """Share of the run that is done, in [0,1]."""
        schedule = self._plan.schedule
        if schedule.steps is not None:
            return min(1.0, self.global_step / schedule.steps)
        return min(1.0, self.elapsed / (60 * (schedule.minutes or math.inf)))

    def on_train_start(self) -> None:
        """The clock starts now, not at construction."""
        self._last = time.monotonic()

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the learning rate of this step."""
        optimizer = self._plan.optimizer
        warm = min(1.0, (self.global_step + 1) / max(1, optimizer.warmup_steps))
        rate = optimizer.lr * warm * rate_factor(self._plan.schedule, self.progress)
        for group in self.optimizers().param_groups:  # type: ignore[union-attr]
            group["lr"] = rate * self.plateau

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip here: the trainer's own clipping refuses fused optimizers."""
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self._plan.optimizer.clip_norm)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Update the moving average and the clock."""
        # A young average must not remember the random start.
        decay = min(self._plan.ema, (1 + self.global_step) / (10 + self.global_step))
        follow(self.average, self.net, decay)
        now = time.monotonic()
        self.elapsed += now - (self._last or now)
        self._last = now
        if self.progress >= 1.0:
            self.trainer.should_stop = True

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW; no decay on norms and biases."""
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": self._plan.optimizer.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self._plan.optimizer.lr, fused=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The clock goes with the weights."""
        checkpoint["run"] = {"elapsed": self.elapsed, "plateau": self.plateau}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The inverse."""
        self.elapsed = float(checkpoint["run"]["elapsed"])
        self.plateau = float(checkpoint["run"]["plateau"])


def fit(
    trainer: lightning.Trainer,
    module: lightning.LightningModule,
    batches: DataLoader[Any],
    resume: Path | None = None,
) -> None:
    """`trainer.fit` from start or from a checkpoint, without advice that does not apply here."""
    with warnings.catch_warnings():
        # The moving average is in evaluation mode on purpose, and the cores train.
        warnings.filterwarnings("ignore", "Found .* in eval mode")
        warnings.filterwarnings("ignore", "The 'train_dataloader' does not have many workers")
        # Lightning itself uses an interface of torch that is going away.
        warnings.filterwarnings("ignore", ".*treespec, LeafSpec", FutureWarning)
        trainer.fit(module, batches, ckpt_path=resume)


def rate_factor(schedule: Schedule, progress: float) -> float:
    """Learning rate as a share of its peak, at a share of the run; `plateau` stays at 1."""
    if schedule.kind == "plateau":
        return 1.0
    fall = 0.5 * (1 + math.cos(math.pi * progress))
    return schedule.final + (1 - schedule.final) * fall


@torch.no_grad()
def follow(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Move `average` towards `net`: average = decay * average + (1 - decay) * net, in place."""
    for old, new in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)
