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
    with _loaded(path) as image:
        if image.mode in _DEEP_MODES:
            gray = _eight_bit(np.asarray(image), path)
            return np.repeat(gray[:, :, np.newaxis], 3, axis=2)
        if image.mode == "F":
            raise _unreadable(path, "pixels in floating point", remedy="Save it in 8 or 16 bits.")
        return np.array(image.convert("RGB"), dtype=np.uint8)


def decode_mask(path: Path) -> NDArray[np.bool_]:
    """Return the mask (H, W): true where a pixel is not black; in JPEG, brighter than 127.

    Fully transparent pixels are false. Raises `UnreadableImage`.
    """
    lossy = path.suffix.lower() in (".jpg", ".jpeg")
    with _loaded(path) as image:
        if image.mode in (*_DEEP_MODES, "F"):
            return np.asarray(image) > 0
        pixels = np.asarray(image.convert("RGBA"))
    level = _JPEG_MASK_LEVEL if lossy else 0
    return np.asarray((pixels[:, :, :3].max(axis=2) > level) & (pixels[:, :, 3] > 0))


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels after EXIF rotation, reading the header only.

    Raises `UnreadableImage`, also for images above 89 megapixels.
    """
    with _opened(path) as image:
        return _upright_size(image)


@contextmanager
def _loaded(path: Path) -> Iterator[Image.Image]:
    with _opened(path) as image:
        image.load()
        yield ImageOps.exif_transpose(image)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
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
    if width * height > MAX_PIXELS:
        raise _too_large(path, f"{width} x {height} px")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    if image.format == "TIFF":  # Pillow's TIFF size is already upright
        return image.size
    # The base method reads the header only; PNG's own decodes the pixels in search of EXIF.
    orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation)
    width, height = image.size
    return (height, width) if orientation in _QUARTER_TURNS else (width, height)


def _eight_bit(deep: NDArray[np.generic], path: Path) -> NDArray[np.uint8]:
    low, high = int(deep.min()), int(deep.max())
    full = next((limit for limit in _DEEP_RANGES if high <= limit), None)
    if low < 0 or full is None:
        raise _unreadable(
            path, f"gray values from {low} to {high}", remedy="Save it in 8 or 16 bits."
        )
    return np.asarray(np.rint(deep.astype(np.float64) * (255 / full)), dtype=np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "a file of another kind, or a damaged one"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    # Pillow's messages may quote the whole path.
    return f"a damaged or truncated file ({type(error).__name__})"


def _too_large(path: Path, found: str) -> UnreadableImage:
    limit = f"at most {MAX_PIXELS // 1_000_000} megapixels"
    remedy = "Export the region that was diagnosed, or a smaller copy."
    return UnreadableImage(Problem(path.name, found, limit, remedy))


def _unreadable(path: Path, found: str, *, remedy: str) -> UnreadableImage:
    expected = "a PNG, JPEG, TIFF or BMP image of 8 or 16 bits"
    return UnreadableImage(Problem(path.name, found, expected, remedy))
