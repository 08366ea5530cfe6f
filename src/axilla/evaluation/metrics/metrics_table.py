"""All metrics of one model, each with the interval that suits it.

With several repeats a metric is the mean of its values per repeat (NaN if one is undefined) and a
patient stays one patient. Within a repeat out-of-fold predictions are pooled over folds, except
for `auc_by_fold`. Intervals are conditional on the fitted models.
"""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from axilla.evaluation.calibration.calibration_metrics import (
    calibration_intercept,
    calibration_slope,
)
from axilla.evaluation.intervals.confidence_intervals import (
    Interval,
    cluster_bootstrap,
    effective_sample,
    extend_method,
    no_interval,
    wilson,
)
from axilla.evaluation.metrics.confusion import PROPORTIONS, f1_of_jaccard, proportion
from axilla.evaluation.metrics.delong import auc_interval
from axilla.evaluation.metrics.fold_averaged_auc import fold_averaged_auc
from axilla.evaluation.metrics.likelihood_ratios import likelihood_ratio
from axilla.evaluation.metrics.weighted_metrics import metrics_of
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray
from axilla.records.estimate import Estimate

Found = dict[str, tuple[float, Interval]]

THRESHOLD_METRICS: Final = (
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "npv",
    "f1",
    "balanced_accuracy",
    "mcc",
    "lr_positive",
    "lr_negative",
)
RANKING_METRICS: Final = (
    "auc",
    "auc_by_fold",
    "average_precision",
    "brier",
    "ece",
    "calibration_intercept",
    "calibration_slope",
)
_PROPORTIONS: Final = ("accuracy", "precision", "recall", "specificity", "npv")
_BOOTSTRAPPED: Final = ("mcc", "average_precision", "brier", "ece")


def metrics_of_predictions(
    predictions: ModelPredictions, *, rng: Generator
) -> list[tuple[str, Estimate]]:
    """Return every metric of one model with its 95 % interval, in a fixed order.

    Calls are those of the predictions. A reader says yes or no, so what needs a probability is
    left out there, and the AUC is the balanced accuracy. `auc_by_fold` needs more than one fold.
    """
    found = _of_calls(predictions) | {"auc": _auc(predictions, predictions.probabilities)}
    if predictions.kind != "reader":
        found |= _of_probabilities(predictions)
    found |= _bootstrap_metrics(predictions, rng=rng)
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


def _of_calls(predictions: ModelPredictions) -> Found:
    found = {name: _proportion(predictions, name) for name in _PROPORTIONS}
    found["f1"] = _f1(predictions)
    found["balanced_accuracy"] = _auc(predictions, predictions.calls, suffix=" of the calls")
    found["lr_positive"] = likelihood_ratio(predictions, call="positive")
    found["lr_negative"] = likelihood_ratio(predictions, call="negative")
    return found


def _of_probabilities(predictions: ModelPredictions) -> Found:
    labels, chances = predictions.labels, predictions.probabilities
    clusters = predictions.clusters
    found = {
        "calibration_intercept": calibration_intercept(labels, chances, clusters=clusters),
        "calibration_slope": calibration_slope(labels, chances, clusters=clusters),
    }
    if len(np.unique(predictions.folds[~np.isnan(predictions.folds)])) > 1:
        found["auc_by_fold"] = fold_averaged_auc(
            labels, chances, predictions.folds, clusters=clusters
        )
    return found


def _estimate(predictions: ModelPredictions, value: float, interval: Interval) -> Estimate:
    repeats = len(predictions.probabilities)
    return Estimate(
        value=value,
        low=interval.low,
        high=interval.high,
        n=len(predictions.labels),
        n_positive=int(predictions.labels.sum()),
        method=extend_method(
            interval.method, f", mean of {repeats} repeats" if repeats > 1 else ""
        ),
    )


def _proportion(predictions: ModelPredictions, name: str) -> tuple[float, Interval]:
    value = float(proportion(predictions.cells.sum(axis=1), name=name).mean())
    return value, _wilson(predictions, value, name=name)


def _f1(predictions: ModelPredictions) -> tuple[float, Interval]:
    """F1 rises with J = TP / (TP + FP + FN), a proportion, so Wilson's interval of J serves it."""
    jaccard = proportion(predictions.cells.sum(axis=1), name="jaccard")
    value = float(f1_of_jaccard(jaccard).mean())
    interval = _wilson(predictions, value / (2 - value), name="jaccard")
    low, high = (float(f1_of_jaccard(bound)) for bound in (interval.low, interval.high))
    return value, Interval(low, high, extend_method(interval.method, " of TP/(TP+FP+FN)"))


def _wilson(predictions: ModelPredictions, value: float, *, name: str) -> Interval:
    counted, among = (predictions.cells @ np.array(cells) for cells in PROPORTIONS[name])
    if np.isnan(value):
        return no_interval("Wilson", reason="nobody to count among")
    if not predictions.is_clustered and len(predictions.calls) == 1:
        return Interval(*wilson(value, among.sum()), "Wilson")
    method = "Wilson clustered by group" if predictions.is_clustered else "Wilson"
    sample = effective_sample(counted, among, clusters=predictions.clusters)
    if sample is None:
        unit = "groups" if predictions.is_clustered else "patients"
        return no_interval(method, reason=f"fewer than two {unit} to count among")
    low, high = wilson(value, sample.trials, quantile=sample.quantile)
    return Interval(low, high, f"{method} (effective n {sample.trials:.0f}, t)")


def _auc(
    predictions: ModelPredictions, scores: FloatArray, *, suffix: str = ""
) -> tuple[float, Interval]:
    clusters = predictions.clusters
    value, interval = auc_interval(predictions.labels, scores, clusters=clusters)
    return value, Interval(interval.low, interval.high, extend_method(interval.method, suffix))


def _bootstrap_metrics(predictions: ModelPredictions, *, rng: Generator) -> Found:
    names = _BOOTSTRAPPED[:1] if predictions.kind == "reader" else _BOOTSTRAPPED
    statistic = metrics_of([predictions], names)
    values = statistic(np.ones((1, predictions.n_clusters)))[0]
    intervals = cluster_bootstrap(statistic, clusters=predictions.n_clusters, rng=rng)
    return {
        name: (float(value), _by_group(interval, predictions))
        for name, value, interval in zip(names, values, intervals, strict=True)
    }


def _by_group(interval: Interval, predictions: ModelPredictions) -> Interval:
    unit = "cluster bootstrap" if predictions.is_clustered else "bootstrap"
    return replace(interval, method=interval.method.replace("bootstrap", unit))
