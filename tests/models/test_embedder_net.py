"""The embedder network: unit vectors, batch = single, normalisation inside."""

import pytest
import torch

from models.nets.embedder import EmbedderNet


@pytest.fixture(scope="module")
def net() -> EmbedderNet:
    torch.manual_seed(0)
    return EmbedderNet("resnet18", 16).eval()


def pixels(count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 64, 64, 3), generator=generator, dtype=torch.uint8)


@torch.no_grad()
def test_vectors_have_unit_length(net: EmbedderNet) -> None:
    vectors = net(pixels())
    assert vectors.dtype == torch.float32
    assert vectors.shape == (3, 16)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


@torch.no_grad()
def test_a_batch_gives_what_single_images_give(net: EmbedderNet) -> None:
    images = pixels()
    single = torch.cat([net(images[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(net(images), single, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_an_empty_batch_is_empty(net: EmbedderNet) -> None:
    assert net(pixels(0)).shape == (0, 16)


@torch.no_grad()
def test_constants_of_the_pixels_are_part_of_the_network(net: EmbedderNet) -> None:
    # Twice the contrast around twice the mean is the same picture with doubled constants.
    half = pixels() // 2
    other = EmbedderNet(
        "resnet18", 16, mean=(247.35, 232.56, 207.06), std=(116.79, 114.24, 114.75)
    ).eval()
    other.load_state_dict(net.state_dict())
    torch.testing.assert_close(other(half * 2), net(half), atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_gem_lies_between_mean_and_maximum() -> None:
    gem = EmbedderNet("resnet18", 8)
    features = torch.rand(2, 5, 4, 4)
    pooled = gem._pool(features)
    expected = torch.tensor(
        [[(features[b, c].double() ** 3).mean() ** (1 / 3) for c in range(5)] for b in range(2)]
    )
    torch.testing.assert_close(pooled.double(), expected.double(), atol=1e-5, rtol=1e-5)
    mean = EmbedderNet("resnet18", 8, pooling="average")._pool(features)
    torch.testing.assert_close(mean, features.mean(dim=(2, 3)))
    assert (pooled > mean).all()


@pytest.mark.parametrize("trunk", ["resnet34", "resnet50", "mobilenet_v3_large"])
@torch.no_grad()
def test_other_trunks(trunk: str) -> None:
    net = EmbedderNet(trunk, 8).eval()  # type: ignore[arg-type]
    assert net(pixels(2)).shape == (2, 8)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"trunk": "vgg16"}, "trunk: expected"),
        ({"dim": 0}, "dim: expected"),
        ({"pooling": "max"}, "pooling: expected"),
    ],
)
def test_unknown_parts_are_refused(arguments: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        EmbedderNet(**arguments)  # type: ignore[arg-type]
