"""From pixels to measures: each image is looked at once."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.cohort.picture import Picture
from axilla.cohort.quality.look import THUMBNAIL_PX, Marked, Measures
from axilla.records.roi import Roi
from axilla.records.units import ImageModality

VERSION = 1
"""Raised whenever a measure changes: what was kept of earlier looks is then not used."""

_TAILS = (0.5, 99.5)


def measure(picture: Picture, modality: ImageModality) -> Measures:
    """Return what a picture looks like; only the scanner's B-mode region counts where known."""
    del modality
    height_px, width_px = picture.pixels.shape[:2]
    gray = gray_of(_inside(picture))
    low, high = np.percentile(gray, _TAILS)
    return Measures(
        width_px=width_px,
        height_px=height_px,
        spread_levels=float(high - low),
        thumbnail=thumbnail_of(gray),
        pixel_mm=picture.pixel_mm,
        remarks=picture.remarks,
    )


def measure_mask(mask: NDArray[np.bool_]) -> Marked | None:
    """Return what a mask (H, W) marks; None if that is nothing."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    left, top = int(columns[0]), int(rows[0])
    box = Roi(left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)
    return Marked(box, float(mask.mean()))


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
