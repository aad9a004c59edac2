"""Emblems printed on the drawn products: fruit, animals and signs from simple figures."""
# ruff: noqa: E501  (the emblems are a table of coordinates)

import math

from PIL import ImageDraw

# Emblems: figures of (kind, colour, points in a square of -1 to 1) -----------------------------

Figure = tuple[str, str, tuple[float, ...]]


def _ring(count: int, inner: float, turn: float = -math.pi / 2) -> tuple[float, ...]:
    """A star of `count` points, or a polygon where `inner` is 1."""
    points: list[float] = []
    for corner in range(2 * count):
        radius = 1.0 if corner % 2 == 0 else inner
        angle = turn + math.pi * corner / count
        points += [radius * math.cos(angle), radius * math.sin(angle)]
    return tuple(points)


def _petals(colour: str, count: int = 6) -> tuple[Figure, ...]:
    turns = [math.tau * k / count for k in range(count)]
    spots = [(0.58 * math.cos(a), 0.58 * math.sin(a)) for a in turns]
    return tuple(("e", colour, (x - 0.38, y - 0.38, x + 0.38, y + 0.38)) for x, y in spots)


LEAF = ("p", "#3f8f3a", (0, -0.75, 0.25, -1.05, 0.7, -1.0, 0.4, -0.7))
EMBLEMS: dict[str, tuple[Figure, ...]] = {
    "apple": (("e", "#c8202f", (-0.95, -0.7, 0.25, 0.9)), ("e", "#d52b3a", (-0.25, -0.7, 0.95, 0.9)), LEAF),
    "orange": (("e", "#f28c1b", (-0.9, -0.8, 0.9, 1)), ("e", "#ffc46b", (-0.7, -0.6, 0.7, 0.8)),
               ("p", "#f28c1b", _ring(8, 0.12)), LEAF),
    "lemon": (("e", "#f5d328", (-1, -0.62, 1, 0.62)), ("e", "#fff3a8", (-0.7, -0.4, 0.7, 0.4)), LEAF),
    "berry": (("e", "#b3163f", (-0.9, -0.3, 0.1, 0.7)), ("e", "#d3265a", (-0.1, -0.4, 0.9, 0.6)),
              ("e", "#8d0f33", (-0.45, 0, 0.55, 1)), LEAF),
    "star": (("p", "#f6c945", _ring(5, 0.42)),),
    "sun": (("p", "#f9b233", _ring(12, 0.7)), ("e", "#ffe08a", (-0.5, -0.5, 0.5, 0.5))),
    "drop": (("p", "#2a7fd0", (0, -1, 0.62, 0.15, -0.62, 0.15)), ("e", "#2a7fd0", (-0.7, -0.4, 0.7, 1)),
             ("e", "#bfe1ff", (-0.4, 0.05, -0.1, 0.6))),
    "heart": (("e", "#d3203f", (-1, -0.8, 0.05, 0.25)), ("e", "#d3203f", (-0.05, -0.8, 1, 0.25)),
              ("p", "#d3203f", (-0.95, -0.05, 0.95, -0.05, 0, 1))),
    "fish": (("e", "#3d7ea6", (-1, -0.5, 0.6, 0.5)), ("p", "#3d7ea6", (0.4, 0, 1, -0.55, 1, 0.55)),
             ("e", "#ffffff", (-0.75, -0.2, -0.5, 0.05)), ("e", "#111111", (-0.68, -0.14, -0.56, -0.02))),
    "wheat": (*(("e", "#c98f2b", (x - 0.3, y - 0.2, x + 0.3, y + 0.2))
                for y in (-0.8, -0.4, 0, 0.4) for x in (-0.32, 0.32)),
              ("p", "#8a5f17", (-0.06, -0.9, 0.06, -0.9, 0.06, 1, -0.06, 1))),
    "cup": (("p", "#6b3f22", (-0.8, -0.4, 0.6, -0.4, 0.4, 0.8, -0.6, 0.8)),
            ("o", "#6b3f22", (0.35, -0.25, 1, 0.4)), ("e", "#e9d3b0", (-0.8, -0.6, 0.6, -0.2))),
    "cow": (("e", "#2a2a2a", (-1, -0.6, -0.35, -0.15)), ("e", "#2a2a2a", (0.35, -0.6, 1, -0.15)),
            ("e", "#ffffff", (-0.6, -0.95, 0.6, 0.75)), ("e", "#2a2a2a", (-0.58, -0.7, -0.05, 0.15)),
            ("e", "#f0b4b4", (-0.62, 0.15, 0.62, 0.95)), ("e", "#2a2a2a", (-0.3, 0.45, -0.14, 0.65)),
            ("e", "#2a2a2a", (0.14, 0.45, 0.3, 0.65)), ("e", "#ffffff", (-0.38, -0.32, -0.2, -0.1)),
            ("e", "#2a2a2a", (0.2, -0.32, 0.38, -0.1))),
    "chili": (("p", "#cf1f1f", (-0.8, -0.7, -0.2, -0.9, 0.5, -0.2, 0.95, 0.9, 0, 0.4)),
              ("p", "#2f7d32", (-1, -1, -0.4, -1, -0.4, -0.7, -0.9, -0.6))),
    "leaf": (("p", "#2f8f46", (-1, 0.8, -0.6, -0.5, 0.3, -1, 1, -0.9, 0.9, 0, 0.2, 0.7)),
             ("p", "#bfe3b4", (-1, 0.9, -0.9, 0.75, 0.8, -0.8, 0.75, -0.65))),
    "flower": (*_petals("#b06ad0"), ("e", "#f8d94a", (-0.34, -0.34, 0.34, 0.34))),
    "tooth": (("p", "#ffffff", (-0.8, -0.8, 0.8, -0.8, 0.6, 0.9, 0.25, 0.9, 0, 0.2, -0.25, 0.9, -0.6, 0.9)),),
    "bolt": (("p", "#ffd21f", (0.2, -1, -0.7, 0.2, -0.05, 0.2, -0.3, 1, 0.7, -0.3, 0.05, -0.3)),),
    "paw": (("e", "#5a3a22", (-0.6, 0, 0.6, 0.95)),
            *(("e", "#5a3a22", (x - 0.24, y - 0.3, x + 0.24, y + 0.3))
              for x, y in ((-0.75, -0.2), (-0.28, -0.65), (0.28, -0.65), (0.75, -0.2)))),
    "olive": (("e", "#6d7d1f", (-1, -0.5, 0.2, 0.4)), ("e", "#8a9a2d", (-0.2, -0.2, 1, 0.7)),
              ("e", "#c0392b", (0.55, 0.1, 0.85, 0.4))),
    "bee": (("e", "#f2b61b", (-0.9, -0.45, 0.9, 0.55)), ("p", "#231a0c", (-0.4, -0.42, -0.15, -0.45, -0.15, 0.55, -0.4, 0.5)),
            ("p", "#231a0c", (0.15, -0.45, 0.4, -0.42, 0.4, 0.5, 0.15, 0.55)), ("e", "#e8f3fa", (-0.4, -1, 0.1, -0.3)),
            ("e", "#e8f3fa", (0, -1, 0.5, -0.3))),
}  # fmt: skip


def draw_emblem(
    draw: ImageDraw.ImageDraw, name: str, ink: str, centre: tuple[float, float], radius: float
) -> None:
    """The emblem `name` on a light disc outlined in `ink`; `radius` in pixels."""
    x, y = centre
    disc = 1.3 * radius
    draw.ellipse((x - disc, y - disc, x + disc, y + disc), fill="#fffaf0", outline=ink)
    for kind, colour, values in EMBLEMS[name]:
        points = [
            (x + radius * 0.95 * values[k], y + radius * 0.95 * values[k + 1])
            for k in range(0, len(values), 2)
        ]
        if kind == "p":
            draw.polygon(points, fill=colour)
        elif kind == "e":
            draw.ellipse((*points[0], *points[1]), fill=colour)
        else:
            draw.ellipse((*points[0], *points[1]), outline=colour, width=max(2, int(radius / 6)))
