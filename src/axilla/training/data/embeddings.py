"""Embeddings of fixed pretrained networks: once per image and view, kept by content."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import nn

from axilla.config.study import PreprocessingSection
from axilla.models.backbones import find_backbone
from axilla.models.pretrained import identity_of, load_pretrained
from axilla.preprocessing.augment import random_views, served_views
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import resize_planes
from axilla.records.digests import digest_of, seed_of
from axilla.records.progress import Progress
from axilla.training.candidate_cache import file_of, save
from axilla.training.data.pixels import Pixels, per_patient
from axilla.training.engine.cache_files import is_whole_array, write_array
from axilla.training.engine.engine import Engine, Trial, is_finished

_FORMAT = 3
_BATCH = 8
"""Images at once: sixteen are a tenth faster in one thread, and take twice the memory."""
_BLOCK = 64
"""Images of one trial: few enough that a study's trials are many, whatever the machine."""


@dataclass(frozen=True, slots=True)
class EmbeddingTrial:
    """What a fixed backbone makes of images `start` to `stop` of one modality."""

    name: str
    pixels: Pixels
    settings: PreprocessingSection
    pretrained: bool
    seed: int
    start: int
    stop: int
    cache: Path

    @property
    def path(self) -> Path:
        """File of the result."""
        return file_of(self.cache, digest_of("embeddings", *self._key(), self.start, self.stop))

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files that the trial reads."""
        return (self.pixels.path,)

    def run(self, device: torch.device) -> None:
        """Embed the images, and write embeddings (I, V, D)."""
        network = _network_on(device, self.name, self.pretrained, self.seed)
        planes = self.pixels.load()[self.start : self.stop]
        rng = torch.Generator().manual_seed(
            seed_of(self.seed, "crops", self.pixels.digest, self.start)
        )
        rows = [self._embed(network, some, rng, device) for some in planes.split(_BATCH)]
        save(self.path, {"embeddings": torch.cat(rows)}, {})

    def load(self) -> NDArray[np.float32]:
        """Read the finished embeddings (I, V, D)."""
        with safe_open(self.path, framework="np") as content:
            embeddings: NDArray[np.float32] = content.get_tensor("embeddings")
        return embeddings

    @torch.inference_mode()
    def _embed(
        self, network: nn.Module, stored: torch.Tensor, rng: torch.Generator, device: torch.device
    ) -> torch.Tensor:
        backbone = find_backbone(self.name)
        batch = resize_planes(stored, backbone.fixed_size_px or stored.shape[-1])

        def ready(view: torch.Tensor) -> torch.Tensor:
            return network_input(
                view.to(device),
                self.pixels.modality,
                expects=backbone.expects,
                outside_mask=self.settings.outside_mask,
            )

        # Mirrored once ready: the same values as the other way round, at a fifth of the cost.
        views = served_views(ready(batch), mirror=self.settings.mirror) + [
            ready(random_views(batch, min_area=self.settings.crop_min_area, rng=rng))
            for _ in range(self.settings.crops)
        ]
        return torch.stack([network(view) for view in views], dim=1).float().cpu()

    def _key(self) -> tuple[object, ...]:
        """Return what names the embeddings; nothing random is drawn without crops."""
        settings = self.settings
        drawn = (settings.crops, settings.crop_min_area, self.seed) if settings.crops else ()
        start = identity_of(self.name) if self.pretrained else f"random {self.seed}"
        views = (settings.mirror, *drawn, settings.outside_mask)
        return (_FORMAT, self.name, self.pixels.digest, views, start)


@dataclass(frozen=True)
class EmbeddingPlan:
    """One backbone on all images of one modality: a trial per block, then one file of them all."""

    name: str
    pixels: Pixels
    settings: PreprocessingSection
    pretrained: bool
    seed: int
    cache: Path

    @cached_property
    def path(self) -> Path:
        """File of the embeddings (I, V, D) of all images."""
        name = "-".join(trial.path.stem for trial in self._trials())
        return self.cache / "embeddings" / f"{digest_of(name)}.npy"

    def missing(self) -> tuple[EmbeddingTrial, ...]:
        """Return the trials that are still to be run: none once the file is there."""
        if is_whole_array(self.path):
            return ()
        return tuple(trial for trial in self._trials() if not is_finished(trial.path))

    def assemble(self) -> None:
        """Write the file from the finished trials, which are then freed."""
        if is_whole_array(self.path):
            return
        trials = list(self._trials())
        shape = trials[0].load().shape[1:]
        write_array(
            self.path,
            (trial.load() for trial in trials),
            shape=(len(self.pixels.owner), *shape),
            dtype=np.float32,
        )
        for trial in trials:
            trial.path.unlink()

    def _trials(self) -> Iterator[EmbeddingTrial]:
        count = len(self.pixels.owner)
        for start in range(0, count, _BLOCK):
            yield EmbeddingTrial(
                self.name,
                self.pixels,
                self.settings,
                self.pretrained,
                self.seed,
                start,
                min(start + _BLOCK, count),
                self.cache,
            )


@lru_cache(maxsize=1)
def _network_on(device: torch.device, name: str, pretrained: bool, seed: int) -> nn.Module:  # noqa: FBT001 - a key
    """Build a backbone for the blocks that a process embeds one after another."""
    return fixed_backbone(name, pretrained=pretrained, seed=seed).to(device)


def store_embeddings(
    plans: Sequence[EmbeddingPlan],
    engine: Engine,
    *,
    progress: Progress,
    extra_trials: Sequence[Trial] = (),
    label: str = "Embedding images",
) -> None:
    """Embed all images with all backbones, blocks of images side by side, unless it is done.

    `extra_trials` are finished too: what they do needs no embedding.
    """
    engine.finish([*_missing_blocks(plans), *extra_trials], label, progress=progress)
    for plan in plans:
        plan.assemble()


def _missing_blocks(plans: Sequence[EmbeddingPlan]) -> list[EmbeddingTrial]:
    """Return the trials that plans still need, network by network: a process keeps its last."""
    by_network = sorted(plans, key=lambda plan: plan.name)
    return [trial for plan in by_network for trial in plan.missing()]


def load_embeddings(path: Path, pixels: Pixels) -> torch.Tensor:
    """Return embeddings (N, V, D), bags averaged; NaN for patients without an image."""
    images = torch.from_numpy(np.load(path))
    return per_patient(images, pixels.owner, patients=pixels.patients)


def map_embeddings(path: Path) -> torch.Tensor:
    """Map the embeddings (I, V, D) of all images into memory; pages are read when touched."""
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def fixed_backbone(name: str, *, pretrained: bool, seed: int) -> nn.Module:
    """Build a backbone for inference, channels last, pretrained or from a seeded random start."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = find_backbone(name).build()
    if pretrained:
        load_pretrained(name, network)
    return network.eval().to(memory_format=torch.channels_last)
