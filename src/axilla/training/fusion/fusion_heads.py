"""Fusion heads on embeddings inside each fold, and their results on disk."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from itertools import combinations
from pathlib import Path

import torch
from safetensors import safe_open

from axilla.cohort.splits.folds import Fold, Split
from axilla.models.fusion import fusions
from axilla.records.digests import seed_of
from axilla.records.types import Modality
from axilla.training.candidate_cache import CachedCandidate, save
from axilla.training.candidates import ModelOutput, SearchRow, by_fold, pick
from axilla.training.heads.batched_heads import State
from axilla.training.heads.batched_training import HeadTrial
from axilla.training.heads.frozen_heads import with_modality
from axilla.training.heads.hyperparameter_grid import HeadSearch, search_heads, search_rows
from axilla.training.networks.optimisation import Optimisation

Selected = Mapping[Modality, CachedCandidate]
"""One fold's unimodal model of each fused modality, in the order of fusion."""

Parts = Mapping[str, State]
"""States of one modality's networks: backbone, classifier, projection."""


@dataclass(frozen=True, slots=True)
class FusionCandidate:
    """A fusion strategy in one fold; `logits` (N,) are the outer model's, of all patients.

    `withheld` holds, by the modalities that were shown (`ultrasound`, `ultrasound+clinical`), the
    logits (N,) of patients who have more than these; NaN for the others. `parts` are networks
    trained jointly with the strategy; a modality that is not there keeps its selected model.
    """

    name: str
    fold: Fold
    selected: Selected
    logits: torch.Tensor
    inner_logits: torch.Tensor
    inner_score: float
    state: State
    withheld: Mapping[str, torch.Tensor] = field(default_factory=dict)
    parts: Mapping[Modality, Parts] = field(default_factory=dict)


def select_unimodal(
    candidates: Sequence[CachedCandidate], modalities: Sequence[Modality]
) -> Selected:
    """Return, of one fold's candidates, each modality's best by its inner score."""
    best: dict[Modality, CachedCandidate] = {}
    for modality in modalities:
        mine = [candidate for candidate in candidates if candidate.modality == modality]
        if mine:
            best[modality] = max(mine, key=lambda candidate: candidate.inner_score)
    return best


def withheld_patterns(
    present: torch.Tensor, modalities: Sequence[str]
) -> Iterator[tuple[str, torch.Tensor, torch.Tensor]]:
    """Yield each choice of fewer modalities: its name, presence (N, M), and who loses something.

    Patients (N,) bool to whom nothing is left, or who never had more, are not among the losers.
    """
    places = range(len(modalities))
    for size in range(1, len(modalities)):
        for kept in combinations(places, size):
            shown = present & torch.tensor([place in kept for place in places])
            fewer = shown.any(1) & (shown.sum(1) < present.sum(1))
            yield "+".join(modalities[place] for place in kept), shown, fewer


def keep_fused(path: Path, fused: Sequence[FusionCandidate], rows: Sequence[SearchRow]) -> None:
    """Write a strategy's candidates of some folds, and what was tried for them, to one file."""
    tensors: dict[str, torch.Tensor] = {}
    for place, result in enumerate(fused):
        tensors[f"{place}.logits"] = result.logits
        tensors[f"{place}.inner_logits"] = result.inner_logits
        tensors |= {f"{place}.state.{name}": value for name, value in result.state.items()}
        tensors |= {f"{place}.withheld.{name}": value for name, value in result.withheld.items()}
        for modality, parts in result.parts.items():
            for part, state in parts.items():
                start = f"{place}.parts.{modality}.{part}"
                tensors |= {f"{start}.{name}": value for name, value in state.items()}
    scores = [result.inner_score for result in fused]
    save(path, tensors, {"scores": scores, "rows": [astuple(row) for row in rows]})


def load_fused(
    path: Path, name: str, selected: Sequence[Selected]
) -> tuple[list[FusionCandidate], list[SearchRow]]:
    """Read a finished strategy, one candidate per fold, in the order it was kept."""
    with safe_open(path, framework="pt") as content:
        about = json.loads(content.metadata()["about"])
        tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118
    fused = [
        FusionCandidate(
            name,
            next(iter(models.values())).fold,
            models,
            logits=tensors[f"{place}.logits"],
            inner_logits=tensors[f"{place}.inner_logits"],
            inner_score=score,
            state=_under(tensors, f"{place}.state."),
            withheld=_under(tensors, f"{place}.withheld."),
            parts=_parts(_under(tensors, f"{place}.parts."), models),
        )
        for place, (models, score) in enumerate(zip(selected, about["scores"], strict=True))
    ]
    return fused, [SearchRow(*row) for row in about["rows"]]


def _under(tensors: State, start: str) -> State:
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }


def _parts(tensors: State, models: Selected) -> dict[Modality, Parts]:
    """Sort `MODALITY.PART.NAME` by modality and part."""
    parts: dict[Modality, Parts] = {}
    for modality in models:
        mine = _under(tensors, f"{modality}.")
        names = dict.fromkeys(name.split(".", 1)[0] for name in mine)
        if names:
            parts[modality] = {part: _under(mine, f"{part}.") for part in names}
    return parts


def train_fusion(
    name: str,
    selected: Sequence[Selected],
    labels: torch.Tensor,
    *,
    search: HeadSearch,
    optimisation: Optimisation,
    seed: int,
) -> tuple[list[FusionCandidate], list[SearchRow]]:
    """Train one fusion strategy in every fold on the unimodal models `selected` there.

    Inner splits fuse the unimodal models of that inner split, so that no embedding comes from a
    network that saw the patients it is scored on. A strategy without parameters is only evaluated.
    """
    folds = [next(iter(parts.values())).fold for parts in selected]
    trials = [
        _trial(
            outputs,
            split,
            seed=seed_of(seed, name, split.train),
            served_views=search.served_views,
        )
        for parts, fold in zip(selected, folds, strict=True)
        for outputs, split in _outputs(parts, fold)
    ]
    tried = search_heads(
        fusions[name],
        trials,
        labels,
        search=search,
        optimisation=optimisation,
    )
    fused: list[FusionCandidate] = []
    rows: list[SearchRow] = []
    anything = torch.stack([trial.present.any(1) for trial in trials]).any(0)
    for chosen, parts, (_, outer) in zip(
        pick(folds, tried.models, labels, present=anything),
        selected,
        by_fold(folds, trials),
        strict=True,
    ):
        fused.append(
            FusionCandidate(
                name,
                chosen.fold,
                parts,
                logits=chosen.outer.logits.where(anything, torch.nan),
                inner_logits=chosen.inner_logits,
                inner_score=chosen.inner_scores[chosen.point],
                state=chosen.outer.state,
                withheld=_withheld(name, chosen.outer.state, outer, modalities=list(parts)),
            )
        )
        rows += search_rows(name, chosen, tried, folds=len(folds))
    return fused, rows


def _outputs(parts: Selected, fold: Fold) -> Iterator[tuple[tuple[ModelOutput, ...], Split]]:
    """Pair each split of a fold with what the models trained on it say, one per modality."""
    per_split = zip(*(part.outputs() for part in parts.values()), strict=True)
    yield from zip(per_split, (*fold.inner, fold.outer), strict=True)


def _trial(
    outputs: Sequence[ModelOutput], split: Split, *, seed: int, served_views: int
) -> HeadTrial:
    present = torch.stack([torch.isfinite(output.logits) for output in outputs], dim=1)
    return HeadTrial(
        embeddings=tuple(output.embedding for output in outputs),
        logits=torch.stack([output.logits for output in outputs], dim=1),
        present=present,
        train=with_modality(split, present.any(1)),
        seed=seed,
        served_views=served_views,
    )


@torch.no_grad()
def _withheld(
    name: str, state: State, trial: HeadTrial, *, modalities: Sequence[str]
) -> dict[str, torch.Tensor]:
    """Return the logits (N,) that the head gives when it is shown only some modalities."""
    head = fusions[name]([embedding.shape[2] for embedding in trial.embeddings])
    head.load_state_dict(dict(state))
    head.eval()
    served = [e[:, : trial.served_views].mean(1).nan_to_num() for e in trial.embeddings]
    return {
        pattern: head(served, trial.logits.nan_to_num(), shown).where(fewer, torch.nan)
        for pattern, shown, fewer in withheld_patterns(trial.present, modalities)
    }
