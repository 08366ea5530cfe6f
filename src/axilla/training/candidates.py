"""What a model became in one fold, and the choice among its hyperparameters inside that fold."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from sklearn.metrics import log_loss, roc_auc_score

from axilla.cohort.splits.folds import Fold, Split
from axilla.records.types import Modality
from axilla.training.heads.batched_heads import State
from axilla.training.heads.batched_training import TrainedHead

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """What one trained model says of all: embeddings (N, V, K), logits (N,), NaN = absent."""

    embedding: torch.Tensor
    logits: torch.Tensor


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One cell of the hyperparameter grid; the rate is times the model's own."""

    rate_factor: float
    batch_size: int

    def __str__(self) -> str:
        return f"rate x{self.rate_factor:g}, batch {self.batch_size}"


@dataclass(frozen=True, slots=True)
class SearchRow:
    """One tried grid point of one fold, for search.csv."""

    model: str
    fold: str
    hyperparameters: str
    inner_score: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model in one fold: trained on each inner split and on the whole outer training set.

    `inner_logits` (N,) are out-of-fold predictions of the outer training patients, NaN elsewhere;
    `parts` holds the states a bundle needs, of the model trained on the outer training set.
    """

    model: str
    modality: Modality
    fold: Fold
    inner: tuple[ModelOutput, ...]
    outer: ModelOutput
    inner_logits: torch.Tensor
    inner_score: float
    parts: Mapping[str, State] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pick:
    """The grid point that won a fold: its trained inner models, outer model and inner logits."""

    fold: Fold
    point: int
    inner: Sequence[TrainedHead]
    outer: TrainedHead
    inner_logits: torch.Tensor
    inner_scores: tuple[float, ...]
    """Inner score of every grid point, in the grid's order."""


def all_splits(folds: Sequence[Fold]) -> list[Split]:
    """List each fold's inner splits, then its outer split, fold after fold."""
    return [split for fold in folds for split in (*fold.inner, fold.outer)]


def by_fold(folds: Sequence[Fold], items: Sequence[Item]) -> Iterator[tuple[Sequence[Item], Item]]:
    """Cut a list in the order of `all_splits(folds)` into each fold's inner items and outer one."""
    start = 0
    for fold in folds:
        stop = start + len(fold.inner)
        yield items[start:stop], items[stop]
        start = stop + 1


def pick(
    folds: Sequence[Fold],
    tried: Sequence[Sequence[TrainedHead]],
    labels: torch.Tensor,
    *,
    present: torch.Tensor,
) -> Iterator[Pick]:
    """Choose each fold's grid point by its own inner splits.

    `tried[point]` holds that grid point's models in the order of `all_splits(folds)`. The outer
    model was trained without its test fold and is only looked up here, never scored. Patients who
    are not `present` (N,) bool brought nothing to predict from: they are no part of the choice.
    """
    for fold, *models in zip(folds, *(by_fold(folds, models) for models in tried), strict=True):
        inner_logits = [
            assemble(fold.inner, [trained.logits for trained in inner]).where(present, torch.nan)
            for inner, _ in models
        ]
        best = best_of(inner_logits, labels)
        yield Pick(
            fold,
            best,
            inner=models[best][0],
            outer=models[best][1],
            inner_logits=inner_logits[best],
            inner_scores=tuple(inner_auc(logits, labels) for logits in inner_logits),
        )


def assemble(splits: Sequence[Split], logits: Sequence[torch.Tensor]) -> torch.Tensor:
    """Put each inner split's logits of its left-out patients into one (N,), NaN elsewhere."""
    joined = torch.full_like(logits[0], torch.nan)
    for split, values in zip(splits, logits, strict=True):
        test = torch.tensor(split.test)
        joined[test] = values[test]
    return joined


def inner_auc(logits: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the AUC over patients with a finite logit; 0.5 where only one class has any."""
    known = torch.isfinite(logits)
    truth = labels[known]
    if not 0 < float(truth.sum()) < len(truth):
        return 0.5
    return float(roc_auc_score(truth.numpy(), logits[known].numpy()))


def best_of(inner_logits: Sequence[torch.Tensor], labels: torch.Tensor) -> int:
    """Return the position of the highest inner AUC; equal ones by lower log loss, then order."""

    def rank(logits: torch.Tensor) -> tuple[float, float]:
        known = torch.isfinite(logits)
        if not known.any():  # training diverged
            return -1.0, 0.0
        chance = logits[known].double().sigmoid().numpy()
        return inner_auc(logits, labels), -log_loss(labels[known].numpy(), chance, labels=[0, 1])

    return max(range(len(inner_logits)), key=lambda position: rank(inner_logits[position]))
