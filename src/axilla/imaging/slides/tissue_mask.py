"""Where somebody has written on a slide."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

# Of 8-bit values. None of 211 H&E photographs of many stains (BreakHis) reaches them over areas
# of 10 um, and less than 0.5 % of a slide with green dye on its edges (OpenSlide's CMU-1).
_GREEN_OVER_RED, _GREEN_TIMES_RED = 15, 1.3
_RED_OVER_BLUE_INK, _BLUE_CHROMA = 20, 70
_RED_OVER_GREEN, _RED_TIMES_GREEN = 60, 2.5
_BLUE_OVER_RED_INK, _GREEN_IN_RED_INK = 30, 90
_BLACK, _BLACK_CHROMA = 70, 25

_STROKE_UM2: Final = 20_000.0
_RIM_UM: Final = 60.0


def find_ink(rgb: NDArray[np.int16], *, mpp: float) -> Mask:
    """Return where there is ink (H, W) on an overview (H, W, 3) whose glass is white.

    `mpp` is micrometres per pixel. Ink is blue, green, red or black as no haematoxylin or eosin
    is, in strokes of at least 0.02 mm2, with a rim of 60 um for what is thin at their edges.
    """
    red, green, blue = rgb[:, :, 0], rgb[:, :, 1], rgb[:, :, 2]
    # Both stains absorb green most of all; green and blue ink absorb red more, or nearly so.
    green_ink = (green - red > _GREEN_OVER_RED) & (green > _GREEN_TIMES_RED * red)
    blue_ink = (red - green < _RED_OVER_BLUE_INK) & (blue - red > _BLUE_CHROMA)
    # Eosin and blood let more blue through than green; red ink holds back both.
    red_ink = (red - green > _RED_OVER_GREEN) & (red > _RED_TIMES_GREEN * green)
    red_ink &= (blue - green < _BLUE_OVER_RED_INK) & (green < _GREEN_IN_RED_INK)
    highest = rgb.max(axis=2)
    black_ink = (highest < _BLACK) & (highest - rgb.min(axis=2) < _BLACK_CHROMA)
    inked = green_ink | blue_ink | red_ink | black_ink
    strokes = without_small(inked, smallest_px=_STROKE_UM2 / mpp**2)
    if not strokes.any():
        return strokes
    grown: Mask = ndimage.binary_dilation(strokes, iterations=max(1, round(_RIM_UM / mpp)))
    return grown


def without_small(mask: Mask, *, smallest_px: float) -> Mask:
    """Drop connected parts (8 neighbours) of fewer pixels than `smallest_px`."""
    parts, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    large = np.bincount(parts.ravel()) >= smallest_px
    large[0] = False
    kept: Mask = large[parts]
    return kept
