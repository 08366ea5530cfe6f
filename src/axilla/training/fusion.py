"""Fusion inside each fold: the fold's own best unimodal models, their embeddings, one strategy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from axilla.cohort.splits import Fold, Split
from axilla.models.fusion import fusions
from axilla.records.digests import seed_of
from axilla.records.units import Modality
from axilla.training.candidates import Output, SearchRow, pick
from axilla.training.frozen import with_modality
from axilla.training.grid import HeadSearch, Optimisation, search_heads, search_rows
from axilla.training.kept import Kept
from axilla.training.stacked import State, Trial

RATE = 1e-4
_HALVE_EVERY = 5

Selected = Mapping[Modality, Kept]
"""One fold's unimodal model of each fused modality, in the order of fusion."""


def select_unimodal(candidates: Sequence[Kept], modalities: Sequence[Modality]) -> Selected:
    """Return, of one fold's candidates, each modality's best by its inner score."""
    best: dict[Modality, Kept] = {}
    for modality in modalities:
        mine = [candidate for candidate in candidates if candidate.modality == modality]
        if mine:
            best[modality] = max(mine, key=lambda candidate: candidate.inner_score)
    return best


@dataclass(frozen=True, slots=True)
class FusionCandidate:
    """A fusion strategy in one fold; `logits` (N,) are the outer model's, of all patients."""

    name: str
    fold: Fold
    selected: Selected
    logits: torch.Tensor
    inner_logits: torch.Tensor
    inner_score: float
    state: State


def train_fusion(
    name: str,
    selected: Sequence[Selected],
    labels: torch.Tensor,
    *,
    search: HeadSearch,
    seed: int,
) -> tuple[list[FusionCandidate], list[SearchRow]]:
    """Train one fusion strategy in every fold on the unimodal models `selected` there.

    Inner splits fuse the unimodal models of that inner split, so that no embedding comes from a
    network that saw the patients it is scored on. AdamW, rate 1e-4 times the grid's factor,
    halved every five epochs (paper 2.4.4). A strategy without parameters is only evaluated.
    """
    folds = [next(iter(parts.values())).fold for parts in selected]
    trials = [
        _trial(outputs, split, seed=seed_of(seed, name, split.train))
        for parts, fold in zip(selected, folds, strict=True)
        for outputs, split in _outputs(parts, fold)
    ]
    tried = search_heads(
        fusions[name],
        trials,
        labels,
        search=search,
        optimisation=Optimisation(torch.optim.AdamW, RATE, halve_every=_HALVE_EVERY),
    )
    fused: list[FusionCandidate] = []
    rows: list[SearchRow] = []
    for chosen, parts in zip(pick(folds, tried.models, labels), selected, strict=True):
        anything = torch.stack([torch.isfinite(part.logits) for part in parts.values()]).any(0)
        fused.append(
            FusionCandidate(
                name,
                chosen.fold,
                parts,
                logits=chosen.outer.logits.where(anything, torch.nan),
                inner_logits=chosen.inner_logits.where(anything, torch.nan),
                inner_score=chosen.inner_scores[chosen.point],
                state=chosen.outer.state,
            )
        )
        rows += search_rows(name, chosen, tried, folds=len(folds))
    return fused, rows


def _outputs(parts: Selected, fold: Fold) -> Iterator[tuple[tuple[Output, ...], Split]]:
    """Pair each split of a fold with what the models trained on it say, one per modality."""
    per_split = zip(*(part.outputs() for part in parts.values()), strict=True)
    yield from zip(per_split, (*fold.inner, fold.outer), strict=True)


def _trial(outputs: Sequence[Output], split: Split, *, seed: int) -> Trial:
    present = torch.stack([torch.isfinite(output.logits) for output in outputs], dim=1)
    return Trial(
        embeddings=tuple(output.embedding for output in outputs),
        logits=torch.stack([output.logits for output in outputs], dim=1),
        present=present,
        train=with_modality(split, present.any(1)),
        seed=seed,
    )
