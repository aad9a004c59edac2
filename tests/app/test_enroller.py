import errno
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app import images
from app.errors import (
    BadBox,
    Confusable,
    InvalidInput,
    NoObject,
    NotAnImage,
    PoorPhoto,
    SeveralObjects,
    TooManyPixels,
    WrongCount,
)
from app.receipt import Receipt
from app.services import Services
from indexer.errors import (
    DuplicateBarcode,
    IdempotencyMismatch,
    IndexBehind,
    StorageFull,
    WrongCurrency,
)
from indexer.records import ProductInput
from tests.fakes import BLUE, GREEN, RED, photo, services_for, tray

RED_TEA = ProductInput("red", "Red tea", 199, "EUR")
TWO = images.encode(tray((RED, (20, 20, 120, 120)), (BLUE, (150, 20, 250, 120))), "PNG")
NOTHING = images.encode(tray(), "PNG")
ELSEWHERE = photo(RED, (30, 30, 110, 200))


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Services]:
    with services_for(tmp_path) as services:
        yield services


def names(shop: Services, image: np.ndarray) -> list[str | None]:
    return [i.product and i.product.sku for i in shop.recognizer.recognize(image).items]


def contents(shop: Services) -> tuple[int, int, int]:
    """Products, views and crop files: what a refused enrolment must not change."""
    counts = shop.catalog.counts()
    files = sum(path.is_file() for path in shop.settings.crops_dir.rglob("*"))
    return counts.products, counts.views, files


def test_a_product_is_found_by_the_very_next_recognition(shop: Services):
    assert names(shop, tray((RED, (50, 50, 120, 120)))) == [None]
    receipt = shop.enroller.enroll(RED_TEA, [photo(RED), ELSEWHERE])
    assert names(shop, tray((RED, (50, 50, 120, 120)))) == ["red"]
    assert receipt.created
    assert (receipt.product.sku, receipt.product.views) == ("red", 2)
    assert receipt.revision == shop.catalog.head() == shop.projection.revision
    assert [p.status for p in receipt.images] == ["added", "added"]
    assert [p.box for p in receipt.images] == [(100, 60, 200, 180), (30, 30, 110, 200)]
    stored = shop.catalog.views("red")
    assert [v.id for v in stored] == [p.view_id for p in receipt.images]
    assert [v.box for v in stored] == [p.box for p in receipt.images]
    assert stored[0].quality == receipt.images[0].quality
    assert contents(shop) == (1, 2, 2)


def test_the_stored_vector_is_that_of_the_stored_crop(shop: Services):
    """So that re-embedding gives the same vectors again."""
    [entry] = shop.enroller.enroll(RED_TEA, [photo(RED)]).images
    crop = images.decode_crop(shop.catalog.crop("red", entry.view_id))
    assert crop.shape == (132, 110, 3), "100 x 120 and 5 percent on each side"
    _, vectors = shop.catalog.vectors(shop.networks.embedder.space, [entry.view_id])
    np.testing.assert_array_equal(vectors, shop.networks.embedder.embed([crop]))


def test_more_views_and_new_values_of_a_known_product(shop: Services):
    shop.enroller.enroll(RED_TEA, [photo(RED)])
    receipt = shop.enroller.enroll(ProductInput("red", "Tea, red", 249, "EUR"), [ELSEWHERE])
    assert not receipt.created
    assert (receipt.product.name, receipt.product.price_minor) == ("Tea, red", 249)
    assert (receipt.product.views, contents(shop)) == (2, (1, 2, 2))


def test_a_photo_that_is_a_view_already_is_not_stored_again(shop: Services):
    first = shop.enroller.enroll(RED_TEA, [photo(RED)])
    again = shop.enroller.enroll(RED_TEA, [ELSEWHERE, photo(RED), ELSEWHERE])
    assert [p.status for p in again.images] == ["added", "duplicate", "duplicate"]
    assert again.images[1].view_id == first.images[0].view_id
    assert again.images[2].view_id == again.images[0].view_id
    assert contents(shop) == (1, 2, 2)
    nothing_new = shop.enroller.enroll(ProductInput("red", "Red", 1, "EUR"), [photo(RED)])
    assert nothing_new.product.price_minor == 1
    assert contents(shop) == (1, 2, 2)


def test_the_same_photo_may_show_two_products(shop: Services):
    shop.enroller.enroll(RED_TEA, [photo(RED)])
    other = shop.enroller.enroll(ProductInput("twin", "Twin", 5, "EUR"), [photo(RED)])
    assert [p.status for p in other.images] == ["added"]
    assert contents(shop) == (2, 2, 1), "one file for equal crops"


def test_a_given_box_is_used_and_the_detector_is_not(shop: Services):
    receipt = shop.enroller.enroll(RED_TEA, [TWO, photo(RED)], [(20, 20, 120, 120), None])
    assert [p.box for p in receipt.images] == [(20, 20, 120, 120), (100, 60, 200, 180)]
    assert names(shop, tray((RED, (50, 50, 120, 120)))) == ["red"]


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([0, 0, 321, 100], "inside of the image"),
        ([-1, 0, 50, 50], "inside of the image"),
        ([0, 0, 100, 241], "inside of the image"),
        ([50, 50, 50, 100], "x1 < x2"),
        ([90, 50, 40, 100], "x1 < x2"),
        ([0, 0, float("nan"), 10], "four finite numbers"),
        ([0, 0, float("inf"), 10], "four finite numbers"),
        ([0, 0, 10], "four finite numbers"),
        (["0", 0, 10, 10], "four finite numbers"),
        ([True, 0, 10, 10], "four finite numbers"),
        ([], "four finite numbers"),
    ],
)
def test_a_bad_box_is_refused_with_the_size_of_the_image(shop: Services, box: Any, reason: str):
    with pytest.raises(BadBox, match=reason) as caught:
        shop.enroller.enroll(RED_TEA, [photo(RED), TWO], [None, box])
    assert caught.value.location == "images[1]"
    assert caught.value.extra["image"] == {"width": 320, "height": 240}
    assert contents(shop) == (0, 0, 0)


def test_the_border_of_the_image_is_inside(shop: Services):
    full = [0, 0, 320, 240]
    assert shop.enroller.enroll(RED_TEA, [TWO], [full]).images[0].box == (0, 0, 320, 240)


def test_no_object_and_several_objects_carry_what_was_found(shop: Services):
    with pytest.raises(NoObject) as nothing:
        shop.enroller.enroll(RED_TEA, [NOTHING])
    assert nothing.value.extra["boxes"] == []
    assert nothing.value.extra["image"] == {"width": 320, "height": 240}
    assert "give its box" in str(nothing.value)
    with pytest.raises(SeveralObjects) as several:
        shop.enroller.enroll(RED_TEA, [photo(RED), TWO])
    assert several.value.location == "images[1]"
    assert several.value.extra["boxes"] == [[20, 20, 120, 120], [150, 20, 250, 120]]
    assert len(several.value.extra["scores"]) == 2
    assert contents(shop) == (0, 0, 0)


def test_a_crumb_beside_the_product_does_not_matter(shop: Services):
    image = images.encode(tray((RED, (20, 20, 120, 120)), (BLUE, (200, 20, 206, 26))), "PNG")
    assert shop.enroller.enroll(RED_TEA, [image]).images[0].box == (20, 20, 120, 120)


def test_all_bad_photos_are_named_at_once(shop: Services):
    with pytest.raises(NotAnImage) as caught:
        shop.enroller.enroll(RED_TEA, [photo(RED), b"text", NOTHING, TWO])
    told = [caught.value, *caught.value.others]
    assert [type(e) for e in told] == [NotAnImage, NoObject, SeveralObjects]
    assert [e.location for e in told] == ["images[1]", "images[2]", "images[3]"]
    assert contents(shop) == (0, 0, 0)


def test_limits_hold_for_every_photo(tmp_path: Path):
    limits = {"max_pixels": 320 * 240 - 1}
    with services_for(tmp_path, limits=limits) as shop, pytest.raises(TooManyPixels):
        shop.enroller.enroll(RED_TEA, [photo(RED)])


def test_a_poor_photo_is_left_out_and_all_poor_photos_are_refused(shop: Services):
    tiny = photo(RED, (100, 100, 110, 112))
    receipt = shop.enroller.enroll(RED_TEA, [tiny, photo(RED)])
    assert [p.status for p in receipt.images] == ["refused", "added"]
    assert receipt.images[0].view_id is None
    assert receipt.images[0].complaints[0].startswith("too small: 10 x 12 pixels")
    assert contents(shop) == (1, 1, 1)
    with pytest.raises(PoorPhoto, match="too small") as caught:
        shop.enroller.enroll(ProductInput("b", "B", 1, "EUR"), [tiny, tiny])
    assert [e.location for e in (caught.value, *caught.value.others)] == ["images[0]", "images[1]"]
    assert caught.value.extra["quality"]["width"] == 10
    assert contents(shop) == (1, 1, 1)


@pytest.mark.parametrize("count", [0, 51])
def test_the_number_of_photos(shop: Services, count: int):
    with pytest.raises(WrongCount, match="expected 1 to 50"):
        shop.enroller.enroll(RED_TEA, [photo(RED)] * count)


def test_as_many_boxes_as_photos(shop: Services):
    with pytest.raises(InvalidInput, match="one box or null per image") as caught:
        shop.enroller.enroll(RED_TEA, [photo(RED)], [None, None])
    assert caught.value.location == "boxes"


def test_look_alikes_are_told(shop: Services):
    shop.enroller.enroll(RED_TEA, [photo(RED)])
    shop.enroller.enroll(ProductInput("blue", "Blue", 1, "EUR"), [photo(BLUE)])
    receipt = shop.enroller.enroll(ProductInput("rose", "Rose", 1, "EUR"), [ELSEWHERE])
    assert [(p.sku, p.name) for p in receipt.confusable] == [("red", "Red tea")]
    assert receipt.confusable[0].similarity > 0.95
    more = shop.enroller.enroll(RED_TEA, [photo(RED, (40, 40, 240, 200))])
    assert [p.sku for p in more.confusable] == ["rose"], "a product is no look-alike of itself"


def test_look_alikes_are_refused_on_demand(shop: Services):
    shop.enroller.enroll(RED_TEA, [photo(RED)])
    with pytest.raises(Confusable) as caught:
        shop.enroller.enroll(ProductInput("rose", "Rose", 1, "EUR"), [ELSEWHERE], None, "reject")
    [found] = caught.value.extra["confusable"]
    assert (found["sku"], found["name"]) == ("red", "Red tea")
    assert contents(shop) == (1, 1, 1)
    green = ProductInput("green", "Green", 1, "EUR")
    assert shop.enroller.enroll(green, [photo(GREEN)], None, "reject").created


def test_a_repeated_key_gets_the_first_receipt(shop: Services):
    first = shop.enroller.enroll(RED_TEA, [photo(RED)], idempotency_key="k1")
    again = shop.enroller.enroll(RED_TEA, [photo(RED)], idempotency_key="k1")
    assert again == first
    assert again.created
    assert contents(shop) == (1, 1, 1)
    with pytest.raises(IdempotencyMismatch):
        shop.enroller.enroll(RED_TEA, [ELSEWHERE], idempotency_key="k1")
    with pytest.raises(IdempotencyMismatch):
        shop.enroller.enroll(RED_TEA, [photo(RED)], idempotency_key="k1", request_hash="0" * 64)
    other = shop.enroller.enroll(RED_TEA, [ELSEWHERE], idempotency_key="k2")
    assert other.revision > first.revision


def test_a_key_stands_for_one_request_even_when_eight_race(shop: Services):
    def once(_: int) -> Receipt:
        return shop.enroller.enroll(RED_TEA, [photo(RED), ELSEWHERE], idempotency_key="k")

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(once, range(8)))
    assert all(receipt == receipts[0] for receipt in receipts)
    assert contents(shop) == (1, 2, 2)


def test_a_repeated_key_brings_the_index_of_this_server_there(shop: Services, tmp_path: Path):
    """The first answer may be lost, and the repetition reach another server."""
    with services_for(tmp_path, index={"tail_interval_s": 60}) as other:
        first = shop.enroller.enroll(RED_TEA, [photo(RED)], idempotency_key="k")
        assert other.projection.revision < first.revision
        assert other.enroller.enroll(RED_TEA, [photo(RED)], idempotency_key="k") == first
        assert names(other, tray((RED, (50, 50, 120, 120)))) == ["red"]


def test_a_product_that_is_deleted_meanwhile_is_enrolled_anew(
    shop: Services, monkeypatch: pytest.MonkeyPatch
):
    """Photos that were views of it when the enrolment began become views again."""
    shop.enroller.enroll(RED_TEA, [photo(RED)])
    embed = shop.networks.embedder.embed

    def slowly(crops: list[np.ndarray]) -> np.ndarray:
        shop.catalog.delete_product("red")
        return embed(crops)

    monkeypatch.setattr(shop.networks.embedder, "embed", slowly)
    receipt = shop.enroller.enroll(RED_TEA, [photo(RED), ELSEWHERE])
    monkeypatch.undo()
    assert receipt.created
    assert [p.status for p in receipt.images] == ["added", "added"]
    assert [v.id for v in shop.catalog.views("red")] == [p.view_id for p in receipt.images]
    assert names(shop, tray((RED, (50, 50, 120, 120)))) == ["red"]


def test_a_refused_request_does_not_use_up_its_key(shop: Services):
    with pytest.raises(NoObject):
        shop.enroller.enroll(RED_TEA, [NOTHING], idempotency_key="k")
    assert shop.enroller.enroll(RED_TEA, [photo(RED)], idempotency_key="k").created


def test_errors_of_the_catalog_leave_nothing_behind(shop: Services):
    shop.enroller.enroll(ProductInput("a", "A", 1, "EUR", barcode="123"), [photo(RED)])
    before = contents(shop)
    with pytest.raises(DuplicateBarcode) as caught:
        shop.enroller.enroll(ProductInput("b", "B", 1, "EUR", barcode="123"), [photo(BLUE)])
    assert caught.value.sku == "a"
    with pytest.raises(WrongCurrency):
        shop.enroller.enroll(ProductInput("b", "B", 1, "USD"), [photo(BLUE)])
    assert contents(shop) == before


def test_a_full_disk_leaves_nothing_behind(shop: Services, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, data: bytes) -> None:
        path.write_bytes(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("indexer.blobs._write", full)
        with pytest.raises(StorageFull):
            shop.enroller.enroll(RED_TEA, [photo(RED)])
    assert contents(shop) == (0, 0, 0)
    assert shop.enroller.enroll(RED_TEA, [photo(RED)]).created


def test_a_late_index_does_not_undo_an_enrolment(
    shop: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    real = shop.projection.catch_up

    def late(at_least: int | None = None) -> int:
        if at_least is not None:
            raise IndexBehind(at_least, 0)
        return real()

    monkeypatch.setattr(shop.projection, "catch_up", late)
    with caplog.at_level(logging.WARNING, "app.enroller"):
        receipt = shop.enroller.enroll(RED_TEA, [photo(RED)])
    assert receipt.created
    assert "did not reach revision" in caplog.text
    assert shop.catalog.product("red")


def test_a_receipt_survives_json(shop: Services):
    shop.enroller.enroll(RED_TEA, [photo(RED)])
    tiny = photo(RED, (100, 100, 110, 112))
    rose = ProductInput("rose", "Rose", 1, "EUR", attributes={"a": [1, None]})
    receipt = shop.enroller.enroll(rose, [ELSEWHERE, tiny])
    assert receipt.confusable
    stored = json.dumps(receipt.to_json(), sort_keys=True)
    again = Receipt.from_json(json.loads(stored))
    assert again == receipt
    assert list(again.images[0].quality) == list(receipt.images[0].quality)
