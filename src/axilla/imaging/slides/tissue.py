"""Where on a slide there is tissue."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu

from axilla.imaging.slides.tissue_mask import Mask, find_ink, without_small

# All limits are of 8-bit values, those below the first line on white glass.
_GLASS_AT_LEAST, _GLASS_CHROMA, _GLASS_SHARE = 200, 18, 0.05
_LOWEST_CHROMA, _HIGHEST_CHROMA = 12.0, 25.0
_WHITE, _BLACK = 235, 60
_SPECK_UM2: Final = 10_000.0


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
    coloured = (chroma > _chroma_threshold(chroma[~ink])) & (lowest < _WHITE) & (highest >= _BLACK)
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
