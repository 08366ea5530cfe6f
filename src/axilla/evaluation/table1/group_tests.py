"""Tests between groups for Table 1: independent patients, clusters, and small counts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats
from scipy.special import gammaln

from axilla.records.arrays import FloatArray, IntArray

_MOST_TABLES = 500_000
_DRAWS = 100_000
_SEED = 20_250_101
_TIE = 1e-7  # two probabilities that differ less are equal, as in R's fisher.test
SmallCounts = Literal["auto", "pearson"]
_ALPHA = 0.05
_PAIR = 2
_SHAPIRO_FROM, _SHAPIRO_TO = 3, 5000
_MOST_SKEWNESS, _MOST_EXCESS_KURTOSIS = 2.0, 4.0
_EXACT_TO = 50
_LEAST_EXPECTED, _SMALL_EXPECTED, _SMALL_SHARE = 1.0, 5.0, 0.2
NOT_COMPARED = "none: "
_NOTHING = 1e-12


def fisher_freeman_halton(counts: IntArray) -> tuple[float, str]:
    """Return the two-sided exact p of a table (levels, groups) without empty margins, and its name.

    The p is the probability, given the margins, of all tables that are no likelier than this one
    (Fisher for 2 x 2; Freeman & Halton, Biometrika 1951;38:141). All tables are listed where that
    is possible; else the p is (1 + extreme) / (1 + drawn) of 100,000 random tables with a fixed
    seed, and the name says `Monte Carlo`.
    """
    name = "Fisher exact" if counts.shape == (2, 2) else "Fisher-Freeman-Halton exact"
    observed = float(-gammaln(counts + 1.0).sum())
    logs = _every_table(counts.sum(axis=1), counts.sum(axis=0))
    if logs is None:
        return _simulate_p(counts, observed), f"{name}, Monte Carlo"
    weights = np.exp(logs - logs.max())
    extreme = logs <= observed + _TIE
    return float(min(weights[extreme].sum() / weights.sum(), 1.0)), name


def _every_table(rows: IntArray, columns: IntArray) -> FloatArray | None:
    """Return the log probability, up to a constant, of every table with these margins.

    Tables grow row by row, smallest row first, as (what is left of the columns, log so far); the
    largest row takes what is left. None if there are too many.
    """
    if len(rows) < len(columns):
        rows, columns = columns, rows
    left, logs = columns[np.newaxis, :], np.zeros(1)
    for total in np.sort(rows)[:-1]:
        parts = _compositions(int(total), columns)
        if parts is None or len(parts) * len(left) > _MOST_TABLES:
            return None
        remains = (left[:, np.newaxis] - parts).reshape(-1, len(columns))
        logs = (logs[:, np.newaxis] - gammaln(parts + 1.0).sum(axis=1)).reshape(-1)
        possible = (remains >= 0).all(axis=1)
        left, logs = remains[possible], logs[possible]
    every: FloatArray = logs - gammaln(left + 1.0).sum(axis=1)
    return every


def _compositions(total: int, limits: IntArray) -> IntArray | None:
    """Return every way to share `total` among columns, none above its limit; None if too many."""
    parts, left = np.zeros((1, 0), dtype=np.int64), np.array([total], dtype=np.int64)
    for position, limit in enumerate(limits):
        most = int(min(limit, total))
        if len(parts) * (most + 1) > _MOST_TABLES:
            return None
        here = np.arange(most + 1, dtype=np.int64)
        remains = left[:, np.newaxis] - here
        behind = int(limits[position + 1 :].sum())
        fits = (remains >= 0) & (remains <= behind)
        row, value = np.nonzero(fits)
        parts = np.column_stack([parts[row], here[value]])
        left = remains[fits]
    return parts


def _simulate_p(counts: IntArray, observed: float) -> float:
    tables = stats.random_table(counts.sum(axis=1), counts.sum(axis=0))
    rng = np.random.default_rng(_SEED)
    extreme, batch = 0, 1000
    for _ in range(_DRAWS // batch):
        drawn = tables.rvs(size=batch, random_state=rng)
        logs = -gammaln(drawn + 1.0).sum(axis=(1, 2))
        extreme += int((logs <= observed + _TIE).sum())
    return (1 + extreme) / (1 + _DRAWS)


@dataclass(frozen=True, slots=True)
class Tested:
    """A p-value and its test; where there is no p, NaN and the reason, which begins with `none`."""

    p: float
    test: str


def not_tested(reason: str) -> Tested:
    """Return the answer that no test applies."""
    return Tested(math.nan, f"{NOT_COMPARED}{reason}")


def is_normal(samples: Sequence[FloatArray]) -> bool:
    """Tell whether no group's values speak against a normal distribution.

    Shapiro-Wilk at 0.05 in each group (Royston, Appl Stat 1995;44:547). Where it is not defined:
    above 5000 values, normal unless skewness is beyond 2 or kurtosis beyond 7 (Kim, Restor Dent
    Endod 2013;38:52); below three values, or all equal, not normal. Groups without values do not
    count.
    """
    return all(_normal(sample) for sample in samples if sample.size)


def compare_numbers(samples: Sequence[FloatArray], *, normal: bool) -> Tested:
    """Compare a number between groups; `samples` are each group's values without NaN.

    Normal: Welch's t test for two groups (Biometrika 1947;34:28), Welch's analysis of variance for
    more (Biometrika 1951;38:330); both without the assumption of equal variances. Otherwise
    Mann-Whitney, exact up to 50 values per group without ties, else by the normal approximation
    with corrections for ties and continuity; Kruskal-Wallis for more than two groups.
    """
    filled = [sample for sample in samples if sample.size]
    if len(filled) < _PAIR:
        return not_tested("values in one group only" if filled else "no values")
    if np.ptp(np.concatenate(filled)) == 0:
        return not_tested("one value only")
    if normal and len(filled) == _PAIR:
        return Tested(float(stats.ttest_ind(*filled, equal_var=False).pvalue), "Welch t")
    if normal:
        return Tested(float(stats.f_oneway(*filled, equal_var=False).pvalue), "Welch ANOVA")
    if len(filled) == _PAIR:
        method: Literal["exact", "asymptotic"] = "exact" if _countable(filled) else "asymptotic"
        p = float(stats.mannwhitneyu(filled[0], filled[1], method=method).pvalue)
        return Tested(p, "Mann-Whitney")
    return Tested(float(stats.kruskal(*filled).pvalue), "Kruskal-Wallis")


def compare_counts(counts: IntArray, *, small: SmallCounts = "auto") -> Tested:
    """Compare a category between groups; `counts` is (levels, groups) of patients.

    Pearson's chi-square without Yates' correction. `auto`: an exact test instead where Cochran's
    rule (Biometrics 1954;10:417) warns of it, that is, where any expected count is below 1 or more
    than a fifth of them are below 5: Fisher's for 2 x 2, Freeman and Halton's otherwise. Levels
    and groups without patients do not count.
    """
    filled = counts[counts.any(axis=1)][:, counts.any(axis=0)]
    if filled.size == 0:
        return not_tested("no values")
    if filled.shape[1] < _PAIR:
        return not_tested("values in one group only")
    if filled.shape[0] < _PAIR:
        return not_tested("one value only")
    if small == "auto" and not enough_expected(filled):
        return Tested(*fisher_freeman_halton(filled))
    return Tested(float(stats.chi2_contingency(filled, correction=False)[1]), "Pearson chi-square")


def enough_expected(counts: IntArray) -> bool:
    """Tell whether Cochran's rule allows the chi-square approximation."""
    expected = stats.contingency.expected_freq(counts)
    return bool(
        expected.min() >= _LEAST_EXPECTED and np.mean(expected < _SMALL_EXPECTED) <= _SMALL_SHARE
    )


def _normal(sample: FloatArray) -> bool:
    if sample.size < _SHAPIRO_FROM or np.ptp(sample) == 0:
        return False
    if sample.size > _SHAPIRO_TO:
        skewness, excess = float(stats.skew(sample)), float(stats.kurtosis(sample))
        return abs(skewness) <= _MOST_SKEWNESS and abs(excess) <= _MOST_EXCESS_KURTOSIS
    return float(stats.shapiro(sample).pvalue) >= _ALPHA


def _countable(samples: Sequence[FloatArray]) -> bool:
    pooled = np.concatenate(samples)
    return max(map(len, samples)) <= _EXACT_TO and len(np.unique(pooled)) == len(pooled)


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
