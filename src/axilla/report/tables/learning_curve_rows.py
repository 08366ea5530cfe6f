"""The learning curve as figure and page need it, and the proof that it belongs to the results."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from axilla.evaluation.planning.learning_curve import FITTED, GAIN, MEASURED
from axilla.records.estimate import Estimate
from axilla.report.headline_models import protagonists
from axilla.report.reported_models import StudyModel
from axilla.report.study_results import StudyResults

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """An estimate at a number of training patients (mean over folds)."""

    patients: int
    share: float
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """One model: measured AUCs, its fitted curve, and what more patients would add to it."""

    entry: StudyModel
    measured: tuple[CurvePoint, ...]
    fitted: tuple[CurvePoint, ...]
    gains: tuple[CurvePoint, ...]


def learning_curves(results: StudyResults) -> tuple[LearningCurve, ...]:
    """Return the curves of the leading models, the headline first; empty without a curve."""
    table = results.learning_curve
    return tuple(
        LearningCurve(entry, *(_points(rows, metric) for metric in (MEASURED, FITTED, GAIN)))
        for entry in protagonists(results)
        if not (rows := table[table["model"] == entry.name]).empty
    )


def is_of_these_results(results: StudyResults) -> bool:
    """Tell whether the curve ends where metrics.csv stands; it may be of an earlier run."""
    table = results.learning_curve
    ends = table[(table["metric"] == MEASURED) & (table["share"] == 1)]
    for model, value in zip(ends["model"], ends["value"].astype(float), strict=True):
        stated = results.estimate(str(model), "auc")
        if stated is None or not math.isclose(value, stated.value, abs_tol=_ROUNDING):
            return False
    return not ends.empty


def _points(rows: pd.DataFrame, metric: str) -> tuple[CurvePoint, ...]:
    known = rows[(rows["metric"] == metric) & rows["value"].notna()].sort_values("share")
    return tuple(_point(row) for row in known.to_dict("records"))


def _point(row: Mapping[Hashable, Any]) -> CurvePoint:
    estimate = Estimate(
        value=float(row["value"]),
        low=float(row["low"]),
        high=float(row["high"]),
        n=int(row["n"]),
        n_positive=int(row["n_positive"]),
        method=str(row["method"]),
    )
    return CurvePoint(int(row["training_patients"]), float(row["share"]), estimate)
