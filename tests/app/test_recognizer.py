from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app import images
from app.errors import NotAnImage
from app.services import Services
from app.stopwatch import STAGES
from indexer.errors import IndexBehind
from indexer.records import NewView, ProductInput
from models.types import Detections, Image
from tests.fakes import (
    BLUE,
    COLOURS,
    GREEN,
    PURPLE,
    RED,
    YELLOW,
    FakeDetector,
    photo,
    services_for,
    tray,
)

SLOW_TAIL = {"tail_interval_s": 60.0, "catch_up_timeout_s": 0.1}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Services]:
    """A shop with red and blue, whose index only moves when it is told to."""
    with services_for(tmp_path, index=SLOW_TAIL) as services:
        add(services, "red", RED, 199)
        add(services, "blue", BLUE, 250)
        yield services


def add(services: Services, sku: str, colour: tuple[int, int, int], price: int = 100) -> None:
    services.enroller.enroll(ProductInput(sku, sku.title(), price, "EUR"), [photo(colour)])


def test_a_tray_becomes_a_basket(shop: Services):
    image = tray(
        (RED, (10, 10, 60, 80)), (BLUE, (100, 20, 150, 80)), (RED, (200, 20, 250, 70)),
        (GREEN, (20, 140, 60, 180)),
    )  # fmt: skip
    found = shop.recognizer.recognize(image)
    assert (found.width, found.height) == (320, 240)
    assert [i.box for i in found.items] == [
        (10, 10, 60, 80), (100, 20, 150, 80), (200, 20, 250, 70), (20, 140, 60, 180)
    ]  # fmt: skip
    assert [i.outcome for i in found.items] == ["accept", "accept", "accept", "unknown"]
    assert [i.product and i.product.sku for i in found.items] == ["red", "blue", "red", None]
    assert [(b.product.sku, b.quantity, b.total_minor) for b in found.basket] == [
        ("red", 2, 398),
        ("blue", 1, 250),
    ]
    assert (found.total_minor, found.needs_attention) == (648, 1)
    assert found.index_revision == shop.catalog.head()
    assert found.models == {
        "detector": "fake-detector",
        "embedder": "fake-embedder",
        "space": "fake000000000000",
    }


def test_an_item_knows_why(shop: Services):
    [item] = shop.recognizer.recognize(tray((RED, (50, 50, 120, 120)))).items
    assert item.similarity == pytest.approx(1.0, abs=1e-3)
    assert 0.9 < item.confidence <= 1.0
    assert item.margin > 0.5
    assert [c.product.sku for c in item.candidates] == ["red", "blue"]
    assert 0 < item.score <= 1
    [item] = shop.recognizer.recognize(tray((RED, (50, 50, 120, 120))), top_k=1).items
    assert [c.product.sku for c in item.candidates] == ["red"]


def test_an_empty_tray_has_no_items(shop: Services):
    found = shop.recognizer.recognize(tray())
    assert (found.items, found.basket, found.total_minor, found.needs_attention) == ((), (), 0, 0)


def test_an_empty_catalog_knows_nothing(tmp_path: Path):
    with services_for(tmp_path) as services:
        [item] = services.recognizer.recognize(tray((RED, (50, 50, 120, 120)))).items
    assert (item.outcome, item.product, item.candidates) == ("unknown", None, ())


def test_an_item_to_review_is_named_but_not_sold(shop: Services):
    """Half red, half green: as near to red as to nothing else."""
    image = tray((RED, (50, 50, 120, 90)), (GREEN, (50, 90, 120, 130)))
    [item] = shop.recognizer.recognize(image).items
    assert item.outcome == "review"
    assert item.product
    assert item.product.sku == "red"
    found = shop.recognizer.recognize(image)
    assert (found.basket, found.needs_attention) == ((), 1)


def test_a_file_gives_what_its_pixels_give(shop: Services):
    image = tray((RED, (10, 10, 60, 80)), (BLUE, (100, 20, 150, 80)))
    direct = shop.recognizer.recognize(image)
    decoded = shop.recognizer.recognize_bytes(images.encode(image, "PNG"))
    assert decoded.items == direct.items
    assert direct.timings_ms["decode"] == 0
    assert decoded.timings_ms["decode"] > 0
    for found in (direct, decoded):
        assert tuple(found.timings_ms) == STAGES
        parts = sum(ms for stage, ms in found.timings_ms.items() if stage != "total")
        assert parts <= found.timings_ms["total"] + 0.01


def test_a_bad_file_is_refused(shop: Services):
    with pytest.raises(NotAnImage):
        shop.recognizer.recognize_bytes(b"nothing")


def test_min_score_reaches_the_detector(shop: Services):
    image = tray((RED, (10, 10, 60, 80)), (BLUE, (100, 20, 104, 24)))
    assert len(shop.recognizer.recognize(image, min_score=0.0).items) == 2
    assert len(shop.recognizer.recognize(image, min_score=0.95).items) == 1
    assert len(shop.recognizer.recognize(image, min_score=1.0).items) == 0


def test_the_setting_for_min_score_is_the_default(tmp_path: Path):
    with services_for(tmp_path, decisions={"min_score": 0.95}) as services:
        image = tray((RED, (10, 10, 60, 80)), (BLUE, (100, 20, 104, 24)))
        assert len(services.recognizer.recognize(image).items) == 1
        assert len(services.recognizer.recognize(image, min_score=0.6).items) == 2


def test_sql_has_the_last_word_about_a_deleted_product(shop: Services):
    shop.catalog.delete_product("red")
    assert len(shop.projection) == 2, "the index has not heard of it"
    [item] = shop.recognizer.recognize(tray((RED, (50, 50, 120, 120)))).items
    assert item.outcome == "unknown"
    assert [c.product.sku for c in item.candidates] == ["blue"]


def test_sql_has_the_last_word_about_a_retired_product_and_a_price(shop: Services):
    shop.catalog.update_product("red", {"active": False})
    shop.catalog.update_product("blue", {"price_minor": 999})
    image = tray((RED, (50, 50, 120, 120)), (BLUE, (150, 50, 210, 110)))
    found = shop.recognizer.recognize(image)
    assert [i.outcome for i in found.items] == ["unknown", "accept"]
    assert found.total_minor == 999


def test_many_views_of_a_product_do_not_hide_its_twin(tmp_path: Path):
    """Ten hits are fetched, and all of them are views of one product."""
    with services_for(tmp_path, decisions={"top_k_views": 2}) as services:
        add(services, "red", RED)
        [item] = services.recognizer.recognize(tray((RED, (50, 50, 120, 120))), top_k=1).items
        assert (item.outcome, item.margin) == ("accept", item.similarity), "there is no other"
        views = [photo(RED, (30, 30, 60 + 9 * i, 90 + 9 * i)) for i in range(12)]
        services.enroller.enroll(ProductInput("red", "Red", 100, "EUR"), views)
        add(services, "twin", RED)
        [item] = services.recognizer.recognize(tray((RED, (50, 50, 120, 120))), top_k=1).items
    assert (item.outcome, item.margin) == ("review", 0.0)


def test_min_revision_brings_the_index_there(shop: Services):
    before = shop.projection.revision
    crop = images.encode_crop(tray((GREEN, (0, 0, 50, 50)), width=50, height=50))
    vector = shop.networks.embedder.embed([images.decode_crop(crop)])
    green = ProductInput("green", "Green", 1, "EUR")
    stored = shop.catalog.enroll(green, [NewView(crop)], shop.networks.embedder.space, vector)
    image = tray((GREEN, (50, 50, 120, 120)))
    assert shop.recognizer.recognize(image).index_revision == before
    found = shop.recognizer.recognize(image, min_revision=stored.revision)
    assert found.index_revision >= stored.revision
    assert found.items[0].product
    assert found.items[0].product.sku == "green"


def test_a_revision_that_does_not_exist_is_not_waited_for_long(shop: Services):
    with pytest.raises(IndexBehind) as caught:
        shop.recognizer.recognize(tray(), min_revision=10**6)
    assert caught.value.wanted == 10**6


def test_many_objects_are_told_apart(tmp_path: Path):
    with services_for(tmp_path) as services:
        for number, colour in enumerate(COLOURS):
            add(services, f"p{number}", colour)
        order = [(i * 7) % len(COLOURS) for i in range(12)]
        shapes = []
        for place, k in enumerate(order):
            x, y = 10 + 50 * (place % 6), 20 + 100 * (place // 6)
            shapes.append((COLOURS[k], (x, y, x + 35, y + 60 + place)))
        found = services.recognizer.recognize(tray(*shapes))
    by_box = {item.box: item.product and item.product.sku for item in found.items}
    assert by_box == {box: f"p{k}" for k, (_, box) in zip(order, shapes, strict=True)}


def test_the_networks_and_the_database_are_asked_once_per_photo(
    shop: Services, monkeypatch: pytest.MonkeyPatch
):
    calls: list[str] = []

    def counting(owner: object, name: str) -> None:
        real = getattr(owner, name)

        def call(*args: object, **options: object) -> object:
            calls.append(name)
            return real(*args, **options)

        monkeypatch.setattr(owner, name, call)

    counting(shop.networks.detector, "detect")
    counting(shop.networks.embedder, "embed")
    counting(shop.projection, "search")
    counting(shop.catalog, "resolve")
    shapes = [(c, (10 + 60 * i, 10, 60 + 60 * i, 90)) for i, c in enumerate((RED, BLUE, YELLOW))]
    assert len(shop.recognizer.recognize(tray(*shapes)).items) == 3
    assert calls == ["detect", "embed", "search", "resolve"]


def test_the_image_is_not_changed(shop: Services):
    image = tray((PURPLE, (50, 50, 120, 120)))
    before = image.copy()
    shop.recognizer.recognize(image)
    np.testing.assert_array_equal(image, before)


def test_a_box_at_the_border_is_cut_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def whole(self: FakeDetector, images: list[Image], min_score: float | None = None):
        height, width = images[0].shape[:2]
        box = np.array([[0, 0, width, height]], np.float32)
        return [Detections(box, np.ones(1, np.float32))]

    monkeypatch.setattr(FakeDetector, "detect", whole)
    with services_for(tmp_path) as services:
        [item] = services.recognizer.recognize(tray((RED, (0, 0, 320, 240)))).items
    assert item.box == (0, 0, 320, 240)
