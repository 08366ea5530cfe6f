"""Deletion and insertion tests of heatmaps, with random and edge baselines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from scipy.ndimage import gaussian_filter, sobel
from torch.nn import functional

from axilla.explanation.methods.case_model import CaseModel, Described
from axilla.explanation.methods.explainer import Maps
from axilla.preprocessing.prepare import resize_planes
from axilla.records.types import ImageModality

_BATCH = 8
_SHOWN: dict[ImageModality, int] = {"ultrasound": 1, "pathology": 3}
_COLOURS = 3
CELLS: Final = 14
"""Cells along a side of the grid: 16 px of 224, as fine as a transformer's patches."""
STEPS: Final = 8
RANDOM_ORDERS: Final = 2
"""Per image; over a cohort their mean varies little, and each costs seven versions of the image."""
BLUR_SHARE: Final = 1 / 16
"""Standard deviation of the blur as a share of the side. A cell is replaced by the same cell of
the image so blurred: texture and outlines smaller than a cell go, while no new edge or foreign
brightness appears, as a blank cell would bring, to which a network answers for itself (Petsiuk et
al. insert into a blurred image for that reason). What hangs on broad brightness alone is not
removed, for the map and its rivals alike."""


def shown_planes(modality: ImageModality) -> int:
    """Return how many leading planes are picture; an ultrasound image's last is its lesion mask.

    Tests alter the picture and leave the mask: where to look is given, not found.
    """
    return _SHOWN[modality]


def served_planes(model: CaseModel, modality: ImageModality, planes: torch.Tensor) -> torch.Tensor:
    """Return stored planes (B, C, S, S) at the side that the network sees, uint8."""
    return resize_planes(planes, model.parts[modality].manifest.side_px or planes.shape[-1])


@torch.no_grad()
def altered_logits(
    model: CaseModel,
    modality: ImageModality,
    *,
    described: Described,
    image: int,
    planes: torch.Tensor,
) -> torch.Tensor:
    """Return the logit (V,) of one image's case for each version (V, C, S, S) of that image."""
    found = []
    for part in planes.split(_BATCH):
        score = model.score_of(modality, torch.full((len(part),), image), described)
        found.append(score(model.embed(part, modality)).float().cpu())
    return torch.cat(found)


def edge_strength(model: CaseModel, modality: ImageModality, planes: torch.Tensor) -> torch.Tensor:
    """Return the strength of edges (B, S, S) in what the network sees of planes (B, C, S, S).

    Sobel's gradient magnitude of the mean over colours, with what preprocessing dimmed dimmed.
    """
    seen = model.views(planes, modality)[: len(planes), :_COLOURS].mean(1).cpu().numpy()
    across, down = (sobel(seen, axis=axis, mode="nearest") for axis in (2, 1))
    return torch.from_numpy(np.hypot(across, down))


@dataclass(frozen=True, slots=True)
class DeletionCurves:
    """Areas and curves (STEPS + 1,) by name: `deletion` and `insertion` of map, random, edges."""

    areas: Mapping[str, float]
    curves: Mapping[str, tuple[float, ...]]


def curves_of(
    model: CaseModel, described: Described, maps: Maps, *, modality: ImageModality, seed: int
) -> list[DeletionCurves]:
    """Remove and insert the cells of each mapped image in the order of its map and of rivals.

    Source: Petsiuk, Das & Saenko, BMVC 2018 (RISE). Their measure is a class probability;
    here it is the logit towards the side that the model predicts, so that cases at 0.99 count as
    those at 0.6 do: for a case with a logit below 0 map and logit are turned. A deletion curve is
    how far the logit has fallen from the whole image's, an insertion curve how far it has risen
    from the blurred image's, as a share of the largest difference between any two versions of
    the image, which makes cases compare. For both areas, more is better; random areas are the
    mean of seeded orders.
    """
    rng = torch.Generator().manual_seed(seed)
    return [
        _curves(model, described, int(image), modality=modality, heat=heat, rng=rng)
        for image, heat in zip(maps.which, _towards_prediction(maps), strict=True)
    ]


def _towards_prediction(maps: Maps) -> torch.Tensor:
    return maps.values * torch.where(maps.logits < 0, -1.0, 1.0).view(-1, 1, 1)


def _curves(
    model: CaseModel,
    described: Described,
    image: int,
    *,
    modality: ImageModality,
    heat: torch.Tensor,
    rng: torch.Generator,
) -> DeletionCurves:
    stored = described.images[modality].planes[image : image + 1]
    planes = served_planes(model, modality, stored)
    side = min(CELLS, planes.shape[-1])
    edges = edge_strength(model, modality, planes)[0]
    orders = {
        "map": [_order(_cells(heat, side), rng)],
        "edges": [_order(_cells(edges, side), rng)],
        "random": [torch.randperm(side * side, generator=rng) for _ in range(RANDOM_ORDERS)],
    }
    removed = torch.stack(
        [
            # A random order's end is as random as its beginning, and both curves then ask for
            # the same versions of the image.
            _mask_steps(order, inserted=order.flip(0) if name == "random" else order)
            for name, rows in orders.items()
            for order in rows
        ]
    )
    versions, asked = removed.flatten(0, 2).unique(dim=0, return_inverse=True)
    logits = altered_logits(
        model,
        modality,
        described=described,
        image=image,
        planes=_without(planes, versions.view(-1, 1, side, side), shown=shown_planes(modality)),
    ).double()
    reached = logits[asked].view(removed.shape[:3])
    return _measure_curves(reached, {name: len(rows) for name, rows in orders.items()})


def _cells(heat: torch.Tensor, side: int) -> torch.Tensor:
    """Bring a map (h, w) to the grid's cells: means of a finer map, a coarser one smoothed."""
    plane = heat[None, None].float()
    if min(heat.shape) >= side:
        return functional.adaptive_avg_pool2d(plane, side).flatten()
    return functional.interpolate(
        plane, size=(side, side), mode="bilinear", align_corners=False
    ).flatten()


def _order(cells: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return cells from highest to lowest; equal ones in random order, not by their place."""
    shuffled = torch.randperm(len(cells), generator=rng)
    return shuffled[cells[shuffled].argsort(descending=True, stable=True)]


def _mask_steps(deleted: torch.Tensor, *, inserted: torch.Tensor) -> torch.Tensor:
    """Return what is removed (2, STEPS + 1, P) bool: along deletion, then along insertion."""
    done = torch.linspace(0, len(deleted), STEPS + 1).round().long().unsqueeze(1)
    return torch.stack([deleted.argsort() < done, inserted.argsort() >= done])


def _without(planes: torch.Tensor, removed: torch.Tensor, *, shown: int) -> torch.Tensor:
    """Return versions (V, C, S, S) of one image (1, C, S, S), cells `removed` (V, 1, g, g)."""
    side = planes.shape[-1]
    where = functional.interpolate(removed.float(), size=(side, side), mode="nearest") > 0
    versions = planes.repeat(len(removed), 1, 1, 1)
    versions[:, :shown] = torch.where(where, _blur(planes[:, :shown]), planes[:, :shown])
    return versions


def _blur(planes: torch.Tensor) -> torch.Tensor:
    sigma_px = planes.shape[-1] * BLUR_SHARE
    smooth = gaussian_filter(
        planes.numpy().astype(np.float32), (0, 0, sigma_px, sigma_px), mode="nearest"
    )
    return torch.from_numpy(smooth).round().clamp(0, 255).to(torch.uint8)


def _measure_curves(reached: torch.Tensor, sizes: Mapping[str, int]) -> DeletionCurves:
    """Measure logits (orders, 2, STEPS + 1) reached; `sizes` says how many orders each name has."""
    whole, blurred = reached[0, 0, 0], reached[0, 1, 0]
    side = -1.0 if whole < 0 else 1.0
    widest = reached.max() - reached.min()
    scale = side / widest if widest > 0 else torch.tensor(torch.nan)
    fallen = (whole - reached[:, 0]) * scale
    risen = (reached[:, 1] - blurred) * scale
    areas, curves, start = {}, {}, 0
    for name, size in sizes.items():
        for kind, change in (("deletion", fallen), ("insertion", risen)):
            curve = change[start : start + size].mean(0)
            areas[f"{kind}_{name}"] = float(torch.trapezoid(curve, dx=1 / STEPS))
            curves[f"{kind}_{name}"] = tuple(curve.tolist())
        start += size
    return DeletionCurves(areas, curves)
