"""The embedder: a torchvision trunk, pooling over positions, one linear layer, unit length."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision import models as zoo

Trunk = Literal["resnet18", "resnet34", "resnet50", "mobilenet_v3_large"]
Pooling = Literal["gem", "average"]

_GEM_FLOOR = 1e-6


class EmbedderNet(nn.Module):
    """Crops in, unit vectors out; normalisation of the pixels is part of the network.

    Input: uint8 `[B,S,S,3]`, RGB (any S of at least 32; it must not change between training and
    use by much). Output: float32 `[B,dim]`, rows of L2 norm 1.

    Args:
        trunk: name of the convolutional trunk.
        dim: length of a vector.
        pooling: `gem` (generalised mean with exponent 3) or `average`.
        mean: pixel mean per channel, in units of 0 to 255.
        std: pixel standard deviation per channel, in units of 0 to 255.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        trunk: Trunk = "resnet18",
        dim: int = 256,
        pooling: Pooling = "gem",
        mean: tuple[float, float, float] = (123.675, 116.28, 103.53),
        std: tuple[float, float, float] = (58.395, 57.12, 57.375),
    ) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"dim: expected at least 1, got {dim}")
        if pooling not in ("gem", "average"):
            raise ValueError(f"pooling: expected gem or average, got {pooling!r}")
        self.dim = dim
        self.pooling = pooling
        self.trunk, channels = _trunk(trunk)
        self.project = nn.Linear(channels, dim)
        # Constants of the preprocessing, not weights: they come from the manifest.
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """uint8 `[B,S,S,3]` -> float32 `[B,dim]`, rows of norm 1."""
        # The permuted view of NHWC memory is channels_last as it stands.
        pixels = (images.permute(0, 3, 1, 2).float() - self.mean) / self.std
        features = self.trunk(pixels)  # [B,C,S/32,S/32]
        vectors = self.project(self._pool(features))
        return F.normalize(vectors.float(), dim=1)

    def _pool(self, features: Tensor) -> Tensor:
        """`[B,C,h,w]` -> `[B,C]`."""
        features = features.float()  # the mean of cubes needs more than 8 bits of mantissa
        if self.pooling == "average":
            return features.mean(dim=(2, 3))
        floored = features.clamp(min=_GEM_FLOOR)
        return (floored * floored * floored).mean(dim=(2, 3)).pow(1 / 3)


def _trunk(name: str) -> tuple[nn.Module, int]:
    """The convolutional part of a torchvision classifier and its number of output channels."""
    if name in ("resnet18", "resnet34", "resnet50"):
        net = getattr(zoo, name)(weights=None, zero_init_residual=True)
        channels = net.fc.in_features
        parts = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
        named = {part: getattr(net, part) for part in parts}
        trunk = nn.Sequential()
        for part, module in named.items():
            trunk.add_module(part, module)
        return trunk, channels
    if name == "mobilenet_v3_large":
        mobile = zoo.mobilenet_v3_large(weights=None)
        return mobile.features, mobile.classifier[0].in_features
    raise ValueError(
        f"trunk: expected resnet18, resnet34, resnet50 or mobilenet_v3_large, got {name!r}"
    )
