"""The area under the ROC curve (AUC), its variance by DeLong, and Obuchowski's for clusters.

Everything rests on one number per patient, the influence on the AUC: summed by cluster it gives
the clustered variance, averaged over repeats that of repeated validation, and its products
between models the covariance that a comparison needs. All of it is conditional on the fitted
models: the luck of their training is not in the interval.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from scipy.stats import rankdata

from axilla.evaluation.intervals.confidence_intervals import (
    FEWEST,
    NORMAL_QUANTILE,
    Interval,
    no_interval,
    t_quantile,
)
from axilla.records.arrays import FloatArray, IntArray

_NEGLIGIBLE_VARIANCE = 1e-20
_EDGE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class AucInfluence:
    """An AUC and how much each patient moves it, (n,), summing to 0; NaN where undefined."""

    auc: float
    per_patient: FloatArray


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the share of positive-negative pairs in right order, ties half; NaN with one class."""
    label = np.asarray(labels)
    return (
        float(placements(label, scores)[label == 1].mean()) if len(np.unique(label)) > 1 else np.nan
    )


def placements(labels: ArrayLike, scores: ArrayLike) -> FloatArray:
    """Return DeLong's structural components in patient order: (n,), each from 0 to 1.

    A positive patient's is the share of negatives that score lower, a negative's the share of
    positives that score higher, ties half; the mean of either class is the AUC. Mid-ranks find
    them in O(n log n). NaN with one class. Source: DeLong et al., Biometrics 1988;44:837; Sun &
    Xu, IEEE Signal Process Lett 2014;21:1389, equations 5 to 8.
    """
    positive = np.asarray(labels) == 1
    score = np.asarray(scores, dtype=np.float64)
    n_positive, n_negative = np.count_nonzero(positive), np.count_nonzero(~positive)
    if not n_positive or not n_negative:
        return np.full(len(score), np.nan)
    overall = rankdata(score)
    placed = np.empty(len(score))
    placed[positive] = (overall[positive] - rankdata(score[positive])) / n_negative
    placed[~positive] = 1 - (overall[~positive] - rankdata(score[~positive])) / n_positive
    return placed


def auc_influence(labels: ArrayLike, scores: ArrayLike) -> AucInfluence:
    """Return the AUC, averaged over repeats, and each patient's influence on it.

    `labels` (n,) of 0 and 1; `scores` (n,) or (repeats, n), NaN where a repeat did not test a
    patient. One repeat adds (placement - AUC) / patients of the class; repeats are averaged per
    patient, so a patient predicted many times stays one patient. A repeat with one class leaves
    the mean undefined.
    """
    label = np.asarray(labels)
    repeats = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    aucs, values = np.empty(len(repeats)), np.zeros(repeats.shape)
    for r, score in enumerate(repeats):
        tested = ~np.isnan(score)
        truth = label[tested]
        placed = placements(truth, score[tested])
        aucs[r] = placed[truth == 1].mean() if len(np.unique(truth)) > 1 else np.nan
        class_size = np.where(truth == 1, np.sum(truth == 1), np.sum(truth == 0))
        values[r, tested] = (placed - aucs[r]) / class_size
    return AucInfluence(float(aucs.mean()), values.mean(axis=0))


def auc_covariance(
    influences: FloatArray, labels: ArrayLike, *, clusters: IntArray | None = None
) -> FloatArray:
    """Return the covariance matrix, (models, models), of AUCs measured on the same patients.

    `influences` (models, n) from `auc_influence`; `clusters` (n,) numbers from 0, by default each
    patient its own: then this is DeLong's matrix. A cluster that holds both classes adds the
    products between them. NaN with fewer than two clusters of a class. Source: Obuchowski,
    Biometrics 1997;53:567, section 3: S10 / m + S01 / n + (S11 + S11') / (m n).
    """
    label = np.asarray(labels)
    cluster = np.arange(len(label)) if clusters is None else clusters
    n_positive, n_negative, n_either = _class_clusters(label, cluster)
    if min(n_positive, n_negative) < FEWEST:
        return np.full((len(influences), len(influences)), np.nan)
    positive = _cluster_sums(np.where(label == 1, influences, 0.0), cluster)
    negative = _cluster_sums(np.where(label == 0, influences, 0.0), cluster)
    cross = positive @ negative.T
    return np.asarray(
        positive @ positive.T * _small_sample(n_positive)
        + negative @ negative.T * _small_sample(n_negative)
        + (cross + cross.T) * _small_sample(n_either)
    )


def auc_interval(
    labels: ArrayLike, scores: ArrayLike, *, clusters: IntArray | None = None
) -> tuple[float, Interval]:
    """Return the AUC, averaged over repeats, with its 95 % interval.

    Shapes as in `auc_influence`. The interval is symmetric on the logit scale, which keeps it
    inside 0 and 1 and at its level: of 64 patients with an AUC of 0.85 it covers 95 %, DeLong's
    plain symmetric one 92 % (`benchmarks/evidence.py`). With clusters the quantile is Student's
    by Satterthwaite's degrees of freedom. At 0 and 1 the variance is zero and says nothing;
    Newcombe's score interval takes over, a cluster counted as one patient. Source: Pepe, The
    Statistical Evaluation of Medical Tests, 2003, section 5.2 (logit scale).
    """
    label = np.asarray(labels)
    influence = auc_influence(label, scores)
    return influence.auc, interval_of_influence(influence, label, clusters=clusters)


def interval_of_influence(
    influence: AucInfluence, labels: ArrayLike, *, clusters: IntArray | None = None
) -> Interval:
    """Return the 95 % interval of an AUC from each patient's influence; see `auc_interval`."""
    label = np.asarray(labels)
    cluster = np.arange(len(label)) if clusters is None else clusters
    clustered = len(np.unique(cluster)) < len(label)
    estimate = influence.auc
    method = "DeLong clustered by group (Obuchowski 1997)" if clustered else "DeLong"
    n_positive, n_negative, _ = _class_clusters(label, cluster)
    if np.isnan(estimate):
        return no_interval(method, reason="one class only")
    if min(n_positive, n_negative) < FEWEST:
        unit = "groups" if clustered else "patients"
        return no_interval(method, reason=f"fewer than two {unit} of a class")
    variance = float(auc_covariance(influence.per_patient[None], label, clusters=cluster)[0, 0])
    if variance < _NEGLIGIBLE_VARIANCE:
        return _without_variance(estimate, n_positive, n_negative, method=method)
    quantile, suffix = NORMAL_QUANTILE, ""
    if clustered:
        freedom = degrees_of_freedom(influence.per_patient, label, clusters=cluster)
        quantile, suffix = t_quantile(freedom), ", t"
    half = quantile * variance**0.5 / (estimate * (1 - estimate))
    low, high = expit(logit(estimate) - half), expit(logit(estimate) + half)
    return Interval(float(low), float(high), f"{method}, logit scale{suffix}")


def newcombe_interval(estimate: float, *, n_positive: int, n_negative: int) -> tuple[float, float]:
    """Return Newcombe's score interval of an AUC, which keeps its width at 0 and 1.

    It holds the AUCs whose own variance (Hanley & McNeil's with both class sizes replaced by
    their mean) explains the estimate. Source: Newcombe, Stat Med 2006;25:559, method 5.
    """
    others = (n_positive + n_negative) / 2 - 1

    def excess(candidate: float) -> float:
        spread = 1 + others * ((1 - candidate) / (2 - candidate) + candidate / (1 + candidate))
        variance = candidate * (1 - candidate) * spread / (n_positive * n_negative)
        return float((candidate - estimate) ** 2 - NORMAL_QUANTILE**2 * variance)

    low = brentq(excess, 1e-12, estimate - 1e-12) if estimate > _EDGE else 0.0
    high = brentq(excess, estimate + 1e-12, 1 - 1e-12) if estimate < 1 - _EDGE else 1.0
    return float(low), float(high)


def _without_variance(
    estimate: float, n_positive: int, n_negative: int, *, method: str
) -> Interval:
    if 0 < estimate < 1:
        return no_interval(method, reason="predictions do not vary")
    low, high = newcombe_interval(estimate, n_positive=n_positive, n_negative=n_negative)
    by_group = " with groups as patients" if "group" in method else ""
    return Interval(low, high, f"Newcombe 2006 score{by_group} (DeLong's variance is zero)")


def _class_clusters(label: NDArray[np.generic], cluster: IntArray) -> tuple[int, int, int]:
    positive, negative = np.unique(cluster[label == 1]), np.unique(cluster[label == 0])
    return len(positive), len(negative), len(np.union1d(positive, negative))


def _cluster_sums(influences: FloatArray, cluster: IntArray) -> FloatArray:
    """(models, n) to (models, clusters)."""
    return np.stack([np.bincount(cluster, row) for row in influences])


def _small_sample(clusters: int) -> float:
    return clusters / (clusters - 1)


def degrees_of_freedom(influence: FloatArray, labels: ArrayLike, *, clusters: IntArray) -> float:
    """Return Satterthwaite's degrees of freedom of the two classes' variances, below all clusters.

    `influence` (n,) of an AUC, or of the difference of two, on patients with these `labels`.
    """
    label, cluster = np.asarray(labels), clusters
    n_positive, n_negative, n_either = _class_clusters(label, cluster)
    sums = _cluster_sums(np.stack([influence * (label == 1), influence * (label == 0)]), cluster)
    positive, negative = (sums**2).sum(axis=1) * [
        _small_sample(n_positive),
        _small_sample(n_negative),
    ]
    spread = positive**2 / (n_positive - 1) + negative**2 / (n_negative - 1)
    return float(min((positive + negative) ** 2 / spread, n_either - 1))
