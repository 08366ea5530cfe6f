"""From pixels to measures: each image is looked at once."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.checks.images.burned_in_text import Line, lines_in
from axilla.checks.images.colours import coloured_share
from axilla.checks.images.image_measures import flatness_of, uprightness_of
from axilla.checks.images.look import THUMBNAIL_PX, Marked, Measures
from axilla.checks.images.seams import seam_of
from axilla.checks.images.sharpness import sharpness_of
from axilla.checks.images.tissue import tissue_share
from axilla.imaging.decoded_image import Picture
from axilla.records.roi_rectangle import Roi, roi_around
from axilla.records.types import ImageModality

VERSION = 2
"""Raised whenever a measure changes: what was kept of earlier looks is then not used."""

_TAILS = (0.5, 99.5)
# Larger images are measured at this size: what their blur hides there, a network never sees.
_SIDE_PX, _TISSUE_PX = 512, 256
# Lettering of larger images is looked for at this size, where letters have some 10 to 20 px.
_LETTERING_PX = 1024


def measure(picture: Picture, modality: ImageModality) -> Measures:
    """Return what a picture looks like; only the scanner's B-mode region counts where known."""
    height_px, width_px = picture.pixels.shape[:2]
    inside = _inside(picture)
    gray = gray_of(inside)
    low, high = np.percentile(gray, _TAILS)
    about = Measures(
        width_px=width_px,
        height_px=height_px,
        spread_levels=float(high - low),
        thumbnail=thumbnail_of(gray),
        sharpness=sharpness_of(reduced(gray, _SIDE_PX)),
        pixel_mm=picture.pixel_mm,
        remarks=picture.remarks,
    )
    if modality == "pathology":
        side_px = min(_TISSUE_PX, max(inside.shape) // 2)
        return replace(about, tissue_share=tissue_share(reduced(inside, max(side_px, 1))))
    small = reduced(gray, _SIDE_PX)
    return replace(
        about,
        flatness=flatness_of(small),
        uprightness=uprightness_of(small),
        seam=seam_of(small),
        coloured_share=coloured_share(_thinned(inside)),
        lines=_lines(gray, picture.region),
    )


def measure_mask(mask: NDArray[np.bool_]) -> Marked | None:
    """Return what a mask (H, W) marks; None if that is nothing."""
    box = roi_around(mask)
    return Marked(box, float(mask.mean())) if box else None


def gray_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance (H, W) of RGB pixels (H, W, 3), by ITU-R 601."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def _inside(picture: Picture) -> NDArray[np.uint8]:
    region = picture.region
    if region is None:
        return picture.pixels
    rows = slice(region.top_px, region.bottom_px)
    return picture.pixels[rows, region.left_px : region.right_px]


def thumbnail_of(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a gray image, stretched to a square of `THUMBNAIL_PX`."""
    size = (THUMBNAIL_PX, THUMBNAIL_PX)
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BOX))


def reduced(pixels: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """Return an image whose longer side is at most `side_px`, by averaging."""
    factor = side_px / max(pixels.shape[:2])
    if factor >= 1:
        return pixels
    size = tuple(max(1, round(side * factor)) for side in pixels.shape[1::-1])
    return np.asarray(Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BOX))


def _thinned(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Leave out rows and columns: averaging would mix thin coloured lines with gray."""
    step = max(1, max(pixels.shape) // _SIDE_PX)
    return pixels[::step, ::step]


def _lines(gray: NDArray[np.uint8], region: Roi | None) -> tuple[Line, ...]:
    small = reduced(gray, _LETTERING_PX)
    factor = gray.shape[1] / small.shape[1]
    left, top = (region.left_px, region.top_px) if region else (0, 0)
    return tuple(
        Line(
            Roi(
                left + round(line.box.left_px * factor),
                top + round(line.box.top_px * factor),
                max(1, round(line.box.width_px * factor)),
                max(1, round(line.box.height_px * factor)),
            ),
            line.letters,
        )
        for line in lines_in(small)
    )
