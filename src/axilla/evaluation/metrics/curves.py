"""ROC curve and confusion matrix of a model, as records that the report draws."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axilla.evaluation.prediction_arrays import model_predictions
from axilla.records.arrays import FloatArray
from axilla.records.errors import Problem, StudyError


@dataclass(frozen=True, slots=True, eq=False)
class RocCurve:
    """Points of a ROC curve from (0, 0) to (1, 1), each (points,), to be joined by lines.

    `thresholds` is NaN where a point is a mean over several repeats.
    """

    model: str
    false_positive_rate: FloatArray
    true_positive_rate: FloatArray
    thresholds: FloatArray


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """Patients by label and call; with several repeats their mean, so they add up to patients."""

    model: str
    true_positive: float
    false_positive: float
    false_negative: float
    true_negative: float
    repeats: int


def confusion_matrix(rows: pd.DataFrame) -> ConfusionMatrix:
    """Count the calls of one model, whose rows have the columns of predictions.csv."""
    predictions = model_predictions(rows, groups=None)
    tp, fp, fn, tn = predictions.cells.sum(axis=1).mean(axis=0).tolist()
    return ConfusionMatrix(predictions.model, tp, fp, fn, tn, repeats=len(predictions.calls))


def roc_curve(rows: pd.DataFrame) -> RocCurve:
    """Return the ROC curve of one model's predictions, pooled over folds.

    Several repeats are averaged vertically: at each false positive rate of any of them stand the
    mean lower and the mean upper end of their vertical steps, so the area under the mean curve is
    exactly the mean AUC. Raise `StudyError` where a repeat holds one class. Source: Fawcett,
    Pattern Recognit Lett 2006;27:861, section 9.1.
    """
    predictions = model_predictions(rows, groups=None)
    curves = []
    for scores in predictions.probabilities:
        tested = ~np.isnan(scores)
        labels = predictions.labels[tested]
        if len(np.unique(labels)) == 1:
            place = f"ROC curve of {predictions.model}"
            raise StudyError(Problem(place, "one class", "positive and negative patients"))
        curves.append(_roc_points(labels, scores[tested]))
    if len(curves) == 1:
        return RocCurve(predictions.model, *curves[0])
    grid = np.unique(np.concatenate([false_positive for false_positive, _, _ in curves]))
    steps = np.mean([_steps(rate, found, grid=grid) for rate, found, _ in curves], axis=0)
    return RocCurve(
        predictions.model, np.repeat(grid, 2), steps.ravel(), np.full(steps.size, np.nan)
    )


def _roc_points(
    labels: NDArray[np.integer], scores: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return false and true positive rates and thresholds, from above the highest score down.

    Equal scores make one point. The same as scikit-learn's `roc_curve` with every point kept,
    whose import would take longer than the curves of a study.
    """
    order = np.argsort(scores, kind="stable")[::-1]
    ranked, positive = scores[order], labels[order].astype(np.float64)
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true_positives = np.cumsum(positive)[last]
    false_positives = 1 + last - true_positives
    return (
        np.append(0, false_positives / false_positives[-1]),
        np.append(0, true_positives / true_positives[-1]),
        np.append(np.inf, ranked[last]),
    )


def _steps(
    false_positive: FloatArray, true_positive: FloatArray, *, grid: FloatArray
) -> FloatArray:
    """Lower and upper end of a curve at each rate of `grid`: (grid, 2)."""
    rates, first = np.unique(false_positive, return_index=True)
    last = np.append(first[1:], len(false_positive)) - 1
    lower, upper = true_positive[first], true_positive[last]
    right = np.searchsorted(rates, grid)
    left = np.maximum(right - 1, 0)
    width = np.where(right > left, rates[right] - rates[left], 1.0)
    between = upper[left] + (lower[right] - upper[left]) * (grid - rates[left]) / width
    on_curve = rates[right] == grid
    ends = np.where(on_curve, lower[right], between), np.where(on_curve, upper[right], between)
    return np.stack(ends, axis=-1)
