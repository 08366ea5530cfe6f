"""The trials of a study: plain data, each with a file named by all that decides its result."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from axilla.cohort.splits.folds import Fold
from axilla.records.digests import digest_of
from axilla.training.candidate_cache import file_of, keep
from axilla.training.candidates import Candidate, SearchRow
from axilla.training.data.embeddings import load_embeddings, map_embeddings
from axilla.training.data.pixels import Pixels
from axilla.training.fusion.fusion_heads import (
    FusionCandidate,
    Selected,
    keep_fused,
    load_fused,
    train_fusion,
)
from axilla.training.heads.bag_heads import BagIndex
from axilla.training.heads.frozen_heads import train_frozen
from axilla.training.heads.hyperparameter_grid import HeadSearch
from axilla.training.heads.pooled_heads import train_pooled
from axilla.training.networks.optimisation import Optimisation

_FORMAT = 2
"""Raised when the same settings come to mean other numbers: old results are then not found."""

_POOLED_FORMAT = 1

Trained = tuple[list[Candidate], list[SearchRow]]


@dataclass(frozen=True, slots=True)
class FrozenTrial:
    """The heads of one fixed backbone, in all folds and at all grid points."""

    name: str
    pixels: Pixels
    embeddings: Path
    labels: tuple[int, ...]
    folds: tuple[Fold, ...]
    search: HeadSearch
    optimisation: Optimisation
    seed: int
    cache: Path
    pooling: str = "mean"

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files that the trial reads."""
        return (self.embeddings,)

    @property
    def path(self) -> Path:
        """File of the result."""
        key = (
            *("frozen", _FORMAT, self.name, self.embeddings.name, self.pixels.owner.tolist()),
            *(self.labels, _splits(self.folds), asdict(self.search), self.seed),
            asdict(self.optimisation),
            *(() if self.pooling == "mean" else ("pooling", _POOLED_FORMAT, self.pooling)),
        )
        return file_of(self.cache, digest_of(*key))

    def run(self, device: torch.device) -> None:
        """Train the heads; they are small, and so stay on the CPU."""
        del device
        candidates, rows = self._average() if self.pooling == "mean" else self._pool()
        keep(self.path, candidates, rows)

    def _average(self) -> Trained:
        return train_frozen(
            self.name,
            self.pixels.modality,
            load_embeddings(self.embeddings, self.pixels),
            _tensor(self.labels),
            self.folds,
            search=self.search,
            optimisation=self.optimisation,
            seed=self.seed,
        )

    def _pool(self) -> Trained:
        owner = torch.from_numpy(self.pixels.owner)
        return train_pooled(
            self.name,
            self.pixels.modality,
            map_embeddings(self.embeddings),
            _tensor(self.labels),
            self.folds,
            bags=BagIndex.of(owner, patients=self.pixels.patients),
            pooling=self.pooling,
            search=self.search,
            optimisation=self.optimisation,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True)
class FusionTrial:
    """One fusion strategy, in all folds and at all grid points, on the folds' chosen models."""

    name: str
    selected: tuple[Selected, ...]
    labels: tuple[int, ...]
    search: HeadSearch
    optimisation: Optimisation
    seed: int
    cache: Path

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files that the trial reads."""
        return tuple({k.path: None for parts in self.selected for k in parts.values()})

    @property
    def path(self) -> Path:
        """File of the result."""
        chosen = [[(k.path.name, k.place) for k in parts.values()] for parts in self.selected]
        key = (
            *("fusion", _FORMAT, self.name, chosen, self.labels, asdict(self.search), self.seed),
            asdict(self.optimisation),
        )
        return file_of(self.cache, digest_of(*key))

    def run(self, device: torch.device) -> None:
        """Train the strategy; it is small, and so stays on the CPU."""
        del device
        fused, rows = train_fusion(
            self.name,
            self.selected,
            _tensor(self.labels),
            search=self.search,
            optimisation=self.optimisation,
            seed=self.seed,
        )
        keep_fused(self.path, fused, rows)

    def load(self) -> tuple[list[FusionCandidate], list[SearchRow]]:
        """Read the finished result, one candidate per fold."""
        return load_fused(self.path, self.name, self.selected)


def _splits(folds: Sequence[Fold]) -> list[object]:
    return [(split.train, split.test) for fold in folds for split in (*fold.inner, fold.outer)]


def _tensor(labels: Sequence[int]) -> torch.Tensor:
    return torch.tensor(labels, dtype=torch.float32)
