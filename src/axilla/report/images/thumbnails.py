"""Thumbnails and overviews of patients' images; no metadata of the file."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

from axilla.annotation.boxes import roi_from_mask, with_margin
from axilla.imaging.open_image import open_picture
from axilla.imaging.raster import decode_mask
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi

LONGEST_SIDE_PX = 240
_CONTEXT = 0.5  # of the ROI's sides, kept around it
_QUALITY = 82
_LIGHT, _DARK = (255, 255, 255), (0, 0, 0)
OVERVIEW_SIDE_PX = 160
_OVERVIEW_QUALITY = 72
_MARK_LIGHT, _MARK_DARK = (255, 222, 0), (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG as a data URI, and its size."""

    uri: str
    width_px: int
    height_px: int


def thumbnail_of(file: ImageFile) -> Thumbnail:
    """Return the image small, upright, around its lesion with the ROI outlined where it has one.

    Only decoded pixels are encoded again, so no metadata of the file can follow. Raises
    `UnreadableImage` or `RoiError`.
    """
    pixels = open_picture(file).pixels
    roi = file.roi
    if roi is None and file.mask is not None:
        roi = roi_from_mask(decode_mask(file.mask))
    return shrink(pixels, roi=roi)


def shrink(pixels: NDArray[np.uint8], *, roi: Roi | None) -> Thumbnail:
    """Cut RGB `pixels` (H, W, 3) around `roi`, outline it, and make the longest side 240 px.

    Images that are smaller already keep their size.
    """
    height_px, width_px = pixels.shape[:2]
    frame = Roi(0, 0, width_px, height_px)
    if roi is not None:
        frame = with_margin(roi, _CONTEXT, width_px=width_px, height_px=height_px)
    cut = pixels[frame.top_px : frame.bottom_px, frame.left_px : frame.right_px]
    scale = min(1.0, LONGEST_SIDE_PX / max(frame.width_px, frame.height_px))
    size = (max(1, round(frame.width_px * scale)), max(1, round(frame.height_px * scale)))
    image = Image.fromarray(np.ascontiguousarray(cut)).resize(size, Image.Resampling.LANCZOS)
    if roi is not None:
        outline(image, roi, frame=frame, scale=scale)
    return encode_jpeg(image)


def encode_jpeg(image: Image.Image) -> Thumbnail:
    """Return an image as a JPEG: pixels and nothing else."""
    content = io.BytesIO()
    image.save(content, format="JPEG", quality=_QUALITY)
    uri = f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
    return Thumbnail(uri, *image.size)


def outline(image: Image.Image, roi: Roi, *, frame: Roi, scale: float) -> None:
    """Draw a light line between two dark ones, to be seen on bright and on dark tissue."""
    left, top = (roi.left_px - frame.left_px) * scale, (roi.top_px - frame.top_px) * scale
    right, bottom = left + roi.width_px * scale - 1, top + roi.height_px * scale - 1
    draw = ImageDraw.Draw(image)
    for inset, colour in enumerate((_DARK, _LIGHT, _LIGHT, _DARK)):
        box = (left + inset, top + inset, right - inset, bottom - inset)
        if box[2] > box[0] and box[3] > box[1]:
            draw.rectangle(box, outline=colour)


def overview_of(file: ImageFile) -> Thumbnail:
    """Return the whole image at most 160 px a side, its rectangle and mask outlined.

    Only decoded pixels are encoded again, so no metadata of the file can follow. A mask of
    another size than its image is not drawn. Raises `UnreadableImage`.
    """
    pixels = open_picture(file).pixels
    mask = decode_mask(file.mask) if file.mask is not None else None
    return overview(pixels, roi=file.roi, mask=mask)


def overview(
    pixels: NDArray[np.uint8], *, roi: Roi | None = None, mask: NDArray[np.bool_] | None = None
) -> Thumbnail:
    """Shrink RGB `pixels` (H, W, 3), then outline `roi` and `mask` (H, W) in pixels of it."""
    height_px, width_px = pixels.shape[:2]
    scale = min(1.0, OVERVIEW_SIDE_PX / max(width_px, height_px))
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if mask is not None and mask.shape == (height_px, width_px):
        small = _outline_mask(small, mask)
    if roi is not None:
        _outline_roi(small, roi, scale=scale)
    content = io.BytesIO()
    # Full colour resolution: a line of one pixel stays yellow.
    small.save(content, format="JPEG", quality=_OVERVIEW_QUALITY, subsampling=0)
    uri = f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
    return Thumbnail(uri, *size)


def _outline_mask(image: Image.Image, mask: NDArray[np.bool_]) -> Image.Image:
    """Draw a light line along the mask's outside, and a dark one around that."""
    shrunk = Image.fromarray(mask).convert("L").resize(image.size, Image.Resampling.BOX)
    inside = np.asarray(shrunk) > 127  # noqa: PLR2004 - at least half of the pixel is marked
    line = binary_dilation(inside) & ~inside
    shade = binary_dilation(inside, iterations=2) & ~inside & ~line
    drawn = np.array(image)
    drawn[shade], drawn[line] = _MARK_DARK, _MARK_LIGHT
    return Image.fromarray(drawn)


def _outline_roi(image: Image.Image, roi: Roi, *, scale: float) -> None:
    left, top = roi.left_px * scale, roi.top_px * scale
    right, bottom = roi.right_px * scale - 1, roi.bottom_px * scale - 1
    draw = ImageDraw.Draw(image)
    for inset, colour in enumerate((_MARK_LIGHT, _MARK_DARK)):
        box = (left + inset, top + inset, right - inset, bottom - inset)
        if box[2] > box[0] and box[3] > box[1]:
            draw.rectangle(box, outline=colour)
