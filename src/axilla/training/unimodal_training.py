"""All unimodal models of a study: fixed backbones, trained networks, clinical and trivial ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from axilla.cohort.splits.folds import Fold
from axilla.config.study import StudyConfig
from axilla.models.backbones import find_backbone
from axilla.preprocessing.augment import count_served_views
from axilla.preprocessing.clinical import ClinicalEncoder
from axilla.preprocessing.prepare import PixelSettings
from axilla.records.digests import digest_of
from axilla.records.errors import CohortError, Problem
from axilla.records.patients import Patient
from axilla.records.progress import Progress
from axilla.records.run_folder import RunFolder
from axilla.records.types import IMAGE_MODALITIES, TRIVIAL, ImageModality, Modality
from axilla.training.candidate_cache import CachedCandidate, digest_of_tensor, keep, load
from axilla.training.candidates import GridPoint, SearchRow, all_splits
from axilla.training.data.embeddings import EmbeddingPlan, store_embeddings
from axilla.training.data.pixels import Pixels, store_pixels
from axilla.training.engine.engine import Engine, first_round, is_finished, second_round
from axilla.training.engine.trials import FrozenTrial
from axilla.training.heads.frozen_heads import with_modality
from axilla.training.heads.hyperparameter_grid import HeadSearch
from axilla.training.heads.logistic import (
    encoders_of,
    standardise,
    train_logistic,
    trivial_features,
)
from axilla.training.networks.amp import choose_precision
from axilla.training.networks.network_trials import NetworkPlan, NetworkSearch
from axilla.training.networks.optimisation import of_network


@dataclass(frozen=True, slots=True)
class TrainingInputs:
    """What every trial of a study shares."""

    config: StudyConfig
    folder: RunFolder
    patients: Sequence[Patient]
    labels: torch.Tensor
    folds: Sequence[Fold]
    engine: Engine
    progress: Progress

    @property
    def outcomes(self) -> tuple[int, ...]:
        """The labels as plain numbers, for trials that travel to other processes."""
        return tuple(int(label) for label in self.labels)


@dataclass(slots=True)
class Unimodal:
    """Every unimodal model in every fold, and the baselines that fusion must not use."""

    candidates: list[CachedCandidate] = field(default_factory=list)
    baselines: list[CachedCandidate] = field(default_factory=list)
    rows: list[SearchRow] = field(default_factory=list)
    pixels: dict[ImageModality, Pixels] = field(default_factory=dict)
    encoders: list[ClinicalEncoder] = field(default_factory=list)

    def add(
        self, trained: tuple[list[CachedCandidate], list[SearchRow]], *, baseline: bool = False
    ) -> None:
        """Add a finished model's folds, as candidates for fusion or as a baseline."""
        kept, rows = trained
        (self.baselines if baseline else self.candidates).extend(kept)
        self.rows.extend(rows)

    def of_fold(self, fold: Fold) -> list[CachedCandidate]:
        """Return the fold's candidates for fusion."""
        return [candidate for candidate in self.candidates if candidate.fold == fold]


def is_trained(name: str, config: StudyConfig) -> bool:
    """Tell whether a network itself is trained, rather than a head on its fixed embeddings."""
    return config.models.training == "finetune" or find_backbone(name).weights is None


def train_unimodal(material: TrainingInputs) -> Unimodal:
    """Train all unimodal models of a study in all folds."""
    result = Unimodal()
    work: list[tuple[FrozenTrial | NetworkPlan, Sequence[Fold]]] = []
    embeddings: list[EmbeddingPlan] = []
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
        result.pixels[modality] = pixels
        for name in names:
            if is_trained(name, material.config):
                plans = [_network_plan(name, pixels, fold, material) for fold in material.folds]
                work += [(plan, (plan.fold,)) for plan in plans]
            else:
                embeddings.append(_embedding_plan(name, pixels, material))
                trial = _frozen_trial(name, pixels, embeddings[-1].path, material)
                work.append((trial, material.folds))
        if material.config.models.trivial:
            _train_trivial(modality, pixels, material, result)
    _train_images(embeddings, [one for one, _ in work], material)
    for done, folds in work:
        result.add(load(done.path, folds))
    if material.config.clinical and material.config.models.clinical:
        _train_clinical(material, result)
    return result


def _train_images(
    embeddings: Sequence[EmbeddingPlan],
    work: Sequence[FrozenTrial | NetworkPlan],
    material: TrainingInputs,
) -> None:
    """Finish networks, and heads on what fixed networks make of the images."""
    engine, progress = material.engine, material.progress
    plans = [one for one in work if isinstance(one, NetworkPlan)]
    store_embeddings(
        embeddings,
        engine,
        progress=progress,
        extra_trials=first_round(plans),
        label="Embedding images, training networks" if plans else "Embedding images",
    )
    second_round(plans, engine, label="Training chosen networks", progress=progress)
    heads = [one for one in work if isinstance(one, FrozenTrial)]
    engine.finish(heads, "Training heads", progress=progress)


def _require_both_classes(pixels: Pixels, material: TrainingInputs) -> None:
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


def _embedding_plan(name: str, pixels: Pixels, material: TrainingInputs) -> EmbeddingPlan:
    config = material.config
    return EmbeddingPlan(
        name,
        pixels,
        config.preprocessing,
        pretrained=config.models.weights == "pretrained",
        seed=config.study.seed,
        cache=material.folder.cache,
    )


def _frozen_trial(
    name: str, pixels: Pixels, embeddings: Path, material: TrainingInputs
) -> FrozenTrial:
    config = material.config
    return FrozenTrial(
        name,
        pixels,
        embeddings,
        material.outcomes,
        tuple(material.folds),
        head_search(config),
        of_network(name, config.training.of(name)),
        seed=config.study.seed,
        cache=material.folder.cache,
        pooling=config.models.pooling,
    )


def head_search(config: StudyConfig) -> HeadSearch:
    """Return how a study trains heads."""
    views = count_served_views(mirror=config.preprocessing.mirror)
    return HeadSearch.of(config.search, config.training, served_views=views)


def network_search(config: StudyConfig, device: torch.device) -> NetworkSearch:
    """Return how a study trains networks on a device."""
    return NetworkSearch(
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
        precision=choose_precision(config.compute.precision, device.type),
        mirror=config.preprocessing.mirror,
    )


def _network_plan(name: str, pixels: Pixels, fold: Fold, material: TrainingInputs) -> NetworkPlan:
    config = material.config
    return NetworkPlan(
        name,
        pixels,
        material.outcomes,
        fold,
        network_search(config, material.engine.device),
        of_network(name, config.training.of(name)),
        components=config.training.reduce_to,
        cache=material.folder.cache,
    )


def _train_trivial(
    modality: ImageModality, pixels: Pixels, material: TrainingInputs, result: Unimodal
) -> None:
    features = trivial_features(
        material.patients, pixels, cache=material.folder.cache, progress=material.progress
    )
    present = torch.from_numpy(pixels.present)
    scaled = [standardise(features, present, split) for split in all_splits(material.folds)]
    trained = _logistic(f"{modality}/{TRIVIAL}", modality, scaled, present, material)
    result.add(trained, baseline=True)


def _train_clinical(material: TrainingInputs, result: Unimodal) -> None:
    present = torch.from_numpy(np.array([p.has("clinical") for p in material.patients]))
    result.encoders = encoders_of(material.patients, material.config, material.folds)
    values = [patient.clinical for patient in material.patients]
    features = [torch.from_numpy(encoder(values)) for encoder in result.encoders]
    result.add(_logistic("clinical/logistic", "clinical", features, present, material))


def _logistic(
    model: str,
    modality: Modality,
    features: Sequence[torch.Tensor],
    present: torch.Tensor,
    material: TrainingInputs,
) -> tuple[list[CachedCandidate], list[SearchRow]]:
    """Train a logistic regression here, in less time than a trial takes to travel; keep it."""
    candidates, rows = train_logistic(
        model, modality, features, present=present, labels=material.labels, folds=material.folds
    )
    contents = [digest_of_tensor(x) for x in features]
    splits = [split.train for split in all_splits(material.folds)]
    key = digest_of("logistic", 1, model, contents, splits, material.outcomes)
    path = material.folder.cache / "trials" / f"{key}.safetensors"
    if not is_finished(path):
        keep(path, candidates, rows)
    return load(path, material.folds)
