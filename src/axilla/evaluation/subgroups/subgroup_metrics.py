"""Metrics of every model in subgroups of patients."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import pandas as pd

from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.metrics.metrics_table import estimate_auc, estimate_proportion
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.evaluation.subgroups.subgroup_interaction import Equality, equal_aucs, equal_proportions
from axilla.records.errors import Problem, StudyError
from axilla.records.estimate import Estimate
from axilla.records.patients import ClinicalValue, Patient
from axilla.records.table_columns import SUBGROUPS

UNKNOWN: Final = "unknown"
# A numeric column with so few different values is a code (grade 1 to 3), not a measurement.
_MOST_CODES: Final = 5
METRICS: Final = ("auc", "recall", "specificity")


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a column and its patients; `known` is False where the column is empty."""

    name: str
    patients: frozenset[str]
    known: bool = True


def levels_of(values: Mapping[str, ClinicalValue], *, cuts: Sequence[float] = ()) -> list[Level]:
    """Return the levels of `values` (by patient) that hold a patient, the unknown one last.

    Numbers fall into bands at `cuts`, a band holding its lower end; without cuts, up to five
    different numbers are levels of their own and more are halved at their median. Text is a
    level as it stands, except that the word unknown counts as empty.
    """
    known = {p: v for p, v in values.items() if v is not None and str(v).casefold() != UNKNOWN}
    numbers = {p: v for p, v in known.items() if isinstance(v, float)}
    if len(numbers) < len(known):
        names: Mapping[str, str] = {p: _format_value(v) for p, v in known.items()}
        order = sorted(set(names.values()), key=lambda name: (name.casefold(), name))
    elif not cuts and len(set(numbers.values())) <= _MOST_CODES:
        names = {p: _format_value(v) for p, v in numbers.items()}
        order = [_format_value(value) for value in sorted(set(numbers.values()))]
    else:
        names, order = _bands(numbers, cuts or [_halving_cut(list(numbers.values()))])
    levels = [
        Level(name, frozenset(patient for patient, own in names.items() if own == name))
        for name in order
    ]
    if missing := frozenset(values.keys() - known.keys()):
        levels.append(Level(UNKNOWN, missing, known=False))
    return [level for level in levels if level.patients]


def _bands(numbers: Mapping[str, float], cuts: Sequence[float]) -> tuple[dict[str, str], list[str]]:
    """Return each patient's band, and the bands from the lowest."""
    whole = all(value.is_integer() for value in (*numbers.values(), *map(float, cuts)))
    inner = [_between(low, high, whole=whole) for low, high in pairwise(cuts)]
    order = [f"< {_format_value(cuts[0])}", *inner, f">= {_format_value(cuts[-1])}"]
    places = np.searchsorted(cuts, list(numbers.values()), side="right")
    return {p: order[place] for p, place in zip(numbers, places, strict=True)}, order


def _between(low: float, high: float, *, whole: bool) -> str:
    if not whole:
        return f"{_format_value(low)} to < {_format_value(high)}"
    return (
        _format_value(low)
        if high - low == 1
        else f"{_format_value(low)} to {_format_value(high - 1)}"
    )


def _halving_cut(values: Sequence[float]) -> float:
    """Return the median, or the next value where no value lies below it."""
    median = float(np.median(values))
    return median if min(values) < median else min(value for value in values if value > median)


def _format_value(value: ClinicalValue) -> str:
    return f"{value:.10g}" if isinstance(value, float | int) else str(value)


def subgroup_table(material: EvaluationInputs) -> pd.DataFrame | None:
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
    column: str, values: Mapping[str, ClinicalValue], *, material: EvaluationInputs
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
                    f"{found.method}; interaction: {_describe_test(tests[metric])}",
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


def _describe_test(test: Equality) -> str:
    return test.method if np.isnan(test.p) else f"{test.method}, {test.levels} levels"


def _estimate(part: ModelPredictions, metric: str) -> Estimate:
    return estimate_auc(part) if metric == "auc" else estimate_proportion(part, metric)
