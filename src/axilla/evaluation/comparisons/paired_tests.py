"""Paired comparisons of two models or readers, also at a reader's sensitivity or specificity.

Every test is paired: both models are asked about the same patients, and what the answers share is
taken into account. With groups or repeats the plain tests no longer hold, and the same difference
is tested between groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import binomtest, norm, t

from axilla.evaluation.intervals.confidence_intervals import (
    DRAWS,
    FEWEST,
    NORMAL_QUANTILE,
    Interval,
    Resampled,
    no_interval,
    resample,
    t_quantile,
    wilson,
)
from axilla.evaluation.metrics.confusion import PROPORTIONS, recall, specificity
from axilla.evaluation.metrics.delong import (
    AucInfluence,
    auc_covariance,
    auc_influence,
    degrees_of_freedom,
    interval_of_influence,
)
from axilla.evaluation.metrics.fold_averaged_auc import fold_average
from axilla.evaluation.metrics.weighted_metrics import cells_by_cluster
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import FloatArray

Share = Literal["accuracy", "recall", "specificity"]

_NEGLIGIBLE: Final = 1e-12
_NEGLIGIBLE_VARIANCE: Final = 1e-20
Matched = Literal["recall", "specificity"]
_ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Difference:
    """First model minus second with its 95 % interval, and the test of no difference."""

    estimate: float
    interval: Interval
    statistic: float
    p: float


def auc_difference(one: ModelPredictions, other: ModelPredictions) -> Difference:
    """Test the difference of two AUCs measured on the same patients.

    Both hold the same patients in the same order. Without groups the test is DeLong's, normal
    (Biometrics 1988;44:837), and the interval joins the AUCs' own logit intervals by their
    correlation (`joined_bounds`): near 1 DeLong's symmetric one is too wide where the AUCs are
    equal and too narrow where they are not. With groups both are Wald's with Obuchowski's
    covariance and Student's t by Satterthwaite's degrees of freedom: a correlation told by few
    groups is too uncertain to join intervals by. Rankings that never differ have difference 0 and
    p = 1.
    """
    found = [auc_influence(one.labels, model.probabilities) for model in (one, other)]
    return _of_influences(found, one)


def fold_auc_difference(one: ModelPredictions, other: ModelPredictions) -> Difference:
    """Test the difference of two means of folds' AUCs, as `auc_difference` does.

    Both were tested in the same folds. Where what each fold chose sits on different scales of
    probability, the pooled AUC is lower for that alone, and this difference is the fairer one.
    """
    means = [fold_average(one.labels, model.probabilities, model.folds) for model in (one, other)]
    return _of_influences([mean.influence for mean in means], one, about=means[0].about)


def _of_influences(
    influences: Sequence[AucInfluence], model: ModelPredictions, *, about: str = ""
) -> Difference:
    labels, clusters = model.labels, model.clusters
    estimate = influences[0].auc - influences[1].auc
    method = "DeLong clustered by group (Obuchowski 1997), t" if model.is_clustered else "DeLong"
    method += about
    if np.isnan(estimate):
        return _make_undefined(estimate, method, reason="one class only")
    change = influences[0].per_patient - influences[1].per_patient
    if np.abs(change).max() < _NEGLIGIBLE and abs(estimate) < _NEGLIGIBLE:
        return _same(method)
    variance = float(auc_covariance(change[None], labels, clusters=clusters)[0, 0])
    if not variance > _NEGLIGIBLE_VARIANCE:
        few = np.isnan(variance)
        reason = "fewer than two groups of a class" if few else "the difference does not vary"
        return _make_undefined(estimate, method, reason=reason)
    if model.is_clustered:
        freedom = degrees_of_freedom(change, labels, clusters=clusters)
        return _test_difference(estimate, variance, method, freedom=freedom)
    tested = _test_difference(estimate, variance, method)
    return replace(tested, interval=_join_influences(influences, model, method=method))


def _join_influences(
    influences: Sequence[AucInfluence], model: ModelPredictions, *, method: str
) -> Interval:
    labels = model.labels
    covariance = auc_covariance(
        np.stack([influence.per_patient for influence in influences]), labels
    )
    product = covariance[0, 0] * covariance[1, 1]
    correlation = covariance[0, 1] / product**0.5 if product > _NEGLIGIBLE_VARIANCE**2 else 0.0
    own = [interval_of_influence(one, labels) for one in influences]
    low, high = joined_bounds(
        *((influence.auc, bounds) for influence, bounds in zip(influences, own, strict=True)),
        correlation=float(correlation),
    )
    return Interval(low, high, f"{method}; interval joined from both on the logit scale")


def joined_bounds(
    first: tuple[float, Interval], second: tuple[float, Interval], *, correlation: float
) -> tuple[float, float]:
    """Return the bounds of a difference of two estimates from their own intervals.

    The distances to their bounds are added as the sides of a triangle, correlated as the estimates
    are. Source: Zou & Donner, Stat Med 2008;27:1693; Newcombe, Stat Med 1998;17:2635 (method 10).
    """
    (one, own), (other, others) = first, second

    def reach(below: float, above: float) -> float:
        return float(max(below**2 - 2 * correlation * below * above + above**2, 0) ** 0.5)

    estimate = one - other
    down = reach(one - own.low, others.high - other)
    up = reach(own.high - one, other - others.low)
    return max(-1.0, estimate - down), min(1.0, estimate + up)


def share_difference(one: ModelPredictions, other: ModelPredictions, *, name: Share) -> Difference:
    """Test the difference of accuracy, recall or specificity on the same patients.

    Without groups or repeats this is McNemar's exact test (Psychometrika 1947;12:153) with
    Newcombe's interval (Stat Med 1998;17:2635, method 10), and the statistic is the number of
    patients whom only the first model calls right. With groups or repeats it is a t test of the
    difference between groups (linearised, as the clustered Wilson interval).
    """
    counted, among = (np.array(cells) for cells in PROPORTIONS[name])
    asked = one.cells @ among > 0
    right_one, right_other = one.cells @ counted * asked, other.cells @ counted * asked
    if not asked.any(axis=1).all():
        return _make_undefined(np.nan, "McNemar exact", reason="nobody to count among")
    if one.is_clustered or len(one.calls) > 1:
        return _between_groups(right_one - right_other, asked, one)
    in_question = asked[0]
    return _mcnemar(right_one[0, in_question], right_other[0, in_question])


def newcombe_difference(both: int, one: int, other: int, neither: int) -> tuple[float, float]:
    """Return Newcombe's interval of a paired difference of proportions (method 10).

    Counts of patients whom both, only the first, only the second and neither call right. Source:
    Newcombe, Stat Med 1998;17:2635: Wilson bounds of each proportion, joined by their correlation.
    """
    total = both + one + other + neither
    first, second = (both + one) / total, (both + other) / total
    product = (both + one) * (other + neither) * (both + other) * (one + neither)
    excess = float(both * neither - one * other)
    if excess > 0:
        excess = max(excess - total / 2, 0)  # the continuity correction of method 10
    correlation = excess / product**0.5 if product else 0.0

    one_interval, other_interval = (Interval(*wilson(p, total), "") for p in (first, second))
    return joined_bounds((first, one_interval), (second, other_interval), correlation=correlation)


def _mcnemar(one: FloatArray, other: FloatArray) -> Difference:
    both, neither = int((one * other).sum()), int(((1 - one) * (1 - other)).sum())
    gained, lost = int((one > other).sum()), int((one < other).sum())
    low, high = newcombe_difference(both, gained, lost, neither)
    changed = gained + lost
    p = float(binomtest(gained, changed, 0.5).pvalue) if changed else 1.0
    method = f"McNemar exact, Newcombe 1998 interval, {gained} against {lost}"
    return Difference((gained - lost) / len(one), Interval(low, high, method), float(gained), p)


def _between_groups(
    change: FloatArray, asked: NDArray[np.bool_], model: ModelPredictions
) -> Difference:
    """A ratio estimator's t test: (repeats, patients) of -1, 0, 1 among those asked about."""
    totals = asked.sum(axis=1)
    means = change.sum(axis=1) / totals
    influence = ((change - means[:, None] * asked) / totals[:, None]).mean(axis=0)
    informing = model.clusters[asked.any(axis=0)]
    groups = len(np.unique(informing))
    method = "paired t between groups" if model.is_clustered else "paired t between patients"
    estimate = float(means.mean())
    if not change.any():
        return _same(method)
    if groups < FEWEST:
        return _make_undefined(estimate, method, reason="fewer than two groups")
    variance = float((np.bincount(model.clusters, influence) ** 2).sum() * groups / (groups - 1))
    if not variance > _NEGLIGIBLE_VARIANCE:
        return _make_undefined(estimate, method, reason="the difference does not vary")
    return _test_difference(estimate, variance, method, freedom=groups - 1)


def _test_difference(
    estimate: float, variance: float, method: str, *, freedom: float | None = None
) -> Difference:
    statistic = estimate / variance**0.5
    if freedom is None:
        quantile, p = NORMAL_QUANTILE, 2 * float(norm.sf(abs(statistic)))
    else:
        quantile, p = t_quantile(freedom), 2 * float(t.sf(abs(statistic), freedom))
    half = quantile * variance**0.5
    low, high = max(-1.0, estimate - half), min(1.0, estimate + half)
    return Difference(estimate, Interval(low, high, method), statistic, p)


def _same(method: str) -> Difference:
    return Difference(0.0, Interval(0.0, 0.0, f"{method}; no patient differs"), 0.0, 1.0)


def _make_undefined(estimate: float, method: str, *, reason: str) -> Difference:
    return Difference(estimate, no_interval(method, reason=reason), np.nan, np.nan)


def matched_difference(
    model: ModelPredictions,
    reader: ModelPredictions,
    *,
    at: Matched,
    rng: Generator,
    draws: int = DRAWS,
) -> Resampled:
    """Return the model's specificity at the reader's recall, less the reader's; or the reverse.

    Both hold the same patients. The point on the model's ROC curve lies where its rate equals the
    reader's, between neighbouring thresholds on the line that joins them. Each draw of patients
    asks for the reader's rate of that draw, so its own uncertainty is in the interval.
    """

    def statistic(weights: FloatArray) -> FloatArray:
        """(draws, clusters) to (draws, 1)."""
        patients = weights[:, model.clusters]
        counts = weights @ cells_by_cluster(reader)
        gains = [
            _gain(model.labels, scores, counts[repeat], patients, at=at)
            for repeat, scores in enumerate(model.probabilities)
        ]
        return np.asarray(np.mean(gains, axis=0))[:, None]

    return resample(statistic, clusters=model.n_clusters, rng=rng, draws=draws)


def _gain(
    labels: NDArray[np.int64],
    scores: FloatArray,
    counts: FloatArray,
    patients: FloatArray,
    *,
    at: Matched,
) -> FloatArray:
    tested = ~np.isnan(scores)
    true_rate, false_rate = _roc(labels[tested], scores[tested], patients[:, tested])
    if at == "recall":
        return 1 - _first_reach(recall(counts), true_rate, false_rate) - specificity(counts)
    # Seen from the other corner, the curve is one of specificity against recall.
    backwards = 1 - false_rate[:, ::-1], 1 - true_rate[:, ::-1]
    return 1 - _first_reach(specificity(counts), *backwards) - recall(counts)


def _roc(
    labels: NDArray[np.int64], scores: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """True and false positive rate of each draw from (0, 0) to (1, 1): (draws, points) each."""
    order = np.argsort(-scores, kind="stable")
    last_of_ties = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)
    ranked = weights[:, order]
    positive = np.cumsum(ranked * labels[order], axis=1)[:, last_of_ties]
    negative = np.cumsum(ranked * (1 - labels[order]), axis=1)[:, last_of_ties]
    start = np.zeros((len(weights), 1))
    with np.errstate(invalid="ignore"):
        rates = [np.hstack([start, c / c[:, -1:]]) for c in (positive, negative)]
    return rates[0], rates[1]


def _first_reach(wanted: FloatArray, rising: FloatArray, cost: FloatArray) -> FloatArray:
    """Cost where `rising` first reaches `wanted`, between points on the line that joins them."""
    rows = np.arange(len(wanted))
    upper = np.argmax(rising >= wanted[:, None] - _ROUNDING, axis=1)
    lower = np.maximum(upper - 1, 0)
    step = rising[rows, upper] - rising[rows, lower]
    share = np.where(step > 0, (wanted - rising[rows, lower]) / np.where(step > 0, step, 1.0), 1.0)
    found = cost[rows, lower] + share * (cost[rows, upper] - cost[rows, lower])
    reached = np.isfinite(wanted) & (rising[:, -1] >= wanted - _ROUNDING)
    return np.where(reached, found, np.nan)
