"""Joint fusion in a fold: trials on the inner splits, the fold's choice, one trial on all of it."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from axilla.cohort.splits.folds import Fold, Split
from axilla.models.backbones import find_backbone
from axilla.models.pretrained import identity_of
from axilla.records.digests import digest_of, seed_of
from axilla.records.types import IMAGE_MODALITIES, ImageModality, Modality
from axilla.training.candidate_cache import (
    CachedCandidate,
    GridChoice,
    choose,
    file_of,
    read_fit,
    write_fit,
)
from axilla.training.candidates import GridPoint, SearchRow
from axilla.training.data.pixels import Pixels
from axilla.training.fusion.fusion_heads import FusionCandidate, Parts, Selected, keep_fused
from axilla.training.fusion.joint_training import Features, JointInputs, fit_joint
from axilla.training.heads.batched_heads import State
from axilla.training.networks.fit_network import Bags
from axilla.training.networks.network_trials import NetworkSearch
from axilla.training.networks.optimisation import Optimisation

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class JointParts:
    """What is fused: pixels of image modalities, the fold's chosen models, all outcomes."""

    pixels: tuple[Pixels, ...]
    selected: Selected
    labels: tuple[int, ...]

    def key(self, *, pretrained: bool) -> tuple[object, ...]:
        """Return what names the parts."""
        images = [
            (p.digest, p.owner.tolist(), name, identity_of(name) if pretrained else "random")
            for p in self.pixels
            for name in (network_of(self.selected[p.modality]),)
        ]
        given = [(m, k.path.name, k.place) for m, k in self.selected.items() if m == "clinical"]
        return (tuple(self.selected), images, given, self.labels)

    def inputs(self, number: int, side_px: int) -> JointInputs:
        """Read everything for the fold's inner split `number`, its outer one being the last."""
        labels = torch.tensor(self.labels, dtype=torch.float32)
        images: dict[Modality, tuple[str, Bags]] = {}
        for pixels in self.pixels:
            name = network_of(self.selected[pixels.modality])
            bags = Bags(pixels.load(), pixels.owner, labels, pixels.modality)
            images[pixels.modality] = (
                name,
                bags.resize(find_backbone(name).fixed_size_px or side_px),
            )
        features = {m: _features(k, number) for m, k in self.selected.items() if m not in images}
        return JointInputs(images, features, tuple(self.selected), labels)


@dataclass(frozen=True, slots=True)
class JointTrial:
    """One strategy with its networks, trained on one split at one grid point."""

    name: str
    parts: JointParts
    split: Split
    number: int
    point: GridPoint
    search: NetworkSearch
    optimisation: Optimisation
    modality_dropout: float
    epochs: tuple[int, ...]
    keep_state: bool
    cache: Path

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files that the trial reads."""
        given = [k.path for m, k in self.parts.selected.items() if m not in IMAGE_MODALITIES]
        return (*(pixels.path for pixels in self.parts.pixels), *given)

    @property
    def path(self) -> Path:
        """File of the result."""
        key = (
            *("joint", _FORMAT, self.name, self.parts.key(pretrained=self.search.pretrained)),
            *(self.split.train, self.split.test, self.number, asdict(self.point)),
            *(self.search.key(), asdict(self.optimisation), self.modality_dropout, self.epochs),
            self.keep_state,
        )
        return file_of(self.cache, digest_of(*key))

    def run(self, device: torch.device) -> None:
        """Train networks and strategy together, and predict everybody."""
        started = time.perf_counter()
        fitted = fit_joint(
            self.search.recipe(self.name, self.point, self.optimisation),
            self.parts.inputs(self.number, self.search.side_px),
            self.split.train,
            checkpoints=self.epochs,
            modality_dropout=self.modality_dropout,
            seed=seed_of(self.search.seed, "joint", self.name, self.split.train),
            device=device,
        )
        tensors = {f"{place}.logits": done.logits for place, done in enumerate(fitted)}
        if self.keep_state:
            tensors |= {f"state.{name}": value for name, value in fitted[-1].state.items()}
            tensors |= {f"withheld.{name}": value for name, value in fitted[-1].withheld.items()}
        write_fit(self.path, self.epochs, tensors, seconds=time.perf_counter() - started)


@dataclass(frozen=True, slots=True)
class JointPlan:
    """One strategy in one fold, trained together with the fold's chosen networks."""

    name: str
    parts: JointParts
    fold: Fold
    search: NetworkSearch
    optimisation: Optimisation
    modality_dropout: float
    cache: Path

    @property
    def path(self) -> Path:
        """File of the fold's candidate."""
        trials = [trial.path.name for row in self.search_trials() for trial in row]
        return file_of(self.cache, digest_of("joint fold", _FORMAT, trials))

    @property
    def is_settled(self) -> bool:
        """Tell whether there is one grid point and one number of epochs: nothing to choose."""
        return len(self.search.grid) == len(self.search.checkpoints(self.optimisation)) == 1

    def search_trials(self) -> list[list[JointTrial]]:
        """Return the trials that the choice needs: per grid point, one per inner split."""
        checkpoints = self.search.checkpoints(self.optimisation)
        return [
            [
                self._trial(split, number, point, checkpoints, final=False)
                for number, split in enumerate(self.fold.inner)
            ]
            for point in self.search.grid
        ]

    def choice(self) -> GridChoice:
        """Choose grid point and epochs by the finished inner trials."""
        fits = [[read_fit(trial.path) for trial in row] for row in self.search_trials()]
        return choose(fits, self.fold.inner, torch.tensor(self.parts.labels, dtype=torch.float32))

    def final(self) -> JointTrial:
        """Return the trial of the chosen settings on the fold's whole training set."""
        last = len(self.fold.inner)
        if self.is_settled:
            epochs = self.search.checkpoints(self.optimisation)
            return self._trial(self.fold.outer, last, self.search.grid[0], epochs, final=True)
        chosen = self.choice()
        point = self.search.grid[chosen.point]
        return self._trial(self.fold.outer, last, point, (chosen.epochs,), final=True)

    def assemble(self) -> None:
        """Write the fold's candidate from its finished trials; the big outer file is then freed."""
        chosen, final = self.choice(), self.final().path
        with safe_open(final, framework="pt") as content:
            tensors = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
        state = _under(tensors, "state.")
        candidate = FusionCandidate(
            self.name,
            self.fold,
            self.parts.selected,
            logits=tensors["0.logits"],
            inner_logits=chosen.inner_logits,
            inner_score=chosen.scores[chosen.point],
            state=_under(state, "fusion."),
            withheld=_under(tensors, "withheld."),
            parts={modality: _parts(state, modality) for modality in self.parts.selected},
        )
        rows = [
            SearchRow(self.name, self.fold.name, f"{point}, {epochs} epochs", score, seconds)
            for point, epochs, score, seconds in zip(
                self.search.grid, chosen.tried_epochs, chosen.scores, chosen.seconds, strict=True
            )
        ]
        keep_fused(self.path, [candidate], rows)
        final.unlink()

    def _trial(
        self, split: Split, number: int, point: GridPoint, epochs: Sequence[int], *, final: bool
    ) -> JointTrial:
        return JointTrial(
            self.name,
            self.parts,
            split,
            number,
            point,
            self.search,
            self.optimisation,
            self.modality_dropout,
            tuple(epochs),
            keep_state=final,
            cache=self.cache,
        )


def network_of(model: CachedCandidate) -> str:
    """Return the name of a chosen image model's network."""
    return model.model.split("/", 1)[1]


def pixels_of(pixels: dict[ImageModality, Pixels], selected: Selected) -> tuple[Pixels, ...]:
    """Return the pixels of the image modalities among the chosen models."""
    return tuple(pixels[m] for m in IMAGE_MODALITIES if m in selected)


def _features(model: CachedCandidate, number: int) -> Features:
    output = model.outputs()[number]
    absent = ~torch.isfinite(output.logits)
    return Features(output.embedding.mean(1).masked_fill(absent.unsqueeze(1), torch.nan))


def _under(tensors: State, start: str) -> State:
    return {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }


def _parts(state: State, modality: Modality) -> Parts:
    """Return one modality's networks as a bundle names them."""
    network = _under(state, f"networks.{modality}.")
    if not network:
        return {"classifier": _under(state, f"probes.{modality}.")}
    return {part: _under(network, f"{part}.") for part in ("backbone", "classifier")}
