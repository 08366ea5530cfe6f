"""Tests of one variable between groups of independent patients, as a Table 1 has them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from axilla.evaluation.table1.exact_tables import fisher_freeman_halton

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SmallCounts = Literal["auto", "pearson"]

_ALPHA = 0.05
_PAIR = 2
_SHAPIRO_FROM, _SHAPIRO_TO = 3, 5000
_MOST_SKEWNESS, _MOST_EXCESS_KURTOSIS = 2.0, 4.0
_EXACT_TO = 50
_LEAST_EXPECTED, _SMALL_EXPECTED, _SMALL_SHARE = 1.0, 5.0, 0.2

NOT_COMPARED = "none: "


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
