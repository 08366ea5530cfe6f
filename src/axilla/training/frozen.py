"""Unimodal models on a fixed backbone: project, then train the heads of all folds together."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch

from axilla.cohort.splits import Fold, Split
from axilla.models.backbones import find_backbone
from axilla.models.fusion import Concatenation
from axilla.models.projection import Projection
from axilla.records.digests import seed_of
from axilla.records.progress import Progress
from axilla.records.study import SearchSection, TrainingSection
from axilla.records.units import Modality
from axilla.training.candidates import (
    Candidate,
    GridPoint,
    Output,
    SearchRow,
    all_splits,
    by_fold,
    pick,
    search_rows,
)
from axilla.training.projection import fit_projection
from axilla.training.stacked import Schedule, State, Trained, Trial, train_stacked

_HALVE_EVERY = 10


@dataclass(frozen=True, slots=True)
class HeadSearch:
    """The grid, length and input width of head training, from study.toml."""

    grid: tuple[GridPoint, ...]
    epochs: int
    components: int

    @classmethod
    def of(cls, search: SearchSection, training: TrainingSection) -> "HeadSearch":
        """Take what concerns heads from a study's [search] and [training]."""
        grid = tuple(
            GridPoint(rate, batch) for batch in search.batch_sizes for rate in search.rate_factors
        )
        return cls(grid, epochs=training.head_epochs, components=training.reduce_to)


def train_frozen(
    name: str,
    modality: Modality,
    embeddings: torch.Tensor,
    labels: torch.Tensor,
    folds: Sequence[Fold],
    *,
    search: HeadSearch,
    seed: int,
    progress: Progress,
) -> tuple[list[Candidate], list[SearchRow]]:
    """Train the head of one fixed backbone in every fold and inner split.

    `embeddings` (N, V, D), NaN for patients without an image. A unimodal head is the paper's
    (2.4.1): dropout 0.5, one neuron, Adam, rate halved every ten epochs.
    """
    model, splits = f"{modality}/{name}", all_splits(folds)
    present = torch.isfinite(embeddings[:, 0, 0])
    projections = [
        fit_projection(embeddings[with_modality(split, present)], components=search.components)
        for split in splits
    ]
    projected = [projection(embeddings) for projection in projections]
    trials = [
        Trial(
            embeddings=(components,),
            logits=torch.zeros(len(labels), 1),
            present=present.unsqueeze(1),
            train=with_modality(split, present),
            seed=seed_of(seed, model, split.train),
        )
        for components, split in zip(projected, splits, strict=True)
    ]
    tried: list[list[Trained]] = []
    seconds: list[float] = []
    with progress.task(f"Training {model}", total=len(search.grid) * len(trials)) as advance:
        for point in search.grid:
            start = time.perf_counter()
            schedule = Schedule(
                torch.optim.Adam,
                rate=find_backbone(name).learning_rate * point.rate_factor,
                batch_size=point.batch_size,
                epochs=search.epochs,
                halve_every=_HALVE_EVERY,
            )
            tried.append(
                train_stacked(Concatenation, trials, labels, schedule=schedule, advance=advance)
            )
            seconds.append(time.perf_counter() - start)
    share = [stack / len(folds) for stack in seconds]
    candidates, rows = [], []
    for chosen, (inner, outer), (_, projection) in zip(
        pick(folds, tried, labels),
        by_fold(folds, projected),
        by_fold(folds, projections),
        strict=True,
    ):
        candidates.append(
            Candidate(
                model,
                modality,
                chosen.fold,
                inner=tuple(map(partial(_output, present=present), inner, chosen.inner)),
                outer=_output(outer, chosen.outer, present=present),
                inner_logits=chosen.inner_logits,
                inner_score=chosen.inner_scores[chosen.point],
                parts={
                    "projection": projection.state_dict(),
                    "classifier": _on_embedding(projection, chosen.outer.state),
                },
            )
        )
        rows += search_rows(model, chosen, grid=search.grid, seconds=share)
    return candidates, rows


def _output(components: torch.Tensor, trained: Trained, *, present: torch.Tensor) -> Output:
    return Output(components, trained.logits.where(present, torch.nan))


def _on_embedding(projection: Projection, head: State) -> State:
    """Write a linear head on components as the same classifier on the embedding itself."""
    axes, mean = projection.axes.double(), projection.mean.double()
    weight = head["output.weight"].double() @ axes.T
    bias = head["output.bias"].double() - weight @ mean
    return {"weight": weight.float(), "bias": bias.float()}


def with_modality(split: Split, present: torch.Tensor) -> torch.Tensor:
    """Return the positions of a split's training patients who bring the modality."""
    train = torch.tensor(split.train)
    return train[present[train]]
