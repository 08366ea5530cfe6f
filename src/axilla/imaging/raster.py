"""Pixels of PNG, JPEG, TIFF and BMP files; every failure says what the file is and what to do."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from axilla.records.errors import Problem, UnreadableImage

# Also where Pillow starts to warn of decompression bombs; 0.3 GB as RGB.
MAX_PIXELS = 89_000_000
_MAX_SIDE_PX = 65_535  # JPEG's; Pillow keeps an address per row, and takes whole rows at a time
# Pixels are handed over in strips: whole copies of a large image would take several times its size.
_STRIP_PIXELS = 4_000_000
# Each JPEG scan costs a pass over all pixels; a progressive image has about ten.
_MAX_SCAN_PIXELS = 24 * MAX_PIXELS
_JPEG_KINDS = ("JPEG", "MPO")
_SCAN_MARKER = b"\xff\xda"
_CHUNK_BYTES = 1 << 20

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")
# Full ranges of gray images stored in 16 bits: 8-bit, 12-bit (common in scanners) and 16-bit.
_DEEP_RANGES = (255, 4095, 65535)
_JPEG_MASK_LEVEL = 127
_QUARTER_TURNS = (5, 6, 7, 8)

# What Pillow raises on damaged files (UnidentifiedImageError is an OSError).
_DAMAGED = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    struct.error,
)
_BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode(path: Path) -> NDArray[np.uint8]:
    """Return the image as RGB (H, W, 3), upright by its EXIF orientation.

    Gray images of 16 bits are scaled to 0..255 by the smallest of 255, 4095 and 65535 that holds
    their largest value, so 12-bit images in 16-bit files are not black; 16-bit colour by 65535.
    Transparency is dropped; of several pages the first is read. Raises `UnreadableImage`.
    """
    with _load(path) as image:
        if image.mode == "F":
            raise _unreadable(path, "pixels in floating point", remedy="Save it in 8 or 16 bits.")
        pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
        full = _full_range(image, path) if image.mode in _DEEP_MODES else 0
        for rows, strip in _strips(image):
            if full:
                gray = np.rint(np.asarray(strip) * (255 / full)).astype(np.uint8)
                pixels[rows] = gray[:, :, np.newaxis]
            else:
                pixels[rows] = np.asarray(strip.convert("RGB"))
        return pixels


def decode_mask(path: Path) -> NDArray[np.bool_]:
    """Return the mask (H, W): true where a pixel is not black; in JPEG, brighter than 127.

    Fully transparent pixels are false. Raises `UnreadableImage`.
    """
    level = _JPEG_MASK_LEVEL if path.suffix.lower() in (".jpg", ".jpeg") else 0
    with _load(path) as image:
        mask = np.empty((image.height, image.width), dtype=np.bool_)
        for rows, strip in _strips(image):
            if image.mode in (*_DEEP_MODES, "F"):
                mask[rows] = np.asarray(strip) > 0
            else:
                red, green, blue, alpha = (np.asarray(c) for c in strip.convert("RGBA").split())
                mask[rows] = ((red > level) | (green > level) | (blue > level)) & (alpha > 0)
        return mask


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels after EXIF rotation, reading the header only.

    Raises `UnreadableImage`, also for images above 89 megapixels.
    """
    with _open_file(path) as image:
        return _upright_size(image)


@contextmanager
def _load(path: Path) -> Iterator[Image.Image]:
    with _open_file(path) as image:
        if image.format in _JPEG_KINDS:
            _refuse_endless(image, path)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        yield image


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    """Yield the image from top to bottom, each strip with the rows that it holds."""
    height = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, height):
        rows = slice(top, min(top + height, image.height))
        yield rows, image.crop((0, rows.start, image.width, rows.stop))


@contextmanager
def _open_file(path: Path) -> Iterator[Image.Image]:
    if not path.is_file():
        raise _unreadable(path, "no such file", remedy="Correct the path, or add the file.")
    try:
        # A stream, not a path: Pillow 13 maps a path into memory and garbles rotated TIFF files.
        with path.open("rb") as stream, Image.open(stream, formats=_FORMATS) as image:
            _refuse_bomb(image, path)
            yield image
    except _BOMBS as error:
        raise _too_large(path, "far more") from error
    except _DAMAGED as error:
        remedy = "Open it in an image viewer and export it again."
        raise _unreadable(path, _reason(error), remedy=remedy) from error


def _refuse_bomb(image: Image.Image, path: Path) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS or max(width, height) > _MAX_SIDE_PX:
        raise _too_large(path, f"{width} x {height} px")


def _refuse_endless(image: Image.Image, path: Path) -> None:
    scans, last = 0, b""
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            scans += (last + chunk).count(_SCAN_MARKER)
            last = chunk[-1:]
    if scans * image.width * image.height > _MAX_SCAN_PIXELS:
        remedy = "Open it in an image viewer and export it again."
        raise _unreadable(path, f"a JPEG of {scans} scans", remedy=remedy)


def _upright_size(image: Image.Image) -> tuple[int, int]:
    if image.format == "TIFF":  # Pillow's TIFF size is already upright
        return image.size
    # The base method reads the header only; PNG's own decodes the pixels in search of EXIF.
    orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    width, height = image.size
    return (height, width) if orientation in _QUARTER_TURNS else (width, height)


def _full_range(image: Image.Image, path: Path) -> int:
    """Return the smallest usual range that holds all gray values."""
    extremes = [(int(a.min()), int(a.max())) for a in (np.asarray(s) for _, s in _strips(image))]
    low, high = min(low for low, _ in extremes), max(high for _, high in extremes)
    full = next((limit for limit in _DEEP_RANGES if high <= limit), None)
    if low < 0 or full is None:
        raise _unreadable(
            path, f"gray values from {low} to {high}", remedy="Save it in 8 or 16 bits."
        )
    return full


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "a file of another kind, or a damaged one"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    # Pillow's messages may quote the whole path.
    return f"a damaged or truncated file ({type(error).__name__})"


def _too_large(path: Path, found: str) -> UnreadableImage:
    limit = f"at most {MAX_PIXELS // 1_000_000} megapixels and {_MAX_SIDE_PX} px a side"
    remedy = "Export the region that was diagnosed, or a smaller copy."
    return UnreadableImage(Problem(path.name, found, limit, remedy))


def _unreadable(path: Path, found: str, *, remedy: str) -> UnreadableImage:
    expected = "a PNG, JPEG, TIFF or BMP image of 8 or 16 bits"
    return UnreadableImage(Problem(path.name, found, expected, remedy))
