"""Picture files of every awkward kind."""

import io
import struct
import zlib
from typing import Any

from PIL import Image

from tests.fakes import RED, photo, tray

BOX = (40, 20, 120, 100)
UPRIGHT = tray((RED, BOX), width=200, height=120)


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The bytes of a picture file."""
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def truncated() -> bytes:
    data = photo(RED, format="JPEG")
    return data[: len(data) // 2]


def animated(format: str) -> bytes:
    frames = [Image.fromarray(tray((RED, (n, n, n + 50, n + 50)))) for n in (10, 60)]
    return saved(frames[0], format, save_all=True, append_images=frames[1:])


def cmyk() -> bytes:
    return saved(Image.fromarray(UPRIGHT).convert("CMYK"), "JPEG", quality=95)


def grey() -> bytes:
    return saved(Image.fromarray(UPRIGHT).convert("L"))


def sixteen_bit() -> bytes:
    grey = Image.fromarray(UPRIGHT).convert("L")
    return saved(grey.point(lambda v: v * 257, "I").convert("I;16"))


def palette() -> bytes:
    return saved(Image.fromarray(UPRIGHT).convert("P", palette=Image.Palette.ADAPTIVE))


def alpha() -> bytes:
    """The tray is transparent black, the object opaque."""
    image = Image.new("RGBA", (200, 120), (0, 0, 0, 0))
    image.paste((*RED, 255), BOX)
    return saved(image)


def exif_rotated() -> bytes:
    """Stored lying on its side; the tag says how to turn it."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(UPRIGHT).transpose(Image.Transpose.ROTATE_90)
    return saved(lying, "JPEG", exif=exif, quality=95)


def png(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG whose header says what it likes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def bomb() -> bytes:
    """A small file that would decode to 30 gigabytes."""
    return png(100_000, 100_000, b"\0" * 1_000_000)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
