"""Whether a metric differs between groups of patients: one test over all levels of a column.

Levels hold different patients, but a cluster (a donor, a family) may reach into several of them,
so the estimates' covariance is summed by cluster over the whole sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import chi2, f

from axilla.evaluation.intervals.confidence_intervals import FEWEST
from axilla.evaluation.metrics.confusion import PROPORTIONS
from axilla.evaluation.metrics.delong import auc_influence
from axilla.evaluation.prediction_arrays import ModelPredictions
from axilla.records.arrays import BoolArray, FloatArray

_NEGLIGIBLE_VARIANCE: Final = 1e-20
_SINGULAR: Final = 1e-10
_PAIR: Final = 2


@dataclass(frozen=True, slots=True)
class Equality:
    """A test that `levels` groups share one value; NaN with the reason where there is none."""

    statistic: float
    p: float
    levels: int
    method: str


@dataclass(frozen=True, slots=True, eq=False)
class _LevelAuc:
    """An AUC and its influence summed by cluster, (clusters,), for each class of patients.

    `clusters_of` are the clusters with a positive, a negative and any patient of the level.
    """

    value: float
    positive: FloatArray
    negative: FloatArray
    clusters_of: tuple[int, int, int]
    clustered: bool

    @property
    def small_sample(self) -> tuple[float, float, float]:
        """Return n / (n - 1) of each of `clusters_of`."""
        positive, negative, either = (n / (n - 1) for n in self.clusters_of)
        return positive, negative, either

    @property
    def freedom(self) -> float:
        """Return the variance's degrees of freedom: pROC's, or with clusters Satterthwaite's."""
        positive, negative, either = self.clusters_of
        if not self.clustered:
            return either - 1
        of_positive = float((self.positive**2).sum()) * positive / (positive - 1)
        of_negative = float((self.negative**2).sum()) * negative / (negative - 1)
        spread = of_positive**2 / (positive - 1) + of_negative**2 / (negative - 1)
        return min((of_positive + of_negative) ** 2 / spread, either - 1)


def equal_aucs(model: ModelPredictions, members: Sequence[BoolArray]) -> Equality:
    """Test that the AUCs within disjoint groups of patients, (P,) each, are equal.

    Wald's statistic of their differences, with Obuchowski's covariance, against F with Welch's
    degrees of freedom. For two groups of independent patients it is the unpaired DeLong test of
    pROC. A group whose AUC has no variance (one class, fewer than two clusters of a class, or an
    AUC of 0 or 1) is left out. Sources: DeLong, Biometrics 1988;44:837; Obuchowski, Biometrics
    1997;53:567; Welch, Biometrika 1951;38:330.
    """
    levels = [level for member in members if (level := _level_auc(model, member)) is not None]
    if len(levels) < FEWEST:
        return _no_test(len(levels), "fewer than two levels whose AUC has a variance")
    statistic = _quadratic(np.array([level.value for level in levels]), _covariance(levels))
    if np.isnan(statistic):
        return _no_test(len(levels), "levels whose AUCs cannot differ")
    scale, freedom = _welch(levels)
    p = f.sf(statistic / (len(levels) - 1) / scale, len(levels) - 1, freedom)
    return Equality(statistic, float(p), len(levels), "Wald, Welch's F")


def equal_proportions(
    model: ModelPredictions, members: Sequence[BoolArray], *, name: str
) -> Equality:
    """Test that a proportion of `confusion.PROPORTIONS` is equal in disjoint groups, (P,) each.

    Pearson's chi-square, whose variance is widened by the intracluster correlation that all
    patients share; a patient of several repeats counts once, with the mean. For independent
    patients it is Pearson's own, for two groups that hold one patient of each cluster McNemar's.
    Unlike Wald's it is defined where a group reaches 0 or 1. A group without patients to count
    among is left out. Source: Donner & Donald, J Clin Epidemiol 1988;41:899, with the moment
    estimate of the correlation.
    """
    counted, among = (model.cells @ np.array(cells, float) for cells in PROPORTIONS[name])
    asked = among.sum(axis=0)
    used = [member & (asked > 0) for member in members if asked[member].any()]
    if len(used) < FEWEST:
        return _no_test(len(used), "fewer than two levels with patients to count among")
    within = np.any(used, axis=0)
    share = np.divide(counted.sum(axis=0), asked, out=np.zeros(len(asked)), where=asked > 0)
    residuals = np.where(within, share - share[within].mean(), 0.0)
    correlation = _shared_correlation(residuals, within, model=model)
    method = "Pearson chi-square"
    if not np.allclose(correlation, 0):
        method = f"{method} adjusted for an intracluster correlation of {correlation:.2f}"
    if not residuals.any():
        return Equality(0.0, 1.0, len(used), method)
    sizes = np.array([member.sum() for member in used], dtype=np.float64)
    counts = _by_cluster(np.stack(used).astype(np.float64), model)
    pairs = counts @ counts.T - np.diag(sizes)
    variance = (residuals[within] ** 2).mean()
    covariance = variance * (np.diag(1 / sizes) + correlation * pairs / np.outer(sizes, sizes))
    statistic = _quadratic(np.array([share[member].mean() for member in used]), covariance)
    if np.isnan(statistic):
        return _no_test(len(used), "levels whose shares cannot differ")
    return Equality(statistic, float(chi2.sf(statistic, len(used) - 1)), len(used), method)


def _shared_correlation(
    residuals: FloatArray, within: BoolArray, *, model: ModelPredictions
) -> float:
    """Return the mean product of residuals of two patients of a cluster over their variance."""
    sums, squares, sizes = _by_cluster(
        np.stack([residuals, residuals**2, within.astype(np.float64)]), model
    )
    pairs, variance = (sizes * (sizes - 1)).sum(), squares.sum() / sizes.sum()
    if not pairs or not variance:
        return 0.0
    return float(np.clip((sums**2 - squares).sum() / pairs / variance, 0.0, 1.0))


def _no_test(levels: int, reason: str) -> Equality:
    return Equality(np.nan, np.nan, levels, f"no test, {reason}")


def _level_auc(model: ModelPredictions, member: BoolArray) -> _LevelAuc | None:
    labels, clusters = model.labels[member], model.clusters[member]
    sizes = (
        len(np.unique(clusters[labels == 1])),
        len(np.unique(clusters[labels == 0])),
        len(np.unique(clusters)),
    )
    if min(sizes) < FEWEST:
        return None
    influence = auc_influence(labels, model.probabilities[:, member])
    if np.isnan(influence.auc):
        return None
    whole = np.zeros((2, len(model.labels)))
    whole[0, member] = influence.per_patient * (labels == 1)
    whole[1, member] = influence.per_patient * (labels == 0)
    positive, negative = _by_cluster(whole, model)
    level = _LevelAuc(influence.auc, positive, negative, sizes, sizes[2] < len(labels))
    return level if _covariance([level])[0, 0] > _NEGLIGIBLE_VARIANCE else None


def _covariance(levels: Sequence[_LevelAuc]) -> FloatArray:
    """Return the covariance of the levels' AUCs; its diagonal is `auc_covariance` of each."""
    positive, negative = (
        np.stack([getattr(level, name) for level in levels]) for name in ("positive", "negative")
    )
    scales = np.sqrt([level.small_sample for level in levels])
    scaled_positive, scaled_negative = positive * scales[:, :1], negative * scales[:, 1:2]
    cross = (positive * scales[:, 2:]) @ (negative * scales[:, 2:]).T
    return np.asarray(
        scaled_positive @ scaled_positive.T + scaled_negative @ scaled_negative.T + cross + cross.T
    )


def _welch(levels: Sequence[_LevelAuc]) -> tuple[float, float]:
    """Return by what Welch divides the mean square, and the F distribution's second freedom."""
    count = len(levels)
    weights = 1 / np.diag(_covariance(levels))
    freedoms = np.array([level.freedom for level in levels])
    spread = float(((1 - weights / weights.sum()) ** 2 / freedoms).sum())
    squared = count**2 - 1
    return 1 + 2 * (count - _PAIR) / squared * spread, squared / (3 * spread)


def _by_cluster(influence: FloatArray, model: ModelPredictions) -> FloatArray:
    """(rows, P) to (rows, clusters)."""
    return np.stack(
        [np.bincount(model.clusters, row, minlength=model.n_clusters) for row in influence]
    )


def _quadratic(values: FloatArray, covariance: FloatArray) -> float:
    """Return d' V^-1 d of all differences d from the last value; NaN where V is singular."""
    count = len(values) - 1
    contrast = np.column_stack([np.eye(count), -np.ones(count)])
    spread = contrast @ covariance @ contrast.T
    eigenvalues = np.linalg.eigvalsh(spread)
    if eigenvalues[0] <= max(_SINGULAR * eigenvalues[-1], _NEGLIGIBLE_VARIANCE):
        return np.nan
    differences = contrast @ values
    return float(differences @ np.linalg.solve(spread, differences))
