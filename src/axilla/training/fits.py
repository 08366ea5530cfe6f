"""Finished fits on disk, and the choice of grid point and epochs among those of inner splits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from axilla.cohort.splits.folds import Split
from axilla.training.candidate_cache import save
from axilla.training.candidates import assemble, best_of, inner_auc


@dataclass(frozen=True, slots=True)
class Fit:
    """What a fit says of all patients after each number of epochs: logits (N,), NaN = absent."""

    epochs: tuple[int, ...]
    logits: tuple[torch.Tensor, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The grid point and checkpoint that won a fold on its inner splits.

    `scores`, `tried_epochs` and `seconds` have one entry per grid point, each at its own best
    checkpoint.
    """

    point: int
    checkpoint: int
    epochs: int
    inner_logits: torch.Tensor
    scores: tuple[float, ...]
    tried_epochs: tuple[int, ...]
    seconds: tuple[float, ...]


def choose(fits: Sequence[Sequence[Fit]], splits: Sequence[Split], labels: torch.Tensor) -> Choice:
    """Choose among `fits[point][split]` by the AUC over all left-out patients of the splits."""
    best_checkpoints, joined = [], []
    for row in fits:
        per_checkpoint = [
            assemble(splits, [fit.logits[place] for fit in row])
            for place in range(len(row[0].epochs))
        ]
        best_checkpoints.append(best_of(per_checkpoint, labels))
        joined.append(per_checkpoint[best_checkpoints[-1]])
    point = best_of(joined, labels)
    epochs = [row[0].epochs[place] for row, place in zip(fits, best_checkpoints, strict=True)]
    return Choice(
        point,
        best_checkpoints[point],
        epochs[point],
        inner_logits=joined[point],
        scores=tuple(inner_auc(logits, labels) for logits in joined),
        tried_epochs=tuple(epochs),
        seconds=tuple(sum(fit.seconds for fit in row) for row in fits),
    )


def write_fit(
    path: Path, epochs: Sequence[int], tensors: Mapping[str, torch.Tensor], *, seconds: float
) -> None:
    """Write a fit atomically; tensors named `PLACE.logits` belong to the checkpoints in turn."""
    save(path, tensors, {"epochs": list(epochs), "seconds": seconds})


def read_fit(path: Path) -> Fit:
    """Read the logits of a finished fit; its other tensors stay on disk."""
    with safe_open(path, framework="pt") as content:
        about = json.loads(content.metadata()["about"])
        epochs = tuple(about["epochs"])
        logits = tuple(content.get_tensor(f"{place}.logits") for place in range(len(epochs)))
    return Fit(epochs, logits, seconds=about["seconds"])


def file_of(cache: Path, digest: str) -> Path:
    """Return where the result of that digest lies."""
    return cache / "trials" / f"{digest}.safetensors"
