"""Fusion inside each fold: the fold's own best unimodal models, their embeddings, one strategy."""

from collections.abc import Iterator, Sequence

import torch

from axilla.cohort.splits.folds import Fold, Split
from axilla.models.fusion import fusions
from axilla.records.digests import seed_of
from axilla.training.candidates import Output, SearchRow, by_fold, pick
from axilla.training.fusion.fusion_heads import FusionCandidate, Selected, withheld_patterns
from axilla.training.heads.batched_heads import State
from axilla.training.heads.batched_training import Trial
from axilla.training.heads.frozen_heads import with_modality
from axilla.training.heads.hyperparameter_grid import HeadSearch, search_heads, search_rows
from axilla.training.networks.optimisation import Optimisation


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


def _outputs(parts: Selected, fold: Fold) -> Iterator[tuple[tuple[Output, ...], Split]]:
    """Pair each split of a fold with what the models trained on it say, one per modality."""
    per_split = zip(*(part.outputs() for part in parts.values()), strict=True)
    yield from zip(per_split, (*fold.inner, fold.outer), strict=True)


def _trial(outputs: Sequence[Output], split: Split, *, seed: int, served_views: int) -> Trial:
    present = torch.stack([torch.isfinite(output.logits) for output in outputs], dim=1)
    return Trial(
        embeddings=tuple(output.embedding for output in outputs),
        logits=torch.stack([output.logits for output in outputs], dim=1),
        present=present,
        train=with_modality(split, present.any(1)),
        seed=seed,
        served_views=served_views,
    )


@torch.no_grad()
def _withheld(
    name: str, state: State, trial: Trial, *, modalities: Sequence[str]
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
