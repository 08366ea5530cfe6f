"""The grid of heads: every rate and batch size, all folds and inner splits side by side."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from axilla.models.fusion import Fusion
from axilla.records.study import SearchSection, TrainingSection
from axilla.training.candidates import GridPoint, Pick, SearchRow
from axilla.training.optimisation import Optimisation
from axilla.training.stacked import Schedule, Trained, Trial, train_stacked


@dataclass(frozen=True, slots=True)
class HeadSearch:
    """The grid, length and input width of head training, from study.toml."""

    grid: tuple[GridPoint, ...]
    epochs: int
    components: int
    modality_dropout: float = 0.0

    @classmethod
    def of(cls, search: SearchSection, training: TrainingSection) -> "HeadSearch":
        """Take what concerns heads from a study's [search] and [training]."""
        grid = tuple(
            GridPoint(rate, batch) for batch in search.batch_sizes for rate in search.rate_factors
        )
        return cls(
            grid,
            epochs=training.head_epochs,
            components=training.reduce_to,
            modality_dropout=training.modality_dropout,
        )


@dataclass(frozen=True, slots=True)
class Tried:
    """Trained heads of every grid point, in the order of the trials, and the seconds of each.

    `grid` holds what prints as hyperparameters.
    """

    grid: Sequence[object]
    models: list[list[Trained]]
    seconds: list[float]


def search_heads(
    strategy: type[Fusion],
    trials: Sequence[Trial],
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
        lambda schedule: train_stacked(strategy, trials, labels, schedule=schedule),
        grid,
        search=search,
        optimisation=optimisation,
    )


def search_grid(
    train: Callable[[Schedule], list[Trained]],
    grid: Sequence[GridPoint],
    *,
    search: HeadSearch,
    optimisation: Optimisation,
) -> Tried:
    """Train at every point of `grid`, all else being as `search` and `optimisation` have it."""
    models, seconds = [], []
    for point in grid:
        start = time.perf_counter()
        schedule = Schedule(
            optimisation,
            rate_factor=point.rate_factor,
            batch_size=point.batch_size,
            epochs=search.epochs,
            modality_dropout=search.modality_dropout,
        )
        models.append(train(schedule))
        seconds.append(time.perf_counter() - start)
    return Tried(grid, models, seconds)


def search_rows(model: str, chosen: Pick, tried: Tried, *, folds: int) -> list[SearchRow]:
    """Return one row per grid point of a fold; folds trained side by side share the seconds."""
    return [
        SearchRow(model, chosen.fold.name, str(point), inner_score=score, seconds=seconds / folds)
        for point, score, seconds in zip(
            tried.grid, chosen.inner_scores, tried.seconds, strict=True
        )
    ]
