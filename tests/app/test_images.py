"""Every kind of bad and unusual picture, each as a real file."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image as Pil

from app import images
from app.errors import (
    AnimatedImage,
    BadImage,
    EmptyImage,
    NotAnImage,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
    UploadTooLarge,
)
from app.image_header import read_header
from app.settings import LimitSettings

LIMITS = LimitSettings()


def file_of(image: Pil.Image, format: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def gradient(width: int = 40, height: int = 30) -> np.ndarray:
    """uint8 `[H,W,3]`: red grows with x, green with y."""
    x = np.linspace(0, 255, width).astype(np.uint8)
    y = np.linspace(0, 255, height).astype(np.uint8)
    rows = [np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))]
    return np.stack([*rows, np.full((height, width), 128, np.uint8)], axis=2)


def quarters() -> Pil.Image:
    """64 x 48: red, green / blue, white; tells all eight orientations apart."""
    pixels = np.full((48, 64, 3), 255, np.uint8)
    pixels[:24, :32], pixels[:24, 32:], pixels[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return Pil.fromarray(pixels)


def png_with_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG that claims a size and has almost no data."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_the_three_formats_are_read(format: str):
    pixels = gradient()
    data = file_of(Pil.fromarray(pixels), format, quality=95)
    found = images.decode(data, LIMITS)
    assert (found.shape, found.dtype, found.flags.c_contiguous) == ((30, 40, 3), np.uint8, True)
    assert np.abs(found.astype(int) - pixels).mean() < 6
    if format == "PNG":
        np.testing.assert_array_equal(found, pixels)


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": True, "exif": b"Exif"}, {}])
def test_the_three_kinds_of_webp_have_a_size(options: dict):
    data = file_of(quarters(), "WEBP", **options)
    assert read_header(data, LIMITS.max_pixels).width == 64


def test_a_progressive_jpeg_is_read():
    data = file_of(quarters(), "JPEG", progressive=True)
    assert images.decode(data, LIMITS).shape == (48, 64, 3)


def test_lossless_webp_is_exact():
    data = file_of(Pil.fromarray(gradient()), "WEBP", lossless=True)
    np.testing.assert_array_equal(images.decode(data, LIMITS), gradient())


@pytest.mark.parametrize("data", [b"hello", b"\0" * 100, b"<svg/>", b"GIF", b"RIFF0000WAVEfmt "])
def test_not_an_image(data: bytes):
    with pytest.raises(NotAnImage):
        images.decode(data, LIMITS)


def test_empty_file():
    with pytest.raises(EmptyImage, match="0 bytes"):
        images.decode(b"", LIMITS)


@pytest.mark.parametrize("size", [(0, 5), (5, 0), (0, 0)])
def test_zero_size(size: tuple[int, int]):
    with pytest.raises(EmptyImage):
        images.decode(png_with_header(*size), LIMITS)


def test_zero_size_jpeg():
    data = bytearray(file_of(Pil.fromarray(gradient()), "JPEG"))
    start = data.index(b"\xff\xc0") + 5  # height and width in the frame header
    data[start : start + 4] = b"\0\0\0\0"
    with pytest.raises(EmptyImage):
        images.decode(bytes(data), LIMITS)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.98])
def test_truncated(format: str, share: float):
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    data = file_of(Pil.fromarray(noise), format)
    with pytest.raises(TruncatedImage):
        images.decode(data[: int(len(data) * share)], LIMITS)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_animated(format: str):
    frames = [Pil.new("RGB", (20, 20), colour) for colour in ("red", "blue", "green")]
    data = file_of(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    with pytest.raises(AnimatedImage):
        images.decode(data, LIMITS)


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "JPEG2000", "AVIF"])
def test_other_formats_are_named(format: str):
    if format == "AVIF":
        data = b"\0\0\0\x20ftypavif" + b"\0" * 40
    else:
        data = file_of(Pil.fromarray(gradient()), format)
    with pytest.raises(UnsupportedFormat, match=format.replace("2000", " 2000")):
        images.decode(data, LIMITS)


def test_cmyk():
    rgb = Pil.fromarray(np.full((20, 20, 3), (200, 30, 30), np.uint8))
    data = file_of(rgb.convert("CMYK"), "JPEG", quality=95)
    found = images.decode(data, LIMITS)
    assert found.shape == (20, 20, 3)
    assert np.abs(found[10, 10].astype(int) - (200, 30, 30)).max() < 12


def test_grey():
    grey = gradient()[:, :, 0]
    found = images.decode(file_of(Pil.fromarray(grey), "PNG"), LIMITS)
    np.testing.assert_array_equal(found, np.repeat(grey[:, :, None], 3, axis=2))


def test_one_bit():
    found = images.decode(file_of(Pil.new("1", (8, 8), 1), "PNG"), LIMITS)
    assert (found == 255).all()


def test_sixteen_bit_grey_keeps_its_range():
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    found = images.decode(file_of(Pil.fromarray(values), "PNG"), LIMITS)
    np.testing.assert_array_equal(found[:, :, 0], values >> 8)


@pytest.mark.parametrize(("colour", "channels"), [(2, 3), (6, 4), (4, 2)])
def test_sixteen_bit_colour(colour: int, channels: int):
    samples = {2: (0xC800, 0x3200, 0x6400), 6: (0xC800, 0x3200, 0x6400, 0xFFFF), 4: (0x6400, 65535)}
    row = b"\0" + struct.pack(f">{channels}H", *samples[colour]) * 4
    data = png_with_header(4, 4, 16, colour)
    start = data.index(b"IDAT") - 4
    body = zlib.compress(row * 4)
    checksum = struct.pack(">I", zlib.crc32(b"IDAT" + body))
    end = data[-12:]
    data = data[:start] + struct.pack(">I", len(body)) + b"IDAT" + body + checksum + end
    expected = (0x64,) * 3 if colour == 4 else (0xC8, 0x32, 0x64)
    assert tuple(images.decode(data, LIMITS)[2, 2]) == expected


def test_palette():
    image = Pil.fromarray(np.full((8, 8, 3), (10, 200, 30), np.uint8)).convert(
        "P", palette=Pil.Palette.ADAPTIVE
    )
    found = images.decode(file_of(image, "PNG"), LIMITS)
    assert np.abs(found[0, 0].astype(int) - (10, 200, 30)).max() < 4


def test_transparency_becomes_white():
    pixels = np.zeros((10, 10, 4), np.uint8)
    pixels[:5] = (255, 0, 0, 255)
    pixels[5:] = (0, 255, 0, 0)
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        found = images.decode(file_of(Pil.fromarray(pixels), format, **options), LIMITS)
        assert tuple(found[0, 0]) == (255, 0, 0)
        assert tuple(found[9, 9]) == (255, 255, 255)


def test_half_transparent_is_mixed_with_white():
    image = Pil.new("LA", (4, 4), (0, 128))
    assert abs(int(images.decode(file_of(image, "PNG"), LIMITS)[0, 0, 0]) - 127) <= 1


def test_transparent_palette_and_colour_key():
    palette = Pil.new("P", (4, 4), 0)
    palette.putpalette([200, 0, 0, 0, 200, 0])
    data = file_of(palette, "PNG", transparency=0)
    assert (images.decode(data, LIMITS) == 255).all()
    keyed = file_of(Pil.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3))
    assert (images.decode(keyed, LIMITS) == 255).all()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_out_upright(orientation: int, format: str):
    upright = quarters()
    # How a camera would have stored it: the inverse of what a viewer does to show it.
    stored = {
        1: lambda i: i,
        2: lambda i: i.transpose(Pil.Transpose.FLIP_LEFT_RIGHT),
        3: lambda i: i.transpose(Pil.Transpose.ROTATE_180),
        4: lambda i: i.transpose(Pil.Transpose.FLIP_TOP_BOTTOM),
        5: lambda i: i.transpose(Pil.Transpose.TRANSPOSE),
        6: lambda i: i.transpose(Pil.Transpose.ROTATE_90),
        7: lambda i: i.transpose(Pil.Transpose.TRANSVERSE),
        8: lambda i: i.transpose(Pil.Transpose.ROTATE_270),
    }[orientation](upright)
    exif = Pil.Exif()
    exif[0x0112] = orientation
    data = file_of(stored, format, exif=exif, quality=95)
    found = images.decode(data, LIMITS)
    assert found.shape == (48, 64, 3)
    corners = [found[6, 8], found[6, 56], found[42, 8], found[42, 56]]
    expected = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]
    assert np.abs(np.array(corners, int) - expected).max() < 30


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"])
def test_broken_exif_does_not_matter(exif: bytes):
    data = file_of(quarters(), "JPEG", exif=exif)
    assert images.decode(data, LIMITS).shape == (48, 64, 3)


def test_unknown_orientation_does_not_matter():
    exif = Pil.Exif()
    exif[0x0112] = 42
    assert images.decode(file_of(quarters(), "JPEG", exif=exif), LIMITS).shape == (48, 64, 3)


def test_a_phone_photo_with_a_second_picture_is_a_still():
    data = file_of(quarters(), "MPO", save_all=True, append_images=[quarters()])
    assert images.decode(data, LIMITS).shape == (48, 64, 3)


def test_too_many_bytes():
    data = file_of(quarters(), "PNG")
    with pytest.raises(UploadTooLarge) as caught:
        images.decode(data, LimitSettings(max_upload_bytes=len(data) - 1))
    assert caught.value.extra == {"limit": len(data) - 1}
    assert images.decode(data, LimitSettings(max_upload_bytes=len(data))).shape


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_too_many_pixels_by_the_header(format: str):
    data = file_of(Pil.new("RGB", (100, 50)), format)
    with pytest.raises(TooManyPixels, match="100 x 50"):
        images.decode(data, LimitSettings(max_pixels=4999))
    assert images.decode(data, LimitSettings(max_pixels=5000)).shape == (50, 100, 3)


def bomb(format: str) -> bytes:
    if format == "PNG":
        return png_with_header(60_000, 60_000)
    if format == "WEBP":
        canvas = (16_383).to_bytes(3, "little") * 2
        body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + canvas
        return b"RIFF" + struct.pack("<I", len(body)) + body
    data = bytearray(file_of(Pil.new("RGB", (8, 8)), "JPEG"))
    start = data.index(b"\xff\xc0") + 5
    data[start : start + 4] = struct.pack(">HH", 65_000, 65_000)
    return bytes(data)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_a_decompression_bomb_is_never_decoded(format: str, monkeypatch: pytest.MonkeyPatch):
    def decoded(*_):
        raise AssertionError("a pixel was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", decoded)
    monkeypatch.setattr("PIL.WebPImagePlugin.WebPImageFile.__init__", decoded)
    with pytest.raises(TooManyPixels) as caught:
        images.decode(bomb(format), LIMITS)
    assert caught.value.extra["image"]["width"] > 10_000


def test_a_bomb_in_metadata_is_refused():
    """A text chunk of a few bytes that unpacks to a hundred megabytes."""
    data = png_with_header(4, 4)
    packed = zlib.compress(b"\0" * 100_000_000, 9)
    body = b"k\0\0" + packed
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body
    chunk += struct.pack(">I", zlib.crc32(b"zTXt" + body))
    with pytest.raises(BadImage):
        images.decode(data[:33] + chunk + data[33:], LIMITS)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_damage_anywhere_is_a_bad_image_or_an_image(format: str):
    rng = np.random.default_rng(7)
    data = file_of(quarters(), format, exif=Pil.Exif())
    for _ in range(150):
        broken = np.frombuffer(data, np.uint8).copy()
        places = rng.integers(0, len(broken), rng.integers(1, 6))
        broken[places] = rng.integers(0, 256, len(places))
        try:
            found = images.decode(broken.tobytes(), LIMITS)
        except BadImage:
            continue
        assert found.ndim == 3


@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
def test_the_header_tells_the_stored_size(format: str):
    header = read_header(file_of(quarters(), format), LIMITS.max_pixels)
    assert (header.width, header.height) == (64, 48)


def test_crops_are_padded_and_cut_to_the_image():
    image = gradient(100, 80)
    boxes = np.array([[20, 20, 60, 40], [0, 0, 100, 80]], np.float32)
    first, second = images.crops(image, boxes, 0.1)
    np.testing.assert_array_equal(first, image[18:42, 16:64])
    assert second.shape == image.shape
    assert images.crops(image, np.zeros((0, 4), np.float32), 0.1) == []


def test_a_stored_crop_is_stable_and_bounded():
    crop = gradient(300, 200)
    data = images.encode_crop(crop)
    assert data == images.encode_crop(crop.copy())
    found = images.decode_crop(data)
    np.testing.assert_array_equal(found, images.decode(data, LIMITS))
    assert np.abs(found.astype(int) - crop).mean() < 3
    assert images.decode_crop(images.encode_crop(gradient(4000, 500))).shape == (128, 1024, 3)
    assert images.decode_crop(images.encode_crop(gradient(3000, 2))).shape == (1, 1024, 3)
