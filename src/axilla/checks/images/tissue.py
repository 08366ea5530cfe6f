"""How much of a section's image is tissue: stained, or at least structured."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

_NEIGHBOURHOOD_PX = 7
_STRUCTURE_LEVELS = 4.0
# In optical density: the most absorbed channel less the least.
_STAIN_DENSITY = 0.12


def tissue_share(pixels: NDArray[np.uint8]) -> float:
    """Return the share of RGB pixels (H, W, 3) that carry stain, or structure around them.

    Structure counts since pale tissue under a gray light carries hardly more colour than glass.
    """
    light = pixels.astype(np.float32) + 1
    density = -np.log10(light / 256)
    stained = density.max(axis=2) - density.min(axis=2) > _STAIN_DENSITY
    gray = light.mean(axis=2)
    local = uniform_filter(gray, _NEIGHBOURHOOD_PX)
    spread = np.maximum(uniform_filter(gray * gray, _NEIGHBOURHOOD_PX) - local * local, 0)
    return float((stained | (np.sqrt(spread) > _STRUCTURE_LEVELS)).mean())
