"""Which way up an ultrasound image is: speckle, skin line and the loss of detail with depth.

A beam resolves depth better than breadth, so speckle lies flat. The skin and the probe's front
are a bright line, and what lies near it has more fine detail than what lies deep.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter1d

_SKIN_SHARE, _QUARTER = 0.04, 0.25
_BLACK = 4
_LEAST_LIT = 0.05
_DETAIL_PX = 1.5
_DETAIL_WEIGHT = 1.5

Pixels = NDArray[np.float32]


def flatness_of(gray: NDArray[np.uint8]) -> float:
    """Return the logarithm of how much more gray changes downwards than sideways.

    The sample's images have 0.25 to 1.4; turned by a quarter, the same below zero.
    """
    pixels = gray.astype(np.float32)
    down = np.abs(np.diff(pixels, axis=0)).mean() if len(pixels) > 1 else 0.0
    across = np.abs(np.diff(pixels, axis=1)).mean() if pixels.shape[1] > 1 else 0.0
    return float(np.log((down + 0.1) / (across + 0.1)))


def uprightness_of(gray: NDArray[np.uint8]) -> float:
    """Return how much brighter the top edge is than the bottom, and how much finer the top.

    Black pixels (around a sector) do not count. Upright images of the sample have -0.4 and more,
    upside down most have less than -1.
    """
    pixels = gray.astype(np.float32)
    lit = pixels > _BLACK
    detail = np.abs(pixels - gaussian_filter(pixels, _DETAIL_PX))
    skin = _skin(pixels, lit) / _skin(pixels[::-1], lit[::-1])
    fine = _near(detail, lit) / _near(detail[::-1], lit[::-1])
    return float(np.log(skin) + _DETAIL_WEIGHT * np.log(fine))


def _skin(pixels: Pixels, lit: NDArray[np.bool_]) -> float:
    """Return the brightness of the brightest of the first rows."""
    height, width = pixels.shape
    rows = max(2, round(_SKIN_SHARE * height))
    sums = (pixels[:rows] * lit[:rows]).sum(axis=1)
    means = sums / np.maximum(lit[:rows].sum(axis=1), _LEAST_LIT * width)
    return float(uniform_filter1d(means, max(1, height // 100)).max()) + 5.0


def _near(detail: Pixels, lit: NDArray[np.bool_]) -> float:
    rows = max(1, round(_QUARTER * len(detail)))
    inside = lit[:rows]
    if inside.mean() < _LEAST_LIT:
        return 0.5
    return float(detail[:rows][inside].mean()) + 0.5
