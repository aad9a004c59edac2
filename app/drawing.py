"""A recognised photo with boxes and labels drawn, as JPEG or PNG.

The decision is told twice, by colour and by words, so that nobody has to tell colours apart.
"""

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from models.types import Image

Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {
    "accept": (0, 122, 61),
    "review": (255, 176, 0),
    "unknown": (200, 30, 45),
}
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
_PLAIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"}
    | {"€": "EUR", "–": "-", "—": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "„": '"'}
)
Area = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """One object to draw: its box `x1,y1,x2,y2` in pixels, its decision and its lines of text."""

    box: Area
    outcome: str
    lines: tuple[str, ...]


def draw(image: Image, objects: Sequence[Drawn]) -> PilImage.Image:
    """A copy of uint8 `[H,W,3]` with all boxes, then all labels; `image` is not changed."""
    canvas = PilImage.fromarray(image).copy()
    pen = ImageDraw.Draw(canvas)
    side = min(canvas.size)
    font = ImageFont.load_default(size=max(12, min(64, round(side / 32))))
    width = max(2, round(side / 250))
    for drawn in objects:
        pen.rectangle(_inside(drawn.box, canvas.size), outline=_colour(drawn), width=width)
    taken: list[Area] = []
    for drawn in objects:
        taken.append(_label(pen, font, drawn, canvas.size, taken))
    return canvas


def encode(canvas: PilImage.Image, kind: Literal["jpeg", "png"]) -> bytes:
    """The file: JPEG of quality 88, or PNG."""
    out = io.BytesIO()
    if kind == "jpeg":
        canvas.save(out, "JPEG", quality=88)
    else:
        canvas.save(out, "PNG", compress_level=3)
    return out.getvalue()


def readable(text: str) -> str:
    """`text` in letters that Pillow's own font has: accents go, foreign letters become `?`.

    Empty if no letter is left, so that the caller can show something else.
    """
    plain = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    letters = "".join(c for c in plain if not unicodedata.combining(c))
    drawable = "".join(c if c.isascii() else "?" for c in letters)
    return drawable if any(c.isalnum() for c in drawable) else ""


def _colour(drawn: Drawn) -> Colour:
    return COLOURS[drawn.outcome]


def _inside(box: Area, size: tuple[int, int]) -> Area:
    """The half-open box as the inclusive corners that Pillow draws."""
    x1, y1, x2, y2 = box
    right, bottom = min(x2 - 1, size[0] - 1), min(y2 - 1, size[1] - 1)
    return x1, y1, max(x1, right), max(y1, bottom)


def _label(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    drawn: Drawn,
    size: tuple[int, int],
    taken: Sequence[Area],
) -> Area:
    """Draw the text on a plate of the decision's colour; the plate's area."""
    text, gap = "\n".join(drawn.lines), 3
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font, spacing=gap)
    plate = (right - left + 2 * gap, bottom - top + 2 * gap)
    x, y = _place(drawn.box, plate, size, taken)
    area = (x, y, x + plate[0], y + plate[1])
    colour = _colour(drawn)
    pen.rectangle(area, fill=colour)
    pen.multiline_text(
        (x + gap - left, y + gap - top), text, fill=_ink(colour), font=font, spacing=gap
    )
    return area


def _place(
    box: Area, plate: tuple[float, float], size: tuple[int, int], taken: Sequence[Area]
) -> tuple[float, float]:
    """Top left corner of a label: above its box, inside, or below; the first free of others."""
    (x1, y1, _, y2), (width, height) = box, plate
    x = max(0.0, min(x1, size[0] - width))
    limit = max(0.0, size[1] - height)
    spots = [min(max(0.0, y), limit) for y in (y1 - height, y1, y2 - height, y2)]
    free = (y for y in spots if not any(_meet((x, y, x + width, y + height), t) for t in taken))
    return x, next(free, spots[0])


def _meet(a: Area, b: Area) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _ink(colour: Colour) -> Colour:
    """Black or white, whichever is easier to read on the colour (ITU-R BT.601 luma)."""
    luma = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    return BLACK if luma > 140 else WHITE
