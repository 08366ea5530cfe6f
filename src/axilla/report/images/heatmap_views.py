"""An image beside its heatmap: the same cut twice, lesion outlined, scale bar where it is known."""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from axilla.annotation.boxes import enclosing, roi_from_mask, with_margin
from axilla.explanation.heatmap_file import Heatmap
from axilla.explanation.overlay import overlay
from axilla.imaging.decoded_image import DecodedImage
from axilla.imaging.open_image import open_picture
from axilla.imaging.raster import decode_mask
from axilla.records.patients import ImageFile
from axilla.records.roi_rectangle import Roi
from axilla.records.types import ImageModality
from axilla.report.images.thumbnails import outline

Pixels = NDArray[np.uint8]

LONGEST_SIDE_PX: Final = 400
ASPECT: Final = 4 / 3
_CONTEXT: Final = 0.15  # of the sides of lesion and map, kept around them
_LONGEST_BAR: Final = 0.34  # of the width
_LIGHT, _DARK = (255, 255, 255), (0, 0, 0)
_BAR_PX: Final = 4
_SMALL_PX: Final = 160
_MM: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A scale bar: its label, and its length as a share of the picture's width."""

    label: str
    share: float


@dataclass(frozen=True, slots=True)
class Views:
    """The same cut twice, RGB uint8, at most 400 px a side: as it is, and under its map."""

    original: Pixels
    overlaid: Pixels
    bar: Bar | None


def views_of(file: ImageFile, heatmap: Heatmap, *, modality: ImageModality, scale: float) -> Views:
    """Return an image around its lesion and under its map, whose colour is full at `scale`.

    Raises `UnreadableImage` or `RoiError`.
    """
    picture = open_picture(file)
    roi = file.roi
    if roi is None and file.mask is not None:
        roi = roi_from_mask(decode_mask(file.mask))
    height_px, width_px = picture.pixels.shape[:2]
    frame = _frame(roi, heatmap.window, width_px=width_px, height_px=height_px)
    cut = picture.pixels[frame.top_px : frame.bottom_px, frame.left_px : frame.right_px]
    window = heatmap.window
    moved = replace(
        window, left_px=window.left_px - frame.left_px, top_px=window.top_px - frame.top_px
    )
    painted = overlay(cut, heatmap.values, window=moved, scale=scale)
    factor = LONGEST_SIDE_PX / max(frame.width_px, frame.height_px)
    micrometres = _um_per_px(file, picture, modality)
    bar = scale_bar(micrometres / factor, width_px=round(frame.width_px * factor))
    drawn = [
        _draw_image(pixels, roi=roi, frame=frame, factor=factor, bar=bar if first else None)
        for pixels, first in ((cut, True), (painted, False))
    ]
    return Views(drawn[0], drawn[1], bar)


def small(file: ImageFile) -> Pixels:
    """Return an image whole and small; raise `UnreadableImage`."""
    image = Image.fromarray(open_picture(file).pixels)
    image.thumbnail((_SMALL_PX, _SMALL_PX), Image.Resampling.LANCZOS)
    return np.asarray(image)


def scale_bar(um_per_px: float, *, width_px: int) -> Bar | None:
    """Return the longest bar of 1, 2 or 5 times a power of ten that fits into a third of a picture.

    None where the size of a pixel is not known.
    """
    if not (math.isfinite(um_per_px) and um_per_px > 0):
        return None
    longest = um_per_px * width_px * _LONGEST_BAR
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(step * power for step in (1, 2, 5) if step * power <= longest * (1 + 1e-9))
    label = f"{length / _MM:g} mm" if length >= _MM / 10 else f"{length:g} \N{MICRO SIGN}m"
    return Bar(label.replace(" ", "\N{NO-BREAK SPACE}"), length / (um_per_px * width_px))


def _um_per_px(file: ImageFile, picture: DecodedImage, modality: ImageModality) -> float:
    """Return the side of a pixel of `picture`, in micrometres; NaN where nobody says it."""
    if modality == "ultrasound":
        side = file.pixel_mm if file.pixel_mm is not None else picture.pixel_mm
        return math.nan if side is None else side * _MM
    if file.mpp is None:
        return math.nan
    # A tile of a slide is shown at another resolution than the slide's own.
    shown = file.tile.width_px / picture.pixels.shape[1] if file.tile else 1.0
    return file.mpp * shown


def _frame(roi: Roi | None, window: Roi, *, width_px: int, height_px: int) -> Roi:
    """Return lesion and map with what lies around them, as near to 4 : 3 as the image allows."""
    whole = Roi(0, 0, width_px, height_px)
    inside = window.overlap(whole) or whole
    wanted = enclosing(roi, inside) if roi is not None else inside
    near = with_margin(wanted, _CONTEXT, width_px=width_px, height_px=height_px)
    across = min(width_px, max(near.width_px, round(near.height_px * ASPECT)))
    down = min(height_px, max(near.height_px, round(near.width_px / ASPECT)))
    left = near.left_px - (across - near.width_px) // 2
    top = near.top_px - (down - near.height_px) // 2
    return Roi(
        min(max(left, 0), width_px - across), min(max(top, 0), height_px - down), across, down
    )


def _draw_image(
    pixels: Pixels, *, roi: Roi | None, frame: Roi, factor: float, bar: Bar | None
) -> Pixels:
    size = (max(1, round(frame.width_px * factor)), max(1, round(frame.height_px * factor)))
    image = Image.fromarray(np.ascontiguousarray(pixels)).resize(size, Image.Resampling.LANCZOS)
    if roi is not None:
        outline(image, roi, frame=frame, scale=factor)
    if bar is not None:
        _draw_bar(image, round(bar.share * size[0]))
    return np.asarray(image)


def _draw_bar(image: Image.Image, length_px: int) -> None:
    """Draw a light bar with a dark edge, to be seen on any tissue."""
    left, bottom = 10, image.height - 10
    box = (left, bottom - _BAR_PX, left + length_px - 1, bottom)
    ImageDraw.Draw(image).rectangle(box, fill=_LIGHT, outline=None)
    ImageDraw.Draw(image).rectangle((box[0] - 1, box[1] - 1, box[2] + 1, box[3] + 1), outline=_DARK)
