import pytest

torch = pytest.importorskip("torch")

from models.anchors import AnchorConfig, anchors  # noqa: E402
from models.nets.retinanet import RetinaConfig, RetinaNet  # noqa: E402
from models.preprocess import Preprocess  # noqa: E402

PIXELS = Preprocess(128, 128)


def _net(**changes):
    torch.manual_seed(0)
    return RetinaNet(RetinaConfig(**{"channels": 32, **changes}), PIXELS).eval()


def _pixels(count=2, size=128):
    generator = torch.Generator().manual_seed(1)
    shape = (count, size, size, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"head": "full"},
        {"trunk": "mobilenet"},
        {"trunk": "resnet50"},
        {"anchors": AnchorConfig(levels=(3, 4, 5, 6, 7), base=4.0, ratios=(1.0,))},
        {"trunk": "mobilenet", "anchors": AnchorConfig(levels=(3, 4, 5))},
    ],
    ids=str,
)
@torch.inference_mode()
def test_one_row_per_anchor(changes):
    net = _net(**changes)
    logits, deltas = net(_pixels(1))

    count = len(anchors(128, 128, net.config.anchors))
    assert logits.shape == (1, count)
    assert deltas.shape == (1, count, 4)
    assert torch.isfinite(logits).all()
    assert 0.001 < float(logits.sigmoid().mean()) < 0.1  # starts by calling little an object


@torch.inference_mode()
def test_a_batch_equals_single_pictures():
    net, pixels = _net(), _pixels(3)
    together = net(pixels)
    for index in range(3):
        alone = net(pixels[index : index + 1])
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[0], b[index], atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_rows_lie_where_the_anchors_lie():
    """A change of pixels in one corner moves the outputs of anchors there, and not far away."""
    net, pixels = _net(anchors=AnchorConfig(levels=(3, 4, 5))), _pixels(1, 256)
    changed = pixels.clone()
    changed[:, :24, :24] = 255 - changed[:, :24, :24]

    difference = (net(pixels)[0] - net(changed)[0]).abs()[0]

    first = anchors(256, 256, AnchorConfig(levels=(3,)))
    fine = difference[: len(first)]
    centres = torch.from_numpy((first[:, :2] + first[:, 2:]) / 2)
    near = (centres < 32).all(dim=1)
    far = (centres > 200).all(dim=1)
    assert float(fine[near].mean()) > 5 * float(fine[far].mean())


@torch.inference_mode()
def test_normalisation_is_part_of_the_network():
    shifted = Preprocess(128, 128, mean=(0.0, 0.0, 0.0))
    net = _net()
    other = RetinaNet(net.config, shifted).eval()
    state = net.state_dict()
    other.load_state_dict({k: v for k, v in state.items() if k != "mean"}, strict=False)

    assert not torch.allclose(net(_pixels(1))[0], other(_pixels(1))[0])
    assert {"mean", "std"} <= set(state)


@pytest.mark.parametrize("levels", [(2, 3, 4, 5), (4, 5, 6), (6, 7)])
def test_levels_that_the_trunk_does_not_have(levels):
    with pytest.raises(ValueError, match="levels: expected"):
        _net(anchors=AnchorConfig(levels=levels))


def test_config_json_round_trip():
    config = RetinaConfig(trunk="mobilenet", anchors=AnchorConfig(levels=(3, 4, 5)))
    assert RetinaConfig.from_json(config.to_json()) == config
