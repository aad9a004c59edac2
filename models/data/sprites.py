"""Single objects as they look from above a table: turned and tilted cut-outs, boxes, blobs."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.data.cutouts import CutOut
from models.types import Image

Sprite = NDArray[np.uint8]
"""uint8 `[H,W,4]`: RGB and straight alpha, trimmed to the object."""

_FACES = (  # corner indices (see `_corners`), counter-clockwise seen from outside
    (0, 1, 2, 3),
    (5, 4, 7, 6),
    (4, 5, 1, 0),
    (3, 2, 6, 7),
    (1, 5, 6, 2),
    (4, 0, 3, 7),
)


@dataclass(frozen=True, slots=True)
class Pose:
    """Ranges for laying an object down.

    Attributes:
        stretch: largest change of the proportions, as a logarithm.
        elongated: probability of stretching to up to 2.5 times the proportions.
        perspective: largest shift of a corner, as a share of the shorter half side.
        tilt: largest angle in radians between a box and the table plane.
    """

    stretch: float = 0.2
    elongated: float = 0.3
    perspective: float = 0.12
    tilt: float = 0.9


def lay(rng: Generator, piece: CutOut, side: float, pose: Pose) -> Sprite:
    """A cut-out turned by any angle, with a slight perspective, longer side about `side` pixels."""
    pixels = _reduce(piece.pixels, side)
    height, width = pixels.shape[:2]
    stretch = np.exp(rng.uniform(-pose.stretch, pose.stretch))
    if rng.random() < pose.elongated:
        stretch *= np.exp(rng.choice([-1, 1]) * rng.uniform(0.3, 0.9))
    half = np.array([width * stretch, height]) / 2
    half *= side / (2 * half.max())
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    corners += rng.uniform(-1, 1, (4, 2)) * pose.perspective * half.min()
    return _warp(pixels, corners @ _turn(_angle(rng)).T)


def box(rng: Generator, piece: CutOut, side: float, pose: Pose) -> Sprite:
    """A pack as a box: the cut-out on its front, shaded sides, seen from above at some tilt."""
    pixels = _reduce(piece.pixels, side)
    height, width = pixels.shape[:2]
    depth = rng.uniform(0.12, 0.7) * min(width, height)
    grown = np.exp(rng.uniform(0.2, 0.8)) if rng.random() < pose.elongated else 1.0
    shape = np.array([width, height * grown, depth])
    points = _corners(shape / shape.max()) @ _rotation(rng, pose.tilt).T
    # Weak perspective: the camera is several object sizes away.
    points = points[:, :2] / (rng.uniform(2.5, 7.0) + points[:, 2:])
    points *= side / np.ptp(points, axis=0).max()
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.ceil(high - low).astype(int) + 2
    canvas = np.zeros((size[1], size[0], 4), np.uint8)
    plain = edge_colour(pixels) if rng.random() < 0.6 else None
    for index, face in enumerate(_FACES):
        quad = (points[list(face)] - low + 1).astype(np.float32)
        if _signed_area(quad) <= 1.0:
            continue
        texture = pixels if index < 2 or plain is None else plain
        _paint(canvas, texture, quad, 1.0 if index < 2 else float(rng.uniform(0.55, 1.05)))
    return trimmed(canvas)


def blob(rng: Generator, texture: Image, side: float) -> Sprite:
    """A smooth closed shape with a texture and rounded shading: an object of no known class."""
    size = max(8, round(side))
    angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = np.ones(48)
    for order in range(2, 6):
        radius += rng.normal(0, 0.22 / order) * np.cos(order * angles + rng.uniform(0, 2 * np.pi))
    outline = np.stack([np.cos(angles), np.sin(angles)], 1) * np.clip(radius, 0.4, 1.6)[:, None]
    outline *= np.array([1.0, np.exp(rng.uniform(-1.1, 0.0))])
    outline = outline @ _turn(rng.uniform(0, 2 * np.pi)).T
    outline = (outline - outline.min(axis=0)) * (size - 3) / np.ptp(outline, axis=0).max() + 1
    extent = np.ceil(outline.max(axis=0)).astype(int) + 2
    alpha = np.zeros((extent[1], extent[0]), np.uint8)
    cv2.fillPoly(alpha, [np.round(outline * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    surface = _surface(rng, texture, extent)
    depth = cv2.distanceTransform((alpha > 127).astype(np.uint8), cv2.DIST_L2, 3)
    rise = np.sqrt(np.clip(depth / max(1.0, float(depth.max())), 0, 1))[..., None]
    low = np.float32(rng.uniform(0.35, 0.95))
    shaded = surface * (low + (1.05 - low) * rise)
    return trimmed(np.dstack([np.clip(shaded, 0, 255).astype(np.uint8), alpha]))


def _surface(rng: Generator, texture: Image, extent: NDArray[np.int_]) -> NDArray[np.float32]:
    side = max(4, int(min(texture.shape[:2]) * rng.uniform(0.15, 0.8)))
    y = rng.integers(texture.shape[0] - side + 1)
    x = rng.integers(texture.shape[1] - side + 1)
    part = cv2.resize(texture[y : y + side, x : x + side], (int(extent[0]), int(extent[1])))
    tint = rng.uniform(0, 255, 3)
    share = rng.uniform(0.0, 0.9)
    return np.asarray(part * (1 - share) + tint * share, np.float32)


def _angle(rng: Generator) -> float:
    """Any angle; half of the time near an axis, as people lay things down."""
    if rng.random() < 0.5:
        return float(rng.integers(4) * np.pi / 2 + rng.normal(0, 0.12))
    return float(rng.uniform(0, 2 * np.pi))


def _turn(angle: float) -> NDArray[np.float64]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _rotation(rng: Generator, tilt: float) -> NDArray[np.float64]:
    """Turn in the table plane, then tilt away from the camera, float64 `[3,3]`."""
    plane = np.eye(3)
    plane[:2, :2] = _turn(_angle(rng))
    lean = np.eye(3)
    lean[1:, 1:] = _turn(rng.uniform(-tilt, tilt))
    roll = np.eye(3)
    roll[np.ix_([0, 2], [0, 2])] = _turn(rng.uniform(-tilt, tilt) / 2)
    return np.asarray(lean @ roll @ plane)


def _corners(shape: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners of a box, float64 `[8,3]`: first the face towards the camera (smaller z)."""
    front = np.array([[-1, -1, -1], [1, -1, -1], [1, 1, -1], [-1, 1, -1]])
    back = front * [1, 1, -1]
    return np.concatenate([front, back]) * shape / 2


def _signed_area(quad: NDArray[np.float32]) -> float:
    x, y = quad[:, 0], quad[:, 1]
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2


def edge_colour(pixels: Sprite) -> Sprite:
    """A small plain texture of the typical colour along the rim of a front."""
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return np.broadcast_to(np.median(rim, axis=0).astype(np.uint8), (4, 4, 4)).copy()


def _paint(canvas: Sprite, texture: Sprite, quad: NDArray[np.float32], shade: float) -> None:
    height, width = texture.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, quad)
    size = canvas.shape[1], canvas.shape[0]
    face = cv2.warpPerspective(texture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(quad * 8).astype(np.int32), 255, cv2.LINE_AA, 3)
    face[..., :3] = np.clip(face[..., :3] * np.float32(shade), 0, 255)
    face[..., 3] = mask
    np.copyto(canvas, face, where=(mask > canvas[..., 3])[..., None])


def _reduce(pixels: Sprite, side: float) -> Sprite:
    """Average down when the picture is far larger than needed, against aliasing."""
    scale = side * 1.3 / max(pixels.shape[:2])
    if scale >= 0.75:
        return pixels
    size = max(2, round(pixels.shape[1] * scale)), max(2, round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _warp(pixels: Sprite, corners: NDArray[np.float64]) -> Sprite:
    height, width = pixels.shape[:2]
    low = corners.min(axis=0)
    size = np.ceil(np.ptp(corners, axis=0)).astype(int) + 2
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, (corners - low + 1).astype(np.float32))
    warped = cv2.warpPerspective(pixels, matrix, (int(size[0]), int(size[1])))
    return trimmed(np.asarray(warped, np.uint8))


def trimmed(sprite: Sprite) -> Sprite:
    """Without rows and columns that are clear all along."""
    rows = np.flatnonzero((sprite[..., 3] > 12).any(axis=1))
    columns = np.flatnonzero((sprite[..., 3] > 12).any(axis=0))
    if not len(rows):
        return sprite[:1, :1]
    return sprite[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
