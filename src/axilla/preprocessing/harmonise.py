"""Make ultrasound images of different scanners alike, and point the network at the lesion."""

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.exposure import equalize_hist

# An image that varies by less than this share of its brightness varies by rounding only.
_BLANK_SHARE = 1e-6


def harmonise(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standardise one image's grey values, then equalise their histogram (paper 2.3.2).

    Takes any grey scale (H, W) and returns values in [0, 1]; a blank image becomes mid-grey.
    """
    sd = float(grey.std())
    if sd <= _BLANK_SHARE * float(np.abs(grey).max()):
        return np.full_like(grey, 0.5)
    return np.asarray(equalize_hist((grey - grey.mean()) / sd), dtype=np.float32)


def guide(images: torch.Tensor, masks: torch.Tensor, *, outside: float) -> torch.Tensor:
    """Dim everything outside the lesion to `outside` of its brightness (paper 2.3.2, mask-guided).

    `images` (B, 1, H, W) and `masks` (B, 1, H, W) in [0, 1]; a soft mask edge dims softly.
    """
    return images * (outside + (1 - outside) * masks)
