"""Which anchor answers for which object, and what a wrong answer costs."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import box_iou, generalized_box_iou_loss, sigmoid_focal_loss

from models.train.detector_recipe import Loss

_INSIDE_IGNORED = 0.5
_INSIDE_OBJECT = 0.7


@dataclass(frozen=True, slots=True)
class Losses:
    """Parts of the loss, each a scalar per object of the batch."""

    score: Tensor
    box: Tensor

    @property
    def total(self) -> Tensor:
        """The sum."""
        return self.score + self.box


def assign(anchors: Tensor, boxes: Tensor, ignore: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
    """Roles of anchors `[A,4]` for one picture with boxes `[N,4]` and ignore regions `[M,4]`.

    1. An anchor with IoU >= `positive`, or the best one of a box, answers for that box.
    2. One with an IoU between `negative` and `positive` is not trained.
    3. One that lies for the most part in an ignore region is not trained, unless it shows a part
       of an annotated object: a part is never an object.
    4. All others are background.

    Returns:
        Rows of `boxes` int64 `[A]`, -1 for background and -2 for not trained; and the trained
        anchors, bool `[A]`.
    """
    if len(boxes):
        matcher = Matcher(loss.positive, loss.negative, allow_low_quality_matches=True)
        roles = matcher(box_iou(boxes, anchors))
    else:
        roles = anchors.new_full((len(anchors),), -1, dtype=torch.int64)
    if len(ignore):
        unsure = _share_inside(anchors, ignore) > _INSIDE_IGNORED
        if len(boxes):
            unsure &= _share_inside(anchors, boxes) < _INSIDE_OBJECT
        roles = torch.where(unsure & (roles == -1), -2, roles)
    return roles, roles != -2


def detection_loss(
    logits: Tensor,
    deltas: Tensor,
    anchors: Tensor,
    boxes: list[Tensor],
    ignore: list[Tensor],
    loss: Loss,
) -> Losses:
    """Loss of a batch, per object.

    Args:
        logits: float32 `[B,A]`.
        deltas: float32 `[B,A,4]`.
        anchors: `[A,4]` in input pixels.
        boxes: B tensors `[N,4]` in input pixels.
        ignore: B tensors `[M,4]`.
        loss: thresholds and weights.
    """
    roles = [assign(anchors, b, i, loss) for b, i in zip(boxes, ignore, strict=True)]
    matched = torch.stack([r[0] for r in roles])
    trained = torch.stack([r[1] for r in roles])
    positive = matched >= 0
    objects = positive.sum().clamp(min=1)
    score = sigmoid_focal_loss(
        logits[trained], positive[trained].float(), loss.alpha, loss.gamma, reduction="sum"
    )
    if not positive.any():
        return Losses(score / objects, deltas.sum() * 0)
    targets = torch.cat([b[m[m >= 0]] for b, m in zip(boxes, matched, strict=True)])
    base = anchors.expand(len(matched), -1, -1)[positive]
    box = _box_loss(deltas[positive], base, targets, loss)
    return Losses(score / objects, loss.box_weight * box / objects)


def _box_loss(deltas: Tensor, anchors: Tensor, targets: Tensor, loss: Loss) -> Tensor:
    """Sum over rows: deltas, their anchors and the boxes they should give, each `[P,4]`."""
    coder = BoxCoder(weights=(1.0, 1.0, 1.0, 1.0))
    if loss.box == "giou":
        found = coder.decode_single(deltas, anchors)
        result: Tensor = generalized_box_iou_loss(found, targets, reduction="sum")
        return result
    wanted = coder.encode_single(targets, anchors)
    return functional.smooth_l1_loss(deltas, wanted, reduction="sum", beta=0.1)


def _share_inside(anchors: Tensor, regions: Tensor) -> Tensor:
    """Largest share of each anchor `[A,4]` that lies in one of the regions `[M,4]`, `[A]`."""
    low = torch.maximum(anchors[:, None, :2], regions[None, :, :2])
    high = torch.minimum(anchors[:, None, 2:], regions[None, :, 2:])
    inter = (high - low).clamp(min=0).prod(dim=2)
    area = (anchors[:, 2:] - anchors[:, :2]).prod(dim=1)
    return (inter / area[:, None]).max(dim=1).values
