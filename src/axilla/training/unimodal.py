"""All unimodal models of a study: fixed backbones, trained networks, clinical and trivial ones."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from axilla.cohort.splits import Fold
from axilla.models.backbones import find_backbone
from axilla.preprocessing.clinical import ClinicalEncoder
from axilla.preprocessing.prepare import PixelSettings
from axilla.records.errors import CohortError, Problem
from axilla.records.folder import RunFolder
from axilla.records.patients import Patient
from axilla.records.progress import Progress
from axilla.records.study import StudyConfig
from axilla.records.units import IMAGE_MODALITIES, ImageModality
from axilla.training.candidates import Candidate, GridPoint, SearchRow, all_splits
from axilla.training.embeddings import embed_patients
from axilla.training.frozen import train_frozen, with_modality
from axilla.training.grid import HeadSearch
from axilla.training.logistic import encoders_of, standardised, train_logistic
from axilla.training.network_fold import NetworkSearch
from axilla.training.network_trials import NetworkTrial, load_trial, run_trials
from axilla.training.pixels import Pixels, store_pixels
from axilla.training.trivial import trivial_features

TRIVIAL = "trivial"


@dataclass(frozen=True, slots=True)
class Material:
    """What every trial of a study shares."""

    config: StudyConfig
    folder: RunFolder
    patients: Sequence[Patient]
    labels: torch.Tensor
    folds: Sequence[Fold]
    device: torch.device
    progress: Progress


@dataclass(slots=True)
class Unimodal:
    """Every unimodal model in every fold, and the baselines that fusion must not use."""

    candidates: list[Candidate] = field(default_factory=list)
    baselines: list[Candidate] = field(default_factory=list)
    rows: list[SearchRow] = field(default_factory=list)
    encoders: list[ClinicalEncoder] = field(default_factory=list)

    def of_fold(self, fold: Fold) -> list[Candidate]:
        """Return the fold's candidates for fusion."""
        return [candidate for candidate in self.candidates if candidate.fold == fold]


def is_trained(name: str, config: StudyConfig) -> bool:
    """Tell whether a network itself is trained, rather than a head on its fixed embeddings."""
    return config.models.training == "finetune" or find_backbone(name).weights is None


def train_unimodal(material: Material) -> Unimodal:
    """Train all unimodal models of a study in all folds."""
    result = Unimodal()
    trials: list[NetworkTrial] = []
    for modality in IMAGE_MODALITIES:
        names = getattr(material.config.models, modality)
        if not names:
            continue
        pixels = store_pixels(
            material.patients,
            modality,
            settings=PixelSettings.of(material.config.preprocessing),
            cache=material.folder.cache,
            progress=material.progress,
        )
        _require_both_classes(pixels, material)
        _train_heads(names, pixels, material, result)
        trials += _network_trials(names, pixels, material)
        if material.config.models.trivial:
            _train_trivial(modality, pixels, material, result)
    _train_networks(trials, material, result)
    if material.config.clinical and material.config.models.clinical:
        _train_clinical(material, result)
    return result


def _require_both_classes(pixels: Pixels, material: Material) -> None:
    """Raise `CohortError` if some training split has one outcome among those with an image."""
    present = torch.from_numpy(pixels.present)
    for fold in material.folds:
        for split in (*fold.inner, fold.outer):
            truth = material.labels[with_modality(split, present)]
            if not 0 < float(truth.sum()) < len(truth):
                raise CohortError(
                    Problem(
                        f"{fold.name}, {pixels.modality}",
                        f"{len(truth)} patients to train on, {int(truth.sum())} positive",
                        "both outcomes in every training split",
                        f"Use fewer folds or inner_folds, or no {pixels.modality} models.",
                    )
                )


def _train_heads(
    names: Sequence[str], pixels: Pixels, material: Material, result: Unimodal
) -> None:
    config = material.config
    for name in names:
        if is_trained(name, config):
            continue
        embeddings = embed_patients(
            name,
            pixels,
            settings=config.preprocessing,
            pretrained=config.models.weights == "pretrained",
            seed=config.study.seed,
            cache=material.folder.cache,
            device=material.device,
            progress=material.progress,
        )
        candidates, rows = train_frozen(
            name,
            pixels.modality,
            embeddings,
            material.labels,
            material.folds,
            search=HeadSearch.of(config.search, config.training),
            seed=config.study.seed,
            progress=material.progress,
        )
        result.candidates += candidates
        result.rows += rows


def _network_trials(names: Sequence[str], pixels: Pixels, material: Material) -> list[NetworkTrial]:
    config = material.config
    search = NetworkSearch(
        grid=tuple(
            GridPoint(rate, batch)
            for batch in config.search.network_batch_sizes
            for rate in config.search.network_rate_factors
        ),
        epochs=config.training.network_epochs,
        side_px=config.training.network_size_px or config.preprocessing.image_size_px,
        pretrained=config.models.weights == "pretrained",
        crop_min_area=config.preprocessing.crop_min_area,
        outside_mask=config.preprocessing.outside_mask,
        seed=config.study.seed,
    )
    labels = tuple(int(label) for label in material.labels)
    return [
        NetworkTrial(name, pixels, labels, fold, search, material.folder.cache)
        for name in names
        if is_trained(name, config)
        for fold in material.folds
    ]


def _train_networks(trials: Sequence[NetworkTrial], material: Material, result: Unimodal) -> None:
    jobs = material.config.compute.jobs or os.cpu_count() or 1
    run_trials(trials, jobs=jobs, device=material.device, progress=material.progress)
    for trial in trials:
        candidate, rows = load_trial(trial, components=material.config.training.reduce_to)
        result.candidates.append(candidate)
        result.rows += rows


def _train_trivial(
    modality: ImageModality, pixels: Pixels, material: Material, result: Unimodal
) -> None:
    features = trivial_features(
        material.patients, pixels, cache=material.folder.cache, progress=material.progress
    )
    present = torch.from_numpy(pixels.present)
    scaled = [standardised(features, present, split) for split in all_splits(material.folds)]
    candidates, rows = train_logistic(
        f"{modality}/{TRIVIAL}",
        modality,
        scaled,
        present=present,
        labels=material.labels,
        folds=material.folds,
    )
    result.baselines += candidates
    result.rows += rows


def _train_clinical(material: Material, result: Unimodal) -> None:
    present = torch.from_numpy(np.array([p.has("clinical") for p in material.patients]))
    result.encoders = encoders_of(material.patients, material.config, material.folds)
    values = [patient.clinical for patient in material.patients]
    features = [torch.from_numpy(encoder(values)) for encoder in result.encoders]
    candidates, rows = train_logistic(
        "clinical/logistic",
        "clinical",
        features,
        present=present,
        labels=material.labels,
        folds=material.folds,
    )
    result.candidates += candidates
    result.rows += rows
