"""Random resized crops and horizontal flips, one per image, for a whole batch at once."""

import math

import torch
from torch.nn import functional

_LARGEST_LOG_RATIO = math.log(4 / 3)
_FLIP_CHANCE = 0.5

SERVED_VIEWS = 2
"""Views that serving averages, of a study that mirrors images."""


def flip(planes: torch.Tensor) -> torch.Tensor:
    """Mirror (B, C, S, S) left to right; never top to bottom, where ultrasound has its skin."""
    return planes.flip(-1)


def served_views(planes: torch.Tensor, *, mirror: bool) -> list[torch.Tensor]:
    """Return the views whose average serving uses: the image and, if asked for, its mirror image.

    Further views of an embedding are random crops, for training only.
    """
    return [planes, flip(planes)] if mirror else [planes]


def count_served_views(*, mirror: bool) -> int:
    """Return how many views `served_views` makes of an image."""
    return SERVED_VIEWS if mirror else 1


def random_views(planes: torch.Tensor, *, min_area: float, rng: torch.Generator) -> torch.Tensor:
    """Cut a random resized crop from each image and flip half of them (paper 2.3.2).

    `planes` (B, C, S, S) in [0, 255]; returns float (B, C, S, S). Crop areas are uniform in
    [min_area, 1] of the image, log-uniform in aspect ratio within 3/4 to 4/3, as far as a crop of
    that area fits the image. All images keep their own plane alignment: a mask plane moves with
    its image.
    """
    count, side = planes.shape[0], planes.shape[-1]
    draws = torch.rand(count, 5, generator=rng)
    area = min_area + (1 - min_area) * draws[:, 0]
    most = area.log().neg().clamp(max=_LARGEST_LOG_RATIO)
    ratio = torch.exp(most * (2 * draws[:, 1] - 1))
    width = (area * ratio).sqrt().clamp(max=1)
    height = (area / ratio).sqrt().clamp(max=1)
    shift_x = (1 - width) * (2 * draws[:, 2] - 1)
    shift_y = (1 - height) * (2 * draws[:, 3] - 1)
    mirror = torch.where(draws[:, 4] < _FLIP_CHANCE, -1.0, 1.0)
    centres = (2 * torch.arange(side) + 1) / side - 1
    columns = (width * mirror).unsqueeze(1) * centres + shift_x.unsqueeze(1)
    rows = height.unsqueeze(1) * centres + shift_y.unsqueeze(1)
    # Without rotation a sample's column depends on its x alone: no matrix product per pixel.
    grid = torch.stack(
        [columns.unsqueeze(1).expand(-1, side, -1), rows.unsqueeze(2).expand(-1, -1, side)], dim=-1
    )
    return functional.grid_sample(
        planes.float(),
        grid.to(planes.device),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
