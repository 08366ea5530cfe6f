"""Bags of images of a case: slides cut into tiles, pooled batch by batch."""

from collections.abc import Sequence

import torch

from axilla.imaging.slides.slide_bags import tiles_of
from axilla.inference.manifest import Manifest
from axilla.records.patients import ImageFile


class CaseBags:
    """Sums of what images say, by the softmax of their scores within each case.

    Sums are kept relative to each case's highest score so far, and rescaled when it rises.
    """

    def __init__(self, cases: int, *, width: int) -> None:
        """Start empty bags of `cases`; images will be embedded in `width` numbers."""
        self._total = torch.zeros(cases, width)
        self._weight = torch.zeros(cases)
        self._highest = torch.full((cases,), -torch.inf)
        self._owner: list[torch.Tensor] = []
        self._scores: list[torch.Tensor] = []

    def add(self, owner: torch.Tensor, values: torch.Tensor, scores: torch.Tensor) -> None:
        """Add images: the case (B,) of each, what it says (B, D), and its score (B,)."""
        highest = self._highest.scatter_reduce(0, owner, scores, "amax")
        kept = (self._highest - highest).exp().where(self._highest < highest, 1.0)
        weights = (scores - highest[owner]).exp()
        self._total.mul_(kept.unsqueeze(1)).index_add_(0, owner, weights.unsqueeze(1) * values)
        self._weight.mul_(kept).index_add_(0, owner, weights)
        self._highest = highest
        self._owner.append(owner)
        self._scores.append(scores)

    def vectors(self) -> torch.Tensor:
        """Return each case's pooled vector (N, D), NaN where it has no image."""
        empty = (self._weight == 0).unsqueeze(1)
        return (self._total / self._weight.unsqueeze(1)).masked_fill(empty, torch.nan)

    def shares(self) -> list[list[float]]:
        """Return per case the shares of its images, in the order they came."""
        owner = torch.cat([torch.zeros(0, dtype=torch.long), *self._owner])
        scores = torch.cat([torch.zeros(0), *self._scores])
        share = (scores - self._highest[owner]).exp() / self._weight[owner]
        shares: list[list[float]] = [[] for _ in range(len(self._weight))]
        for case, value in zip(owner.tolist(), share.tolist(), strict=True):
            shares[case].append(value)
        return shares


def in_tiles(
    files: Sequence[ImageFile], manifest: Manifest
) -> tuple[tuple[ImageFile, ...], tuple[str, ...]]:
    """Cut slides into tiles as in training; return them, and what is odd about a slide."""
    settings = manifest.preprocessing
    cut = [
        tiles_of(file, settings.tiles, side_px=settings.image_size_px, kept=None) for file in files
    ]
    return (
        tuple(tile for tiles, _ in cut for tile in tiles),
        tuple(f"{p.place}: {p.found}. {p.remedy}" for _, remarks in cut for _, p in remarks),
    )
