"""Unimodal models that learn how to pool bags of images, on a fixed backbone, in all folds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from axilla.cohort.splits.folds import Fold, Split
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
from axilla.training.data.projection import fit_bag_projection
from axilla.training.heads.bag_heads import BagIndex, BagTrial, serve_bags, train_bags
from axilla.training.heads.batched_training import Schedule, TrainedHead
from axilla.training.heads.frozen_heads import on_embedding, with_modality
from axilla.training.heads.hyperparameter_grid import HeadSearch, Tried, search_grid, search_rows
from axilla.training.networks.optimisation import Optimisation

_STACKED_BYTES = 256 << 20
"""About how much of the splits' components stands in memory at once."""

_PROJECTED_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class _Fitted:
    """One split: its projection, its training patients with an image, and its head's seed."""

    projection: Projection
    train: torch.Tensor
    seed: int

    def components(self, images: torch.Tensor) -> torch.Tensor:
        """Project all images (I, V, D), some at a time, to (I, V, K)."""
        return torch.cat([self.projection(some) for some in images.split(_PROJECTED_AT_ONCE)])


def train_pooled(
    name: str,
    modality: Modality,
    images: torch.Tensor,
    labels: torch.Tensor,
    folds: Sequence[Fold],
    *,
    bags: BagIndex,
    pooling: str,
    search: HeadSearch,
    optimisation: Optimisation,
    seed: int,
) -> tuple[list[Candidate], list[SearchRow]]:
    """Train pool and head of one fixed backbone in every fold and inner split.

    `images` (I, V, D) are the embeddings of all images. What a split fits, projection, pool and
    head, it fits on its own training patients, of whom each counts once.

    Fusion gets a patient's pooled vector (K). Like the embedding of a network that was trained
    itself, it was learnt on the very patients on whom the outer fusion is trained: no test patient
    is involved, so this costs performance and flatters nothing (docs/protocol.md, Fusion).
    """
    model = f"{modality}/{name}"

    def fit_split(split: Split) -> _Fitted:
        train = with_modality(split, bags.present)
        mine = torch.isin(bags.owner, train)
        projection = fit_bag_projection(
            images[mine], bags.owner[mine], components=search.components
        )
        return _Fitted(projection, train, seed_of(seed, model, split.train))

    fits = [fit_split(split) for split in all_splits(folds)]
    tried = _search(
        fits,
        images,
        labels,
        bags=bags,
        pooling=pooling,
        search=search,
        optimisation=optimisation,
    )
    candidates, rows = [], []
    for chosen, (inner, outer) in zip(
        pick(folds, tried.models, labels, present=bags.present), by_fold(folds, fits), strict=True
    ):
        outputs = [
            _output(pooling, trained, fit.components(images), bags=bags, search=search)
            for fit, trained in zip((*inner, outer), (*chosen.inner, chosen.outer), strict=True)
        ]
        candidates.append(_candidate(model, modality, chosen, outputs, projection=outer.projection))
        rows += search_rows(model, chosen, tried, folds=len(folds))
    return candidates, rows


def _search(
    fits: Sequence[_Fitted],
    images: torch.Tensor,
    labels: torch.Tensor,
    *,
    bags: BagIndex,
    pooling: str,
    search: HeadSearch,
    optimisation: Optimisation,
) -> Tried:
    """Train every split at every grid point, as many splits side by side as memory allows."""
    models: list[list[TrainedHead]] = [[] for _ in search.grid]
    seconds = [0.0] * len(search.grid)
    for some in _in_memory(fits, images):
        trials = [
            BagTrial(fit.components(images), fit.train, fit.seed, search.served_views)
            for fit in some
        ]
        train = partial(_at_rates, pooling, trials, labels, bags)
        tried = search_grid(train, search.grid, search=search, optimisation=optimisation)
        for point, trained in enumerate(tried.models):
            models[point] += trained
            seconds[point] += tried.seconds[point]
    return Tried(search.grid, models, seconds)


def _at_rates(
    pooling: str,
    trials: Sequence[BagTrial],
    labels: torch.Tensor,
    bags: BagIndex,
    *,
    schedule: Schedule,
    rate_factors: Sequence[float],
) -> list[list[TrainedHead]]:
    """Train the bags' heads at one rate after another: memory holds the images of one."""
    return [
        train_bags(pooling, trials, labels, bags=bags, schedule=schedule, rate_factor=rate)
        for rate in rate_factors
    ]


def _in_memory(fits: Sequence[_Fitted], images: torch.Tensor) -> Iterator[Sequence[_Fitted]]:
    components = max(fit.projection.axes.shape[1] for fit in fits)
    split_bytes = images.shape[0] * images.shape[1] * components * images.element_size()
    at_once = max(1, _STACKED_BYTES // max(1, split_bytes))
    for start in range(0, len(fits), at_once):
        yield fits[start : start + at_once]


def _output(
    pooling: str,
    trained: TrainedHead,
    components: torch.Tensor,
    *,
    bags: BagIndex,
    search: HeadSearch,
) -> ModelOutput:
    served = serve_bags(
        pooling, trained.state, components, bags=bags, served_views=search.served_views
    )
    return ModelOutput(served.vectors, served.logits)


def _candidate(
    model: str,
    modality: Modality,
    chosen: Pick,
    outputs: Sequence[ModelOutput],
    *,
    projection: Projection,
) -> Candidate:
    state = chosen.outer.state
    pool = {
        name.removeprefix("pool."): tensor
        for name, tensor in state.items()
        if name.startswith("pool.")
    }
    return Candidate(
        model,
        modality,
        chosen.fold,
        inner=tuple(outputs[:-1]),
        outer=outputs[-1],
        inner_logits=chosen.inner_logits,
        inner_score=chosen.inner_scores[chosen.point],
        parts={
            "projection": projection.state_dict(),
            "pooling": pool,
            "classifier": on_embedding(projection, state),
        },
    )
