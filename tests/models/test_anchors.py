import numpy as np
import pytest

from models.anchors import AnchorConfig, anchors, decode, encode


def _by_loops(height, width, config):
    rows = []
    for level in config.levels:
        cell = 2**level
        for y in range(-(-height // cell)):
            for x in range(-(-width // cell)):
                for scale in config.scales:
                    for ratio in config.ratios:
                        side = config.base * cell * scale
                        w, h = side * ratio**0.5, side / ratio**0.5
                        cx, cy = (x + 0.5) * cell, (y + 0.5) * cell
                        rows.append([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2])
    return np.array(rows, np.float32)


@pytest.mark.parametrize(("height", "width"), [(128, 128), (96, 160), (100, 70)])
def test_anchors_equal_plain_loops(height, width):
    config = AnchorConfig(levels=(4, 5, 6), base=3.0, scales=(1.0, 1.5), ratios=(0.5, 1.0, 3.0))

    result = anchors(height, width, config)

    assert result.dtype == np.float32
    np.testing.assert_allclose(result, _by_loops(height, width, config), rtol=1e-5)


def test_decode_undoes_encode():
    rng = np.random.default_rng(0)
    base = anchors(64, 64, AnchorConfig(levels=(4,)))[:20]
    corner = rng.uniform(0, 50, (20, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 60, (20, 2))], axis=1)
    boxes = boxes.astype(np.float32)

    np.testing.assert_allclose(decode(encode(boxes, base), base), boxes, atol=1e-3)


def test_decode_by_hand_and_with_a_batch_in_front():
    base = np.array([[10, 20, 30, 60]], np.float32)
    deltas = np.array([[0.5, -0.25, np.log(2), 0.0]], np.float32)

    expected = np.array([[10, 10, 50, 50]], np.float32)  # centre (20,40) -> (30,30), 40 wide
    np.testing.assert_allclose(decode(deltas, base), expected, atol=1e-4)
    np.testing.assert_allclose(decode(deltas[None], base), expected[None], atol=1e-4)


def test_a_wild_network_cannot_overflow():
    base = np.array([[0, 0, 16, 16]], np.float32)

    assert np.isfinite(decode(np.full((1, 4), 1e4, np.float32), base)).all()


def test_no_rows():
    none = np.zeros((0, 4), np.float32)
    assert decode(none, none).shape == (0, 4)


@pytest.mark.parametrize(
    "wrong", [{"levels": ()}, {"levels": (4, 6)}, {"base": 0.0}, {"ratios": (1.0, -1.0)}]
)
def test_config_refuses(wrong):
    with pytest.raises(ValueError, match="expected"):
        AnchorConfig(**wrong)


def test_config_json_round_trip():
    config = AnchorConfig(levels=(3, 4), base=2.0)
    assert AnchorConfig.from_json(config.to_json()) == config
    with pytest.raises(TypeError):
        AnchorConfig.from_json({"sizes": [1]})
