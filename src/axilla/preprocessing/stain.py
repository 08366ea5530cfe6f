"""Stain normalisation of H&E images towards one fixed reference, through torchstain."""

from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from torchstain.numpy.normalizers import (  # type: ignore[import-untyped]
    NumpyMacenkoNormalizer,
    NumpyReinhardNormalizer,
)
from torchstain.numpy.utils.rgb2lab import rgb2lab  # type: ignore[import-untyped]
from torchstain.numpy.utils.split import lab_split  # type: ignore[import-untyped]

from axilla.imaging.decoded_image import LUMA

StainMethod = Literal["none", "macenko", "reinhard"]

# What Macenko's normalisation towards its reference makes of the tiles of OpenSlide's slide
# CMU-1-Small-Region (their tissue, median over tiles): so both methods aim at the same look.
_REINHARD_MEANS = (65.5, 20.0, -8.0)
_REINHARD_SDS = (15.0, 7.0, 5.0)

_GLASS, _ABSORBING = 220, 206
_LEAST_TISSUE = 0.02
_LEAST_SPREAD = 1.0
_LEAST_CHROMA = 5.0
_LEAST_CORRELATION = 0.8
_BRIGHTEST_PERCENT, _MOST_DIMMED = 99, 15.0


def normalise_stain(rgb: NDArray[np.uint8], method: StainMethod) -> NDArray[np.uint8]:
    """Bring the stain of an H&E image (H, W, 3) towards a reference that is not of the study.

    macenko: stain vectors and strengths become those published with the method (Macenko et al.,
    ISBI 2009, as torchstain holds them). reinhard: mean and spread of the tissue in CIELAB
    become 65.5 +- 15, 20 +- 7 and -8 +- 5 (Reinhard et al., IEEE CG&A 21, 2001); glass stays.
    An image comes back as it is where this cannot work: less than 2 % tissue, no colour, no two
    stains to tell apart, or a result that turns light into dark (photographs on tinted glass).
    """
    if method == "none":
        return rgb
    tissue = rgb.min(axis=2) < _GLASS
    if tissue.mean() < _LEAST_TISSUE or np.ptp(rgb[tissue], axis=1).mean() < _LEAST_CHROMA:
        return rgb
    changed = _macenko(rgb) if method == "macenko" else _reinhard(rgb, tissue)
    return rgb if changed is None or not _keeps_light(rgb, changed, tissue) else changed


def _macenko(rgb: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    # torchstain estimates from pixels that absorb in every channel (beta 0.15 of light 240).
    if (rgb < _ABSORBING).all(axis=2).mean() < _LEAST_TISSUE:
        return None
    try:
        with np.errstate(all="ignore"):  # a stain of strength 0; seen by _keeps_light
            changed: NDArray[np.uint8] = NumpyMacenkoNormalizer().normalize(rgb, stains=False)[0]
    except np.linalg.LinAlgError:  # stains that cannot be told apart
        return None
    return changed


def _reinhard(rgb: NDArray[np.uint8], tissue: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
    pixels = rgb[tissue][:, None, :]
    if min(lab.std() for lab in lab_split(rgb2lab(pixels / np.float32(255)))) < _LEAST_SPREAD:
        return None
    changed = rgb.copy()
    changed[tissue] = _reinhard_target().normalize(pixels)[:, 0, :]
    return changed


def _keeps_light(
    rgb: NDArray[np.uint8], changed: NDArray[np.uint8], tissue: NDArray[np.bool_]
) -> bool:
    """Tell whether dark tissue is still dark, and the brightest part still bright."""
    before, after = rgb @ LUMA, changed @ LUMA
    brightest = before >= np.percentile(before, _BRIGHTEST_PERCENT)
    if (before - after)[brightest].mean() > _MOST_DIMMED:
        return False
    x, y = before[tissue] - before[tissue].mean(), after[tissue] - after[tissue].mean()
    product = float(np.sqrt((x @ x) * (y @ y)))
    return product > 0 and float(x @ y) / product >= _LEAST_CORRELATION


@cache
def _reinhard_target() -> Any:
    target = NumpyReinhardNormalizer()
    target.target_means = np.array(_REINHARD_MEANS, dtype=np.float32)
    target.target_stds = np.array(_REINHARD_SDS, dtype=np.float32)
    return target
