"""Do maps stay when the image hardly changes? A map that jumps cannot be read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from axilla.explanation.faithfulness.deletion_insertion import shown_planes
from axilla.explanation.faithfulness.model_randomisation import Explains
from axilla.explanation.faithfulness.rank_correlation import rank_correlations
from axilla.explanation.methods.case_model import Described
from axilla.explanation.methods.explainer import Maps
from axilla.records.types import ImageModality

SHIFT_SHARE: Final = 4 / 224
"""Shift as a share of the side: 4 px of 224, an eighth of a cell of a map of 7 x 7."""
BRIGHTNESS: Final = 0.95
"""Darker, not brighter: nothing is clipped."""

Alter = Callable[[torch.Tensor], torch.Tensor]


def likeness_when_altered(
    explains: Explains, described: Described, maps: Maps, *, modality: ImageModality
) -> dict[str, NDArray[np.float64]]:
    """Return the rank correlation (I,) of maps with those of the same images, slightly altered.

    `shift`: moved to the right, and down, edges repeated, mask and all; maps are enlarged to the
    image's size and moved back before they are compared, as a reader would see them. The mean of
    both directions. `brightness`: 5 % darker. NaN where a map is flat. After Alvarez-Melis &
    Jaakkola, WHI 2018, who ask for small changes of an explanation under small changes of input.
    """
    side = described.images[modality].planes.shape[-1]
    step_px = max(1, round(SHIFT_SHARE * side))
    before = _enlarge(maps.values, side)
    moved = []
    for axis in (-1, -2):

        def shift(planes: torch.Tensor, axis: int = axis) -> torch.Tensor:
            return _shift(planes, step_px, axis=axis)

        after = _enlarge(_map_altered(explains, described, maps, modality, shift), side)
        kept = side - step_px
        moved.append(
            rank_correlations(before.narrow(axis, 0, kept), after.narrow(axis, step_px, kept))
        )

    def darken(planes: torch.Tensor) -> torch.Tensor:
        shown, darker = shown_planes(modality), planes.clone()
        darker[:, :shown] = (planes[:, :shown].float() * BRIGHTNESS).round().to(torch.uint8)
        return darker

    darker = _map_altered(explains, described, maps, modality, darken)
    return {
        "shift": np.mean(moved, axis=0),
        "brightness": rank_correlations(maps.values, darker),
    }


def _map_altered(
    explains: Explains, described: Described, maps: Maps, modality: ImageModality, alter: Alter
) -> torch.Tensor:
    """Map the altered images, each among the unaltered rest of its case."""
    images = described.images[modality]
    planes = images.planes.clone()
    planes[maps.which] = alter(planes[maps.which])
    changed = {**described.images, modality: replace(images, planes=planes)}
    return explains.explain(replace(described, images=changed), maps.which).values


def _shift(planes: torch.Tensor, step_px: int, *, axis: int) -> torch.Tensor:
    """Move planes (B, C, S, S) by whole pixels towards the axis' end; its first line repeats."""
    side = planes.shape[axis]
    source = (torch.arange(side) - step_px).clamp(min=0)
    return planes.index_select(axis, source)


def _enlarge(maps: torch.Tensor, side: int) -> torch.Tensor:
    return functional.interpolate(
        maps.unsqueeze(1).float(), size=(side, side), mode="bilinear", align_corners=False
    ).squeeze(1)
