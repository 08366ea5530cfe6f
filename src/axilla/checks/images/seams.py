"""Whether an image was put together from two that stand side by side."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

_AROUND_PX = 17
_LEAST_STEP_LEVELS = 4
_FROM, _TO = 0.3, 0.7


def seam_of(gray: NDArray[np.uint8]) -> float:
    """Return in which share of rows the sharpest edge nearby stands in one and the same column.

    Looks at the middle of the image. Speckle breaks from row to row: the sample's images have at
    most 0.29, pairs of them side by side 0.55 and more.
    """
    steps = np.abs(np.diff(gray.astype(np.int16), axis=1))
    if steps.shape[1] < 2 * _AROUND_PX:
        return 0.0
    sharpest = (steps >= maximum_filter1d(steps, _AROUND_PX, axis=1)) & (steps > _LEAST_STEP_LEVELS)
    width = steps.shape[1]
    return float(sharpest.mean(axis=0)[int(_FROM * width) : int(_TO * width)].max())
