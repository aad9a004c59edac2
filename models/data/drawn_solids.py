"""Three ways to draw a product: a solid of revolution, a polyhedron, an inflated outline.

Each takes flat artwork and a `Pose` and returns float32 RGBA `[H,W,4]` in 0 to 1 (alpha not
premultiplied) with the light already on it. Lengths are pixels, angles radians.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.types import Image

Array = NDArray[np.float32]
Face = tuple[NDArray[np.float64], Image]
"""Corners `[4,3]` (top left, top right, bottom right, bottom left seen from outside), artwork."""


@dataclass(frozen=True, slots=True)
class Pose:
    """How the product stands to the camera and the light.

    `yaw` turns it about its own axis, `pitch` is how far the camera looks down on it, `light` is
    the unit vector to the lamp (x right, y down, z to the camera), `power` its share of the light.
    """

    yaw: float
    pitch: float
    light: tuple[float, float, float]
    power: float

    @classmethod
    def random(cls, rng: np.random.Generator, spread: float = 1.0) -> "Pose":
        """A plausible pose; `spread` 0 is straight from the front under the same lamp."""
        light = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.9, -0.2), 1.0])
        light /= np.linalg.norm(light)
        return cls(
            yaw=spread * rng.uniform(-0.6, 0.6),
            pitch=spread * rng.uniform(0.05, 0.38),
            light=(float(light[0]), float(light[1]), float(light[2])),
            power=rng.uniform(0.35, 0.6),
        )


def _lit(colour: NDArray[Any], normal: NDArray[Any], pose: Pose, gloss: float) -> Array:
    """Lambert plus a highlight; colour and normal `[...,3]`."""
    light = np.array(pose.light, np.float32)
    half = light + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    normal = normal.astype(np.float32)
    facing = np.clip(normal @ light, 0, 1)[..., None]
    shine = np.clip(normal @ half, 0, 1)[..., None] ** 40 * gloss
    lit = colour * (1.12 - pose.power + pose.power * facing) + shine
    clipped: Array = np.clip(lit, 0, 1).astype(np.float32)
    return clipped


def revolve(
    skin: Image, profile: Sequence[tuple[float, float]], height: int, pose: Pose, gloss: float
) -> Array:
    """A bottle, can, jar or apple.

    Args:
        skin: artwork wrapped once around; its middle column faces the camera at yaw 0.
        profile: (share of the height from the top, radius as a share of the height), ascending.
        height: of the solid itself; the canvas is a little larger when seen from above.
        pose: see `Pose`.
        gloss: strength of the highlight, 0 to 1.
    """
    levels, radii = (np.array(column, np.float32) for column in zip(*profile, strict=True))
    tilt = float(np.sin(pose.pitch))
    widest = float(radii.max()) * height
    margin = int(np.ceil(tilt * widest)) + 2
    rows, columns = height + 2 * margin, int(2 * widest) + 4
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    x -= (columns - 1) / 2
    level = (y - margin) / height
    for _ in range(3):  # the near side of a ring lies lower in the picture than its centre
        radius = np.interp(level, levels, radii).astype(np.float32) * height
        depth = np.sqrt(np.clip(radius**2 - x**2, 0, None))
        level = (y - margin - tilt * depth) / height
    radius = np.maximum(np.interp(level, levels, radii).astype(np.float32) * height, 1e-3)
    u = np.clip(x / radius, -1, 1)
    ends = np.clip(np.minimum(level, 1 - level) * height + 0.5, 0, 1)
    body = np.clip(radius - np.abs(x) + 0.5, 0, 1) * ends
    angle = np.arcsin(u) + pose.yaw
    sample_x = ((angle / (2 * np.pi) + 0.5) % 1.0 * (skin.shape[1] - 1)).astype(np.float32)
    sample_y = (np.clip(level, 0, 1) * (skin.shape[0] - 1)).astype(np.float32)
    colour = cv2.remap(skin, sample_x, sample_y, cv2.INTER_LINEAR).astype(np.float32) / 255
    slope = np.interp(level, levels, np.gradient(radii, levels)).astype(np.float32)
    normal = np.stack([u, -np.clip(slope, -1.5, 1.5), np.sqrt(1 - u**2)], axis=-1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lit = _lit(colour, normal, pose, gloss)
    top = max(float(radii[0]) * height, 1e-3)
    rim = np.hypot(x / top, (y - margin) / max(tilt * top, 1e-3))
    lid = (rim <= 1) & (level < 0.5) & (body < 1)
    shade = skin[0].mean(axis=0) / 255 * np.where(rim > 0.86, 0.72, 0.95)[..., None]
    with_lid = np.where(lid[..., None], shade, lit)
    return np.dstack([with_lid, np.maximum(body, lid)]).astype(np.float32)


def polyhedron(faces: Sequence[Face], pose: Pose, distance: float, gloss: float) -> Array:
    """A carton: every face that looks at the camera, far ones first.

    Args:
        faces: quadrilaterals; x right, y down, z to the camera, origin in the middle of the solid.
        pose: see `Pose`.
        distance: of the camera from the origin; a short one gives strong perspective.
        gloss: strength of the highlight, 0 to 1.
    """
    cos_y, sin_y = np.cos(pose.yaw), np.sin(pose.yaw)
    cos_p, sin_p = np.cos(pose.pitch), np.sin(pose.pitch)
    turn = np.array([[cos_y, 0, sin_y], [0, 1, 0], [-sin_y, 0, cos_y]])
    turn = np.array([[1, 0, 0], [0, cos_p, sin_p], [0, -sin_p, cos_p]]) @ turn
    corners = [face @ turn.T for face, _ in faces]
    flat = [c[:, :2] * (distance / (distance - c[:, 2:])) for c in corners]
    everything = np.concatenate(flat)
    low, high = everything.min(axis=0) - 2, everything.max(axis=0) + 2
    size = (int(np.ceil(high[0] - low[0])), int(np.ceil(high[1] - low[1])))
    canvas = np.zeros((size[1], size[0], 4), np.float32)
    order = sorted(range(len(faces)), key=lambda k: float(corners[k][:, 2].mean()))
    for k in order:
        across, down = corners[k][1] - corners[k][0], corners[k][3] - corners[k][0]
        normal = np.cross(across, down)
        normal /= np.linalg.norm(normal)
        to_camera = np.array([0, 0, distance]) - corners[k].mean(axis=0)
        if normal @ to_camera > 0:
            _paint(canvas, faces[k][1], (flat[k] - low).astype(np.float32), normal, pose, gloss)
    return canvas


def _paint(
    canvas: Array,
    artwork: Image,
    corners: Array,
    normal: NDArray[np.float64],
    pose: Pose,
    gloss: float,
) -> None:
    """Warp one face onto the canvas (in place); its corners are in canvas pixels."""
    height, width = artwork.shape[:2]
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    size = (canvas.shape[1], canvas.shape[0])
    scale = np.linalg.norm(corners[1] - corners[0]) / width
    if scale < 0.6:  # shrinking much without averaging would alias the small print
        half = (max(1, width // 2), max(1, height // 2))
        artwork = cv2.resize(artwork, half, interpolation=cv2.INTER_AREA).astype(np.uint8)
        source = source * np.array([half[0] / width, half[1] / height], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners)
    colour = cv2.warpPerspective(artwork, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners * 16).astype(np.int32), 255, cv2.LINE_AA, 4)
    alpha = mask.astype(np.float32)[..., None] / 255
    normals = np.broadcast_to(normal, colour.shape)
    sheen = np.linspace(0.97, 1.04, canvas.shape[1], dtype=np.float32)[None, :, None]
    lit = _lit(colour.astype(np.float32) / 255 * sheen, normals, pose, gloss * 0.15)
    canvas[..., :3] = lit * alpha + canvas[..., :3] * (1 - alpha)
    canvas[..., 3:] = np.maximum(canvas[..., 3:], alpha)


def inflate(
    artwork: Image,
    outline: NDArray[np.float32],
    bulge: float,
    wrinkles: float,
    pose: Pose,
    gloss: float,
    rng: np.random.Generator,
) -> Array:
    """A bag, bar, tube or banana: artwork cut out by an outline and blown up like a cushion.

    Args:
        artwork: uint8 `[H,W,3]`; the result has its size.
        outline: polygon `[N,2]` in shares of width and height.
        bulge: height of the cushion as a share of the smaller side.
        wrinkles: strength of the folds, 0 for none.
        pose: only light and yaw matter: yaw shifts the artwork sideways under the folds.
        gloss: strength of the highlight, 0 to 1.
        rng: draws the folds.
    """
    height, width = artwork.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    points = outline * np.array([width - 1, height - 1], np.float32)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    reach = min(width, height) * 0.5
    inside = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 5)
    rounded = np.sqrt(np.clip(1 - (1 - np.clip(inside / (reach * 0.9), 0, 1)) ** 2, 0, 1))
    surface = cv2.GaussianBlur(rounded.astype(np.float32), (0, 0), max(1.0, reach * 0.05))
    surface *= bulge * min(width, height)
    surface += wrinkles * reach * _folds((height, width), rng)
    dy, dx = np.gradient(surface)
    normal = np.dstack([-dx, -dy, np.ones_like(dx)])
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    shift = np.float32(np.sin(pose.yaw) * 0.12 * width)
    texture = cv2.remap(
        artwork, x + shift + 2 * normal[..., 0].astype(np.float32), y, cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    colour = _lit(texture.astype(np.float32) / 255, normal, pose, gloss)
    return np.dstack([colour, mask.astype(np.float32) / 255]).astype(np.float32)


def _folds(shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Smooth random relief of about -1 to 1 with a few sharp ridges, `[H,W]`."""
    relief = np.zeros(shape, np.float32)
    for cells, weight in ((5, 1.0), (11, 0.4)):
        coarse = rng.normal(size=(cells, cells)).astype(np.float32)
        layer = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)
        relief += weight * (0.3 - np.abs(layer))
    return relief * 0.1
