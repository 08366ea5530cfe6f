"""Estimated duration of a study on this machine, from timings on its first images."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import torch

from axilla.checks.images.inspected_image import measure
from axilla.cohort.splits.folds import Fold
from axilla.config.study import StudyConfig
from axilla.imaging.open_image import open_picture
from axilla.models.backbones import find_backbone
from axilla.preprocessing.augment import count_served_views
from axilla.preprocessing.normalise import network_input
from axilla.preprocessing.prepare import PixelSettings, prepare, resize_planes
from axilla.records.errors import CohortError, RoiError, UnreadableImage
from axilla.records.patients import ImageFile, Patient
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.training.candidates import all_splits
from axilla.training.data.embeddings import fixed_backbone
from axilla.training.engine.process_pool import start_worker
from axilla.training.heads.batched_training import steps_of
from axilla.training.networks.fit_network import Bags, fit_network
from axilla.training.networks.optimisation import of_network
from axilla.training.stage import choose_device, everybody_fold, plan_study
from axilla.training.unimodal_training import head_search, is_trained, network_search

_IMAGES: Final = 3
"""Images of a modality that are read. The fastest counts: the first also imports libraries."""
_TRAINED: Final = 8
"""Images of a training step that is timed."""
_FIXED_S: Final = 25.0
"""Imports, evaluation, figures and the report, in one process (benchmarks/RESULTS.md)."""
_HEAD_STEP_S: Final = 2e-4
"""One step of one head among others (benchmarks/RESULTS.md)."""
_MAP: Final = 4
_TEST: Final = 75
"""Cost of mapping one image and of testing its map, in forward passes of its network."""
_SHOWN: Final = 8
"""About how many patients a report shows."""


def estimate_seconds(config: StudyConfig, patients: Sequence[Patient]) -> float | None:
    """Return the estimated duration in seconds of a whole study of these patients.

    Reads the first images, and runs and trains every network of the study on them. Heads have a
    known cost per step. Cached results are ignored. Call it in a process of its own: it sets the
    process to one thread. None if no image can be read or the patients cannot be split.
    """
    members = [p for p in patients if p.label is not None and p.split == "development"]
    try:
        folds = (*plan_study(config, members), everybody_fold(config, members))
    except CohortError:
        return None
    start_worker()
    found = [_ModalityTiming.read(config, members, modality) for modality in IMAGE_MODALITIES]
    parts = [part for part in found if part is not None]
    if not parts:
        return None
    work = sum(part.estimate_seconds(folds) for part in parts) + _estimate_heads(config, folds)
    return _FIXED_S + work / (config.compute.jobs or os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class _ModalityTiming:
    """A study's images of one modality: how many, the first of them, the seconds to read one."""

    config: StudyConfig
    modality: ImageModality
    count: int
    planes: torch.Tensor
    reading_s: float

    @classmethod
    def read(
        cls, config: StudyConfig, patients: Sequence[Patient], modality: ImageModality
    ) -> "_ModalityTiming | None":
        """Read the first images as the check and training do; None if there are none to read."""
        files = [file for patient in patients for file in patient.images(modality)]
        if not getattr(config.models, modality):
            return None
        settings = PixelSettings.of(config.preprocessing)
        planes, seconds = [], []
        for file in files[:_IMAGES]:
            start = time.process_time()
            try:
                planes.append(_read_image(file, modality, settings))
            except (UnreadableImage, RoiError):
                continue
            seconds.append(time.process_time() - start)
        return (
            cls(config, modality, len(files), torch.stack(planes), min(seconds)) if planes else None
        )

    def estimate_seconds(self, folds: Sequence[Fold]) -> float:
        """Return the seconds of one process for all that is done with the images."""
        models, settings = self.config.models, self.config.preprocessing
        served = count_served_views(mirror=settings.mirror)
        names = getattr(models, self.modality)
        trained = [name for name in names if is_trained(name, self.config)]
        forward = [self._time_forward(name) for name in names]
        total = self.count * (self.reading_s + sum(forward) * (served + settings.crops))
        total += sum(self._estimate_training(name, folds) for name in trained)
        if models.fusion_training == "joint":
            total += len(models.fusion) * max(
                self._estimate_training(name, folds) for name in names
            )
        return total + max(forward) * served * self._count_explanation_passes()

    def _count_explanation_passes(self) -> int:
        """Return how many forward passes the maps and their tests cost."""
        asked, tested = self.config.explanation.patients, self.config.explanation.faithfulness_cases
        if isinstance(asked, str):
            asked = self.count if asked == "all" else _SHOWN + tested
        mapped = min(self.count, asked)
        return mapped * _MAP + min(mapped, tested) * _TEST

    def _time_forward(self, name: str) -> float:
        """Return the seconds that a network takes for one view of one image."""
        device, backbone = choose_device(self.config.compute.device), find_backbone(name)
        network = fixed_backbone(name, pretrained=False, seed=0).to(device)
        view = network_input(
            resize_planes(self.planes, self._get_side_px(name)).to(device),
            self.modality,
            expects=backbone.expects,
            outside_mask=self.config.preprocessing.outside_mask,
        )
        with torch.inference_mode():
            network(view[:1]).cpu()  # what is prepared only once is not timed
            start = _read_clock(device)
            network(view).cpu()
        return (_read_clock(device) - start) / len(view)

    def _estimate_training(self, name: str, folds: Sequence[Fold]) -> float:
        """Return the seconds of all fits of a network, from those of one small epoch."""
        device = choose_device(self.config.compute.device)
        search = replace(network_search(self.config, device), pretrained=False)
        recipe = search.recipe(
            name, search.grid[0], of_network(name, self.config.training.of(name))
        )
        planes = self.planes.repeat(-(-_TRAINED // len(self.planes)), 1, 1, 1)[:_TRAINED]
        labels = (torch.arange(len(planes)) % 2).float()
        bags = Bags(planes, torch.arange(len(planes)).numpy(), labels, self.modality)

        def time_epoch(images: int) -> float:
            start = _read_clock(device)
            fit_network(
                recipe,
                bags.resize(self._get_side_px(name)),
                range(images),
                watch=(),
                checkpoints=(1,),
                seed=0,
                device=device,
            )
            return _read_clock(device) - start

        few, many = time_epoch(2), time_epoch(_TRAINED)  # what they share is done once a fit
        per_image = max(many - few, many / _TRAINED) / (_TRAINED - 2)
        seen = sum(
            len(split.train) * (len(search.grid) if split in fold.inner else 1)
            for fold in folds
            for split in (*fold.inner, fold.outer)
        )
        images_each = self.count / max(1, len(folds[-1].outer.train))
        return per_image * seen * images_each * search.epochs

    def _get_side_px(self, name: str) -> int:
        trained = self.config.training.network_size_px if is_trained(name, self.config) else None
        side_px = find_backbone(name).fixed_size_px or trained
        return side_px or self.config.preprocessing.image_size_px


def _read_clock(device: torch.device) -> float:
    """Return processor seconds, which other programs do not lengthen; on a GPU wall seconds."""
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def _read_image(file: ImageFile, modality: ImageModality, settings: PixelSettings) -> torch.Tensor:
    measure(open_picture(file), modality)
    return prepare(file, modality, settings=settings)


def _estimate_heads(config: StudyConfig, folds: Sequence[Fold]) -> float:
    """Return the seconds of one process for all heads and strategies, at a known cost a step."""
    search = head_search(config)
    heads = sum(
        not is_trained(name, config)
        for modality in IMAGE_MODALITIES
        for name in getattr(config.models, modality)
    )
    if config.models.fusion_training == "head":
        heads += len(config.models.fusion)
    steps = sum(
        steps_of(len(split.train), point.batch_size)[1] * search.epochs
        for split in all_splits(folds)
        for point in search.grid
    )
    return heads * steps * _HEAD_STEP_S
