"""A signed map drawn over its image: two colours, and the weaker the value the clearer the image.

Colour is full at the scale that the whole cohort shares, so a map of weak evidence looks weak.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from axilla.records.roi_rectangle import Roi

FloatMap = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# Vermillion, blue and yellow of Okabe and Ito (2008), told apart by colour-blind readers; yellow
# stands out from dark speckle and from the pink and violet of H&E alike.
FOR: Final = (213, 94, 0)
AGAINST: Final = (0, 114, 178)
STRENGTH: Final = (240, 228, 66)

_FULL: Final = 255


def overlay(
    image: Pixels, values: FloatMap, *, window: Roi, scale: float, opacity: float = 0.7
) -> Pixels:
    """Lay a signed map (h, w) over an image (H, W, 3) uint8; return pixels of the same shape.

    `window` is the part of the image that the map covers, in its px, and may reach beyond it.
    Values above 0 are vermillion, below 0 blue; alpha is `opacity` at |value| >= `scale` and
    falls with |value| to 0.
    """
    height_px, width_px = image.shape[:2]
    laid = image.copy()
    seen = window.overlap(Roi(0, 0, width_px, height_px))
    if seen is None:
        return laid
    paint = colours(
        enlarge_map(values, width_px=window.width_px, height_px=window.height_px), scale
    )
    left, top = seen.left_px - window.left_px, seen.top_px - window.top_px
    paint = paint[top : top + seen.height_px, left : left + seen.width_px].astype(np.float32)
    alpha = paint[..., 3:] / _FULL * opacity
    below = image[seen.top_px : seen.bottom_px, seen.left_px : seen.right_px, :3]
    mixed = below * (1 - alpha) + paint[..., :3] * alpha
    laid[seen.top_px : seen.bottom_px, seen.left_px : seen.right_px, :3] = mixed.round()
    return laid


def colours(values: FloatMap, scale: float) -> Pixels:
    """Return RGBA (h, w, 4) of a signed map, alpha growing with |value| up to `scale`."""
    return _paint(np.where(values[..., None] > 0, FOR, AGAINST), _strength(values, scale))


def strength(values: FloatMap, scale: float) -> Pixels:
    """Return RGBA (h, w, 4) of |value| in one colour: where evidence is, not for what it speaks.

    Blinded readers get this: the balance of two colours would tell them the prediction.
    """
    return _paint(np.broadcast_to(STRENGTH, (*values.shape, 3)), _strength(values, scale))


def enlarge_map(values: FloatMap, *, width_px: int, height_px: int) -> FloatMap:
    """Return the map at another size, linear between the centres of its positions."""
    if values.shape == (height_px, width_px):
        return values
    plane = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.asarray(plane.resize((width_px, height_px), Image.Resampling.BILINEAR))


def _strength(values: FloatMap, scale: float) -> FloatMap:
    if not scale > 0:
        return np.zeros_like(values)
    return np.minimum(np.abs(values) / np.float32(scale), 1)


def _paint(colour: NDArray[np.integer], alpha: FloatMap) -> Pixels:
    shade = np.round(alpha[..., None] * _FULL)
    return np.concatenate([colour, shade], axis=-1).astype(np.uint8)
