"""Unimodal models on a fixed backbone: project, then train the heads of all folds together."""

from collections.abc import Sequence
from functools import partial

import torch

from axilla.cohort.splits.folds import Fold, Split
from axilla.models.fusion import Concatenation
from axilla.models.pca import Projection
from axilla.records.digests import seed_of
from axilla.records.types import Modality
from axilla.training.candidates import (
    Candidate,
    ModelOutput,
    Pick,
    SearchRow,
    all_splits,
    by_fold,
    pick,
)
from axilla.training.data.projection import fit_projection
from axilla.training.heads.batched_heads import State
from axilla.training.heads.batched_training import HeadTrial, TrainedHead
from axilla.training.heads.hyperparameter_grid import HeadSearch, search_heads, search_rows
from axilla.training.networks.optimisation import Optimisation


def train_frozen(
    name: str,
    modality: Modality,
    embeddings: torch.Tensor,
    labels: torch.Tensor,
    folds: Sequence[Fold],
    *,
    search: HeadSearch,
    optimisation: Optimisation,
    seed: int,
) -> tuple[list[Candidate], list[SearchRow]]:
    """Train the head of one fixed backbone in every fold and inner split.

    `embeddings` (N, V, D), NaN for patients without an image. A unimodal head is the paper's
    (2.4.1): dropout 0.5, one neuron.
    """
    model, splits = f"{modality}/{name}", all_splits(folds)
    present = torch.isfinite(embeddings[:, 0, 0])
    projections = [
        fit_projection(embeddings[with_modality(split, present)], components=search.components)
        for split in splits
    ]
    projected = [projection(embeddings) for projection in projections]
    trials = [
        HeadTrial(
            embeddings=(z,),
            logits=torch.zeros(len(present), 1),
            present=present.unsqueeze(1),
            train=with_modality(split, present),
            seed=seed_of(seed, model, split.train),
            served_views=search.served_views,
        )
        for z, split in zip(projected, splits, strict=True)
    ]
    tried = search_heads(
        Concatenation,
        trials,
        labels,
        search=search,
        optimisation=optimisation,
    )
    candidates, rows = [], []
    for chosen, components, (_, projection) in zip(
        pick(folds, tried.models, labels, present=present),
        by_fold(folds, projected),
        by_fold(folds, projections),
        strict=True,
    ):
        candidates.append(
            _candidate(model, modality, chosen, components, projection=projection, present=present)
        )
        rows += search_rows(model, chosen, tried, folds=len(folds))
    return candidates, rows


def _candidate(
    model: str,
    modality: Modality,
    chosen: Pick,
    components: tuple[Sequence[torch.Tensor], torch.Tensor],
    *,
    projection: Projection,
    present: torch.Tensor,
) -> Candidate:
    inner, outer = components
    return Candidate(
        model,
        modality,
        chosen.fold,
        inner=tuple(map(partial(_output, present=present), inner, chosen.inner)),
        outer=_output(outer, chosen.outer, present=present),
        inner_logits=chosen.inner_logits,
        inner_score=chosen.inner_scores[chosen.point],
        parts={
            "projection": projection.state_dict(),
            "classifier": on_embedding(projection, chosen.outer.state),
        },
    )


def _output(
    components: torch.Tensor, trained: TrainedHead, *, present: torch.Tensor
) -> ModelOutput:
    return ModelOutput(components, trained.logits.where(present, torch.nan))


def on_embedding(projection: Projection, head: State) -> State:
    """Write a linear head on components as the same classifier on the embedding itself."""
    axes, mean = projection.axes.double(), projection.mean.double()
    weight = head["output.weight"].double() @ axes.T
    bias = head["output.bias"].double() - weight @ mean
    return {"weight": weight.float(), "bias": bias.float()}


def with_modality(split: Split, present: torch.Tensor) -> torch.Tensor:
    """Return the positions of a split's training patients who bring the modality."""
    train = torch.tensor(split.train)
    return train[present[train]]
