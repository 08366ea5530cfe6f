"""The grid of heads: every rate and batch size, all folds and inner splits side by side."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from axilla.config.study import SearchSection, TrainingSection
from axilla.models.fusion import Fusion
from axilla.preprocessing.augment import SERVED_VIEWS
from axilla.training.candidates import GridPoint, Pick, SearchRow
from axilla.training.heads.batched_training import (
    HeadTrial,
    Schedule,
    TrainedHead,
    group_positions,
    train_at_rates,
)
from axilla.training.networks.optimisation import Optimisation


@dataclass(frozen=True, slots=True)
class HeadSearch:
    """The grid, length and input of head training, from study.toml.

    Heads see `components` of an embedding and predict from the mean of its first `served_views`.
    """

    grid: tuple[GridPoint, ...]
    epochs: int
    components: int
    modality_dropout: float = 0.0
    served_views: int = SERVED_VIEWS

    @classmethod
    def of(
        cls,
        search: SearchSection,
        training: TrainingSection,
        *,
        served_views: int = SERVED_VIEWS,
    ) -> "HeadSearch":
        """Take what concerns heads from a study's [search] and [training]."""
        grid = tuple(
            GridPoint(rate, batch) for batch in search.batch_sizes for rate in search.rate_factors
        )
        return cls(
            grid,
            epochs=training.head_epochs,
            components=training.reduce_to,
            modality_dropout=training.modality_dropout,
            served_views=served_views,
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """Trained heads of every grid point, in the order of the trials, and the seconds of each.

    `grid` holds what prints as hyperparameters.
    """

    grid: Sequence[object]
    models: list[list[TrainedHead]]
    seconds: list[float]


def search_heads(
    strategy: type[Fusion],
    trials: Sequence[HeadTrial],
    labels: torch.Tensor,
    *,
    search: HeadSearch,
    optimisation: Optimisation,
) -> Tried:
    """Train every trial at every grid point; a strategy without parameters needs one point."""
    widths = [embedding.shape[2] for embedding in trials[0].embeddings]
    trainable = any(True for _ in strategy(widths).parameters())
    grid = search.grid if trainable else search.grid[:1]
    return search_grid(
        partial(train_at_rates, strategy, trials, labels),
        grid,
        search=search,
        optimisation=optimisation,
    )


def search_grid(
    train: Callable[..., list[list[TrainedHead]]],
    grid: Sequence[GridPoint],
    *,
    search: HeadSearch,
    optimisation: Optimisation,
) -> Tried:
    """Train at every point of `grid`, all else being as `search` and `optimisation` have it.

    `train(schedule=..., rate_factors=...)` returns the trained heads of each rate; rates that share
    a batch size are trained together and share the seconds.
    """
    models: list[list[TrainedHead]] = [[] for _ in grid]
    seconds = [0.0] * len(grid)
    for points in group_positions(point.batch_size for point in grid):
        start = time.perf_counter()
        schedule = Schedule(
            optimisation,
            batch_size=grid[points[0]].batch_size,
            epochs=search.epochs,
            modality_dropout=search.modality_dropout,
        )
        rates = [grid[point].rate_factor for point in points]
        trained = train(schedule=schedule, rate_factors=rates)
        for point, at_rate in zip(points, trained, strict=True):
            models[point] = at_rate
            seconds[point] = (time.perf_counter() - start) / len(points)
    return Tried(grid, models, seconds)


def search_rows(model: str, chosen: Pick, tried: Tried, *, folds: int) -> list[SearchRow]:
    """Return one row per grid point of a fold; folds trained side by side share the seconds."""
    return [
        SearchRow(model, chosen.fold.name, str(point), inner_score=score, seconds=seconds / folds)
        for point, score, seconds in zip(
            tried.grid, chosen.inner_scores, tried.seconds, strict=True
        )
    ]
