"""How much of a B-mode image is coloured: Doppler, elastography, drawings."""

import numpy as np
from numpy.typing import NDArray

_CHROMA_LEVELS = 60
_TINT_LEVELS = 40
_BRIGHTNESSES = 16


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
