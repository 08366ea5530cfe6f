"""How sharp a tile is, whatever tissue it shows."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from axilla.imaging.decoded_image import LUMA

_FINE_PX, _COARSE_PX = 1.0, 3.0
_FLAT = 1.0


def sharpness(rgb: NDArray[np.uint8]) -> float:
    """Return the contrast of detail near one pixel over that near three (unitless, >= 0).

    Defocus takes the fine detail first, while both follow how much there is to see: so tiles of
    cells and of plain stroma compare. A tile without contrast (below 1 grey value) is 0.
    """
    grey = rgb.astype(np.float32) @ LUMA
    smooth = ndimage.gaussian_filter(grey, _FINE_PX)
    coarse = ndimage.gaussian_filter(grey, _COARSE_PX)
    medium = float((smooth - coarse).std())
    return float((grey - smooth).std()) / medium if medium > _FLAT else 0.0
