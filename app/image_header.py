"""Format and size of a picture from its first bytes, without any decoder.

What a file claims is checked here first, so that a decompression bomb never reaches a decoder.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from app.errors import (
    AnimatedImage,
    EmptyImage,
    NotAnImage,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
)

_WANTED = "expected a still JPEG, PNG or WebP image"
_OTHER_FORMATS = {
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"%PDF": "PDF",
}
_GIF_FRAME = b"\0\x21\xf9\x04"  # end of the last block, then a frame's control block
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE = frozenset(range(0xD0, 0xDA)) | {0x01, 0xFF}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself; width and height as stored, before any turning."""

    format: str
    width: int
    height: int


def read_header(data: bytes, max_pixels: int) -> Header:
    """Format, width and height of a JPEG, PNG or WebP file.

    Raises:
        EmptyImage, NotAnImage, TruncatedImage, UnsupportedFormat, AnimatedImage, TooManyPixels
    """
    if not data:
        raise EmptyImage(f"{_WANTED}, got 0 bytes")
    name, size_of = _sniff(data)
    try:
        width, height = size_of(data)
    except (struct.error, IndexError) as exc:
        raise TruncatedImage(f"the {name} header is damaged or incomplete") from exc
    check_size(name, width, height, max_pixels)
    return Header(name, width, height)


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """EmptyImage or TooManyPixels unless there are 1 to `max_pixels` pixels."""
    if width < 1 or height < 1:
        raise EmptyImage(f"expected pixels, got a {name} of {width} x {height}")
    if width * height > max_pixels:
        raise TooManyPixels(
            f"expected at most {max_pixels} pixels, got {width} x {height} = {width * height}",
            image={"width": width, "height": height},
        )


def _sniff(data: bytes) -> tuple[str, Callable[[bytes], tuple[int, int]]]:
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG", _jpeg_size
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG", _png_size
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP", _webp_size
    if data[:6] in (b"GIF87a", b"GIF89a"):
        if data.count(_GIF_FRAME) > 1:
            raise AnimatedImage(f"{_WANTED}, got an animated GIF")
        raise UnsupportedFormat(f"{_WANTED}, got a GIF")
    if data[4:8] == b"ftyp":
        brand = data[8:12].decode("latin-1").strip()
        raise UnsupportedFormat(f"{_WANTED}, got HEIC, AVIF or video ({brand})")
    for magic, name in _OTHER_FORMATS.items():
        if data.startswith(magic):
            raise UnsupportedFormat(f"{_WANTED}, got {name}")
    raise NotAnImage(f"{_WANTED}, got bytes of no known image format")


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int]:
    at = 2
    while True:
        if data[at] != 0xFF:  # IndexError at the end: no frame header came
            at += 1
        elif data[at + 1] in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        elif data[at + 1] in _JPEG_BARE:
            at += 1
        else:
            at += 2 + int(struct.unpack(">H", data[at + 2 : at + 4])[0])


def _webp_size(data: bytes) -> tuple[int, int]:
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        low_w, high_w, low_h, high_h = struct.unpack("<HBHB", body[4:])
        return 1 + low_w + (high_w << 16), 1 + low_h + (high_h << 16)
    if kind == b"VP8L":
        [bits] = struct.unpack("<I", body[1:5])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", body[6:])
    return width & 0x3FFF, height & 0x3FFF
