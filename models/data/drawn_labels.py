"""Printed artwork of the drawn products: background patterns, emblems and text.

Everything is drawn from simple figures with Pillow's own built-in font, so that the pictures are
the same on every machine and free of third-party rights.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont

from models.data.drawn_emblems import draw_emblem
from models.types import Image

Draw = ImageDraw.ImageDraw
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Design:
    """What is printed on a package; colours are `#rrggbb`."""

    brand: str
    title: str
    base: str
    accent: str
    ink: str
    pattern: str
    emblem: str


def artwork(design: Design, width: int, height: int) -> Image:
    """The front of a package, uint8 `[height,width,3]`."""
    picture = Picture.new("RGB", (width, height), design.base)
    draw = ImageDraw.Draw(picture)
    PATTERNS[design.pattern](draw, width, height, design.accent)
    unit = min(width, height * 0.75)
    if width > 1.5 * height:
        draw_emblem(draw, design.emblem, design.ink, (width * 0.84, height * 0.5), height * 0.3)
        _brand(draw, design, (width * 0.38, height * 0.36), width * 0.62, height * 0.4)
        _line(draw, design, design.title, (width * 0.38, height * 0.74), width * 0.56, height * 0.2)
    else:
        draw_emblem(draw, design.emblem, design.ink, (width * 0.5, height * 0.63), unit * 0.25)
        _brand(draw, design, (width * 0.5, height * 0.2), width * 0.88, height * 0.19)
        title_y = height * 0.36
        _line(draw, design, design.title, (width * 0.5, title_y), width * 0.86, height * 0.1)
        _small_print(draw, design, width, height)
    return np.asarray(picture)


def back(design: Design, width: int, height: int) -> Image:
    """A narrow side: title, lines of small print, a table and a barcode; uint8 RGB."""
    picture = Picture.new("RGB", (width, height), design.base)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width, height * 0.16), fill=design.accent)
    _line(draw, design, design.brand, (width * 0.5, height * 0.08), width * 0.86, height * 0.1)
    for row in range(9):
        y = height * (0.24 + row * 0.032)
        right = width * (0.88 if row % 4 else 0.62)
        draw.rectangle((width * 0.12, y, right, y + height * 0.012), fill=design.ink)
    draw.rectangle((width * 0.12, height * 0.58, width * 0.88, height * 0.7), outline=design.ink)
    draw.rectangle((width * 0.14, height * 0.76, width * 0.86, height * 0.93), fill="#ffffff")
    for bar in range(24):
        x = width * (0.18 + 0.027 * bar)
        thick = width * 0.009 * (1 + (bar * 7 + len(design.title)) % 3)
        draw.rectangle((x, height * 0.78, x + thick * 0.6, height * 0.91), fill="#111111")
    return np.asarray(picture)


def rgb(colour: str) -> NDArray[np.uint8]:
    """`#rrggbb` as uint8 `[3]`."""
    return np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)], np.uint8)


def plain(colour: str, width: int, height: int) -> Image:
    """One colour, uint8 `[height,width,3]`."""
    return np.tile(rgb(colour), (height, width, 1))


def _font(text: str, width: float, height: float) -> ImageFont.FreeTypeFont:
    """The built-in font in the largest size with which `text` fits into the space."""
    probe = ImageFont.load_default(40)
    if not isinstance(probe, ImageFont.FreeTypeFont):
        raise RuntimeError("drawing text needs a Pillow built with FreeType")
    left, top, right, bottom = probe.getbbox(text)
    size = 40 * min(width / max(1.0, right - left), height / max(1.0, bottom - top))
    return probe.font_variant(size=max(6, int(size)))


def _line(
    draw: Draw, design: Design, text: str, centre: Point, width: float, height: float
) -> None:
    font = _font(text, width, height)
    bold, halo = int(font.size) // 28, max(2, int(font.size) // 9)
    draw.text(centre, text, design.base, font, "mm", stroke_width=halo, stroke_fill=design.base)
    draw.text(centre, text, design.ink, font, "mm", stroke_width=bold, stroke_fill=design.ink)


def _brand(draw: Draw, design: Design, centre: Point, width: float, height: float) -> None:
    """The brand in capitals on a rounded badge."""
    x, y = centre
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    badge = design.ink
    draw.rounded_rectangle(box, radius=height * 0.3, fill=badge, outline=design.base, width=3)
    text = design.brand.upper()
    font = _font(text, width * 0.84, height * 0.52)
    bold = max(1, int(font.size) // 20)
    draw.text(centre, text, design.base, font, "mm", stroke_width=bold, stroke_fill=design.base)


def _small_print(draw: Draw, design: Design, width: int, height: int) -> None:
    draw.rectangle((0, height * 0.88, width, height), fill=design.accent)
    for row, right in enumerate((0.62, 0.48)):
        y = height * (0.915 + row * 0.035)
        box = (width * 0.08, y, width * right, y + height * 0.014)
        draw.rectangle(box, fill=design.ink)
    grams = f"{(sum(map(ord, design.title)) % 18 + 2) * 50} g"
    font = _font(grams, width * 0.22, height * 0.05)
    draw.text((width * 0.82, height * 0.94), grams, design.ink, font, anchor="mm")


# Background patterns -------------------------------------------------------------------------


def _stripes(draw: Draw, w: int, h: int, colour: str) -> None:
    for x in range(0, w, max(2, w // 6)):
        draw.rectangle((x, 0, x + w // 12, h), fill=colour)


def _bands(draw: Draw, w: int, h: int, colour: str) -> None:
    for y in range(h // 3, h, max(2, h // 9)):
        draw.rectangle((0, y, w, y + h // 18), fill=colour)


def _diagonal(draw: Draw, w: int, h: int, colour: str) -> None:
    step = max(2, (w + h) // 8)
    for x in range(-h, w, step):
        draw.polygon([(x, h), (x + step * 0.5, h), (x + h + step * 0.5, 0), (x + h, 0)], colour)


def _dots(draw: Draw, w: int, h: int, colour: str) -> None:
    step, radius = max(4, w // 6), max(2, w // 17)
    for row, y in enumerate(range(0, h + step, step)):
        for x in range((row % 2) * step // 2, w + step, step):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _rays(draw: Draw, w: int, h: int, colour: str) -> None:
    centre, far = (w * 0.5, h * 0.63), float(w + h)
    for ray in range(0, 24, 2):
        angles = (math.tau * ray / 24, math.tau * (ray + 1) / 24)
        rim = [(centre[0] + far * math.cos(a), centre[1] + far * math.sin(a)) for a in angles]
        draw.polygon([centre, *rim], fill=colour)


def _waves(draw: Draw, w: int, h: int, colour: str) -> None:
    for level in (0.5, 0.72):
        top = [(x, h * (level + 0.05 * math.sin(x / w * 9 + level * 20))) for x in range(0, w, 4)]
        low = [(x, y + h * 0.11) for x, y in reversed(top)]
        draw.polygon([*top, (w, top[-1][1]), (w, low[0][1]), *low], fill=colour)


def _checks(draw: Draw, w: int, h: int, colour: str) -> None:
    step = max(4, w // 7)
    for row, y in enumerate(range(0, h, step)):
        for x in range((row % 2) * step, w, 2 * step):
            draw.rectangle((x, y, x + step - 1, y + step - 1), fill=colour)


def _split(draw: Draw, w: int, h: int, colour: str) -> None:
    draw.polygon([(0, h * 0.48), (w, h * 0.34), (w, h), (0, h)], fill=colour)


def _hills(draw: Draw, w: int, h: int, colour: str) -> None:
    peaks = [(0, 0.62), (0.22, 0.4), (0.4, 0.58), (0.66, 0.3), (0.86, 0.52), (1, 0.44)]
    draw.polygon([(0, h), *((x * w, y * h) for x, y in peaks), (w, h)], fill=colour)


def _frame(draw: Draw, w: int, h: int, colour: str) -> None:
    thick = max(3, min(w, h) // 14)
    draw.rectangle((0, 0, w - 1, h - 1), outline=colour, width=thick)
    draw.ellipse((w * 0.1, h * 0.38, w * 0.9, h * 0.88), fill=colour)


def _none(draw: Draw, w: int, h: int, colour: str) -> None:
    draw.rectangle((0, 0, w, h * 0.06), fill=colour)


PATTERNS: dict[str, Callable[[Draw, int, int, str], None]] = {
    "stripes": _stripes, "bands": _bands, "diagonal": _diagonal, "dots": _dots, "rays": _rays,
    "waves": _waves, "checks": _checks, "split": _split, "hills": _hills, "frame": _frame,
    "plain": _none,
}  # fmt: skip
