"""Calibration curve: bins with intervals, local linear smoothing, and a histogram."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from axilla.evaluation.evaluation_inputs import EvaluationInputs
from axilla.evaluation.intervals.confidence_intervals import (
    FEWEST,
    effective_sample,
    t_quantile,
    wilson,
)
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray, IntArray
from axilla.records.table_columns import CALIBRATION

SPAN: Final = 0.75
_ROUNDING: Final = 1e-5
_SINGULAR: Final = 1e-10
_Row = tuple[str, str, float, float, float, float, float]
BINS: Final = 10
FEWEST_IN_BIN: Final = 10
HISTOGRAM_BINS: Final = 20
_POINTS: Final = 61
_SHOWN: Final = (0.01, 0.99)


@dataclass(frozen=True, slots=True, eq=False)
class Smooth:
    """Observed shares (k,) at predicted risks `at` (k,), with pointwise 95 % bounds."""

    at: FloatArray
    observed: FloatArray
    low: FloatArray
    high: FloatArray


def smooth_outcomes(
    labels: FloatArray, probabilities: FloatArray, *, clusters: IntArray, at: FloatArray
) -> Smooth:
    """Smooth outcomes (n,) of 0 and 1 over probabilities (n,), cut at 0 and 1.

    `clusters` (n,) numbers what is not independent: the predictions of one patient, or of one
    group. `at` (k,) rises and lies within the probabilities. With l the weights that make a value,
    independent predictions are worth 1 / sum of l^2. Clusters divide that by their design effect
    (Kish), never below 1: the sum over clusters of (sum of l x residual)^2, times G / (G - 1),
    over the sum of (l x residual)^2; and Student's t takes the place of the normal distribution.
    """
    size = max(1, int(len(labels) * SPAN + _ROUNDING))
    weights = np.stack([_weights(probabilities - point, size=size) for point in at])
    observed = np.clip(weights @ labels, 0, 1)
    residual = labels - np.interp(probabilities, at, observed)
    alone = len(np.unique(clusters)) == len(clusters)
    bounds = [
        wilson(value, 1 / float((row**2).sum()))
        if alone
        else _clustered_interval(value, row, residual=residual, clusters=clusters)
        for value, row in zip(observed, weights, strict=True)
    ]
    low, high = np.array(bounds).T
    return Smooth(at, observed, low, high)


def _weights(distance: FloatArray, *, size: int) -> FloatArray:
    """What each outcome adds to the smoothed value at distance 0: (n,), summing to 1.

    The nearest `size` predictions count, by the tricube of their distance. Where they are all tied,
    at the point or equally far from it, the value is their mean.
    """
    far = np.abs(distance)
    reach = np.partition(far, size - 1)[size - 1]
    kernel = np.clip(1 - (far / reach) ** 3, 0, None) ** 3 if reach else np.zeros_like(far)
    if not kernel.any():
        near = (far <= reach).astype(np.float64)
        return np.asarray(near / near.sum())
    zeroth, first, second = (float((kernel * distance**power).sum()) for power in range(3))
    spread = zeroth * second - first**2
    if spread <= _SINGULAR * (zeroth * reach) ** 2:
        return np.asarray(kernel / zeroth)
    return np.asarray(kernel * (second - first * distance) / spread)


def _clustered_interval(
    value: float, weights: FloatArray, *, residual: FloatArray, clusters: IntArray
) -> tuple[float, float]:
    informing = len(np.unique(clusters[weights != 0]))
    if informing < FEWEST:
        return np.nan, np.nan
    # Without a residual nothing tells how alike a cluster is: each then counts as one.
    errors = weights * residual if (weights * residual).any() else weights
    between = float((np.bincount(clusters, errors) ** 2).sum()) * informing / (informing - 1)
    effect = max(1.0, between / float((errors**2).sum()))
    trials = 1 / (effect * float((weights**2).sum()))
    return wilson(value, trials, quantile=t_quantile(informing - 1))


def calibration_table(material: EvaluationInputs) -> pd.DataFrame | None:
    """Return calibration.csv of every model that gives probabilities; None without one.

    `bin`: tenths of the predictions (fewer bins where they would hold under ten patients), the
    mean prediction, the share with the outcome and its clustered Wilson interval; ties stay
    together. `smooth`: the local linear curve with pointwise bounds, between the 1st and 99th
    percentile of the predictions. `histogram`: the middle of twentieths of the scale, the class in
    `observed`, its patients in `n`. Predictions of all repeats are pooled, `n` is per repeat, and
    a patient stays one patient.
    """
    models = [model for model in material.models.values() if model.kind != "reader"]
    if not models:
        return None
    rows = [row for model in models for row in calibration_rows(model)]
    return pd.DataFrame(rows, columns=list(CALIBRATION))


def calibration_rows(predictions: ModelPredictions) -> Iterator[_Row]:
    """Yield the rows of one model, in the columns of calibration.csv."""
    pooled = _Pooled(predictions)
    yield from _bins(pooled)
    yield from _smooth(pooled)
    yield from _histogram(pooled)


class _Pooled:
    """Predictions of all repeats in one row (n,): who, in which cluster, what, and the outcome."""

    def __init__(self, predictions: ModelPredictions) -> None:
        tested = ~np.isnan(predictions.probabilities)
        self.model = predictions.model
        self.repeats = len(tested)
        self.patients = np.nonzero(tested)[1]
        self.probabilities = predictions.probabilities[tested]
        self.labels = predictions.labels[self.patients].astype(np.float64)
        self.clusters = predictions.clusters[self.patients]
        self.independent = self.repeats == 1 and not predictions.is_clustered

    def per_repeat(self, count: int) -> float:
        """Return patients per repeat, a whole number where there is one repeat."""
        return count if self.repeats == 1 else count / self.repeats


def bins_of(probabilities: FloatArray, *, patients: int) -> NDArray[np.int64]:
    """Return the bin of each prediction, (n,), numbered from 0 as their rows follow each other."""
    bins = int(np.clip(patients // FEWEST_IN_BIN, 1, BINS))
    edges = np.quantile(probabilities, np.linspace(0, 1, bins + 1)[1:-1])
    return np.unique(np.searchsorted(edges, probabilities), return_inverse=True)[1]


def _bins(pooled: _Pooled) -> Iterator[_Row]:
    patients = len(np.unique(pooled.patients))
    bin_of = bins_of(pooled.probabilities, patients=patients)
    for number in range(int(bin_of.max()) + 1):
        inside = bin_of == number
        share = float(pooled.labels[inside].mean())
        low, high = _bounds(pooled, inside, share=share)
        predicted = float(pooled.probabilities[inside].mean())
        n = pooled.per_repeat(int(inside.sum()))
        yield pooled.model, "bin", predicted, share, low, high, n


def _bounds(pooled: _Pooled, inside: NDArray[np.bool_], *, share: float) -> tuple[float, float]:
    if pooled.independent:
        return wilson(share, float(inside.sum()))
    among = inside.astype(np.float64)[None]
    sample = effective_sample(among * pooled.labels, among, clusters=pooled.clusters)
    if sample is None:
        return np.nan, np.nan
    patients = len(np.unique(pooled.patients[inside]))
    return wilson(share, min(sample.trials, patients), quantile=sample.quantile)


def _smooth(pooled: _Pooled) -> Iterator[_Row]:
    low, high = np.quantile(pooled.probabilities, _SHOWN)
    if low == high:
        return
    curve = smooth_outcomes(
        pooled.labels,
        pooled.probabilities,
        clusters=pooled.clusters,
        at=np.linspace(low, high, _POINTS),
    )
    n = pooled.per_repeat(len(pooled.labels))
    columns = (values.tolist() for values in (curve.at, curve.observed, curve.low, curve.high))
    for predicted, observed, lower, upper in zip(*columns, strict=True):
        yield pooled.model, "smooth", predicted, observed, lower, upper, n


def _histogram(pooled: _Pooled) -> Iterator[_Row]:
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    middles = (edges[:-1] + edges[1:]) / 2
    for label in (0.0, 1.0):
        counts, _ = np.histogram(pooled.probabilities[pooled.labels == label], edges)
        for middle, count in zip(middles, counts, strict=True):
            if count:
                n = pooled.per_repeat(int(count))
                yield pooled.model, "histogram", float(middle), label, np.nan, np.nan, n
