"""Cached candidates and fits, and the choice of grid point and epoch by inner splits."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save as safetensors_of

from axilla.cohort.splits.folds import Fold, Split
from axilla.records.types import Modality
from axilla.training.candidates import (
    Candidate,
    ModelOutput,
    SearchRow,
    assemble,
    best_of,
    inner_auc,
)
from axilla.training.engine.cache_files import UNSEALED, write_sealed


@dataclass(frozen=True, slots=True)
class CachedCandidate:
    """A finished model of one fold: `logits` (N,) of its outer model, its inner logits and score.

    `path` and `place` say where the rest of it lies.
    """

    model: str
    modality: Modality
    fold: Fold
    logits: torch.Tensor
    inner_logits: torch.Tensor
    inner_score: float
    path: Path
    place: int

    def outputs(self) -> list[ModelOutput]:
        """Read what its inner models, then its outer model, say of all patients."""
        with safe_open(self.path, framework="pt") as content:
            return [
                ModelOutput(
                    content.get_tensor(f"{self.place}.embedding.{number}"),
                    content.get_tensor(f"{self.place}.logits.{number}"),
                )
                for number in range(len(self.fold.inner) + 1)
            ]

    def parts(self) -> dict[str, Mapping[str, torch.Tensor]]:
        """Read the states that a bundle needs, by part."""
        parts: dict[str, dict[str, torch.Tensor]] = {}
        start = f"{self.place}.parts."
        with safe_open(self.path, framework="pt") as content:
            for key in content.keys():  # noqa: SIM118 - not a mapping
                if key.startswith(start):
                    part, name = key.removeprefix(start).split(".", 1)
                    parts.setdefault(part, {})[name] = content.get_tensor(key)
        return dict(parts)


def keep(path: Path, candidates: Sequence[Candidate], rows: Sequence[SearchRow]) -> None:
    """Write candidates of some folds, and what was tried for them, to one file."""
    tensors: dict[str, torch.Tensor] = {}
    for place, candidate in enumerate(candidates):
        tensors[f"{place}.inner_logits"] = candidate.inner_logits
        for number, output in enumerate((*candidate.inner, candidate.outer)):
            tensors[f"{place}.embedding.{number}"] = output.embedding
            tensors[f"{place}.logits.{number}"] = output.logits
        for part, state in candidate.parts.items():
            tensors |= {f"{place}.parts.{part}.{name}": t for name, t in state.items()}
    models = [(c.model, c.modality, c.inner_score) for c in candidates]
    save(path, tensors, {"models": models, "rows": [astuple(row) for row in rows]})


def save(path: Path, tensors: Mapping[str, torch.Tensor], about: Mapping[str, object]) -> None:
    """Write a result: tensors, what JSON can hold about them, and a digest of all that."""
    # Equal tensors may share memory, which the format does not allow.
    whole = {name: tensor.contiguous().clone() for name, tensor in tensors.items()}
    metadata = {"about": json.dumps({"digest": UNSEALED} | dict(about))}
    write_sealed(path, safetensors_of(whole, metadata=metadata))


def load(path: Path, folds: Sequence[Fold]) -> tuple[list[CachedCandidate], list[SearchRow]]:
    """Read the scores of a finished file, one model per fold, in the order they were kept."""
    with safe_open(path, framework="pt") as content:
        about = json.loads(content.metadata()["about"])
        kept = [
            CachedCandidate(
                model,
                modality,
                fold,
                logits=content.get_tensor(f"{place}.logits.{len(fold.inner)}"),
                inner_logits=content.get_tensor(f"{place}.inner_logits"),
                inner_score=score,
                path=path,
                place=place,
            )
            for place, (fold, (model, modality, score)) in enumerate(
                zip(folds, about["models"], strict=True)
            )
        ]
    return kept, [SearchRow(*row) for row in about["rows"]]


def digest_of_tensor(tensor: torch.Tensor) -> str:
    """Return a digest of a tensor's shape and bytes."""
    content = hashlib.blake2b(str(tuple(tensor.shape)).encode(), digest_size=16)
    content.update(tensor.contiguous().numpy().tobytes())
    return content.hexdigest()


@dataclass(frozen=True, slots=True)
class Fit:
    """What a fit says of all patients after each number of epochs: logits (N,), NaN = absent."""

    epochs: tuple[int, ...]
    logits: tuple[torch.Tensor, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class GridChoice:
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


def choose(
    fits: Sequence[Sequence[Fit]], splits: Sequence[Split], labels: torch.Tensor
) -> GridChoice:
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
    return GridChoice(
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
