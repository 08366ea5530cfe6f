"""Metrics, average precision among them, as functions of patients' weights, for the bootstrap.

One pass over a model answers for all draws at once: counts are matrix products, rankings are
sorted once and summed along the draws.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from axilla.evaluation.calibration.calibration_metrics import expected_calibration_error
from axilla.evaluation.intervals.confidence_intervals import Statistic
from axilla.evaluation.metrics import confusion
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray

# Labels (n,), scores (n,), weights (draws, n) to one value per draw.
Ranking = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]
OF_COUNTS: Final[Mapping[str, Callable[[ArrayLike], FloatArray]]] = MappingProxyType(
    {
        "accuracy": confusion.accuracy,
        "precision": confusion.precision,
        "recall": confusion.recall,
        "specificity": confusion.specificity,
        "npv": confusion.npv,
        "f1": confusion.f1,
        "balanced_accuracy": confusion.balanced_accuracy,
        "mcc": confusion.mcc,
        "lr_positive": confusion.lr_positive,
        "lr_negative": confusion.lr_negative,
    }
)


def average_precision(
    labels: ArrayLike, scores: ArrayLike, *, weights: FloatArray | None = None
) -> FloatArray:
    """Return the area under the step-wise precision-recall curve, one per row of `weights`.

    `labels` (n,) of 0 and 1, `scores` (n,), `weights` (draws, n), how often each patient counts;
    without weights the answer is (1,). Tied scores enter together. NaN where a draw lacks a
    class. Source: the sum of precision times gain in recall, as scikit-learn defines it.
    """
    label, score = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    counted = np.ones((1, len(label))) if weights is None else weights
    order = np.argsort(-score, kind="stable")
    last_of_ties = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)
    ranked = counted[:, order]
    called = np.cumsum(ranked, axis=1)[:, last_of_ties]
    found = np.cumsum(ranked * label[order], axis=1)[:, last_of_ties]
    gained = np.diff(found, axis=1, prepend=0.0)
    area = (gained * found / np.maximum(called, np.finfo(np.float64).tiny)).sum(axis=1)
    positives, everyone = found[:, -1], called[:, -1]
    one_class = (positives == 0) | (positives == everyone)
    return np.where(one_class, np.nan, area / np.where(one_class, 1.0, positives))


def weighted_auc(labels: ArrayLike, scores: ArrayLike, weights: FloatArray) -> FloatArray:
    """Return the AUC of each draw, (draws,), for `weights` (draws, n); NaN where a class is absent.

    A positive-negative pair counts as often as the product of its patients' weights, ties half.
    """
    label, score = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    order = np.argsort(score, kind="stable")
    last_of_ties = np.flatnonzero(np.diff(score[order], append=np.nan) != 0)
    ranked = weights[:, order]
    positive = ranked * (label[order] == 1)
    found = np.cumsum(positive, axis=1)[:, last_of_ties]
    passed = np.cumsum(ranked - positive, axis=1)[:, last_of_ties]
    among_ties = np.diff(found, axis=1, prepend=0.0)
    below = passed - np.diff(passed, axis=1, prepend=0.0) / 2
    pairs = found[:, -1] * passed[:, -1]
    absent = pairs == 0
    return np.where(absent, np.nan, (among_ties * below).sum(axis=1) / np.where(absent, 1.0, pairs))


def weighted_brier(labels: ArrayLike, probabilities: ArrayLike, weights: FloatArray) -> FloatArray:
    """Return the mean squared distance of probability and label of each draw, (draws,)."""
    squared = (np.asarray(probabilities, dtype=np.float64) - np.asarray(labels)) ** 2
    total = weights.sum(axis=1)
    return np.where(total > 0, weights @ squared / np.where(total > 0, total, 1.0), np.nan)


def _average_precision(labels: FloatArray, scores: FloatArray, weights: FloatArray) -> FloatArray:
    return average_precision(labels, scores, weights=weights)


def _ece(labels: FloatArray, scores: FloatArray, weights: FloatArray) -> FloatArray:
    return expected_calibration_error(labels, scores, weights=weights)


OF_SCORES: Final[Mapping[str, Ranking]] = MappingProxyType(
    {
        "auc": weighted_auc,
        "average_precision": _average_precision,
        "brier": weighted_brier,
        "ece": _ece,
    }
)


def metrics_of(models: Sequence[ModelPredictions], names: Sequence[str]) -> Statistic:
    """Return what a bootstrap calls: weights of clusters to metrics, model after model.

    All models must have the same patients in the same clusters. Several repeats are averaged.
    """

    def statistic(weights: FloatArray) -> FloatArray:
        """(draws, clusters) to (draws, models x names)."""
        patients = weights[:, models[0].clusters]
        columns = [
            value
            for model in models
            for value in _values(model, names, weights=weights, patients=patients)
        ]
        return np.stack(columns, axis=-1)

    return statistic


def _values(
    model: ModelPredictions, names: Sequence[str], *, weights: FloatArray, patients: FloatArray
) -> list[FloatArray]:
    counts = weights @ cells_by_cluster(model)
    return [
        OF_COUNTS[name](counts).mean(axis=0)
        if name in OF_COUNTS
        else _mean_over_repeats(model, OF_SCORES[name], patients)
        for name in names
    ]


def cells_by_cluster(model: ModelPredictions) -> FloatArray:
    """Count TP, FP, FN, TN of each cluster in each repeat: (repeats, clusters, 4)."""
    return np.stack(
        [
            np.stack(
                [
                    np.bincount(model.clusters, cell, minlength=model.n_clusters)
                    for cell in repeat.T
                ],
                axis=-1,
            )
            for repeat in model.cells
        ]
    )


def _mean_over_repeats(
    model: ModelPredictions, metric: Ranking, patients: FloatArray
) -> FloatArray:
    values = []
    for scores in model.probabilities:
        tested = ~np.isnan(scores)
        mine = patients if tested.all() else patients[:, tested]
        values.append(metric(model.labels[tested].astype(np.float64), scores[tested], mine))
    return np.asarray(np.mean(values, axis=0))
