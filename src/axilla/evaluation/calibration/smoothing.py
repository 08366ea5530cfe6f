"""A smooth calibration curve: local linear regression of the outcome on the predicted risk.

It is loess of degree 1 (Cleveland, J Am Stat Assoc 1979;74:829), which Austin & Steyerberg (Stat
Med 2014;33:517) recommend for calibration, with their span. Every value is a weighted mean of
outcomes, so a Wilson interval with the sample size that the weights are worth goes with it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from axilla.evaluation.intervals.confidence_intervals import FEWEST, t_quantile, wilson

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SPAN: Final = 0.75
_ROUNDING: Final = 1e-5
_SINGULAR: Final = 1e-10


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
        else _clustered(value, row, residual=residual, clusters=clusters)
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


def _clustered(
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
