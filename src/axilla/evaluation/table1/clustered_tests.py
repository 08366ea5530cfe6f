"""Tests between groups where patients come in clusters, as several cases of one donor do.

A cluster counts as one draw: variances are those of cluster totals of each patient's influence,
with G / (G - 1) for G clusters, as in the survey design that draws clusters with replacement.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from axilla.evaluation.table1.group_tests import Tested, not_tested

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_PAIR = 2
_NOTHING = 1e-12


def compare_clustered_numbers(
    values: FloatArray, groups: IntArray, *, clusters: IntArray, ranks: bool
) -> Tested:
    """Compare the groups' means of `values` (N,), or of their ranks; all arrays (N,), no NaN.

    `groups` and `clusters` are numbers from 0; a cluster may hold patients of several groups. Wald
    test, for k groups and G clusters against F with k - 1 and G - k degrees of freedom. On ranks
    it is the test of Lumley & Scott (Biometrika 2013;100:831). No test with less than two clusters
    in a group, or without variation between clusters.
    """
    if reason := _too_little(groups, clusters):
        return not_tested(reason)
    scores = stats.rankdata(values) / len(values) if ranks else values
    member = np.eye(int(groups.max()) + 1)[groups]
    means = (member * scores[:, np.newaxis]).sum(axis=0) / member.sum(axis=0)
    influence = member * (scores[:, np.newaxis] - means) / member.sum(axis=0)
    contrast = np.vstack([-np.ones(len(means) - 1), np.eye(len(means) - 1)])
    variance = contrast.T @ _covariance(influence, clusters) @ contrast
    difference = means @ contrast
    spare = int(clusters.max()) + 1 - len(means)
    if np.linalg.matrix_rank(variance, tol=_NOTHING * max(np.ptp(scores) ** 2, _NOTHING)) < len(
        difference
    ):
        return not_tested("no variation between clusters")
    wald = float(difference @ np.linalg.solve(variance, difference))
    p = float(stats.f.sf(wald / len(difference), len(difference), spare))
    return Tested(p, "Wald on ranks" if ranks else "Wald")


def compare_clustered_levels(levels: IntArray, groups: IntArray, *, clusters: IntArray) -> Tested:
    """Compare a category between groups; all arrays (N,), numbers from 0, every one occurring.

    Pearson's chi-square divided by its mean design effect, second-order correction of Rao & Scott
    (Ann Stat 1984;12:46), against F with d and d (G - 1) degrees of freedom (Thomas & Rao, J Am
    Stat Assoc 1987;82:630). No test under the conditions of `compare_clustered_numbers`.
    """
    if reason := _too_little(groups, clusters):
        return not_tested(reason)
    n_levels, n_groups = int(levels.max()) + 1, int(groups.max()) + 1
    if n_levels < _PAIR:
        return not_tested("one value only")
    cells = np.eye(n_levels * n_groups)[levels * n_groups + groups]
    shares = cells.mean(axis=0)
    covariance = _covariance((cells - shares) / len(cells), clusters)
    scaled = _interaction(n_levels, n_groups) * np.where(
        shares > 0, 1 / np.where(shares > 0, shares, 1), 0
    )
    independent = scaled @ np.diag(shares) @ scaled.T / len(cells)
    effects = np.linalg.lstsq(independent, scaled @ covariance @ scaled.T, rcond=None)[0]
    total = float(np.trace(effects))
    if total < _NOTHING:
        return not_tested("no variation between clusters")
    counts = cells.sum(axis=0).reshape(n_levels, n_groups)
    chi_square = float(stats.chi2_contingency(counts, correction=False)[0])
    df = total**2 / float(np.trace(effects @ effects))
    p = float(stats.f.sf(chi_square / total, df, df * int(clusters.max())))
    return Tested(p, "Rao-Scott")


def _covariance(influence: FloatArray, clusters: IntArray) -> FloatArray:
    """Return the covariance (k, k) of estimates from each patient's influence (N, k) on them."""
    totals = np.zeros((int(clusters.max()) + 1, influence.shape[1]))
    np.add.at(totals, clusters, influence)
    return totals.T @ totals * (len(totals) / (len(totals) - 1))


def _interaction(n_levels: int, n_groups: int) -> FloatArray:
    """Return contrasts (d, cells) of a table that independence leaves at zero."""
    level, group = np.divmod(np.arange(n_levels * n_groups), n_groups)
    rows, columns = np.eye(n_levels)[level], np.eye(n_groups)[group]
    main = np.column_stack([rows, columns[:, 1:]])
    both = np.column_stack(
        [rows[:, i] * columns[:, j] for i in range(1, n_levels) for j in range(1, n_groups)]
    )
    fitted: FloatArray = main @ np.linalg.lstsq(main, both, rcond=None)[0]
    return (both - fitted).T


def _too_little(groups: IntArray, clusters: IntArray) -> str | None:
    present = np.unique(np.column_stack([groups, clusters]), axis=0)[:, 0]
    counts = np.bincount(present) if present.size else np.zeros(0, dtype=np.int64)
    if np.count_nonzero(counts) < _PAIR:
        return "values in one group only"
    if counts.min() < _PAIR or int(clusters.max()) + 1 <= len(counts):
        return "fewer than two clusters in a group"
    return None
