"""Rectangles from masks and outlines, and the context around them."""

import math

import numpy as np
from numpy.typing import NDArray

from axilla.records.errors import Problem, RoiError
from axilla.records.roi_rectangle import Roi, roi_around

Extent = tuple[float, float, float, float]
"""Left, top, right and bottom of an outline, px; pixel (0, 0) covers 0 to 1 on both axes."""

# Annotation tools let a line touch or cross the image's edge by less than a pixel.
OUTSIDE_PX = 1.0
# Percentages and rotations come back from px with such errors; no reader draws that fine.
_ROUNDING_PX = 1e-3


def roi_from_mask(mask: NDArray[np.bool_]) -> Roi:
    """Return the smallest rectangle that holds every true pixel of `mask` (H, W).

    Source: paper 2.3.2, mask-guided region. Raises `RoiError` if the mask is empty.
    """
    roi = roi_around(mask)
    if roi is None:
        raise RoiError(
            Problem("mask", "no marked pixel", "a marked lesion", "Draw the lesion again.")
        )
    return roi


def roi_from_extent(extent: Extent, *, width_px: int, height_px: int) -> Roi:
    """Return the smallest rectangle of whole pixels that holds an outline, clipped to its image.

    Raises `RoiError` if the outline leaves the image by more than 1 px, or has no area.
    """
    left, top, right, bottom = extent
    beyond = max(-left, -top, right - width_px, bottom - height_px)
    if beyond > OUTSIDE_PX:
        raise RoiError(
            Problem(
                "outline",
                f"{left:g} to {right:g} px across, {top:g} to {bottom:g} px down, which leaves the "
                f"image by {beyond:.3g} px",
                f"an outline inside {width_px} x {height_px} px",
                "Draw it on the original image.",
            )
        )
    first_column = max(0, math.floor(left + _ROUNDING_PX))
    first_row = max(0, math.floor(top + _ROUNDING_PX))
    past_column = min(width_px, math.ceil(right - _ROUNDING_PX))
    past_row = min(height_px, math.ceil(bottom - _ROUNDING_PX))
    if past_column <= first_column or past_row <= first_row:
        raise RoiError(
            Problem("outline", "no area inside the image", "a lesion", "Draw the lesion again.")
        )
    return Roi(first_column, first_row, past_column - first_column, past_row - first_row)


def enclosing(first: Roi, second: Roi) -> Roi:
    """Return the smallest rectangle that holds two."""
    left, top = min(first.left_px, second.left_px), min(first.top_px, second.top_px)
    right, bottom = max(first.right_px, second.right_px), max(first.bottom_px, second.bottom_px)
    return Roi(left, top, right - left, bottom - top)


def with_margin(roi: Roi, margin: float, *, width_px: int, height_px: int) -> Roi:
    """Widen `roi` on each side by `margin` (a share of its own sides), clipped to the image.

    Raises `RoiError` if nothing of the rectangle lies inside the image.
    """
    across, down = round(roi.width_px * margin), round(roi.height_px * margin)
    left, top = max(0, roi.left_px - across), max(0, roi.top_px - down)
    right, bottom = min(width_px, roi.right_px + across), min(height_px, roi.bottom_px + down)
    if right <= left or bottom <= top:
        raise RoiError(
            Problem(
                "ROI",
                str(roi),
                f"a rectangle inside the image ({width_px} x {height_px} px)",
                "Draw the ROI on the original image.",
            )
        )
    return Roi(left_px=left, top_px=top, width_px=right - left, height_px=bottom - top)
