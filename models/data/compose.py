"""Scene composer: objects laid on a background, with exact boxes and instance masks.

The same generator state gives the same scene. A scene is made in four steps: a background, a
plan (how many objects, how large, how crowded), objects laid one after the other with their
shadows, and the camera's effects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models import boxes as box_ops
from models.data import dressing, sprites
from models.data.backgrounds import background
from models.data.board import Board
from models.data.cutouts import CutOut
from models.data.limbs import arm
from models.data.photometric import distort
from models.data.sprites import Sprite
from models.types import Boxes, Image


@dataclass(frozen=True, slots=True)
class Library:
    """What scenes are made of.

    Attributes:
        groups: named groups of cut-outs with a positive weight each; a group is drawn first, then
            a cut-out in it, so a large group does not push out a small one.
        surfaces: pictures without objects, for tables and for textures; may be empty.
    """

    groups: Mapping[str, tuple[float, Sequence[CutOut]]]
    surfaces: Sequence[Image] = ()

    def __post_init__(self) -> None:
        empty = [n for n, (w, pieces) in self.groups.items() if w <= 0 or not pieces]
        if empty or not self.groups:
            raise ValueError(
                f"groups: expected cut-outs and a positive weight in each, not {empty}"
            )

    def draw(self, rng: Generator) -> CutOut:
        """One cut-out."""
        weights = np.array([weight for weight, _ in self.groups.values()])
        chosen = int(rng.choice(len(weights), p=weights / weights.sum()))
        pieces = list(self.groups.values())[chosen][1]
        return pieces[int(rng.integers(len(pieces)))]


@dataclass(frozen=True, slots=True)
class Style:
    """Ranges of a scene; lengths are shares of the image side, the rest are probabilities."""

    sides: tuple[float, float] = (0.09, 0.7)
    objects: tuple[int, int] = (1, 14)
    empty: float = 0.04
    printed: float = 0.45
    boxed: float = 0.4
    blobs: float = 0.12
    recoloured: float = 0.4
    bags: float = 0.16
    cluttered: float = 0.3
    repeated: float = 0.15
    squeezed: float = 0.5
    arms: float = 0.06
    camera: float = 1.0
    pose: sprites.Pose = field(default_factory=sprites.Pose)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A composed picture.

    Attributes:
        image: uint8 `[S,S,3]`.
        boxes: float32 `[N,4]`, tight around the visible part of each object.
        items: N names.
        ignore: float32 `[M,4]`, visible parts of objects that are mostly hidden or cut off.
        instances: uint8 `[S,S]`: 0 background, 1 to N the row of `boxes` plus one, 255 ignored.
    """

    image: Image
    boxes: Boxes
    items: tuple[str, ...]
    ignore: Boxes
    instances: NDArray[np.uint8]


def compose(
    rng: Generator, library: Library, size: int, style: Style, onto: Image | None = None
) -> Scene:
    """One scene of `size` x `size` pixels.

    Args:
        rng: source of every choice.
        library: cut-outs and surfaces.
        size: side in pixels.
        style: ranges.
        onto: lay the objects on this picture (uint8 `[size,size,3]`) instead of a background.
    """
    ground = background(rng, size, library.surfaces) if onto is None else onto
    board = Board(rng, ground)
    # Some photos were stretched to a square before they came: all objects alike.
    squeeze = np.exp(rng.uniform(-0.3, 0.3)) if rng.random() < style.squeezed else 1.0
    for piece, side, centre in _plan(rng, library, size, style):
        sprite = _sprite(rng, library, piece, side, style)
        board.lay(dressing.squeeze(sprite, squeeze), piece.item, centre)
    if rng.random() < style.arms:
        board.cover(arm(rng, size))
    boxes, items, ignore, instances = board.visible()
    return Scene(distort(rng, board.image, style.camera), boxes, items, ignore, instances)


def _plan(
    rng: Generator, library: Library, size: int, style: Style
) -> list[tuple[CutOut, float, NDArray[np.float64]]]:
    """Cut-out, side in pixels and centre of each object; back to front."""
    low, high = style.sides
    if rng.random() < style.empty:
        return []
    typical = np.exp(rng.uniform(np.log(low * 1.4), np.log(high)))
    room = max(1, int(rng.uniform(0.4, 1.1) / typical**2))
    count = min(int(rng.integers(style.objects[0], style.objects[1] + 1)), room)
    inset = 0.5 * rng.uniform(0.0, 1.2) * typical  # how far the objects keep from the border
    close = 0.55 if rng.random() < style.cluttered else 0.95
    one_kind = library.draw(rng) if rng.random() < style.repeated else None
    plan: list[tuple[CutOut, float, NDArray[np.float64]]] = []
    for _ in range(count):
        side = float(np.clip(typical * np.exp(rng.normal(0, 0.3)), low, high)) * size
        for _ in range(12):
            centre = rng.uniform(min(inset, 0.45), max(1 - inset, 0.55), 2) * size
            distances = [np.hypot(*(centre - other)) / ((side + s) / 2) for _, s, other in plan]
            if not distances or min(distances) > close * rng.uniform(0.6, 1.0):
                plan.append((one_kind or library.draw(rng), side, centre))
                break
    return plan


def _sprite(rng: Generator, library: Library, piece: CutOut, side: float, style: Style) -> Sprite:
    if piece.solid and rng.random() < style.printed:
        other = library.draw(rng)
        piece = dressing.repack(rng, piece, other if other.solid else None)
    if rng.random() < style.blobs:
        texture = piece.pixels[..., :3]
        if library.surfaces and rng.random() < 0.6:
            texture = library.surfaces[int(rng.integers(len(library.surfaces)))]
        sprite = sprites.blob(rng, texture, side)
    elif piece.solid and rng.random() < style.boxed:
        sprite = sprites.box(rng, piece, side, style.pose)
    else:
        sprite = sprites.lay(rng, piece, side, style.pose)
    if rng.random() < style.recoloured:
        sprite = dressing.recolour(rng, sprite)
    sprite = dressing.shade(rng, sprite)
    if rng.random() < style.bags:
        sprite = dressing.bag(rng, sprite)
    return sprite


def covered(scene: Scene, regions: Boxes) -> NDArray[np.float32]:
    """Share of each region `[R,4]` that composed objects hide, float32 `[R]`."""
    return np.array(
        [np.mean(box_ops.crop(scene.instances[..., None], r) > 0) for r in regions], np.float32
    )
