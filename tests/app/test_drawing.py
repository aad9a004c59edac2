"""The annotated photo."""

import io

import numpy as np
import pytest
from PIL import Image

from app.drawing import COLOURS, Drawn, draw, encode, readable
from tests.fakes import tray


def test_boxes_have_the_colour_of_the_decision() -> None:
    image = tray(width=640, height=480)
    objects = [
        Drawn((50 + 200 * n, 200, 150 + 200 * n, 400), outcome, ("Name", "1.29 EUR"))
        for n, outcome in enumerate(COLOURS)
    ]
    drawn = np.asarray(draw(image, objects))
    for number, colour in enumerate(COLOURS.values()):
        assert tuple(drawn[300, 50 + 200 * number]) == colour
        assert tuple(drawn[399, 100 + 200 * number]) == colour
        assert tuple(drawn[300, 100 + 200 * number]) == (255, 255, 255)
    assert (image == 255).all()


def test_labels_do_not_cover_each_other() -> None:
    image = tray(width=640, height=480)
    one = draw(image, [Drawn((50, 200, 250, 400), "accept", ("Name", "1.29"))])
    two = draw(image, [Drawn((50, 200, 250, 400), "accept", ("Name", "1.29"))] * 2)
    green = np.array(COLOURS["accept"])
    count = [(np.asarray(canvas) == green).all(axis=2).sum() for canvas in (one, two)]
    assert count[1] > 1.3 * count[0]


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (40, 2000), (2000, 40)])
def test_any_size_of_image_and_box(size: tuple[int, int]) -> None:
    width, height = size
    image = tray(width=width, height=height)
    box = (0.0, 0.0, float(width), float(height))
    canvas = draw(image, [Drawn(box, "unknown", ("unknown",)), Drawn(box, "review", ("x" * 300,))])
    assert canvas.size == size


def test_nothing_to_draw() -> None:
    image = tray()
    assert (np.asarray(draw(image, [])) == image).all()


@pytest.mark.parametrize(("kind", "format"), [("jpeg", "JPEG"), ("png", "PNG")])
def test_files(kind: str, format: str) -> None:
    data = encode(draw(tray(), []), kind)  # type: ignore[arg-type]
    assert Image.open(io.BytesIO(data)).format == format


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Müsli & Nüsse", "Musli & Nusse"),
        ("Größe 3,5 €", "Grosse 3,5 EUR"),
        ("牛奶", ""),
        ("A牛", "A?"),
    ],
)
def test_only_letters_of_the_font_are_drawn(text: str, plain: str) -> None:
    assert readable(text) == plain
