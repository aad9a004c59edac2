"""Class-agnostic RetinaNet: one score and one box per anchor. Architecture only, no losses.

Layers come from torchvision (ResNet or MobileNet trunk, feature pyramid); the heads are our own,
because the slim ones (two convolutions of 128 channels) are four times cheaper than the usual.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_large, resnet18, resnet50
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

from models.anchors import AnchorConfig
from models.preprocess import Preprocess

Trunk = Literal["resnet18", "resnet50", "mobilenet"]
HEADS = {"full": (4, 256), "slim": (2, 128)}


@dataclass(frozen=True, slots=True)
class RetinaConfig:
    """The architecture; `mean` and `std` come from the Preprocess and are part of the network.

    Attributes:
        trunk: the backbone.
        head: `full` is 4 convolutions of 256 channels, `slim` is 2 of 128, with group norm.
        channels: width of the feature pyramid.
        anchors: which anchors each cell predicts; its levels are the pyramid's levels.
    """

    trunk: Trunk = "resnet18"
    head: Literal["full", "slim"] = "slim"
    channels: int = 128
    anchors: AnchorConfig = field(default_factory=AnchorConfig)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the manifest."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "RetinaConfig":
        """The inverse of `to_json`; unknown keys raise TypeError."""
        return cls(**{**values, "anchors": AnchorConfig.from_json(values["anchors"])})


class Head(nn.Module):
    """Shared over all levels: convolutions with group norm, then `outputs` values per anchor."""

    def __init__(
        self, channels: int, kind: str, per_cell: int, outputs: int, bias: float = 0.0
    ) -> None:
        super().__init__()
        depth, width = HEADS[kind]
        layers: list[nn.Module] = []
        for index in range(depth):
            source = channels if index == 0 else width
            layers += [
                nn.Conv2d(source, width, 3, padding=1, bias=False),
                nn.GroupNorm(min(32, width // 4), width),
                nn.ReLU(inplace=True),
            ]
        self.tower = nn.Sequential(*layers)
        self.last = nn.Conv2d(width, per_cell * outputs, 3, padding=1)
        self.outputs = outputs
        nn.init.normal_(self.last.weight, std=0.01)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, bias)

    def forward(self, features: list[Tensor]) -> Tensor:
        """Maps `[B,C,h,w]` from fine to coarse -> `[B,A,outputs]` in the order of the anchors."""
        rows = []
        for feature in features:
            out = self.last(self.tower(feature))
            rows.append(out.permute(0, 2, 3, 1).reshape(out.shape[0], -1, self.outputs))
        return torch.cat(rows, dim=1)


class RetinaNet(nn.Module):
    """Pixels -> one logit and one box delta per anchor."""

    def __init__(self, config: RetinaConfig, preprocess: Preprocess) -> None:
        super().__init__()
        levels = config.anchors.levels
        if not 3 <= levels[0] <= 5 or levels[-1] not in (5, 7):
            raise ValueError(f"levels: expected 3, 4 or 5 up to 5 or 7, got {levels}")
        self.config = config
        self.trunk, widths = _trunk(config.trunk, first=levels[0])
        extra = LastLevelP6P7(config.channels, config.channels) if levels[-1] == 7 else None
        self.pyramid = FeaturePyramidNetwork(widths, config.channels, extra)
        per_cell = config.anchors.per_cell
        # Start by calling one anchor in a hundred an object, else the first losses explode.
        self.scores = Head(config.channels, config.head, per_cell, 1, bias=-4.595)
        self.deltas = Head(config.channels, config.head, per_cell, 4)
        shape = (1, 3, 1, 1)
        self.register_buffer("mean", torch.tensor(preprocess.mean).reshape(shape))
        self.register_buffer("std", torch.tensor(preprocess.std).reshape(shape))
        self.mean: Tensor
        self.std: Tensor

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """uint8 `[B,H,W,3]` (RGB) -> logits `[B,A]` and box deltas `[B,A,4]`.

        H and W should be multiples of `2**levels[-1]`, else the anchors of the coarse levels
        are counted with `ceil`.
        """
        values = (pixels.permute(0, 3, 1, 2).to(self.mean.dtype) - self.mean) / self.std
        features = list(self.pyramid(self.trunk(values)).values())
        return self.scores(features).squeeze(-1), self.deltas(features)


def _trunk(kind: Trunk, first: int) -> tuple[nn.Module, list[int]]:
    """A backbone without weights that returns levels `first` to 5, and their widths."""
    if kind == "mobilenet":
        features = mobilenet_v3_large(weights=None).features
        # The last block before each halving of the resolution: strides 8, 16 and 32.
        taps, widths = {"6": "3", "12": "4", "16": "5"}, [40, 112, 960]
        chosen = {k: v for k, v in taps.items() if int(v) >= first}
        return IntermediateLayerGetter(features, chosen), widths[first - 3 :]
    net = {"resnet18": resnet18, "resnet50": resnet50}[kind](weights=None)
    wide = 4 if kind == "resnet50" else 1
    chosen = {f"layer{level - 1}": str(level) for level in range(first, 6)}
    widths = [wide * 2 ** (level + 4) for level in range(first, 6)]
    return IntermediateLayerGetter(net, chosen), widths
