"""Where attention lies in an ultrasound image: in the lesion, at its rim, or around it."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch.nn import functional

BoolPlane = NDArray[np.bool_]

RIM_SHARE: Final = 0.1
"""Width of the rim on each side of the border, as a share of the lesion's diameter."""
REGIONS: Final = ("lesion", "core", "rim_inside", "rim_outside", "surroundings")
KINDS: Final = ("positive", "absolute")
_HALF: Final = 128


def lesion_enrichment(heat: torch.Tensor, mask: torch.Tensor) -> dict[str, float]:
    """Return each region's share of attention over its share of the area; 1 is no preference.

    `heat` (h, w) is a signed map, enlarged to the window as readers see it; `mask` (S, S) uint8
    is the lesion, from half on. Keys are REGION_KIND: `positive` weighs what speaks for the
    outcome, `absolute` all of the map; REGION_area is the share of the area. Lesion is core and
    inner rim; surroundings are what is left beyond the outer rim. `rim_cells` is the rim's width
    in cells of the map: below 1, rim and neighbours are not told apart. NaN where there is no
    such region, no such attention, or no lesion.
    """
    inside = mask.numpy() >= _HALF
    if not inside.any() or inside.all():
        return {}
    width_px = max(1.0, RIM_SHARE * 2 * (float(inside.sum()) / np.pi) ** 0.5)
    enlarged = functional.interpolate(
        heat[None, None].float(), size=inside.shape, mode="bilinear", align_corners=False
    )[0, 0].numpy()
    weights = {"positive": enlarged.clip(min=0), "absolute": np.abs(enlarged)}
    found = {"rim_cells": width_px * max(heat.shape) / inside.shape[0]}
    for name, region in _regions(inside, width_px).items():
        area = float(region.mean())
        found[f"{name}_area"] = area
        for kind, weight in weights.items():
            total = float(weight.sum())
            told = area > 0 and total > 0
            found[f"{name}_{kind}"] = float(weight[region].sum()) / total / area if told else np.nan
    return found


def _regions(inside: BoolPlane, width_px: float) -> dict[str, BoolPlane]:
    to_outside = distance_transform_edt(inside)
    to_inside = distance_transform_edt(~inside)
    core = to_outside > width_px
    beyond = to_inside > width_px
    planes = (inside, core, inside & ~core, ~inside & ~beyond, beyond)
    return dict(zip(REGIONS, planes, strict=True))
