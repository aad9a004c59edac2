"""Bytes of a picture -> upright RGB pixels, with every limit checked before decoding.

1. `app.image_header`: format and size by the first bytes; too many pixels end here.
2. Open the decoder of that format, which reads headers only: more than one frame ends here.
3. Decode, apply the EXIF orientation, and bring every colour mode to RGB.
"""

import io
import struct
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pil
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.errors import AnimatedImage, TruncatedImage, UploadTooLarge
from app.image_header import check_size, read_header
from app.settings import LimitSettings
from models import boxes as box_ops
from models.types import Boxes, Image

CROP_SIDE = 1024
"""Longest side of a stored crop in pixels; networks look at a fraction of it."""

CROP_QUALITY = 95
"""JPEG quality of a stored crop."""

# What Pillow raises for damaged files depends on the plugin and on where the damage is.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, LookupError, TypeError, struct.error)
_EXIF_ORIENTATION = 0x0112
# EXIF value -> (quarter turns to the left, mirror left and right before turning).
_UPRIGHT = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (1, True),
    6: (3, False),
    7: (3, True),
    8: (1, False),
}


# These classes and not Image.open: all other decoders stay out of reach, and a phone's MPO (a JPEG
# with a second picture behind it) is read as the JPEG that it is.
_DECODERS: dict[str, Callable[[io.BytesIO], Pil.Image]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
}


def decode(data: bytes, limits: LimitSettings) -> Image:
    """A JPEG, PNG or WebP file -> uint8 `[H,W,3]`, RGB, upright, transparency on white.

    Raises:
        UploadTooLarge, BadImage: a subclass says what is wrong.
    """
    if len(data) > limits.max_upload_bytes:
        raise UploadTooLarge(limits.max_upload_bytes, len(data))
    name = read_header(data, limits.max_pixels).format
    try:
        file = _DECODERS[name](io.BytesIO(data))
        frames = getattr(file, "n_frames", 1)
    except _DAMAGE as exc:
        raise TruncatedImage(f"the {name} header is damaged or incomplete") from exc
    with file:
        # Again, by the decoder's own reading: a file may claim two sizes.
        check_size(name, file.width, file.height, limits.max_pixels)
        if frames > 1:
            raise AnimatedImage(f"expected a still image, got a {name} of {frames} frames")
        try:
            file.load()
            return _upright(_to_rgb(file), _orientation(file))
        except _DAMAGE as exc:
            raise TruncatedImage(f"the {name} data ends early or is damaged") from exc


def decode_crop(data: bytes) -> Image:
    """A crop that `encode_crop` has made -> uint8 `[H,W,3]`; it is trusted, so no limits."""
    with JpegImageFile(io.BytesIO(data)) as file:
        return _to_rgb(file)


def crops(image: Image, boxes: Boxes, padding: float) -> list[Image]:
    """The pixels of each box `[N,4]`, grown by `padding` of its side; views into `image`.

    The only way from boxes to crops: what is enrolled and what is recognised is cut alike.
    """
    height, width = image.shape[:2]
    return [box_ops.crop(image, box) for box in box_ops.pad(boxes, padding, width, height)]


def encode_crop(crop: Image) -> bytes:
    """A crop as the JPEG that is stored; the same pixels always give the same bytes."""
    scale = CROP_SIDE / max(crop.shape[:2])
    if scale < 1:
        size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    return encode(crop, "JPEG")


def encode(image: Image, format: str) -> bytes:
    """Pixels as a JPEG (without colour subsampling) or PNG file."""
    out = io.BytesIO()
    options = {"quality": CROP_QUALITY, "subsampling": 0} if format == "JPEG" else {}
    Pil.fromarray(np.ascontiguousarray(image)).save(out, format, **options)
    return out.getvalue()


def _orientation(file: Pil.Image) -> int:
    try:
        return int(file.getexif().get(_EXIF_ORIENTATION, 1))
    except _DAMAGE:  # broken metadata is no reason to refuse good pixels
        return 1


def _upright(pixels: Image, orientation: int) -> Image:
    turns, mirror = _UPRIGHT.get(orientation, (0, False))
    if mirror:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(np.rot90(pixels, turns))


def _to_rgb(file: Pil.Image) -> Image:
    if file.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it
        grey: NDArray[np.uint8] = (np.asarray(file).astype(np.uint32) >> 8).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if file.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in file.info:
        rgba = file.convert("RGBA")
        white = Pil.new("RGBA", rgba.size, (255, 255, 255, 255))
        return np.asarray(Pil.alpha_composite(white, rgba).convert("RGB"), np.uint8)
    return np.asarray(file if file.mode == "RGB" else file.convert("RGB"), np.uint8)
