"""The Lightning module of the embedder."""

import torch
from torch import Tensor

from models.nets.embedder import EmbedderNet
from models.train.embedder_recipe import EmbedderRecipe
from models.train.mining import Curriculum
from models.train.module import TimedModule


def build_net(recipe: EmbedderRecipe) -> EmbedderNet:
    """The untrained network of a recipe."""
    pixels = recipe.preprocess
    return EmbedderNet(recipe.trunk, recipe.dim, recipe.pooling, pixels.mean, pixels.std)


class EmbedderModule(TimedModule[EmbedderNet]):
    """Trains an embedder on batches of P classes with K views each."""

    def __init__(self, recipe: EmbedderRecipe) -> None:
        super().__init__(recipe, build_net(recipe), build_net(recipe))
        self.recipe = recipe
        self.curriculum = Curriculum(recipe.loss, recipe.stages)

    def size(self) -> int:
        """Input size of the next training batch, in pixels."""
        return self.curriculum.stage(self.progress).size or self.recipe.size

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Loss of uint8 `[B,S,S,3]` with class numbers int64 `[B]`.

        Raises:
            FloatingPointError: the loss is not finite.
        """
        images, labels = batch
        vectors = self.net(images)
        # Differences of distances get lost in the 8 bits of bf16.
        with torch.autocast(vectors.device.type, enabled=False):
            judged = self.curriculum.judge(vectors.float(), labels, self.progress)
        if not torch.isfinite(judged.loss):
            raise FloatingPointError(
                f"step {self.global_step}: loss {judged.loss.item()}, active {judged.active}, "
                f"vectors finite: {bool(torch.isfinite(vectors).all())}"
            )
        self.log("loss", judged.loss.detach())
        if judged.active is not None:
            self.log("active", judged.active)
        return judged.loss
