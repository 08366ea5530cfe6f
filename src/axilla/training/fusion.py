"""Fusion inside each fold: the fold's own best unimodal models, their embeddings, one strategy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch

from axilla.cohort.splits import Fold, Split
from axilla.models.fusion import fusions
from axilla.records.digests import seed_of
from axilla.records.progress import Progress
from axilla.records.units import Modality
from axilla.training.candidates import Candidate, Output, Pick, SearchRow, pick
from axilla.training.frozen import with_modality
from axilla.training.grid import HeadSearch, Optimisation, search_heads, search_rows
from axilla.training.stacked import State, Trial

RATE = 1e-4
_HALVE_EVERY = 5

Selected = Mapping[Modality, Candidate]
"""One fold's unimodal model of each fused modality, in the order of fusion."""


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


def select_unimodal(candidates: Sequence[Candidate], modalities: Sequence[Modality]) -> Selected:
    """Return, of one fold's candidates, each modality's best by its inner score."""
    best: dict[Modality, Candidate] = {}
    for modality in modalities:
        mine = [candidate for candidate in candidates if candidate.modality == modality]
        if mine:
            best[modality] = max(mine, key=lambda candidate: candidate.inner_score)
    return best


def train_fusion(
    name: str,
    selected: Sequence[Selected],
    labels: torch.Tensor,
    folds: Sequence[Fold],
    *,
    search: HeadSearch,
    seed: int,
    progress: Progress,
) -> tuple[list[FusionCandidate], list[SearchRow]]:
    """Train one fusion strategy in every fold on the unimodal models `selected` there.

    Inner splits fuse the unimodal models of that inner split, so that no embedding comes from a
    network that saw the patients it is scored on. AdamW, rate 1e-4 times the grid's factor,
    halved every five epochs (paper 2.4.4). A strategy without parameters is only evaluated.
    """
    trials = [
        _trial(outputs, split, seed=seed_of(seed, name, split.train))
        for outputs, split in _outputs(selected, folds)
    ]
    with progress.task(f"Training {name} fusion", total=len(search.grid) * len(trials)) as advance:
        tried = search_heads(
            fusions[name],
            trials,
            labels,
            search=search,
            optimisation=Optimisation(torch.optim.AdamW, RATE, halve_every=_HALVE_EVERY),
            advance=advance,
        )
    candidates: list[FusionCandidate] = []
    rows: list[SearchRow] = []
    for chosen, parts in zip(pick(folds, tried.models, labels), selected, strict=True):
        candidates.append(_candidate(name, chosen, parts))
        rows += search_rows(name, chosen, tried, folds=len(folds))
    return candidates, rows


def _candidate(name: str, chosen: Pick, parts: Selected) -> FusionCandidate:
    anything = torch.stack([_known(part.outer) for part in parts.values()]).any(0)
    return FusionCandidate(
        name,
        chosen.fold,
        parts,
        logits=chosen.outer.logits.where(anything, torch.nan),
        inner_logits=chosen.inner_logits.where(anything, torch.nan),
        inner_score=chosen.inner_scores[chosen.point],
        state=chosen.outer.state,
    )


def _outputs(
    selected: Sequence[Selected], folds: Sequence[Fold]
) -> Iterator[tuple[list[Output], Split]]:
    for parts, fold in zip(selected, folds, strict=True):
        for number, split in enumerate(fold.inner):
            yield [part.inner[number] for part in parts.values()], split
        yield [part.outer for part in parts.values()], fold.outer


def _trial(outputs: Sequence[Output], split: Split, *, seed: int) -> Trial:
    present = torch.stack([_known(output) for output in outputs], dim=1)
    return Trial(
        embeddings=tuple(output.embedding for output in outputs),
        logits=torch.stack([output.logits for output in outputs], dim=1),
        present=present,
        train=with_modality(split, present.any(1)),
        seed=seed,
    )


def _known(output: Output) -> torch.Tensor:
    return torch.isfinite(output.logits)
