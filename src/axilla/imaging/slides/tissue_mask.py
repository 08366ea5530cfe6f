"""Tissue mask of a slide, without pen marks."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import threshold_otsu

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
# All limits are of 8-bit values, those below the first line on white glass.
_GLASS_AT_LEAST, _GLASS_CHROMA, _GLASS_SHARE = 200, 18, 0.05
_LOWEST_CHROMA, _HIGHEST_CHROMA = 12.0, 25.0
_WHITE, _BLACK_GLASS = 235, 60
_SPECK_UM2: Final = 10_000.0


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


def find_tissue(overview: NDArray[np.uint8], *, mpp: float) -> tuple[Mask, Mask]:
    """Return where there is tissue and where there is ink (H, W) on an overview (H, W, 3).

    `mpp` is micrometres per pixel of the overview. Tissue is coloured: its chroma (largest less
    smallest channel) lies above Otsu's threshold (IEEE Trans. SMC 9, 1979), kept between 12 and
    25 so that a slide without glass or without tissue is not divided. Near-white, near-black,
    ink and specks below 0.01 mm2 are no tissue.
    """
    rgb = _on_white_glass(overview)
    ink = find_ink(rgb, mpp=mpp)
    highest, lowest = rgb.max(axis=2), rgb.min(axis=2)
    chroma = highest - lowest
    coloured = (
        (chroma > _chroma_threshold(chroma[~ink])) & (lowest < _WHITE) & (highest >= _BLACK_GLASS)
    )
    return without_small(coloured & ~ink, smallest_px=_SPECK_UM2 / mpp**2), ink


def _on_white_glass(overview: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Scale each channel so that the bare glass, where there is any, becomes white."""
    lowest, highest = overview.min(axis=2), overview.max(axis=2)
    glass = (lowest >= _GLASS_AT_LEAST) & (highest - lowest <= _GLASS_CHROMA)
    rgb = overview.astype(np.int16)
    if glass.mean() < _GLASS_SHARE:
        return rgb
    for channel, value in enumerate(np.median(overview[glass], axis=0)):
        rgb[:, :, channel] = np.minimum(rgb[:, :, channel] * np.float32(255 / value), 255)
    return rgb


def _chroma_threshold(chroma: NDArray[np.int16]) -> float:
    if chroma.size == 0 or chroma.min() == chroma.max():
        return _HIGHEST_CHROMA
    return float(np.clip(threshold_otsu(chroma), _LOWEST_CHROMA, _HIGHEST_CHROMA))
