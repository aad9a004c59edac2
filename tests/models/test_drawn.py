import numpy as np
import pytest

from models.data.drawn import PHOTO, TRAY, catalogue, draw_photo, draw_tray, draw_view

CATALOGUE = catalogue()


def test_catalogue_has_enough_distinct_products() -> None:
    assert len(CATALOGUE) >= 40
    assert len({p.sku for p in CATALOGUE}) == len(CATALOGUE)
    assert len({p.name for p in CATALOGUE}) == len(CATALOGUE)
    assert all(p.price_minor > 0 and p.category for p in CATALOGUE)
    assert all(p.sku.strip("-") == p.sku and p.sku.isascii() for p in CATALOGUE)
    assert {p.shape.kind for p in CATALOGUE} >= {"carton", "bottle", "can", "jar", "bag", "apple"}


@pytest.mark.parametrize("product", CATALOGUE, ids=lambda p: p.sku)
def test_view_is_cut_out_and_cropped(product) -> None:
    view = draw_view(product, np.random.default_rng(1))
    alpha = view[..., 3]
    assert view.dtype == np.uint8 and view.shape[2] == 4
    assert min(view.shape[:2]) >= 40
    assert (alpha > 200).mean() > 0.2
    for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
        assert edge.max() > 0
    assert view[..., :3][alpha > 200].std() > 4


def test_same_seed_same_picture_other_seed_another() -> None:
    product = CATALOGUE[0]
    first = draw_view(product, np.random.default_rng(3))
    assert np.array_equal(first, draw_view(product, np.random.default_rng(3)))
    other = draw_view(product, np.random.default_rng(4))
    assert first.shape != other.shape or (first != other).mean() > 0.1


def test_artwork_of_different_products_differs() -> None:
    fronts = {}
    for product in CATALOGUE:
        view = draw_view(product, np.random.default_rng(5), turn=0)
        solid = view[view[..., 3] > 200][:, :3].astype(float)
        fronts[product.sku] = np.concatenate([solid.mean(axis=0), solid.std(axis=0)])
    table = np.stack(list(fronts.values()))
    gaps = np.abs(table[:, None] - table[None]).sum(axis=2) + 1e9 * np.eye(len(table))
    assert gaps.min() > 1.0


def test_photo_shows_one_product_inside_the_picture() -> None:
    image, boxes, skus = draw_photo(CATALOGUE[5], np.random.default_rng(0))
    width, height = PHOTO
    assert image.shape == (height, width, 3) and image.dtype == np.uint8
    assert boxes.shape == (1, 4) and boxes.dtype == np.float32
    assert skus == (CATALOGUE[5].sku,)
    x1, y1, x2, y2 = boxes[0].astype(int)
    assert 0 <= x1 < x2 <= width and 0 <= y1 < y2 <= height
    inside = image[y1:y2, x1:x2].reshape(-1, 3).astype(float)
    assert inside.std() > 10


@pytest.mark.parametrize("count", [0, 1, 12])
def test_tray_boxes_lie_apart_and_follow_the_order(count: int) -> None:
    products = [CATALOGUE[(7 * k) % len(CATALOGUE)] for k in range(count)]
    image, boxes, skus = draw_tray(products, np.random.default_rng(count))
    assert image.shape == (TRAY[1], TRAY[0], 3)
    assert boxes.shape == (count, 4)
    assert skus == tuple(p.sku for p in products)
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= TRAY).all()
    for k in range(count):
        for other in range(k):
            low = np.maximum(boxes[k, :2], boxes[other, :2])
            high = np.minimum(boxes[k, 2:], boxes[other, 2:])
            shared = np.clip(high - low, 0, None).prod()
            # Boxes of turned products overlap at the corners although the products do not.
            assert shared < 0.6 * min((boxes[j, 2:] - boxes[j, :2]).prod() for j in (k, other))


def test_a_tray_that_cannot_fit_is_refused() -> None:
    pizza = next(p for p in CATALOGUE if p.name == "Forno Frozen Pizza")
    with pytest.raises(ValueError, match="got 60"):
        draw_tray([pizza] * 60, np.random.default_rng(0))
