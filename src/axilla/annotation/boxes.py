"""Rectangles from masks, and the context around them."""

import numpy as np
from numpy.typing import NDArray

from axilla.records.errors import Problem, RoiError
from axilla.records.roi import Roi


def roi_from_mask(mask: NDArray[np.bool_]) -> Roi:
    """Return the smallest rectangle that holds every true pixel of `mask` (H, W).

    Source: paper 2.3.2, mask-guided region. Raises `RoiError` if the mask is empty.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        raise RoiError(
            Problem("mask", "no marked pixel", "a marked lesion", "Draw the lesion again.")
        )
    left, right = int(columns[0]), int(columns[-1]) + 1
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    return Roi(left_px=left, top_px=top, width_px=right - left, height_px=bottom - top)


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
