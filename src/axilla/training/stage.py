"""The training stage: folds, trials, choices and out-of-fold predictions."""

import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import torch

from axilla.cohort.splits.folds import Fold, Split, plan_folds, plan_inner, split_table
from axilla.config.study import StudyConfig
from axilla.models.allocator import keep_freed_memory
from axilla.records.digests import seed_of
from axilla.records.errors import ConfigError, Problem
from axilla.records.patients import Cohort, Patient
from axilla.records.progress import Progress
from axilla.records.run_folder import RunFolder
from axilla.records.types import BEST_SINGLE, SELECTED, Modality
from axilla.training.engine.workers import open_engine
from axilla.training.fusion.fusion_heads import select_unimodal
from axilla.training.fusion.fusion_training import train_fusions
from axilla.training.prediction_tables import (
    ScoredFold,
    availability_table,
    prediction_table,
    search_table,
)
from axilla.training.preflight import require_models
from axilla.training.selected_models import (
    FinalModels,
    FoldModels,
    TrainedModels,
    best_fusion,
    select_all,
)
from axilla.training.unimodal_training import TrainingInputs, Unimodal, train_unimodal

_REPORTED_VERSIONS = (
    "axilla", "torch", "torchvision", "timm", "numpy", "scipy", "scikit-learn", "scikit-image",
    "pandas", "pillow",
)  # fmt: skip


def run(config: StudyConfig, folder: RunFolder, cohort: Cohort, progress: Progress) -> FoldModels:
    """Train and validate every model; write splits, predictions, search and provenance."""
    start, started = time.perf_counter(), datetime.now(UTC)
    made = _train(config, folder, cohort, progress)
    *folds, _ = made.folds
    trained, patients, labels = made.trained, made.patients, made.labels
    predictions = prediction_table(
        [model for fold in folds for model in scored_models(fold, trained)],
        patients,
        labels,
        folds=folds,
        validation=config.validation,
        reader=(config.reader.name or config.reader.column) if config.reader else None,
    )
    folder.write_table("splits.csv", split_table(folds, [p.patient_id for p in patients]))
    folder.write_table("predictions.csv", predictions)
    folder.write_table("search.csv", search_table(trained.rows))
    folder.write_table(
        "availability.csv",
        availability_table(
            [fused for fold in folds for fused in trained.fusions if fused.fold == fold],
            patients,
            labels,
            validation=config.validation,
        ),
    )
    folder.write_json(
        "provenance.json",
        _provenance(config, cohort, started=started, seconds=time.perf_counter() - start)
        | {
            "device": str(choose_device(config.compute.device)),
            "selected": _choices(folds, trained),
        },
    )
    return made.final()


def load(config: StudyConfig, folder: RunFolder, cohort: Cohort, progress: Progress) -> FoldModels:
    """Return the models of a study that ran, writing nothing but what its cache has lost."""
    return _train(config, folder, cohort, progress).final()


def _train(
    config: StudyConfig, folder: RunFolder, cohort: Cohort, progress: Progress
) -> FinalModels:
    """Train every model in every fold, the last of which is everybody, or find it in the cache."""
    keep_freed_memory()
    require_models(config)
    device = choose_device(config.compute.device)
    patients = [p for p in cohort.labelled_patients if p.split == "development"]
    labels = torch.tensor([float(p.label or 0) for p in patients])
    folds = (*plan_study(config, patients), everybody_fold(config, patients))
    with open_engine(config.compute, device) as engine:
        material = TrainingInputs(config, folder, patients, labels, folds, engine, progress)
        trained = train_models(material)
    return FinalModels(config, trained, folds, patients, labels, cohort.digest)


def choose_device(name: str) -> torch.device:
    """Return the device asked for; `auto` is a GPU if there is one."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigError(
            Problem("compute.device", "'cuda'", "a CUDA GPU that torch sees", "Choose cpu or auto.")
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def plan_study(config: StudyConfig, patients: Sequence[Patient]) -> tuple[Fold, ...]:
    """Return the study's outer folds, each with its inner ones; errors as `plan_folds`."""
    return plan_folds(
        labels=[p.label or 0 for p in patients],
        groups=[p.group for p in patients],
        sites=[p.site for p in patients],
        validation=config.validation,
        seed=config.study.seed,
    )


def everybody_fold(config: StudyConfig, patients: Sequence[Patient]) -> Fold:
    """Return the fold that trains on all patients and tests on none."""
    everybody = tuple(range(len(patients)))
    inner = plan_inner(
        everybody,
        labels=[p.label or 0 for p in patients],
        groups=[p.group for p in patients],
        folds=config.validation.inner_folds,
        seed=seed_of(config.study.seed, "everybody"),
    )
    return Fold(0, 0, name="all patients", outer=Split(train=everybody, test=()), inner=inner)


def _choose_modalities(config: StudyConfig, unimodal: Unimodal) -> list[Modality]:
    """Return the modalities that fusion combines: those asked for that some model describes."""
    described = {candidate.modality for candidate in unimodal.candidates}
    fused = [modality for modality in config.models.fuse if modality in described]
    return fused if len(fused) > 1 and config.models.fusion else []


def train_models(material: TrainingInputs) -> TrainedModels:
    """Train unimodal models, let each fold choose among them, and fuse what it chose."""
    unimodal = train_unimodal(material)
    fused = _choose_modalities(material.config, unimodal)
    selected = [select_unimodal(unimodal.of_fold(fold), fused) for fold in material.folds if fused]
    fusions, rows = train_fusions(material, unimodal.pixels, selected)
    return TrainedModels(unimodal, fusions, rows=[*unimodal.rows, *rows])


def scored_models(fold: Fold, trained: TrainedModels) -> list[ScoredFold]:
    """List one fold's models in the order of predictions.csv, chosen ones after their family."""
    of_fold = trained.unimodal.of_fold(fold)
    scored: list[ScoredFold] = []
    for modality, chosen in select_all(trained.unimodal, fold).items():
        family = [candidate for candidate in of_fold if candidate.modality == modality]
        scored += [ScoredFold.of_unimodal(candidate) for candidate in family]
        if len(family) > 1:
            scored.append(ScoredFold.of_unimodal(chosen, name=f"{modality}/{SELECTED}"))
    scored += [ScoredFold.of_unimodal(c) for c in trained.unimodal.baselines if c.fold == fold]
    scored += [ScoredFold.of_fusion(fusion) for fusion in trained.fusions if fusion.fold == fold]
    if (winner := best_fusion(trained.fusions, fold)) is not None:
        scored.append(ScoredFold.of_fusion(winner, name=SELECTED))
        single = max(winner.selected.values(), key=lambda candidate: candidate.inner_score)
        scored.append(ScoredFold.of_unimodal(single, name=BEST_SINGLE))
    return scored


def _choices(folds: Sequence[Fold], trained: TrainedModels) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for fold in folds:
        best = select_all(trained.unimodal, fold)
        winner = best_fusion(trained.fusions, fold)
        rows.append(
            {"repeat": fold.repeat, "fold": fold.fold, "name": fold.name}
            | {modality: candidate.model for modality, candidate in best.items()}
            | ({"fusion": winner.name} if winner else {})
        )
    return rows


def _provenance(
    config: StudyConfig, cohort: Cohort, *, started: datetime, seconds: float
) -> dict[str, Any]:
    return {
        "axilla_version": version("axilla"),
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "seed": config.study.seed,
        "cohort_digest": cohort.digest,
        "config": config.model_dump(mode="json"),
        "versions": {name: version(name) for name in _REPORTED_VERSIONS},
        "platform": platform.platform(),
        "python": platform.python_version(),
    }
