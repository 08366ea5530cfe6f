"""Any image file that a hospital has, told by what it holds rather than by its name.

pydicom and SciPy take longer to import than an image to read: only DICOM files and slides wait
for them.
"""

from pathlib import Path

import numpy as np

from axilla.imaging.decoded_image import DecodedImage
from axilla.imaging.dicom.signature import is_dicom
from axilla.imaging.raster import decode, image_size
from axilla.imaging.slides.slide_files import is_slide
from axilla.records.errors import Problem, UnreadableImage
from axilla.records.patients import ImageFile

_SHOWN_TILE_PX = 224


def open_picture(file: ImageFile) -> DecodedImage:
    """Return the pixels of an image file: PNG, JPEG, TIFF, BMP, DICOM, or one tile of a slide.

    ROIs and masks are in the coordinates of the whole frame; a tile of a slide comes at 224 px a
    side. Raises `UnreadableImage`.
    """
    if file.tile is None:
        return _whole(file)
    if is_slide(file.path):
        from axilla.imaging.slides.tile_pixels import read_tile  # noqa: PLC0415 - SciPy

        return DecodedImage(read_tile(file.path, file.tile, side_px=_SHOWN_TILE_PX))
    picture, tile = _whole(file), file.tile
    cut = picture.pixels[tile.top_px : tile.bottom_px, tile.left_px : tile.right_px]
    return DecodedImage(np.ascontiguousarray(cut), tags=picture.tags)


def _whole(file: ImageFile) -> DecodedImage:
    if is_dicom(file.path):
        from axilla.imaging.dicom.dicom_reader import read_dicom  # noqa: PLC0415 - pydicom

        return read_dicom(file.path, frame=file.frame)
    return DecodedImage(decode(file.path))


def picture_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels as ROIs are drawn, reading headers only.

    Of a whole slide, its size at full resolution. Raises `UnreadableImage`.
    """
    if is_slide(path):
        from axilla.imaging.slides.tile_pixels import slide_size  # noqa: PLC0415 - SciPy

        return slide_size(path)
    if is_dicom(path):
        from axilla.imaging.dicom.dicom_reader import dicom_size  # noqa: PLC0415 - pydicom

        return dicom_size(path)
    return image_size(path)


def require_ultrasound(path: Path) -> None:
    """Raise `UnreadableImage` for a whole slide, which holds no ultrasound."""
    if is_slide(path):
        raise UnreadableImage(
            Problem(
                path.name,
                "a whole slide",
                "an ultrasound image",
                "Name it in column pathology.",
            )
        )


def require_frame(path: Path, frame: int) -> None:
    """Raise `UnreadableImage` unless the file holds a frame of this number, counted from 1."""
    frames = _frames_in(path)
    if not 1 <= frame <= frames:
        expected = f"a number from 1 to {frames}" if frames > 1 else "1: the file holds one image"
        raise UnreadableImage(
            Problem(path.name, f"frame {frame}", expected, "Correct the cell, or leave it empty.")
        )


def _frames_in(path: Path) -> int:
    if not is_dicom(path):
        return 1
    from axilla.imaging.dicom.dicom_reader import frames_in  # noqa: PLC0415 - pydicom

    return frames_in(path)
