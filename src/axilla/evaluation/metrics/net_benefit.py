"""Decision curves: what acting on a model is worth, at every weight of harm against benefit.

Net benefit counts true positives, less false positives at the odds of the threshold probability:
who would act at a risk of 20 % holds one patient found worth four false alarms (Vickers & Elkin,
Med Decis Making 2006;26:565).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.intervals.confidence_intervals import Interval, cluster_bootstrap
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray
from axilla.records.table_columns import DECISION_CURVE

STEP: Final = 0.01
_ROUNDING: Final = 1e-9


def net_benefit(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    thresholds: ArrayLike,
    weights: FloatArray | None = None,
) -> FloatArray:
    """Return TP / n - FP / n x t / (1 - t) at each threshold t: (draws, thresholds).

    `labels` (n,) of 0 and 1; `probabilities` (n,), positive where >= t; `thresholds` (k,) between
    0 and 1; `weights` (draws, n), how often each patient counts, by default one draw of everybody
    once. NaN for a draw of nobody. Treating nobody is worth 0.
    """
    worth = _worth(labels, probabilities, thresholds=thresholds)
    counted = np.ones((1, len(worth))) if weights is None else weights
    return _mean(counted @ worth, counted.sum(axis=1))


def treat_all(labels: ArrayLike, *, thresholds: ArrayLike) -> FloatArray:
    """Return the net benefit of calling everybody positive, at each threshold: (k,)."""
    everybody = np.ones(np.shape(labels))
    return np.asarray(net_benefit(labels, everybody, thresholds=thresholds)[0])


def decision_curve(
    predictions: ModelPredictions, *, thresholds: FloatArray, rng: Generator
) -> tuple[FloatArray, list[Interval]]:
    """Return a model's net benefit at each threshold, with 95 % intervals by cluster bootstrap.

    Over repeats it is the mean. A reader's calls are the same at every threshold, so its curve
    changes by the weight of its false positives alone.
    """
    tested = ~np.isnan(predictions.probabilities)
    clusters, n_clusters = predictions.clusters, predictions.n_clusters
    worth = np.stack(
        [
            _by_cluster(
                np.where(
                    there[:, None],
                    _worth(predictions.labels, np.where(there, scores, 0), thresholds=thresholds),
                    0.0,
                ),
                clusters,
                n_clusters,
            )
            for scores, there in zip(predictions.probabilities, tested, strict=True)
        ]
    )
    sizes = np.stack([np.bincount(clusters, there, n_clusters) for there in tested])

    def statistic(weights: FloatArray) -> FloatArray:
        """(draws, clusters) to (draws, thresholds)."""
        repeats = [_mean(weights @ w, weights @ n) for w, n in zip(worth, sizes, strict=True)]
        return np.asarray(np.mean(repeats, axis=0))

    values = statistic(np.ones((1, n_clusters)))[0]
    return values, cluster_bootstrap(statistic, clusters=n_clusters, rng=rng)


def decision_table(material: EvaluationInputs) -> pd.DataFrame | None:
    """Return decision_curve.csv: every model and reader at each hundredth of the range asked for.

    `treat_all` is of the same patients as the model. None without predictions.
    """
    low, high = material.config.evaluation.decision_range
    thresholds = threshold_grid(low, high)
    rows = [
        row
        for model in material.models.values()
        for row in _rows(model, thresholds, rng=material.rng(model.model, "decision curve"))
    ]
    return pd.DataFrame(rows, columns=list(DECISION_CURVE)) if rows else None


def threshold_grid(low: float, high: float) -> FloatArray:
    """Return the hundredths from `low` to `high`, and both ends."""
    first, last = np.ceil(low / STEP - _ROUNDING), np.floor(high / STEP + _ROUNDING)
    inner = np.round(np.arange(first, last + 1) * STEP, 2)
    return np.unique(np.concatenate([[low], inner, [high]]))


def _rows(
    predictions: ModelPredictions, thresholds: FloatArray, *, rng: Generator
) -> Iterator[tuple[object, ...]]:
    values, intervals = decision_curve(predictions, thresholds=thresholds, rng=rng)
    tested = ~np.isnan(predictions.probabilities)
    everybody = np.mean(
        [treat_all(predictions.labels[there], thresholds=thresholds) for there in tested], axis=0
    )
    n = len(predictions.labels)
    for point in zip(thresholds, values, intervals, everybody, strict=True):
        threshold, value, interval, treated = point
        bounds = (interval.low, interval.high)
        yield predictions.model, threshold, value, *bounds, treated, n, interval.method


def _worth(labels: ArrayLike, probabilities: ArrayLike, *, thresholds: ArrayLike) -> FloatArray:
    """What each patient adds at each threshold, (n, k): 1, minus the odds, or nothing."""
    threshold = np.asarray(thresholds, dtype=np.float64)
    positive = np.asarray(labels)[:, None] == 1
    called = np.asarray(probabilities, dtype=np.float64)[:, None] >= threshold
    return np.where(called, np.where(positive, 1.0, -threshold / (1 - threshold)), 0.0)


def _by_cluster(worth: FloatArray, clusters: NDArray[np.int64], n_clusters: int) -> FloatArray:
    columns = (np.bincount(clusters, column, n_clusters) for column in worth.T)
    return np.stack(list(columns), axis=1)


def _mean(sums: FloatArray, sizes: FloatArray) -> FloatArray:
    nobody = sizes == 0
    return np.where(nobody[:, None], np.nan, sums / np.where(nobody, 1.0, sizes)[:, None])
