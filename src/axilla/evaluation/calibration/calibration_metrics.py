"""Whether probabilities mean what they say: calibration intercept, slope and expected error.

Intercept and slope are logistic regressions of the outcome on the logit of the probability (Cox,
Biometrika 1958;45:562; Van Calster et al., J Clin Epidemiol 2016;74:167). Their intervals rest on
each patient's influence, summed by cluster and averaged over repeats, as those of the AUC do. That
sandwich does not presume the calibration that is in question.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit, logit

from axilla.evaluation.intervals.confidence_intervals import (
    FEWEST,
    Interval,
    no_interval,
    t_quantile,
)
from axilla.inference.recalibration import clipped_logit, fit_line
from axilla.records.arrays import FloatArray, IntArray

# Labels and logits of one repeat to an estimate and each patient's influence on it.
_Fit = Callable[[FloatArray, FloatArray], tuple[float, FloatArray]]

EPSILON: Final = 1e-6
"""Probabilities nearer to 0 or 1 are moved this far away from them before the logit is taken."""

BINS: Final = 10


class _Undefined(Exception):  # noqa: N818 - an answer with its reason, never raised to a caller
    """The data allow no estimate; says why."""


def calibration_intercept(
    labels: ArrayLike, probabilities: ArrayLike, *, clusters: IntArray | None = None
) -> tuple[float, Interval]:
    """Return calibration in the large, 0 where the mean risk is right, with its 95 % interval.

    `labels` (n,) of 0 and 1; `probabilities` (n,) or (repeats, n), NaN = not tested; `clusters`
    (n,) numbers from 0. It is the intercept of a logistic regression whose slope is held at 1:
    above 0 risks are too low, below 0 too high. NaN with one class in a repeat.
    """
    return _estimate("offset logistic", _intercept, labels, probabilities, clusters=clusters)


def calibration_slope(
    labels: ArrayLike, probabilities: ArrayLike, *, clusters: IntArray | None = None
) -> tuple[float, Interval]:
    """Return the calibration slope, 1 where risks are neither too extreme nor too modest.

    Shapes as in `calibration_intercept`. Below 1, risks are too extreme (overfitting). NaN in a
    repeat of one class, of equal probabilities, or whose classes the probabilities separate.
    """
    return _estimate("logistic recalibration", _slope, labels, probabilities, clusters=clusters)


def expected_calibration_error(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    weights: FloatArray | None = None,
    bins: int = BINS,
) -> FloatArray:
    """Return the mean distance of risk and outcome over bins of equal width, per row of `weights`.

    `labels` (n,) of 0 and 1, `probabilities` (n,), `weights` (draws, n), how often each patient
    counts; without weights the answer is (1,). Bins hold their upper edge. Its expectation is above
    0 even where calibration is perfect, the more so the fewer patients a bin holds. NaN for a draw
    of nobody. Source: Guo et al., ICML 2017, equation 3.
    """
    label, probability = (np.asarray(given, dtype=np.float64) for given in (labels, probabilities))
    counted = np.ones((1, len(label))) if weights is None else weights
    edges = np.linspace(0, 1, bins + 1)[1:-1]
    within = np.searchsorted(edges, probability)[:, None] == np.arange(bins)
    gaps = np.abs(counted @ (within * (label - probability)[:, None])).sum(axis=1)
    everyone = counted.sum(axis=1)
    return np.where(everyone > 0, gaps / np.where(everyone > 0, everyone, 1.0), np.nan)


def _estimate(
    name: str,
    fit: _Fit,
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    clusters: IntArray | None,
) -> tuple[float, Interval]:
    label = np.asarray(labels, dtype=np.float64)
    cluster = np.arange(len(label)) if clusters is None else clusters
    repeats = np.atleast_2d(np.asarray(probabilities, dtype=np.float64))
    grouped = " clustered by group" if len(np.unique(cluster)) < len(label) else ""
    method = f"{name}, sandwich{grouped}, t"
    values, influences = np.empty(len(repeats)), np.zeros(repeats.shape)
    for r, probability in enumerate(repeats):
        tested = ~np.isnan(probability)
        try:
            values[r], influences[r, tested] = fit(
                label[tested], clipped_logit(probability[tested], epsilon=EPSILON)
            )
        except _Undefined as reason:
            return np.nan, no_interval(method, reason=str(reason))
    known = ~np.isnan(repeats).all(axis=0)
    estimate = float(values.mean())
    return estimate, _interval(estimate, influences.mean(axis=0)[known], cluster[known], method)


def _interval(estimate: float, influence: FloatArray, cluster: IntArray, method: str) -> Interval:
    n_clusters = len(np.unique(cluster))
    if n_clusters < FEWEST:
        return no_interval(method, reason="fewer than two groups")
    variance = (np.bincount(cluster, influence) ** 2).sum() * n_clusters / (n_clusters - 1)
    half = t_quantile(n_clusters - 1) * float(variance) ** 0.5
    return Interval(estimate - half, estimate + half, method)


def _intercept(label: FloatArray, logits: FloatArray) -> tuple[float, FloatArray]:
    prevalence = _prevalence(label)
    centre = float(logit(prevalence))

    def excess(intercept: float) -> float:
        return float(expit(intercept + logits).mean() - prevalence)

    # At these ends every patient's risk is at most, and at least, the prevalence.
    low, high = centre - logits.max(), centre - logits.min()
    intercept = brentq(excess, low, high, xtol=1e-13) if excess(low) < 0 < excess(high) else low
    chance = expit(intercept + logits)
    return float(intercept), (label - chance) / (chance * (1 - chance)).sum()


def _slope(label: FloatArray, logits: FloatArray) -> tuple[float, FloatArray]:
    _prevalence(label)
    if np.ptp(logits) == 0:
        raise _Undefined("predictions do not vary")
    positive, negative = logits[label == 1], logits[label == 0]
    if positive.min() >= negative.max() or negative.min() >= positive.max():
        raise _Undefined("predictions separate the classes perfectly")
    intercept, slope = fit_line(logits, label)
    chance = expit(intercept + slope * logits)
    design = np.column_stack([np.ones(len(logits)), logits])
    information = (design.T * (chance * (1 - chance))) @ design
    return slope, np.linalg.solve(information, (design * (label - chance)[:, None]).T)[1]


def _prevalence(label: FloatArray) -> float:
    if not len(label):
        raise _Undefined("nobody tested")
    prevalence = float(label.mean())
    if prevalence in (0, 1):
        raise _Undefined("one class only")
    return prevalence
