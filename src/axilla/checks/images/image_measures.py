"""Measures of one image: sharpness, colour, tissue, orientation, split screen.

A beam resolves depth better than breadth, so speckle lies flat. The skin and the probe's front
are a bright line, and what lies near it has more fine detail than what lies deep.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter1d, uniform_filter, uniform_filter1d

_SKIN_SHARE, _QUARTER = 0.04, 0.25
_BLACK = 4
_LEAST_LIT = 0.05
_DETAIL_PX = 1.5
_DETAIL_WEIGHT = 1.5

Pixels = NDArray[np.float32]
_CHROMA_LEVELS = 60
_TINT_LEVELS = 40
_BRIGHTNESSES = 16
_AROUND_PX = 17
_LEAST_STEP_LEVELS = 4
_FROM, _TO = 0.3, 0.7
_FINE_PX, _MIDDLE_PX, _COARSE_PX = 1.0, 2.0, 4.0
_NEIGHBOURHOOD_PX = 7
_STRUCTURE_LEVELS = 4.0
# In optical density: the most absorbed channel less the least.
_STAIN_DENSITY = 0.12


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


def coloured_share(pixels: NDArray[np.uint8]) -> float:
    """Return the share of RGB pixels whose colour is neither gray nor the image's own tint.

    Many scanners tint B-mode; a tint is one colour per brightness, as the median pixel of that
    brightness has it. A pixel counts if a channel is 40 levels away from that colour, and its
    largest and smallest channel 60 apart.
    """
    flat = pixels.reshape(-1, 3)
    vivid = flat.max(axis=1).astype(np.int16) - flat.min(axis=1) >= _CHROMA_LEVELS
    if not vivid.any():
        return 0.0
    wide = flat.astype(np.int16)
    level = wide.mean(axis=1)
    colour = wide - level[:, np.newaxis]
    brightness = (level * (_BRIGHTNESSES / 256)).astype(np.intp)
    tints = np.zeros((_BRIGHTNESSES, 3))
    for step in range(_BRIGHTNESSES):
        members = colour[brightness == step]
        if len(members):
            tints[step] = np.median(members, axis=0)
    away = np.abs(colour[vivid] - tints[brightness[vivid]]).max(axis=1)
    return float((away >= _TINT_LEVELS).sum() / len(flat))


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


def sharpness_of(gray: NDArray[np.uint8]) -> float:
    """Return the common logarithm of detail of 1 to 2 px over detail of 2 to 4 px.

    About -0.1 in sharp images; blurring by a Gaussian of 2 px takes 0.5 off, one of 3 px 0.7. A
    flat image has 0.
    """
    pixels = gray.astype(np.float32)
    fine, middle, coarse = (
        gaussian_filter(pixels, sigma) for sigma in (_FINE_PX, _MIDDLE_PX, _COARSE_PX)
    )
    small, large = ((fine - middle) ** 2).mean(), ((middle - coarse) ** 2).mean()
    return float(np.log10((small + 1e-3) / (large + 1e-3)))


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
