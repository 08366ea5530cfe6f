"""One network in one fold: grid and epochs chosen on the inner splits, then the outer model."""

import time
from dataclasses import dataclass

import torch

from axilla.cohort.splits import Fold
from axilla.models.backbones import find_backbone
from axilla.records.digests import seed_of
from axilla.training.candidates import GridPoint, Output, assemble, best_of, inner_auc
from axilla.training.networks import (
    Bags,
    Checkpoint,
    Recipe,
    fit_network,
    predict_network,
    restore,
)
from axilla.training.stacked import State

_CHECKPOINT_SHARES = (0.4, 0.6, 0.8, 1.0)
"""Early stopping chooses among these shares of the longest training."""


@dataclass(frozen=True, slots=True)
class NetworkSearch:
    """Everything that decides how networks are trained, from study.toml; names a cached trial."""

    grid: tuple[GridPoint, ...]
    epochs: int
    side_px: int
    pretrained: bool
    crop_min_area: float
    outside_mask: float
    seed: int

    def checkpoints(self) -> list[int]:
        """Return the numbers of epochs that early stopping chooses among, ascending."""
        return sorted({max(1, round(share * self.epochs)) for share in _CHECKPOINT_SHARES})

    def recipe(self, name: str, point: GridPoint) -> Recipe:
        """Return how the network is trained at one grid point."""
        return Recipe(
            name,
            rate=find_backbone(name).learning_rate * point.rate_factor,
            batch_size=point.batch_size,
            pretrained=self.pretrained,
            crop_min_area=self.crop_min_area,
            outside_mask=self.outside_mask,
        )


@dataclass(frozen=True, slots=True)
class NetworkFold:
    """What became of a network in one fold; `embedding` of each output is (N, 2, D)."""

    inner: tuple[Output, ...]
    outer: Output
    inner_logits: torch.Tensor
    tried: tuple[tuple[str, float, float], ...]
    """Hyperparameters, inner score and seconds of each grid point."""
    state: State


@dataclass(frozen=True, slots=True)
class _Try:
    recipe: Recipe
    point: GridPoint
    epochs: int
    inner: list[Checkpoint]
    inner_logits: torch.Tensor
    seconds: float


def train_in_fold(
    name: str, bags: Bags, fold: Fold, *, search: NetworkSearch, device: torch.device
) -> NetworkFold:
    """Train a network on every inner split and on the outer training set of one fold.

    The number of epochs is the checkpoint, common to all inner splits, with the best inner score;
    the outer model is trained for as many epochs and sees neither its test fold nor a score on it.
    """
    bags = bags.resized(find_backbone(name).fixed_size_px or search.side_px)
    tries = [
        _try(name, bags, fold, point=point, search=search, device=device) for point in search.grid
    ]
    best = tries[best_of([attempt.inner_logits for attempt in tries], bags.labels)]
    final = fit_network(
        best.recipe,
        bags,
        fold.outer.train,
        watch=(),
        checkpoints=[best.epochs],
        seed=seed_of(search.seed, name, bags.modality, fold.outer.train),
        device=device,
    )[-1]
    everyone = range(len(bags.labels))
    outputs = [
        Output(
            *predict_network(
                restore(best.recipe, kept.state, device=device), best.recipe, bags, everyone
            )
        )
        for kept in (*best.inner, final)
    ]
    return NetworkFold(
        inner=tuple(outputs[:-1]),
        outer=outputs[-1],
        inner_logits=best.inner_logits,
        tried=tuple(
            (
                f"{attempt.point}, {attempt.epochs} epochs",
                inner_auc(attempt.inner_logits, bags.labels),
                attempt.seconds,
            )
            for attempt in tries
        ),
        state=final.state,
    )


def _try(
    name: str,
    bags: Bags,
    fold: Fold,
    *,
    point: GridPoint,
    search: NetworkSearch,
    device: torch.device,
) -> _Try:
    start, recipe = time.perf_counter(), search.recipe(name, point)
    runs = [
        fit_network(
            recipe,
            bags,
            split.train,
            watch=split.test,
            checkpoints=search.checkpoints(),
            seed=seed_of(search.seed, name, bags.modality, split.train),
            device=device,
        )
        for split in fold.inner
    ]
    per_checkpoint = list(zip(*runs, strict=True))
    logits = [assemble(fold.inner, [kept.logits for kept in kepts]) for kepts in per_checkpoint]
    best = best_of(logits, bags.labels)
    return _Try(
        recipe,
        point,
        epochs=per_checkpoint[best][0].epochs,
        inner=list(per_checkpoint[best]),
        inner_logits=logits[best],
        seconds=time.perf_counter() - start,
    )
