"""The learning curve: the same study again with fewer training patients, tested on the same ones.

Only the training side of a fold shrinks. Its inner splits are planned anew inside what is left,
so every choice, threshold and weight comes from the fewer patients alone. All patients' trials
are those of the study itself and lie finished in its cache.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pandas as pd
import torch

from axilla.cohort.splits.folds import Fold, Split, plan_inner
from axilla.cohort.splits.group_sampling import nested_share
from axilla.config.study import StudyConfig
from axilla.models.allocator import keep_freed_memory
from axilla.records.digests import seed_of
from axilla.records.errors import CohortError, Problem
from axilla.records.patients import Cohort, Patient
from axilla.records.prespecified import followed_models
from axilla.records.progress import Advance, Progress
from axilla.records.run_folder import RunFolder
from axilla.records.table_columns import LEARNING_CURVE_PREDICTIONS
from axilla.records.types import IMAGE_MODALITIES, ImageModality
from axilla.training.engine.workers import open_engine
from axilla.training.prediction_tables import prediction_table
from axilla.training.preflight import require_models
from axilla.training.stage import (
    choose_device,
    everybody_fold,
    plan_study,
    scored_models,
    train_models,
)
from axilla.training.unimodal_training import TrainingInputs


@dataclass(frozen=True, slots=True)
class Step:
    """The study's folds with a share of their training patients."""

    share: float
    folds: tuple[Fold, ...]


def run_learning_curve(
    config: StudyConfig, folder: RunFolder, cohort: Cohort, progress: Progress
) -> tuple[float, ...]:
    """Train on each share and write learning_curve_predictions.csv; return shares left out.

    The columns are those of predictions.csv, of the models that no hindsight picked, and the
    share. A share is left out where some fold would lack patients of a class; raise `CohortError`
    if that leaves none.
    """
    keep_freed_memory()
    require_models(config)
    device = choose_device(config.compute.device)
    patients = [p for p in cohort.labelled_patients if p.split == "development"]
    labels = torch.tensor([float(p.label or 0) for p in patients])
    steps, left_out = plan_steps(config, patients)
    everybody = everybody_fold(config, patients)
    # Baselines learn nothing that a curve could show.
    plain = config.model_copy(
        update={"models": config.models.model_copy(update={"trivial": False})}
    )
    tables = []
    with open_engine(config.compute, device) as engine:
        for step in steps:
            # The whole study trained a model on everybody beside its folds, in the same trials.
            folds = (*step.folds, everybody) if step.share == 1 else step.folds
            named = _Named(progress, f"{step.share:.0%} ")
            material = TrainingInputs(plain, folder, patients, labels, folds, engine, named)
            tables.append(_step_table(step, material))
    folder.write_table("learning_curve_predictions.csv", pd.concat(tables, ignore_index=True))
    return left_out


def plan_steps(
    config: StudyConfig, patients: Sequence[Patient]
) -> tuple[tuple[Step, ...], tuple[float, ...]]:
    """Return the steps that can be trained, the smallest share first, and the shares left out.

    The last step is the whole study. Raise `CohortError` if there is no other.
    """
    whole = plan_study(config, patients)
    steps, left_out = [], []
    for share in sorted(set(config.evaluation.learning_shares)):
        folds = _fewer(whole, patients, share=share, config=config)
        if folds is None:
            left_out.append(share)
        else:
            steps.append(Step(share, folds))
    if not steps:
        raise CohortError(
            Problem(
                "study.toml, evaluation.learning_shares",
                f"{', '.join(f'{share:g}' for share in left_out)}",
                "a share that leaves two groups of each class in every training set",
                "Choose a larger share; with so few groups there may be no learning curve.",
            )
        )
    return (*steps, Step(1.0, whole)), tuple(left_out)


def _fewer(
    folds: Sequence[Fold], patients: Sequence[Patient], *, share: float, config: StudyConfig
) -> tuple[Fold, ...] | None:
    """Return the folds with a share of their training patients; None if one is too small."""
    outcomes = [p.label or 0 for p in patients]
    groups = [p.group for p in patients]
    fewer = []
    for fold in folds:
        place = (config.study.seed, "learning curve", fold.repeat, fold.fold)
        train = nested_share(
            fold.outer.train, labels=outcomes, groups=groups, share=share, seed=seed_of(*place)
        )
        try:
            inner = plan_inner(
                train,
                labels=outcomes,
                groups=groups,
                folds=config.validation.inner_folds,
                seed=seed_of(*place, share),
            )
        except CohortError:  # too few groups of a class for two inner folds
            return None
        smaller = replace(
            fold,
            name=f"{fold.name}, {share:.0%}",
            outer=Split(train=train, test=fold.outer.test),
            inner=inner,
        )
        used = [m for m in IMAGE_MODALITIES if getattr(config.models, m)]
        if not all(_trainable(smaller, patients, modality) for modality in used):
            return None
        fewer.append(smaller)
    return tuple(fewer)


def _trainable(fold: Fold, patients: Sequence[Patient], modality: ImageModality) -> bool:
    """Tell whether both classes with this modality are in every training set of the fold.

    Models of images need that; a clinical one makes do with less.
    """
    return all(
        len({patients[p].label for p in split.train if patients[p].has(modality)}) > 1
        for split in (*fold.inner, fold.outer)
    )


def _step_table(step: Step, material: TrainingInputs) -> pd.DataFrame:
    trained = train_models(material)
    scored = [model for fold in step.folds for model in scored_models(fold, trained)]
    kinds = {model.model: model.kind for model in scored}
    followed = followed_models(kinds.items())
    table = prediction_table(
        [model for model in scored if model.model in followed],
        material.patients,
        material.labels,
        folds=step.folds,
        validation=material.config.validation,
        reader=None,
    )
    sizes = {(fold.repeat, fold.fold): len(fold.outer.train) for fold in step.folds}
    table["share"] = step.share
    places = zip(table["repeat"], table["fold"], strict=True)
    table["training_patients"] = [sizes[place] for place in places]
    return table[list(LEARNING_CURVE_PREDICTIONS)]


@dataclass(frozen=True, slots=True)
class _Named:
    """Progress that says which share a task belongs to."""

    progress: Progress
    prefix: str

    def task(self, description: str, *, total: int) -> AbstractContextManager[Advance]:
        return self.progress.task(f"{self.prefix}{description}", total=total)
