import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.anchors import AnchorConfig, anchors, encode  # noqa: E402
from models.train.detector_loss import assign, detection_loss  # noqa: E402
from models.train.detector_recipe import Loss  # noqa: E402

LOSS = Loss()
NONE = torch.zeros(0, 4)


def _anchors():
    config = AnchorConfig(levels=(4, 5), base=2.0, scales=(1.0,), ratios=(0.5, 1.0, 2.0))
    return torch.from_numpy(anchors(128, 128, config))


def _iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    inter = max(w, 0) * max(h, 0)
    return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)


def _inside(a, region):
    w = min(a[2], region[2]) - max(a[0], region[0])
    h = min(a[3], region[3]) - max(a[1], region[1])
    return max(w, 0) * max(h, 0) / ((a[2] - a[0]) * (a[3] - a[1]))


def _by_loops(base, boxes, ignore):
    """The four rules of `assign`, one anchor after the other."""
    table = [[_iou(box, anchor) for anchor in base] for box in boxes]
    roles = []
    for index, anchor in enumerate(base):
        column = [row[index] for row in table]
        best = max(column, default=0.0)
        is_best_of_a_box = any(row[index] >= max(row) - 1e-6 for row in table)
        if best >= 0.5 or is_best_of_a_box:
            roles.append(column.index(best))
        else:
            unsure = any(_inside(anchor, region) > 0.5 for region in ignore)
            part = any(_inside(anchor, box) >= 0.7 for box in boxes)
            roles.append(-2 if best >= 0.4 or (unsure and not part) else -1)
    return roles


@pytest.mark.parametrize("seed", range(6))
def test_assignment_equals_plain_loops(seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 80, (seed, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(12, 60, (seed, 2))], 1)
    ignore = np.array([[0.0, 0.0, 70.0, 128.0]])[: seed % 2 + 1]
    base = _anchors()

    roles, trained = assign(
        base, torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(ignore, dtype=torch.float32), LOSS,
    )  # fmt: skip

    assert roles.tolist() == _by_loops(base.tolist(), boxes.tolist(), ignore.tolist())
    assert trained.tolist() == [role != -2 for role in roles.tolist()]


def test_every_object_gets_an_anchor_even_a_tiny_one():
    roles, _ = assign(_anchors(), torch.tensor([[60.0, 60.0, 66.0, 64.0]]), NONE, LOSS)
    assert (roles == 0).any()


def test_parts_of_annotated_objects_stay_background_in_an_ignored_picture():
    base = torch.tensor([[10.0, 10, 30, 30], [80, 80, 100, 100], [8, 8, 72, 72]])
    box, everything = torch.tensor([[8.0, 8, 72, 72]]), torch.tensor([[0.0, 0, 128, 128]])

    roles, _ = assign(base, box, everything, LOSS)

    assert roles.tolist() == [-1, -2, 0]


def _loss(logits, deltas, boxes, ignore=NONE, settings=LOSS):
    return detection_loss(logits, deltas, _anchors(), [boxes], [ignore], settings)


@pytest.mark.parametrize("kind", ["giou", "smooth_l1"])
def test_the_truth_costs_nothing_and_an_error_costs_more(kind):
    base = _anchors()
    box = torch.tensor([[30.0, 30.0, 70.0, 66.0]])
    roles, _ = assign(base, box, NONE, LOSS)
    logits = torch.where(roles == 0, 12.0, -12.0)[None]
    deltas = torch.from_numpy(encode(box.expand(len(base), 4).numpy(), base.numpy()))[None]
    settings = Loss(box=kind)

    right = _loss(logits, deltas, box, settings=settings)
    moved = _loss(logits, deltas + 0.2, box, settings=settings)
    doubtful = _loss(logits * 0, deltas, box, settings=settings)

    assert float(right.total) < 1e-3
    assert float(moved.box) > float(right.box) + 0.05
    assert float(doubtful.score) > float(right.score) + 0.05


def test_a_picture_without_objects_trains_scores_only():
    count = len(_anchors())
    logits = torch.zeros(1, count, requires_grad=True)
    deltas = torch.zeros(1, count, 4, requires_grad=True)

    losses = _loss(logits, deltas, NONE)
    losses.total.backward()

    assert losses.box.item() == 0.0
    assert bool((logits.grad > 0).all())
    assert float(deltas.grad.abs().max()) == 0.0


def test_what_is_ignored_has_no_gradient():
    count = len(_anchors())
    logits = torch.zeros(1, count, requires_grad=True)

    _loss(
        logits, torch.zeros(1, count, 4), NONE, torch.tensor([[0.0, 0.0, 128.0, 128.0]])
    ).total.backward()

    _, trained = assign(_anchors(), NONE, torch.tensor([[0.0, 0.0, 128.0, 128.0]]), LOSS)
    assert not trained.all()
    assert bool((logits.grad[0][~trained] == 0).all())
    assert bool((logits.grad[0][trained] > 0).all())
