"""Networks trained on images: one trial per split and grid point, then the fold's own choice."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open

from axilla.cohort.splits.folds import Fold, Split
from axilla.models.backbones import find_backbone
from axilla.models.pretrained import identity_of
from axilla.records.digests import digest_of, seed_of
from axilla.training.candidate_cache import GridChoice, choose, file_of, keep, read_fit, write_fit
from axilla.training.candidates import Candidate, GridPoint, ModelOutput, SearchRow
from axilla.training.data.pixels import Pixels
from axilla.training.data.projection import fit_projection
from axilla.training.networks.amp import Precision
from axilla.training.networks.fit_network import Bags, Checkpoint, Recipe, fit_network
from axilla.training.networks.optimisation import Optimisation

_FORMAT = 1
_CHECKPOINT_SHARES = (0.4, 0.6, 0.8, 1.0)
"""Early stopping chooses among these shares of the longest training."""


@dataclass(frozen=True, slots=True)
class NetworkSearch:
    """Everything that decides how networks are trained, from study.toml; names a cached trial."""

    grid: tuple[GridPoint, ...]
    epochs: int
    side_px: int
    pretrained: bool
    crop_min_area: float
    outside_mask: float
    seed: int
    precision: Precision = "float32"
    mirror: bool = True

    def checkpoints(self, optimisation: Optimisation) -> tuple[int, ...]:
        """Return the numbers of epochs that early stopping chooses among, ascending.

        A rate that falls to nothing at the end has only one: what is stopped earlier is not done.
        """
        if optimisation.schedule == "one_cycle":
            return (self.epochs,)
        return tuple(sorted({max(1, round(share * self.epochs)) for share in _CHECKPOINT_SHARES}))

    def recipe(self, name: str, point: GridPoint, optimisation: Optimisation) -> Recipe:
        """Return how the network is trained at one grid point."""
        return Recipe(
            name,
            optimisation,
            rate_factor=point.rate_factor,
            batch_size=point.batch_size,
            pretrained=self.pretrained,
            crop_min_area=self.crop_min_area,
            outside_mask=self.outside_mask,
            precision=self.precision,
            mirror=self.mirror,
        )

    def key(self) -> tuple[object, ...]:
        """Return what names a fit, whatever else the grid holds."""
        return tuple(asdict(replace(self, grid=(), epochs=0)).items())


@dataclass(frozen=True, slots=True)
class NetworkTrial:
    """One network trained on one split at one grid point, and what it says of all patients.

    At each of `epochs` the embedding is projected as that of a fixed backbone is, by axes fitted
    on the split's own training patients. `keep_state` keeps the last network itself.
    """

    name: str
    pixels: Pixels
    labels: tuple[int, ...]
    split: Split
    point: GridPoint
    search: NetworkSearch
    optimisation: Optimisation
    epochs: tuple[int, ...]
    components: int
    keep_state: bool
    cache: Path

    @property
    def path(self) -> Path:
        """File of the result."""
        key = (
            *("network", _FORMAT, self.name, self.pixels.digest, self.pixels.owner.tolist()),
            *(self.labels, self.split.train, self.split.test, asdict(self.point)),
            *(self.search.key(), asdict(self.optimisation), self.epochs, self.components),
            self.keep_state,
            identity_of(self.name) if self.search.pretrained else "random",
        )
        return file_of(self.cache, digest_of(*key))

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files that the trial reads."""
        return (self.pixels.path,)

    def run(self, device: torch.device) -> None:
        """Train the network; one split's training never reads what another's did."""
        started = time.perf_counter()
        labels = torch.tensor(self.labels, dtype=torch.float32)
        bags = Bags(self.pixels.load(), self.pixels.owner, labels, self.pixels.modality)
        fitted = fit_network(
            self.search.recipe(self.name, self.point, self.optimisation),
            bags.resize(find_backbone(self.name).fixed_size_px or self.search.side_px),
            self.split.train,
            watch=range(len(labels)),
            checkpoints=self.epochs,
            seed=seed_of(self.search.seed, self.name, bags.modality, self.split.train),
            device=device,
        )
        tensors: dict[str, torch.Tensor] = {}
        for place, checkpoint in enumerate(fitted):
            tensors |= self._describe_state(place, checkpoint)
        if self.keep_state:
            tensors |= {f"state.{key}": value for key, value in fitted[-1].state.items()}
        write_fit(self.path, self.epochs, tensors, seconds=time.perf_counter() - started)

    def _describe_state(self, place: int, checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        present = torch.from_numpy(self.pixels.present)
        train = torch.tensor(self.split.train)
        seen = checkpoint.embedding[train[present[train]]]
        projection = fit_projection(seen, components=self.components)
        tensors = {
            f"{place}.logits": checkpoint.logits,
            f"{place}.embedding": projection(checkpoint.embedding),
        }
        if self.keep_state:
            tensors |= {f"projection.{k}": v for k, v in projection.state_dict().items()}
        return tensors


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """One network in one fold: trials on its inner splits, a choice, one trial on all of it.

    The number of epochs is the checkpoint, common to all inner splits, with the best inner score;
    the outer model is trained for as many epochs and sees neither its test fold nor a score on it.
    """

    name: str
    pixels: Pixels
    labels: tuple[int, ...]
    fold: Fold
    search: NetworkSearch
    optimisation: Optimisation
    components: int
    cache: Path

    @property
    def model(self) -> str:
        """Name of the model in every table."""
        return f"{self.pixels.modality}/{self.name}"

    @property
    def path(self) -> Path:
        """File of the fold's candidate."""
        trials = [trial.path.name for row in self.search_trials() for trial in row]
        return file_of(self.cache, digest_of("network fold", _FORMAT, trials, self.labels))

    @property
    def is_settled(self) -> bool:
        """Tell whether there is one grid point and one number of epochs: nothing to choose."""
        return len(self.search.grid) == len(self._epochs()) == 1

    def search_trials(self) -> list[list[NetworkTrial]]:
        """Return the trials that the choice needs: per grid point, one per inner split."""
        return [
            [self._trial(split, point, self._epochs(), final=False) for split in self.fold.inner]
            for point in self.search.grid
        ]

    def choice(self) -> GridChoice:
        """Choose grid point and epochs by the finished inner trials."""
        fits = [[read_fit(trial.path) for trial in row] for row in self.search_trials()]
        return choose(fits, self.fold.inner, torch.tensor(self.labels, dtype=torch.float32))

    def final(self) -> NetworkTrial:
        """Return the trial of the chosen settings on the fold's whole training set."""
        if self.is_settled:
            return self._trial(self.fold.outer, self.search.grid[0], self._epochs(), final=True)
        chosen = self.choice()
        point = self.search.grid[chosen.point]
        return self._trial(self.fold.outer, point, (chosen.epochs,), final=True)

    def _epochs(self) -> tuple[int, ...]:
        return self.search.checkpoints(self.optimisation)

    def assemble(self) -> None:
        """Write the fold's candidate from its finished trials; the big outer file is then freed."""
        chosen, final = self.choice(), self.final()
        inner = [
            _output(trial.path, chosen.checkpoint) for trial in self.search_trials()[chosen.point]
        ]
        keep(
            self.path,
            [
                Candidate(
                    self.model,
                    self.pixels.modality,
                    self.fold,
                    inner=tuple(inner),
                    outer=_output(final.path, 0),
                    inner_logits=chosen.inner_logits,
                    inner_score=chosen.scores[chosen.point],
                    parts=_parts(final.path),
                )
            ],
            self._rows(chosen),
        )
        final.path.unlink()

    def _rows(self, chosen: GridChoice) -> list[SearchRow]:
        return [
            SearchRow(self.model, self.fold.name, f"{point}, {epochs} epochs", score, seconds)
            for point, epochs, score, seconds in zip(
                self.search.grid, chosen.tried_epochs, chosen.scores, chosen.seconds, strict=True
            )
        ]

    def _trial(
        self, split: Split, point: GridPoint, epochs: Sequence[int], *, final: bool
    ) -> NetworkTrial:
        return NetworkTrial(
            self.name,
            self.pixels,
            self.labels,
            split,
            point,
            self.search,
            self.optimisation,
            tuple(epochs),
            self.components,
            keep_state=final,
            cache=self.cache,
        )


def _output(path: Path, place: int) -> ModelOutput:
    with safe_open(path, framework="pt") as content:
        return ModelOutput(
            content.get_tensor(f"{place}.embedding"), content.get_tensor(f"{place}.logits")
        )


def _parts(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """Return projection, classifier and backbone of the outer network."""
    parts: dict[str, dict[str, torch.Tensor]] = {"projection": {}, "classifier": {}, "backbone": {}}
    with safe_open(path, framework="pt") as content:
        for name in content.keys():  # noqa: SIM118 - not a mapping
            part, *leaf = name.removeprefix("state.").split(".")
            if part in parts:
                parts[part][".".join(leaf)] = content.get_tensor(name)
    return parts
