"""P x K batches: shares, groups, repeats; views by key."""

from collections import Counter

import numpy as np
import pytest

from models.data.batches import ClassSampler, ViewData, ViewKey
from models.data.crops import Crop, class_ids
from models.data.views import ViewMaker, ViewOptions
from models.preprocess import Preprocess


def crops() -> list[Crop]:
    """Source `many`: 30 single crops, two to a photo. Source `few`: 5 classes of 6 crops."""
    rng = np.random.default_rng(0)

    def one(label: str, group: str, source: str) -> Crop:
        pixels = rng.integers(0, 256, (12, 12, 3), np.uint8)
        return Crop(pixels, np.array([1, 1, 11, 11], np.float32), None, label, group, source)

    many = [one(f"many/{i}", f"many/photo{i // 2}", "many") for i in range(30)]
    few = [one(f"few/{i % 5}", f"few/{i % 5}", "few") for i in range(30)]
    return many + few


def batches(shares: dict[str, float], classes: int, views: int, count: int) -> list[list[ViewKey]]:
    sampler = ClassSampler(crops(), shares, classes, views, lambda: 32, np.random.default_rng(1))
    return [keys for keys, _ in zip(sampler, range(count), strict=False)]


def test_a_batch_holds_p_classes_with_k_views_of_one_class_each() -> None:
    data = crops()
    labels = class_ids(data)
    for keys in batches({"many": 0.5, "few": 0.5}, 6, 4, 20):
        assert len(keys) == 24
        counts = Counter(int(labels[key.crop]) for key in keys)
        assert set(counts.values()) == {4}
        assert len({key.seed for key in keys}) == 24
        assert {key.size for key in keys} == {32}
        groups = {data[key.crop].group for key in keys}
        assert len(groups) == 6  # never two classes of one photo


def test_a_class_with_enough_crops_repeats_none() -> None:
    for keys in batches({"few": 1.0}, 3, 4, 10):
        assert len({key.crop for key in keys}) == 12


def test_a_class_with_fewer_crops_repeats_them_evenly() -> None:
    for keys in batches({"few": 1.0}, 2, 15, 5):
        per_crop = Counter(key.crop for key in keys)
        assert set(per_crop.values()) == {2, 3}


def test_shares_decide_how_often_a_source_is_drawn() -> None:
    data = crops()
    drawn = Counter(
        data[key.crop].source for keys in batches({"many": 3, "few": 1}, 2, 2, 500) for key in keys
    )
    assert drawn["many"] / drawn.total() == pytest.approx(0.75, abs=0.05)


def test_a_used_up_source_gives_way() -> None:
    for keys in batches({"many": 0.0, "few": 1.0}, 8, 2, 3):
        assert len(keys) == 16  # `few` has 5 classes only


def test_the_size_is_asked_for_each_batch() -> None:
    sizes = iter([32, 48])
    sampler = ClassSampler(crops(), {"few": 1}, 2, 2, lambda: next(sizes), np.random.default_rng(0))
    keys = iter(sampler)
    assert [next(keys)[0].size, next(keys)[0].size] == [32, 48]


def test_unusable_shares_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="missing"):
        ClassSampler(crops(), {"missing": 1}, 2, 2, lambda: 32, rng)
    with pytest.raises(ValueError, match="as many groups, got 5"):
        ClassSampler(crops(), {"few": 1}, 6, 2, lambda: 32, rng)


def test_a_key_gives_its_view_again() -> None:
    data = crops()
    maker = ViewMaker(data, [], ViewOptions())
    views = ViewData(data, maker, Preprocess(64, 64), (0.5, (0.1, 0.2)))
    image, label = views[ViewKey(31, 99, 40)]
    assert image.shape == (40, 40, 3)
    assert label == class_ids(data)[31]
    np.testing.assert_array_equal(image, views[ViewKey(31, 99, 40)][0])
    assert (image != views[ViewKey(31, 98, 40)][0]).any()
