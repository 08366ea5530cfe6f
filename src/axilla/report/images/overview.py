"""A whole image small, with what is marked in it: how a person looks through many at once."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation

from axilla.imaging.open_image import open_picture
from axilla.imaging.raster import decode_mask
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.report.images.thumbnails import Thumbnail

LONGEST_SIDE_PX = 160
_QUALITY = 72
_LIGHT, _DARK = (255, 222, 0), (0, 0, 0)


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
    scale = min(1.0, LONGEST_SIDE_PX / max(width_px, height_px))
    size = (max(1, round(width_px * scale)), max(1, round(height_px * scale)))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    if mask is not None and mask.shape == (height_px, width_px):
        small = _outline_mask(small, mask)
    if roi is not None:
        _outline_roi(small, roi, scale=scale)
    content = io.BytesIO()
    # Full colour resolution: a line of one pixel stays yellow.
    small.save(content, format="JPEG", quality=_QUALITY, subsampling=0)
    uri = f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
    return Thumbnail(uri, *size)


def _outline_mask(image: Image.Image, mask: NDArray[np.bool_]) -> Image.Image:
    """Draw a light line along the mask's outside, and a dark one around that."""
    shrunk = Image.fromarray(mask).convert("L").resize(image.size, Image.Resampling.BOX)
    inside = np.asarray(shrunk) > 127  # noqa: PLR2004 - at least half of the pixel is marked
    line = binary_dilation(inside) & ~inside
    shade = binary_dilation(inside, iterations=2) & ~inside & ~line
    drawn = np.array(image)
    drawn[shade], drawn[line] = _DARK, _LIGHT
    return Image.fromarray(drawn)


def _outline_roi(image: Image.Image, roi: Roi, *, scale: float) -> None:
    left, top = roi.left_px * scale, roi.top_px * scale
    right, bottom = roi.right_px * scale - 1, roi.bottom_px * scale - 1
    draw = ImageDraw.Draw(image)
    for inset, colour in enumerate((_LIGHT, _DARK)):
        box = (left + inset, top + inset, right - inset, bottom - inset)
        if box[2] > box[0] and box[3] > box[1]:
            draw.rectangle(box, outline=colour)
