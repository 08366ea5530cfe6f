"""The trials of a study: plain data, each with a file named by all that decides its result."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from axilla.cohort.splits import Fold
from axilla.models.pretrained import identity_of
from axilla.records.digests import digest_of
from axilla.training.candidates import Candidate, Output, SearchRow, inner_auc
from axilla.training.embeddings import load_embeddings
from axilla.training.frozen import train_frozen
from axilla.training.fusion import FusionCandidate, Selected, train_fusion
from axilla.training.grid import HeadSearch
from axilla.training.kept import keep, save
from axilla.training.network_fold import NetworkFold, NetworkSearch, train_in_fold
from axilla.training.networks import Bags
from axilla.training.pixels import Pixels
from axilla.training.projection import fit_projection

_FORMAT = 1
"""Raised when the same settings come to mean other numbers: old results are then not found."""


@dataclass(frozen=True, slots=True)
class FrozenTrial:
    """The heads of one fixed backbone, in all folds and at all grid points."""

    name: str
    pixels: Pixels
    embeddings: Path
    labels: tuple[int, ...]
    folds: tuple[Fold, ...]
    search: HeadSearch
    seed: int
    cache: Path

    @property
    def path(self) -> Path:
        """File of the result."""
        key = (
            *("frozen", _FORMAT, self.name, self.embeddings.name, self.pixels.owner.tolist()),
            *(self.labels, _splits(self.folds), asdict(self.search), self.seed),
        )
        return _file(self.cache, key)

    def run(self, device: torch.device) -> None:
        """Train the heads; they are small, and so stay on the CPU."""
        del device
        candidates, rows = train_frozen(
            self.name,
            self.pixels.modality,
            load_embeddings(self.embeddings, self.pixels),
            _tensor(self.labels),
            self.folds,
            search=self.search,
            seed=self.seed,
        )
        keep(self.path, candidates, rows)


@dataclass(frozen=True, slots=True)
class NetworkTrial:
    """One network in one fold, its embeddings then projected as those of fixed backbones are."""

    name: str
    pixels: Pixels
    labels: tuple[int, ...]
    fold: Fold
    search: NetworkSearch
    components: int
    cache: Path

    @property
    def path(self) -> Path:
        """File of the result."""
        key = (
            *("network", _FORMAT, self.name, self.pixels.digest, self.pixels.owner.tolist()),
            *(self.labels, _splits([self.fold]), asdict(self.search), self.components),
            identity_of(self.name) if self.search.pretrained else "random",
        )
        return _file(self.cache, key)

    def run(self, device: torch.device) -> None:
        """Train the network on every inner split and on the fold's training set."""
        bags = Bags(
            self.pixels.load(), self.pixels.owner, _tensor(self.labels), self.pixels.modality
        )
        result = train_in_fold(self.name, bags, self.fold, search=self.search, device=device)
        candidate = self._candidate(result)
        rows = [SearchRow(candidate.model, self.fold.name, *tried) for tried in result.tried]
        keep(self.path, [candidate], rows)

    def _candidate(self, result: NetworkFold) -> Candidate:
        present = torch.from_numpy(self.pixels.present)
        projections, outputs = [], []
        for output, split in zip(
            (*result.inner, result.outer), (*self.fold.inner, self.fold.outer), strict=True
        ):
            train = torch.tensor(split.train)
            seen = output.embedding[train[present[train]]]
            projections.append(fit_projection(seen, components=self.components))
            outputs.append(Output(projections[-1](output.embedding), output.logits))
        parts = {"projection": projections[-1].state_dict()}
        for part in ("classifier", "backbone"):
            parts[part] = {
                name.removeprefix(f"{part}."): tensor
                for name, tensor in result.state.items()
                if name.startswith(f"{part}.")
            }
        return Candidate(
            f"{self.pixels.modality}/{self.name}",
            self.pixels.modality,
            self.fold,
            inner=tuple(outputs[:-1]),
            outer=outputs[-1],
            inner_logits=result.inner_logits,
            inner_score=inner_auc(result.inner_logits, _tensor(self.labels)),
            parts=parts,
        )


@dataclass(frozen=True, slots=True)
class FusionTrial:
    """One fusion strategy, in all folds and at all grid points, on the folds' chosen models."""

    name: str
    selected: tuple[Selected, ...]
    labels: tuple[int, ...]
    search: HeadSearch
    seed: int
    cache: Path

    @property
    def path(self) -> Path:
        """File of the result."""
        chosen = [[(k.path.name, k.place) for k in parts.values()] for parts in self.selected]
        key = ("fusion", _FORMAT, self.name, chosen, self.labels, asdict(self.search), self.seed)
        return _file(self.cache, key)

    def run(self, device: torch.device) -> None:
        """Train the strategy; it is small, and so stays on the CPU."""
        del device
        fused, rows = train_fusion(
            self.name, self.selected, _tensor(self.labels), search=self.search, seed=self.seed
        )
        tensors: dict[str, torch.Tensor] = {}
        for place, result in enumerate(fused):
            tensors[f"{place}.logits"] = result.logits
            tensors[f"{place}.inner_logits"] = result.inner_logits
            tensors |= {f"{place}.state.{key}": value for key, value in result.state.items()}
        save(self.path, tensors, [(f.name, "fusion", f.inner_score) for f in fused], rows)

    def load(self) -> tuple[list[FusionCandidate], list[SearchRow]]:
        """Read the finished result, one candidate per fold."""
        with safe_open(self.path, framework="pt") as content:
            about = json.loads(content.metadata()["about"])
            names = list(content.keys())
            fused = [
                FusionCandidate(
                    self.name,
                    next(iter(parts.values())).fold,
                    parts,
                    logits=content.get_tensor(f"{place}.logits"),
                    inner_logits=content.get_tensor(f"{place}.inner_logits"),
                    inner_score=score,
                    state={
                        name.removeprefix(start): content.get_tensor(name)
                        for start in (f"{place}.state.",)
                        for name in names
                        if name.startswith(start)
                    },
                )
                for place, (parts, (_, _, score)) in enumerate(
                    zip(self.selected, about["models"], strict=True)
                )
            ]
        return fused, [SearchRow(*row) for row in about["rows"]]


def _splits(folds: Sequence[Fold]) -> list[object]:
    return [(split.train, split.test) for fold in folds for split in (*fold.inner, fold.outer)]


def _tensor(labels: Sequence[int]) -> torch.Tensor:
    return torch.tensor(labels, dtype=torch.float32)


def _file(cache: Path, key: Sequence[object]) -> Path:
    return cache / "trials" / f"{digest_of(*key)}.safetensors"
