"""All metrics of one model, each with the interval that suits it.

With several repeats a metric is the mean of its values per repeat (NaN if one is undefined) and a
patient stays one patient. Within a repeat out-of-fold predictions are pooled over folds. Intervals
are conditional on the fitted models.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from axilla.evaluation.confusion import PROPORTIONS, f1_of_jaccard, mcc, proportion
from axilla.evaluation.delong import auc_interval
from axilla.evaluation.intervals import (
    Interval,
    cluster_bootstrap,
    effective_sample,
    no_interval,
    wilson,
)
from axilla.evaluation.precision_recall import average_precision
from axilla.evaluation.predictions import ModelPredictions, model_predictions
from axilla.records.estimates import Estimate

FloatArray = NDArray[np.float64]

THRESHOLD_METRICS: Final = (
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "f1",
    "balanced_accuracy",
    "mcc",
)
RANKING_METRICS: Final = ("auc", "average_precision", "brier")
_PROPORTIONS: Final = ("accuracy", "precision", "recall", "specificity", "npv")


def evaluate_model(
    rows: pd.DataFrame, *, groups: Mapping[str, str] | None, rng: Generator
) -> list[tuple[str, Estimate]]:
    """Return every metric of one model with its 95 % interval, in a fixed order.

    `rows` have the columns of predictions.csv; `groups` maps patient_id to what patients share.
    Thresholds are those of the rows. A reader says yes or no, so average precision and the Brier
    score are left out there, and the AUC is the balanced accuracy. Raise `StudyError` for faulty
    rows or a patient without a group.
    """
    predictions = model_predictions(rows, groups=groups)
    found = {name: _proportion(predictions, name) for name in _PROPORTIONS}
    found["f1"] = _f1(predictions)
    found["balanced_accuracy"] = _auc(predictions, predictions.calls, suffix=" of the calls")
    found["auc"] = _auc(predictions, predictions.probabilities)
    found |= _bootstrapped(predictions, rng=rng)
    return [
        (name, _estimate(predictions, *found[name]))
        for name in (*THRESHOLD_METRICS, *RANKING_METRICS)
        if name in found
    ]


def estimate_auc(predictions: ModelPredictions) -> Estimate:
    """Return the AUC of one model with its interval, as metrics.csv has it."""
    return _estimate(predictions, *_auc(predictions, predictions.probabilities))


def estimate_proportion(predictions: ModelPredictions, name: str) -> Estimate:
    """Return accuracy, precision, recall, specificity or npv with its Wilson interval."""
    return _estimate(predictions, *_proportion(predictions, name))


def _estimate(predictions: ModelPredictions, value: float, interval: Interval) -> Estimate:
    repeats = len(predictions.probabilities)
    return Estimate(
        value=value,
        low=interval.low,
        high=interval.high,
        n=len(predictions.labels),
        n_positive=int(predictions.labels.sum()),
        method=_extended(interval.method, f", mean of {repeats} repeats" if repeats > 1 else ""),
    )


def _extended(method: str, addition: str) -> str:
    """Add to the name of a method, before the reason why it gave no interval."""
    name, separator, reason = method.partition(";")
    return f"{name}{addition}{separator}{reason}"


def _proportion(predictions: ModelPredictions, name: str) -> tuple[float, Interval]:
    value = float(proportion(predictions.cells.sum(axis=1), name=name).mean())
    return value, _wilson(predictions, value, name=name)


def _f1(predictions: ModelPredictions) -> tuple[float, Interval]:
    """F1 rises with J = TP / (TP + FP + FN), a proportion, so Wilson's interval of J serves it."""
    jaccard = proportion(predictions.cells.sum(axis=1), name="jaccard")
    value = float(f1_of_jaccard(jaccard).mean())
    interval = _wilson(predictions, value / (2 - value), name="jaccard")
    low, high = (float(f1_of_jaccard(bound)) for bound in (interval.low, interval.high))
    return value, Interval(low, high, _extended(interval.method, " of TP/(TP+FP+FN)"))


def _wilson(predictions: ModelPredictions, value: float, *, name: str) -> Interval:
    counted, among = (predictions.cells @ np.array(cells) for cells in PROPORTIONS[name])
    if np.isnan(value):
        return no_interval("Wilson", reason="nobody to count among")
    if not predictions.clustered and len(predictions.calls) == 1:
        return Interval(*wilson(value, among.sum()), "Wilson")
    method = "Wilson clustered by group" if predictions.clustered else "Wilson"
    sample = effective_sample(counted, among, clusters=predictions.clusters)
    if sample is None:
        unit = "groups" if predictions.clustered else "patients"
        return no_interval(method, reason=f"fewer than two {unit} to count among")
    low, high = wilson(value, sample.trials, quantile=sample.quantile)
    return Interval(low, high, f"{method} (effective n {sample.trials:.0f}, t)")


def _auc(
    predictions: ModelPredictions, scores: FloatArray, *, suffix: str = ""
) -> tuple[float, Interval]:
    clusters = predictions.clusters
    value, interval = auc_interval(predictions.labels, scores, clusters=clusters)
    return value, Interval(interval.low, interval.high, _extended(interval.method, suffix))


def _bootstrapped(
    predictions: ModelPredictions, *, rng: Generator
) -> dict[str, tuple[float, Interval]]:
    names = ("mcc",) if predictions.kind == "reader" else ("mcc", "average_precision", "brier")
    cells = np.stack(
        [
            np.stack([np.bincount(predictions.clusters, cell) for cell in repeat.T], axis=-1)
            for repeat in predictions.cells
        ]
    )

    def statistic(weights: FloatArray) -> FloatArray:
        """(draws, clusters) to (draws, metrics)."""
        values = [mcc(weights @ cells).mean(axis=0)]
        if len(names) > 1:
            patients = weights[:, predictions.clusters]
            values += [
                _mean_average_precision(predictions, patients),
                _brier(predictions, patients),
            ]
        return np.stack(values, axis=-1)

    values = statistic(np.ones((1, predictions.n_clusters)))[0]
    intervals = cluster_bootstrap(statistic, clusters=predictions.n_clusters, rng=rng)
    return {
        name: (float(value), _by_group(interval, predictions))
        for name, value, interval in zip(names, values, intervals, strict=True)
    }


def _by_group(interval: Interval, predictions: ModelPredictions) -> Interval:
    unit = "cluster bootstrap" if predictions.clustered else "bootstrap"
    return Interval(interval.low, interval.high, interval.method.replace("bootstrap", unit))


def _mean_average_precision(predictions: ModelPredictions, weights: FloatArray) -> FloatArray:
    """(draws, patients) to (draws,)."""
    areas = []
    for scores in predictions.probabilities:
        tested = ~np.isnan(scores)
        labels = predictions.labels[tested]
        areas.append(average_precision(labels, scores[tested], weights=weights[:, tested]))
    return np.asarray(np.mean(areas, axis=0))


def _brier(predictions: ModelPredictions, weights: FloatArray) -> FloatArray:
    """Mean squared distance of probability and label: (draws, patients) to (draws,)."""
    tested = ~np.isnan(predictions.probabilities)
    squared = np.where(tested, predictions.probabilities - predictions.labels, 0.0) ** 2
    counted = weights @ tested.T.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray((weights @ squared.T / counted).mean(axis=1))
