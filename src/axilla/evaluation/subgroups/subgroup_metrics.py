"""Every model within the levels of a column: is it worse at a site, on a device, in the young?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from axilla.evaluation.evaluation_inputs import Material
from axilla.evaluation.metrics.metrics_table import estimate_auc, estimate_proportion
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.evaluation.subgroups.levels import Level, levels_of
from axilla.evaluation.subgroups.subgroup_interaction import Equality, equal_aucs, equal_proportions
from axilla.records.errors import Problem, StudyError
from axilla.records.estimate import Estimate
from axilla.records.patients import ClinicalValue, Patient
from axilla.records.table_columns import SUBGROUPS

METRICS: Final = ("auc", "recall", "specificity")


def subgroup_table(material: Material) -> pd.DataFrame | None:
    """Return AUC, recall and specificity of every model at every level, or None without subgroups.

    Columns are those of `SUBGROUPS`. Intervals are made as those of metrics.csv. `small` marks
    levels with fewer patients of a class than evaluation.smallest_subgroup. `p_interaction` is one
    test per column, model and metric over the levels that are known and not small, repeated in
    each of its rows and not adjusted for how many such tests there are. Raise `StudyError` if the
    patients were read without a column.
    """
    columns = material.config.evaluation.subgroups
    if not columns:
        return None
    evaluated = set(material.table["patient_id"])
    patients = [patient for patient in material.patients if patient.patient_id in evaluated]
    rows = [
        row
        for column in columns
        for row in _column_rows(column, _values(patients, column), material=material)
    ]
    return pd.DataFrame(rows, columns=list(SUBGROUPS))


def _values(patients: Sequence[Patient], column: str) -> dict[str, ClinicalValue]:
    if not all(column in patient.attributes for patient in patients):
        raise StudyError(
            Problem(
                "study.toml, evaluation.subgroups",
                f"a column {column!r} that the patients were read without",
                "a column of the cohort table",
                "Run `axilla check`, then `axilla run` again.",
            )
        )
    return {patient.patient_id: patient.attributes[column] for patient in patients}


def _column_rows(
    column: str, values: Mapping[str, ClinicalValue], *, material: Material
) -> Iterator[tuple[object, ...]]:
    settings = material.config.evaluation
    levels = levels_of(values, cuts=settings.bands.get(column, ()))
    for name, model in material.models.items():
        parts = [
            (level, part) for level in levels if (part := model.among(level.patients)).patients
        ]
        small = {
            level.name: _smallest_class(part) < settings.smallest_subgroup for level, part in parts
        }
        # With few patients of a class a variance is guesswork: of four levels with 60, 30, 20 and
        # 5 positive patients and equal AUCs, the test called 10 % different at the 5 % level.
        tests = _tests(
            model, [level for level, _ in parts if level.known and not small[level.name]]
        )
        for level, part in parts:
            for metric in METRICS:
                found = _estimate(part, metric)
                yield (
                    column,
                    level.name,
                    name,
                    metric,
                    found.value,
                    found.low,
                    found.high,
                    found.n,
                    found.n_positive,
                    small[level.name],
                    tests[metric].p,
                    f"{found.method}; interaction: {_told(tests[metric])}",
                )


def _smallest_class(part: ModelPredictions) -> int:
    positive = int(part.labels.sum())
    return min(positive, len(part.labels) - positive)


def _tests(model: ModelPredictions, levels: Sequence[Level]) -> dict[str, Equality]:
    members = [
        np.array([patient in level.patients for patient in model.patients], dtype=bool)
        for level in levels
    ]
    return {
        metric: equal_aucs(model, members)
        if metric == "auc"
        else equal_proportions(model, members, name=metric)
        for metric in METRICS
    }


def _told(test: Equality) -> str:
    return test.method if np.isnan(test.p) else f"{test.method}, {test.levels} levels"


def _estimate(part: ModelPredictions, metric: str) -> Estimate:
    return estimate_auc(part) if metric == "auc" else estimate_proportion(part, metric)
